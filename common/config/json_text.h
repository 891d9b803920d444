#pragma once
// Reading JSON that a person wrote, strictly: a key that stands twice in one object is a mistake,
// not a silent choice, and depth is bounded.
//
// Thread: any.

#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "common/config/field_error.h"

namespace millrace::config {

inline constexpr std::size_t kJsonTextMax = 256 * 1024;  // bytes
inline constexpr int kJsonDepthMax = 16;                 // nested arrays and objects

[[nodiscard]] Parsed<nlohmann::json> parse_json(std::string_view text);

}  // namespace millrace::config
