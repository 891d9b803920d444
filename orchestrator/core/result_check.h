#pragma once
// Is what a transcoder reports a possible result of this ladder? Transcoders may be wrong or lie;
// what does not add up is refused before anybody is paid or shown it.
//
// Rules
// - Every rendition of the ladder stands in the report exactly once, made or skipped, in order.
// - Only a rendition that may fall away (upscale never, larger than the source; or a source without
//   video) is skipped.
// - Sizes are what fit() makes of the reported source size, or the source's own where the source
//   may be copied; pixels are frames times size, and none for a copy, which is not paid; nothing is
//   negative or absurd.
// - A source without video is refused where audio-only is not allowed.
//
// Thread: any; values.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/domain/segment.h"

namespace millrace::orchestrator {

// What we received of one rendition and hashed ourselves.
struct Received {
    std::uint64_t bytes = 0;
    Sha256 sha256{};
    bool operator==(const Received&) const = default;
};

// What is wrong with the report; nothing = possible.
[[nodiscard]] std::optional<std::string> wrong_with(const TranscodeReport& report,
                                                    const Ladder& ladder, bool allow_audio_only);

enum class Arrival : std::uint8_t { missing, complete, different };
// Compares the report with what arrived, by place in the ladder.
[[nodiscard]] Arrival arrival(const TranscodeReport& report,
                              const std::map<std::uint32_t, Received>& received);

}  // namespace millrace::orchestrator
