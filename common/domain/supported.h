#pragma once
// What this version of the pipeline does not do yet, told from the ladder alone: a ladder that asks
// for it is refused as a whole, before anybody spends a slot on it.
//
// The list lives beside the values because both sides need it: the orchestrator, which must not
// link FFmpeg, and the pipeline, which refuses with the same words. What a particular machine lacks
// (an encoder that is not installed) is another question: see Capabilities.
//
// Thread: any; values.

#include <string>
#include <vector>

#include "common/domain/rendition.h"

namespace millrace {

// One field of a ladder that is refused. `path` is a JSON path into the ladder ("[1].encoder"),
// `detail` says what was asked for and what is possible.
struct FieldProblem {
    std::string path;
    std::string detail;
    bool operator==(const FieldProblem&) const = default;
};

// Largest sides of a rendition, in pixels: what is accepted as a source is the most that is made.
inline constexpr std::int32_t kRenditionSideMax = 4096;
// Highest frame rate of a rendition, frames per second.
inline constexpr std::int32_t kFrameRateMax = 240;

// Every field that is not supported, in ladder order; empty = the whole ladder can be done.
[[nodiscard]] std::vector<FieldProblem> unsupported_fields(const Ladder& ladder);

}  // namespace millrace
