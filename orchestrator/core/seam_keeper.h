#pragma once
// What the segments of a session hand to each other, so that nobody sees where one ends, whichever
// transcoders made them (design.md, section 3).
//
// Rules
// - The latest segment of the run leaves its context; stragglers leave nothing.
// - The fill of a decoder's buffer and the last sound are for the very next segment alone. A quality
//   that was right some segments ago is a better start than none.
// - What headers follow from is pinned by the first segment that is committed. A segment that was
//   made without being told, and whose parameter sets came out differently, is worth making again.
// - Who was told and still came to other headers has found another source: those are pinned now,
//   and players are told by a discontinuity.
//
// Thread: orchestrator loop. Clock: none. Values.

#include <cstdint>
#include <optional>
#include <vector>

#include "common/domain/segment.h"

namespace millrace::orchestrator {

class SeamKeeper {
public:
    [[nodiscard]] SeamContext handed_to(const SegmentKey& segment) const;
    // True when a rendition would need to be told anew to players.
    [[nodiscard]] bool differs(const TranscodeReport& report) const;

    // `told`: the segment was made with what handed_to() had pinned.
    void committed(const SegmentKey& segment, const TranscodeReport& report, SeamContext left,
                   bool told);
    // The source has started again.
    void forget() { *this = {}; }

private:
    void pin(const TranscodeReport& report, const SeamContext& left, bool told);

    struct Place {
        std::uint32_t run = 0;
        std::uint64_t seq = 0;
    };
    std::optional<Place> from_;  // where latest_ comes from
    SeamContext latest_;         // with what is pinned
    std::vector<Sha256> sets_;   // by rendition; zero = not known
};

// A context with which headers come out as those of the session's first segment.
[[nodiscard]] bool pins(const SeamContext& seam);

}  // namespace millrace::orchestrator
