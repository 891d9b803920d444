#include "transcoder/engine/framing.h"

namespace millrace::engine {
namespace {

void put_u32(std::uint8_t* out, std::uint32_t value) {
    for (int byte = 0; byte < 4; ++byte)
        out[byte] = static_cast<std::uint8_t>(value >> (8 * byte));
}

std::uint32_t get_u32(const std::uint8_t* in) {
    std::uint32_t value = 0;
    for (int byte = 3; byte >= 0; --byte)
        value = value << 8 | in[byte];
    return value;
}

}  // namespace

FrameHeadBytes pack(const FrameHead& head) {
    FrameHeadBytes bytes{};
    put_u32(bytes.data(), static_cast<std::uint32_t>(head.type));
    put_u32(bytes.data() + 4, head.message_bytes);
    put_u32(bytes.data() + 8, head.body_bytes);
    return bytes;
}

std::optional<FrameHead> unpack(const FrameHeadBytes& bytes) {
    const std::uint32_t type = get_u32(bytes.data());
    const FrameHead head{static_cast<FrameType>(type), get_u32(bytes.data() + 4),
                         get_u32(bytes.data() + 8)};
    const bool message = head.type == FrameType::message && head.message_bytes > 0 &&
                         head.message_bytes <= kEngineMessageBytesMax && head.body_bytes == 0;
    const bool body = head.type == FrameType::bytes && head.body_bytes > 0 &&
                      head.body_bytes <= kBodyBytesMax && head.message_bytes == 0;
    return message || body ? std::optional(head) : std::nullopt;
}

}  // namespace millrace::engine
