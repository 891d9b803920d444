#include "common/http/connection.h"

#include <algorithm>
#include <cstring>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/socket.h>

#include "common/http/stream_queue.h"

namespace millrace::http {
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

// What an idle connection costs. It grows to twice the header limit when a head needs that.
constexpr std::size_t kBufferBytes = 4 * 1024;

}  // namespace

void BodyOrder::finish(Result<PayloadPtr> result) {
    const BodyDone call = std::exchange(done, nullptr);
    if (!call)
        return;
    try {
        call(std::move(result));
    } catch (const std::exception&) {
        // The handler lets go of the exchange on its way out: that answers 500.
    }
}

void deliver_order(Edge& edge, std::uint64_t connection, std::uint64_t number, BodyOrder& order) {
    if (Connection* const found = edge.find(connection))
        found->order_body(number, std::move(order));
    else
        order.fail(error(ErrorKind::disconnected, "the client is gone"));
}

void deliver_stream(Edge& edge, std::uint64_t connection, std::uint64_t number, Response head,
                    const std::shared_ptr<StreamQueue>& queue) {
    if (Connection* const found = edge.find(connection))
        found->order_response(number, std::move(head), queue);
    else
        queue->close();
}

Connection::Connection(std::shared_ptr<Edge> edge, std::unique_ptr<Transport> transport,
                       std::uint64_t id, std::string remote)
    : edge_(std::move(edge)),
      transport_(std::move(transport)),
      id_(id),
      remote_(std::move(remote)),
      buffer_(kBufferBytes),
      signal_(edge_->io()),
      watchdog_(edge_->io()) {
    edge_->enter(id_, this);
}

Connection::~Connection() {
    edge_->leave(id_);
}

// ---- commands ----------------------------------------------------------------------------------

void Connection::order_body(std::uint64_t number, BodyOrder order) {
    if (number != number_ || response_ || aborted_)
        return order.fail(error(ErrorKind::disconnected, "answered before the body was read"));
    order_ = std::move(order);
    signal_.cancel();
}

void Connection::order_response(std::uint64_t number, Response response,
                                std::shared_ptr<StreamQueue> stream) {
    if (number != number_ || response_) {
        if (stream)
            stream->close();
        return;
    }
    response_ = std::move(response);
    stream_ = std::move(stream);
    Failure ignored;
    if (body_ == Body::reading)
        transport_->socket().cancel(ignored);
    signal_.cancel();
}

void Connection::drain() {
    if (idle_)
        abort();
    else
        signal_.cancel();  // a stream ends itself
}

void Connection::abort() {
    aborted_ = true;
    close();
    signal_.cancel();
}

// ---- the life ----------------------------------------------------------------------------------

asio::awaitable<void> Connection::serve() {
    allow(limits().header_time);
    const Failure failure = co_await transport_->handshake();
    bool more = !failure;
    while (more && !aborted_) {
        std::optional<Head> head = co_await read_head();
        more = false;
        if (head)
            more = co_await serve_one(std::move(*head));
    }
    close();
}

asio::awaitable<void> Connection::refuse() {
    Problem problem{ApiCode::orchestrator_busy, "too many connections", {}};
    problem.retry_after = std::chrono::seconds(1);
    set_refusal(problem);
    co_await answer_and_close();
    close();
}

asio::awaitable<bool> Connection::first_bytes() {
    if (!buffered().empty())
        co_return true;
    if (buffer_.size() > kBufferBytes)
        buffer_ = std::vector<std::uint8_t>(kBufferBytes);
    if (!first_request_)
        allow(limits().idle);
    idle_ = true;
    const Transport::Room room{buffer_room(), asio::mutable_buffer()};
    const auto [failure, bytes] = co_await transport_->read_some(room);
    idle_ = false;
    end_ += bytes;
    co_return !failure && !aborted_;
}

asio::awaitable<std::optional<Head>> Connection::read_head() {
    HeadParser parser(limits().header_bytes);
    const bool begun = co_await first_bytes();
    if (!begun)
        co_return std::nullopt;
    if (!std::exchange(first_request_, false))
        allow(limits().header_time);
    while (true) {
        auto in = buffered();
        const HeadParser::Step step = parser.feed(in);
        consume(buffered().size() - in.size());
        if (step == HeadParser::Step::done)
            co_return parser.take();
        const Transport::Room room{buffer_room(), asio::mutable_buffer()};
        if (step == HeadParser::Step::malformed || room[0].size() == 0) {
            set_refusal({ApiCode::bad_request, parser.problem(), {}});
            co_await answer_and_close();
            co_return std::nullopt;
        }
        const auto [failure, bytes] = co_await transport_->read_some(room);
        end_ += bytes;
        if (failure && timed_out_ && !aborted_) {
            set_refusal({ApiCode::request_timeout, "the header took too long", {}});
            co_await answer_and_close();
        }
        if (failure)
            co_return std::nullopt;
    }
}

void Connection::begin_exchange(Head head) {
    number_ = ++last_number_;
    gone_ = false;
    keep_alive_ = head.keep_alive;
    chunked_ = head.chunked;
    http_1_0_ = head.http_1_0;
    expects_continue_ = head.expects_continue;
    head_only_ = head.request.method == Method::head;
    content_length_ = head.request.content_length.value_or(0);
    body_ = head.request.has_body ? Body::unread : Body::consumed;
    head.request.remote = remote_;
    head.request.tls = transport_->tls();
    ++edge_->shared().exchanges;
    const auto exchange = std::make_shared<Exchange>(edge_, id_, number_, std::move(head.request));
    exchange_ = exchange;
    try {
        edge_->shared().handler(exchange);
    } catch (const std::exception& failure) {
        exchange->respond(to_response({ApiCode::internal, failure.what(), {}}));
    }
}

void Connection::end_exchange() {
    if (order_)
        order_->fail(error(ErrorKind::disconnected, "answered before the body was read"));
    if (stream_)
        stream_->close();
    order_.reset();
    stream_.reset();
    response_.reset();
    number_ = 0;
    --edge_->shared().exchanges;
}

asio::awaitable<bool> Connection::serve_one(Head head) {
    begin_exchange(std::move(head));
    while (!response_ && !aborted_ && body_ != Body::broken) {
        co_await wait_for_orders();
        if (order_ && !response_ && !aborted_)
            co_await receive_body();
    }
    bool sent = false;
    bool keep = false;
    if (response_ && !aborted_) {
        gone_watched_ = false;
        keep = may_keep_alive();
        sent = co_await send_answer(keep);
        keep = keep && !draining();  // it may have begun meanwhile
    }
    if (!sent)
        tell_gone();
    end_exchange();
    if (sent && !keep)
        co_await linger();
    co_return sent&& keep;
}

asio::awaitable<void> Connection::wait_for_orders() {
    if (body_ == Body::consumed)
        watch_for_gone();
    while (!order_ && !response_ && !aborted_)
        co_await wait_for_signal();
}

asio::awaitable<void> Connection::wait_for_signal() {
    allow_for_ever();
    signal_.expires_at(asio::steady_timer::time_point::max());
    co_await signal_.async_wait(kAwait);
}

void Connection::close() {
    Failure ignored;
    transport_->socket().close(ignored);
    watchdog_.cancel();
    limited_ = false;
}

// ---- waiting -----------------------------------------------------------------------------------

void Connection::allow(Duration limit) {
    limit_ = asio::steady_timer::clock_type::now() + limit;
    limited_ = true;
    timed_out_ = false;
    if (!watchdog_armed_ || limit_ < watchdog_.expiry())
        watch_dog();
}

// The timer is not moved for every read: it fires at the earliest limit it was set to and looks
// whether there is a later one by now.
void Connection::watch_dog() {
    watchdog_armed_ = true;
    watchdog_.expires_at(limit_);
    watchdog_.async_wait([self = shared_from_this()](const Failure& failure) {
        if (failure)
            return;
        self->watchdog_armed_ = false;
        if (!self->limited_)
            return;
        if (asio::steady_timer::clock_type::now() < self->limit_)
            return self->watch_dog();
        self->timed_out_ = true;
        Failure ignored;
        self->transport_->socket().cancel(ignored);
    });
}

// Looks without taking: what a client sends early (pipelining) stays in the kernel, and the watch
// ends there.
void Connection::watch_for_gone() {
    gone_watched_ = true;
    if (watch_pending_)
        return;
    watch_pending_ = true;
    auto& socket = transport_->socket();
    socket.async_wait(asio::ip::tcp::socket::wait_read,
                      [self = shared_from_this()](const Failure& failure) {
                          self->watch_pending_ = false;
                          if (failure || !self->gone_watched_)
                              return;
                          char byte = 0;
                          const auto seen = ::recv(self->transport_->socket().native_handle(),
                                                   &byte, 1, MSG_PEEK | MSG_DONTWAIT);
                          if (seen == 0 || (seen < 0 && errno != EAGAIN))
                              self->tell_gone();
                          else if (seen < 0)
                              self->watch_for_gone();
                      });
}

void Connection::tell_gone() {
    gone_ = true;
    if (const auto exchange = exchange_.lock())
        exchange->tell_gone();
    signal_.cancel();
}

// ---- the buffer --------------------------------------------------------------------------------

asio::awaitable<Transferred> Connection::read(Transport::Room room) {
    const Duration left = body_limit_ - asio::steady_timer::clock_type::now();
    allow(std::clamp(left, Duration::zero(), limits().body_pause));
    const Transferred got = co_await transport_->read_some(room);
    co_return got;
}

std::span<const std::uint8_t> Connection::buffered() const {
    return std::span(buffer_).subspan(begin_, end_ - begin_);
}

void Connection::consume(std::size_t bytes) {
    begin_ += bytes;
    if (begin_ == end_)
        begin_ = end_ = 0;
}

asio::mutable_buffer Connection::buffer_room() {
    if (end_ == buffer_.size() && begin_ > 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (end_ == buffer_.size())
        buffer_.resize(std::min(buffer_.size() * 2, limits().header_bytes * 2 + kBufferBytes));
    return {buffer_.data() + end_, buffer_.size() - end_};
}

}  // namespace millrace::http
