#include "common/http/head.h"

#include <limits>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace millrace::http {
namespace beast = boost::beast::http;

struct HeadParser::Impl {
    beast::request_parser<beast::empty_body> parser;
    Target target;
    std::string problem;
    bool started = false;
    bool folded = false;
    std::uint8_t last = 0;  // byte taken

    // A line that goes on in the next one (obs-fold): Beast joins them, others take the second for a
    // field. RFC 9112, section 5.2 lets servers refuse it.
    void look_for_folds(std::span<const std::uint8_t> taken) {
        for (const std::uint8_t byte : taken)
            folded |= std::exchange(last, byte) == '\n' && (byte == ' ' || byte == '\t');
    }
    [[nodiscard]] std::string check();
};

namespace {

Method method_of(beast::verb verb) {
    switch (verb) {
        case beast::verb::get:
            return Method::get;
        case beast::verb::head:
            return Method::head;
        case beast::verb::post:
            return Method::post;
        case beast::verb::put:
            return Method::put;
        case beast::verb::delete_:
            return Method::del;
        case beast::verb::options:
            return Method::options;
        default:
            return Method::other;
    }
}

std::string copy(boost::core::string_view text) {
    return {text.data(), text.size()};
}

// Empty lines before a request are to be ignored (RFC 9112, section 2.2).
void skip_empty_lines(std::span<const std::uint8_t>& in) {
    while (in.size() >= 2 && in[0] == '\r' && in[1] == '\n')
        in = in.subspan(2);
}

}  // namespace

HeadParser::HeadParser(std::size_t header_bytes_max) : impl_(std::make_unique<Impl>()) {
    impl_->parser.eager(false);
    impl_->parser.header_limit(static_cast<std::uint32_t>(header_bytes_max));
    impl_->parser.body_limit(boost::none);  // counted by the connection
}

HeadParser::~HeadParser() = default;

HeadParser::Step HeadParser::feed(std::span<const std::uint8_t>& in) {
    if (!impl_->started)
        skip_empty_lines(in);
    if (in.empty() || (!impl_->started && in.size() == 1 && in[0] == '\r'))
        return Step::need_more;
    impl_->started = true;
    boost::system::error_code failure;
    const std::size_t used =
        impl_->parser.put(boost::asio::const_buffer(in.data(), in.size()), failure);
    impl_->look_for_folds(in.first(used));
    in = in.subspan(used);
    if (failure == beast::error::need_more)
        return Step::need_more;
    impl_->problem = failure ? "the request is malformed: " + failure.message() : impl_->check();
    if (!impl_->problem.empty())
        return Step::malformed;
    return impl_->parser.is_header_done() ? Step::done : Step::need_more;
}

// Transfer-Encoding beside Content-Length is already an error of the parser.
std::string HeadParser::Impl::check() {
    if (!parser.is_header_done())
        return {};
    if (folded)
        return "a field goes on in a second line";
    const auto& message = parser.get();
    const auto encoding = message.find(beast::field::transfer_encoding);
    const bool encoded = encoding != message.end();
    if (encoded && !same_ignoring_case(copy(encoding->value()), "chunked"))
        return "the only transfer encoding understood is chunked";
    if (encoded && message.version() < 11)
        return "HTTP/1.0 has no transfer encodings";
    if (message.version() >= 11 && message.count(beast::field::host) != 1)
        return "a request has exactly one Host field";
    auto parsed = parse_target(copy(message.target()));
    if (!parsed)
        return parsed.error().message;
    target = std::move(*parsed);
    return {};
}

Head HeadParser::take() {
    const auto& message = impl_->parser.get();
    Head head;
    head.keep_alive = message.keep_alive();
    head.chunked = message.chunked();
    head.http_1_0 = message.version() < 11;
    Request& request = head.request;
    request.method = method_of(message.method());
    request.method_name = copy(message.method_string());
    request.target = std::move(impl_->target);
    for (const auto& field : message)
        request.headers.add(copy(field.name_string()), copy(field.value()));
    if (const auto length = impl_->parser.content_length())
        request.content_length = *length;
    request.has_body = head.chunked || request.content_length.value_or(0) > 0;
    head.expects_continue = !head.http_1_0 && request.headers.lists("Expect", "100-continue");
    return head;
}

const std::string& HeadParser::problem() const {
    return impl_->problem;
}

}  // namespace millrace::http
