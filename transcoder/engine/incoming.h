#pragma once
// What an engine says, taken from its socket as it comes: messages whole, renditions straight into
// pooled blocks. Knows the framing, not the conversation.
//
// Thread: its owner's.

#include <optional>
#include <variant>
#include <vector>

#include "common/runtime/payload.h"
#include "transcoder/engine/framing.h"

namespace millrace::engine {

class Incoming {
public:
    explicit Incoming(std::shared_ptr<BlockPool> pool) : builder_(std::move(pool)) {}

    struct Nothing {};  // no more for now
    struct Closed {};   // by the engine
    struct Broken {     // the engine breaks the framing
        std::string how;
    };
    using Event = std::variant<Nothing, FromEngine, PayloadPtr, Closed, Broken>;

    // The next event that the socket's bytes complete.
    [[nodiscard]] Event next(int socket);
    // From now on `bytes` frames belong to a rendition of that length; its payload is an event.
    void expect_rendition(std::uint64_t bytes);
    void reset();

private:
    enum class Read : std::uint8_t { some, blocked, closed };
    [[nodiscard]] Read read_into(int socket, std::span<std::uint8_t> out, std::size_t& count);
    [[nodiscard]] std::optional<Event> read_fixed(int socket, std::span<std::uint8_t> out);
    [[nodiscard]] std::optional<Event> read_body(int socket);
    [[nodiscard]] std::optional<Event> take_head();

    PayloadBuilder builder_;
    FrameHeadBytes head_bytes_{};
    std::optional<FrameHead> head_;  // of the frame that is being read
    std::vector<std::uint8_t> message_;
    std::size_t filled_ = 0;            // of head_bytes_, message_ or the frame's body
    std::uint64_t rendition_left_ = 0;  // bytes
};

}  // namespace millrace::engine
