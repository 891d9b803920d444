#pragma once
// What waits to be written to an engine: messages and blocks of the source, sent as far as the
// socket takes them. Blocks are referenced, not copied.
//
// Thread: its owner's.

#include <deque>
#include <vector>

#include "common/base/result.h"
#include "common/runtime/payload.h"
#include "transcoder/engine/framing.h"

namespace millrace::engine {

class Outgoing {
public:
    void push(const ToEngine& message);
    void push(const PayloadPtr& source);
    void clear();

    enum class Flush : std::uint8_t { done, blocked, broken };
    [[nodiscard]] Flush flush(int socket);
    [[nodiscard]] bool empty() const { return parts_.empty(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
    struct Part {
        std::vector<std::uint8_t> own;  // head, or head and message
        PayloadPtr payload;             // null: `own` is all
        std::size_t block = 0;
        [[nodiscard]] std::span<const std::uint8_t> body() const {
            return payload ? payload->block(block) : std::span<const std::uint8_t>();
        }
    };
    void append(Part part);

    std::deque<Part> parts_;
    std::size_t written_ = 0;  // of the first part
    std::size_t bytes_ = 0;
};

}  // namespace millrace::engine
