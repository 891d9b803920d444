#pragma once
// Frames on the socket pair between a transcoder and its engine: what the bytes look like, and the
// bounds that hold before any of them is believed.
//
//   u32 type, u32 message length, u32 body length (little-endian), message, body
//
// A `message` frame holds one message of common/wire/engine_codec.h and no body; a `bytes` frame
// holds the next bytes of the source or of the rendition that was announced, and no message.
//
// Thread: any; pure functions.

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "common/runtime/payload.h"
#include "common/wire/engine_codec.h"

namespace millrace::engine {

enum class FrameType : std::uint32_t { message = 1, bytes = 2 };

inline constexpr std::size_t kFrameHeadBytes = 12;
inline constexpr std::size_t kBodyBytesMax = kBlockBytes;

struct FrameHead {
    FrameType type = FrameType::message;
    std::uint32_t message_bytes = 0;  // 1..kEngineMessageBytesMax in a message, else 0
    std::uint32_t body_bytes = 0;     // 1..kBodyBytesMax in bytes, else 0
    bool operator==(const FrameHead&) const = default;
};

using FrameHeadBytes = std::array<std::uint8_t, kFrameHeadBytes>;

[[nodiscard]] FrameHeadBytes pack(const FrameHead& head);
// Nothing when the head breaks a bound.
[[nodiscard]] std::optional<FrameHead> unpack(const FrameHeadBytes& bytes);

}  // namespace millrace::engine
