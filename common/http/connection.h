#pragma once
// The life of one connection: heads, bodies and answers in turn, each wait with its limit.
//
// One coroutine runs it (serve); commands from exchanges arrive as posted calls on the same thread,
// leave their order in a member and wake the coroutine. A watchdog timer interrupts whatever waits
// too long.
//
// Internal to common/http. Thread: the edge's. Owner: its coroutine; the edge knows it by number.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "common/http/edge.h"
#include "common/http/exchange.h"
#include "common/http/head.h"
#include "common/http/problem.h"
#include "common/http/transport.h"

namespace millrace::http {

class StreamQueue;

struct BodyOrder {
    BodyOptions options;
    BodyDone done;

    // Calls `done` at most once.
    void finish(Result<PayloadPtr> result);
    void fail(Error problem) { finish(std::move(problem)); }
};

// For commands whose callbacks must be told when the connection is not there any more. Thread:
// edge.
void deliver_order(Edge& edge, std::uint64_t connection, std::uint64_t number, BodyOrder& order);
void deliver_stream(Edge& edge, std::uint64_t connection, std::uint64_t number, Response head,
                    const std::shared_ptr<StreamQueue>& queue);

class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(std::shared_ptr<Edge> edge, std::unique_ptr<Transport> transport, std::uint64_t id,
               std::string remote);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    [[nodiscard]] asio::awaitable<void> serve();
    // One connection too many: 503, then close.
    [[nodiscard]] asio::awaitable<void> refuse();

    // Commands. `number` names the exchange; those of an earlier one are ignored.
    void order_body(std::uint64_t number, BodyOrder order);
    void order_response(std::uint64_t number, Response response,
                        std::shared_ptr<StreamQueue> stream);
    void wake() { signal_.cancel(); }
    void drain();
    void abort();

private:
    enum class Body : std::uint8_t { unread, reading, consumed, broken };
    enum class BodyEnd : std::uint8_t {
        complete,
        too_large,
        malformed,
        paused,
        disconnected,
        interrupted,
    };
    struct Receiver;  // an ordered body while it arrives

    [[nodiscard]] asio::awaitable<std::optional<Head>> read_head();
    [[nodiscard]] asio::awaitable<bool> first_bytes();
    [[nodiscard]] asio::awaitable<bool> serve_one(Head head);
    void begin_exchange(Head head);
    void end_exchange();
    [[nodiscard]] asio::awaitable<void> wait_for_signal();
    [[nodiscard]] asio::awaitable<void> wait_for_orders();

    [[nodiscard]] asio::awaitable<void> receive_body();
    [[nodiscard]] asio::awaitable<BodyEnd> receive_plain(Receiver& receiver);
    [[nodiscard]] asio::awaitable<BodyEnd> receive_chunked(Receiver& receiver);
    [[nodiscard]] asio::awaitable<void> send_continue();
    [[nodiscard]] BodyEnd end_of(const Failure& failure) const;
    void settle_body(BodyEnd end, Receiver& receiver);

    [[nodiscard]] bool may_keep_alive();
    [[nodiscard]] asio::awaitable<bool> send_answer(bool keep);
    [[nodiscard]] asio::awaitable<bool> send_stream();
    [[nodiscard]] asio::awaitable<bool> send_piece(std::string piece);
    [[nodiscard]] std::string head_text(const Response& response, bool keep) const;
    [[nodiscard]] asio::awaitable<bool> write_all(std::vector<asio::const_buffer> buffers);
    // GCC 12 destroys aggregate temporaries of a co_await expression twice: the answer is set first.
    void set_refusal(const Problem& problem);
    [[nodiscard]] asio::awaitable<void> answer_and_close();
    [[nodiscard]] asio::awaitable<void> linger();
    void close();

    [[nodiscard]] asio::awaitable<Transferred> read(Transport::Room room);
    [[nodiscard]] std::span<const std::uint8_t> buffered() const;
    void consume(std::size_t bytes);
    [[nodiscard]] asio::mutable_buffer buffer_room();

    void allow(Duration limit);  // the watchdog bites when that passes
    void allow_for_ever() { limited_ = false; }
    void watch_dog();
    void watch_for_gone();
    void tell_gone();

    [[nodiscard]] const Limits& limits() const { return edge_->shared().limits; }
    [[nodiscard]] bool draining() const { return edge_->shared().draining.load(); }

    std::shared_ptr<Edge> edge_;
    std::unique_ptr<Transport> transport_;
    std::uint64_t id_;
    std::string remote_;

    // Bytes read and not yet used: heads, chunk framing, pipelined requests.
    std::vector<std::uint8_t> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;

    asio::steady_timer signal_;  // cancelled = look at the orders
    asio::steady_timer watchdog_;
    TimePoint limit_{};
    TimePoint body_limit_{};  // of the body that is being read
    bool limited_ = false;
    bool watchdog_armed_ = false;
    bool timed_out_ = false;
    bool aborted_ = false;
    bool idle_ = false;
    bool first_request_ = true;
    bool gone_watched_ = false;
    bool watch_pending_ = false;

    // The exchange in progress; number_ is 0 when there is none.
    std::uint64_t last_number_ = 0;
    std::uint64_t number_ = 0;
    bool gone_ = false;
    std::weak_ptr<Exchange> exchange_;
    bool keep_alive_ = true;
    bool chunked_ = false;
    bool head_only_ = false;
    bool http_1_0_ = false;
    bool expects_continue_ = false;
    std::uint64_t content_length_ = 0;
    Body body_ = Body::consumed;
    std::optional<BodyOrder> order_;
    std::optional<Response> response_;
    std::shared_ptr<StreamQueue> stream_;
};

}  // namespace millrace::http
