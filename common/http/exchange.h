#pragma once
// One request and its answer.
//
// Promises: every call may come from any thread; callbacks come on the edge thread of the
// connection (or on the calling thread when the server has already stopped) and must not block. The
// body is not read before read_body() is called: not reading is the backpressure. An exchange that
// is let go without an answer is answered 500, so no client waits for ever.
//
// Owner: shared by the handler and whoever will answer. It may outlive its connection and the
// server.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/http/message.h"
#include "common/runtime/payload.h"

namespace millrace::http {

class Edge;

struct BodyOptions {
    std::uint64_t bytes_max = 0;
    std::shared_ptr<BlockPool> pool;
    // Sees all bytes in order while they arrive, where they will stay as long as `owner` is held (without one,
    // for the call alone); on the edge thread. May be empty.
    std::function<void(std::span<const std::uint8_t> bytes,
                       const std::shared_ptr<const void>& owner)>
        tap = nullptr;
    // Only read it to its end: nothing is kept, the payload comes out empty.
    bool discard = false;
};

// Called once. On an error the server has already answered (400 malformed framing, 408 pause, 413
// too large) or the client is gone; nothing remains to be said, and nothing of the body is kept.
// disconnected: the client left, or respond() came first. timeout: a pause. bad_input: the rest.
using BodyDone = std::function<void(Result<PayloadPtr>)>;

// A body sent piece by piece, for server-sent events. Thread: any.
class ResponseStream {
public:
    virtual ~ResponseStream() = default;
    // False when the client is gone or has fallen more than kStreamQueueBytes behind; the piece is
    // dropped then.
    virtual bool write(std::string piece) = 0;
    // Ends the body after what was written; letting go of the stream does the same.
    virtual void end() = 0;
};
inline constexpr std::size_t kStreamQueueBytes = 256 * 1024;

class Exchange {
public:
    // Made by a connection only.
    Exchange(std::shared_ptr<Edge> edge, std::uint64_t connection, std::uint64_t number,
             Request request);
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    [[nodiscard]] const Request& request() const { return request_; }

    // Reads the whole body, answering `Expect: 100-continue` first. At most once per exchange.
    void read_body(BodyOptions options, BodyDone done);

    // The first answer counts, later ones are ignored. Before the body was read: the answer is sent
    // at once, then the connection is half-closed and the rest of the body discarded.
    void respond(Response response);

    // Like respond(), but the body follows piece by piece; `head.body` is sent first.
    [[nodiscard]] std::shared_ptr<ResponseStream> respond_stream(Response head);

    // Called once when the client is seen to have closed its sending side or the connection broke
    // before the answer was sent; at once when that has happened already.
    void on_gone(std::function<void()> callback);

    // Calls `work` after `delay`, on the edge thread; at once, on the calling thread, when the server has
    // stopped. Stopping waits for it.
    void after(Duration delay, std::function<void()> work);

    // The connection tells it. Thread: edge.
    void tell_gone();

private:
    [[nodiscard]] bool take_answer_right();

    std::shared_ptr<Edge> edge_;
    std::uint64_t connection_;
    std::uint64_t number_;
    Request request_;

    std::mutex mutex_;
    bool body_taken_ = false;
    bool answered_ = false;
    bool gone_ = false;
    std::function<void()> on_gone_;
};

using ExchangePtr = std::shared_ptr<Exchange>;

}  // namespace millrace::http
