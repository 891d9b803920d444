#pragma once
// Bytes as lower-case hex digits and back. Thread: any.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"

namespace millrace {

[[nodiscard]] std::string to_hex(std::span<const std::uint8_t> bytes);
// Either case; nothing when the text is not whole bytes of hex digits.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> from_hex(std::string_view text);
// Nothing when the text is not exactly 64 hex digits.
[[nodiscard]] std::optional<Sha256> sha256_from_hex(std::string_view text);

}  // namespace millrace
