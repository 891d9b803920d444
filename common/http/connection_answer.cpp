// How a connection sends an answer: head, parts and shared payload blocks in one gathered write.

#include <algorithm>
#include <ctime>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/http/connection.h"
#include "common/http/stream_queue.h"

namespace millrace::http {
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
// Buffers in one system call; Asio takes no more than 64.
constexpr std::size_t kGatherMax = 64;
constexpr std::size_t kDiscardBufferBytes = 16 * 1024;

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7), made once a second per thread.
const std::string& http_date() {
    thread_local std::time_t made_for = 0;
    thread_local std::string text;
    const std::time_t now = std::time(nullptr);
    if (now != made_for) {
        std::tm parts{};
        gmtime_r(&now, &parts);
        char buffer[40];
        text.assign(buffer,
                    std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &parts));
        made_for = now;
    }
    return text;
}

// A value that carries a line break would be a second header field.
void append_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ");
    for (const char c : value)
        out.push_back(static_cast<unsigned char>(c) < 0x20 && c != '\t' ? ' ' : c);
    out.append("\r\n");
}

bool status_has_body(int status) {
    return status >= 200 && status != 204 && status != 304;
}

void append_range(std::vector<asio::const_buffer>& buffers, const PayloadRange& range) {
    std::uint64_t at = range.offset;
    const std::uint64_t end = std::min<std::uint64_t>(at + range.size, range.payload->size());
    while (at < end) {
        const auto block = range.payload->block(at / kBlockBytes).subspan(at % kBlockBytes);
        const auto some = block.first(std::min<std::uint64_t>(block.size(), end - at));
        buffers.emplace_back(some.data(), some.size());
        at += some.size();
    }
}

void append_buffers(std::vector<asio::const_buffer>& buffers, const BodyPart& part) {
    if (const auto* text = std::get_if<std::string>(&part))
        buffers.push_back(asio::buffer(*text));
    else if (const auto* range = std::get_if<PayloadRange>(&part))
        append_range(buffers, *range);
    else if (const auto& payload = std::get<PayloadPtr>(part))
        append_range(buffers, {payload, 0, payload->size()});
}

// What is left of `buffers` after `bytes` were written.
std::span<asio::const_buffer> after(std::span<asio::const_buffer> buffers, std::size_t bytes) {
    while (!buffers.empty() && bytes >= buffers.front().size()) {
        bytes -= buffers.front().size();
        buffers = buffers.subspan(1);
    }
    if (!buffers.empty())
        buffers.front() += bytes;
    return buffers;
}

std::string chunk_size_line(std::size_t bytes) {
    char text[24];
    const int size = std::snprintf(text, sizeof text, "%zx\r\n", bytes);
    return {text, static_cast<std::size_t>(size)};
}

}  // namespace

bool Connection::may_keep_alive() {
    // A small body that came along with its head need not cost the connection.
    if (body_ == Body::unread && !chunked_ && content_length_ <= buffered().size()) {
        consume(static_cast<std::size_t>(content_length_));
        body_ = Body::consumed;
    }
    return keep_alive_ && !response_->close && body_ == Body::consumed && !draining() &&
           !(stream_ && http_1_0_);
}

std::string Connection::head_text(const Response& response, bool keep) const {
    std::string head;
    head.reserve(512);
    head.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
    head.append(reason_phrase(response.status)).append("\r\n");
    for (const auto& [name, value] : response.headers)
        append_field(head, name, value);
    append_field(head, "Date", http_date());
    if (stream_ && !http_1_0_)
        append_field(head, "Transfer-Encoding", "chunked");
    else if (!stream_ && status_has_body(response.status))
        append_field(head, "Content-Length", std::to_string(response.body_bytes()));
    if (!keep)
        append_field(head, "Connection", "close");
    else if (http_1_0_)
        append_field(head, "Connection", "keep-alive");
    return head.append("\r\n");
}

asio::awaitable<bool> Connection::send_answer(bool keep) {
    const Response response = std::move(*response_);
    const std::string head = head_text(response, keep);
    std::vector<asio::const_buffer> buffers{asio::buffer(head)};
    const bool with_body = !head_only_ && status_has_body(response.status);
    if (with_body && !stream_)
        for (const BodyPart& part : response.body)
            append_buffers(buffers, part);
    bool sent = co_await write_all(std::move(buffers));
    if (!sent || !stream_ || !with_body)
        co_return sent;
    for (const BodyPart& part : response.body)
        if (const auto* text = std::get_if<std::string>(&part); text != nullptr && sent)
            sent = co_await send_piece(*text);
    if (sent)
        sent = co_await send_stream();
    co_return sent;
}

asio::awaitable<bool> Connection::send_piece(std::string piece) {
    const std::string line = chunk_size_line(piece.size());
    static constexpr std::string_view kEnd = "\r\n";
    std::vector<asio::const_buffer> buffers;
    if (http_1_0_)
        buffers = {asio::buffer(piece)};
    else if (!piece.empty())
        buffers = {asio::buffer(line), asio::buffer(piece), asio::buffer(kEnd)};
    const bool sent = co_await write_all(std::move(buffers));
    co_return sent;
}

asio::awaitable<bool> Connection::send_stream() {
    while (true) {
        std::string piece = stream_->take_all();
        bool sent = true;
        if (!piece.empty()) {
            sent = co_await send_piece(std::move(piece));
        } else if (stream_->ended() || draining()) {
            static constexpr std::string_view kLast = "0\r\n\r\n";
            std::vector<asio::const_buffer> last;
            if (!http_1_0_)
                last = {asio::buffer(kLast)};
            sent = co_await write_all(std::move(last));
            co_return sent;
        } else {
            watch_for_gone();
            co_await wait_for_signal();
            sent = !gone_;
        }
        if (!sent || aborted_)
            co_return false;
    }
}

asio::awaitable<bool> Connection::write_all(std::vector<asio::const_buffer> buffers) {
    std::span<asio::const_buffer> left = after(buffers, 0);
    while (!left.empty()) {
        allow(limits().body_pause);
        const auto some = left.first(std::min(left.size(), kGatherMax));
        const auto [failure, bytes] = co_await transport_->write_some(some);
        if (failure || aborted_)
            co_return false;
        left = after(left, bytes);
    }
    co_return true;
}

void Connection::set_refusal(const Problem& problem) {
    head_only_ = false;
    http_1_0_ = false;
    response_ = to_response(problem);
}

asio::awaitable<void> Connection::answer_and_close() {
    const bool sent = co_await send_answer(false);
    response_.reset();
    if (sent)
        co_await linger();
}

// Closing with unread bytes in the kernel would reset the connection and could take the answer away
// from a client that is still sending (RFC 9112, section 9.6).
asio::awaitable<void> Connection::linger() {
    allow(limits().discard_time);
    co_await transport_->end_sending();
    if (buffer_.size() < kDiscardBufferBytes)
        buffer_.resize(kDiscardBufferBytes);
    std::uint64_t discarded = buffered().size();
    while (!timed_out_ && !aborted_ && discarded < limits().discard_bytes) {
        const auto [failure, bytes] = co_await transport_->socket().async_read_some(
            asio::mutable_buffer(buffer_.data(), buffer_.size()), kAwait);
        discarded += bytes;
        if (failure)
            break;
    }
}

}  // namespace millrace::http
