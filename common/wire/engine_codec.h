#pragma once
// Messages between a transcoder and its engine process (common/domain/engine_protocol.h) to bytes
// and back. Decoding is bounded and trusts no byte, as in codec.h.
//
// Thread: any; free functions without state.

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/domain/engine_protocol.h"

namespace millrace {

// Bytes of one encoded message.
inline constexpr std::size_t kEngineMessageBytesMax = 128 * 1024;

[[nodiscard]] std::vector<std::uint8_t> encode(const ToEngine& message);
[[nodiscard]] std::vector<std::uint8_t> encode(const FromEngine& message);

[[nodiscard]] Result<ToEngine> decode_to_engine(std::span<const std::uint8_t> bytes);
[[nodiscard]] Result<FromEngine> decode_from_engine(std::span<const std::uint8_t> bytes);

}  // namespace millrace
