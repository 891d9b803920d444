#include "common/http/exchange.h"

#include <boost/asio/steady_timer.hpp>

#include "common/http/conditional.h"
#include "common/http/connection.h"
#include "common/http/edge.h"
#include "common/http/problem.h"
#include "common/http/stream_queue.h"

namespace millrace::http {

Exchange::Exchange(std::shared_ptr<Edge> edge, std::uint64_t connection, std::uint64_t number,
                   Request request)
    : edge_(std::move(edge)),
      connection_(connection),
      number_(number),
      request_(std::move(request)) {}

Exchange::~Exchange() {
    if (!answered_)
        respond(to_response({ApiCode::internal, "the request was dropped without an answer", {}}));
}

bool Exchange::take_answer_right() {
    const std::lock_guard lock(mutex_);
    return !std::exchange(answered_, true);
}

void Exchange::read_body(BodyOptions options, BodyDone done) {
    {
        const std::lock_guard lock(mutex_);
        MR_CHECK(!std::exchange(body_taken_, true), "read_body() twice for one exchange");
    }
    // The order is shared so that its callback is at hand when the connection is not there any
    // more.
    auto order = std::make_shared<BodyOrder>(BodyOrder{std::move(options), std::move(done)});
    const bool posted = edge_->post([edge = edge_.get(), connection = connection_, number = number_,
                                     order] { deliver_order(*edge, connection, number, *order); });
    if (!posted)
        order->fail(error(ErrorKind::disconnected, "the server has stopped"));
}

void Exchange::respond(Response response) {
    if (!take_answer_right())
        return;
    if (response.ranges)
        response = fit_to_request(request_, std::move(response));
    edge_->command(connection_, [number = number_,
                                 response = std::move(response)](Connection& connection) mutable {
        connection.order_response(number, std::move(response), nullptr);
    });
}

std::shared_ptr<ResponseStream> Exchange::respond_stream(Response head) {
    auto queue = std::make_shared<StreamQueue>(edge_, connection_);
    auto handle = std::make_shared<StreamHandle>(queue);
    if (!take_answer_right()) {
        queue->close();
        return handle;
    }
    const bool posted = edge_->post(
        [edge = edge_.get(), connection = connection_, number = number_, head = std::move(head),
         queue]() mutable { deliver_stream(*edge, connection, number, std::move(head), queue); });
    if (!posted)
        queue->close();
    return handle;
}

void Exchange::on_gone(std::function<void()> callback) {
    {
        const std::lock_guard lock(mutex_);
        if (!gone_) {
            on_gone_ = std::move(callback);
            return;
        }
    }
    callback();
}

void Exchange::after(Duration delay, std::function<void()> work) {
    const auto shared = std::make_shared<std::function<void()>>(std::move(work));
    const bool posted = edge_->post([edge = edge_.get(), delay, shared] {
        const auto timer = std::make_shared<asio::steady_timer>(edge->io(), delay);
        timer->async_wait([timer, shared](const Failure&) { (*shared)(); });
    });
    if (!posted)
        (*shared)();
}

void Exchange::tell_gone() {
    std::function<void()> callback;
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(gone_, true))
            return;
        callback = std::move(on_gone_);
    }
    if (callback)
        callback();
}

bool StreamQueue::write(std::string piece) {
    {
        const std::lock_guard lock(mutex_);
        if (closed_ || ended_ || queued_.size() + piece.size() > kStreamQueueBytes)
            return false;
        queued_ += piece;
    }
    wake();
    return true;
}

void StreamQueue::end() {
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(ended_, true))
            return;
    }
    wake();
}

std::string StreamQueue::take_all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(queued_, {});
}

bool StreamQueue::ended() const {
    const std::lock_guard lock(mutex_);
    return ended_ && queued_.empty();
}

void StreamQueue::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    queued_.clear();
}

void StreamQueue::wake() {
    edge_->command(connection_, [](Connection& connection) { connection.wake(); });
}

}  // namespace millrace::http
