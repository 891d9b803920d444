#pragma once
// A segment that was transcoded, committed and answered, with its bytes. The service keeps it for
// replay, playlists keep it while they list it, answers keep it while they are being written.
//
// Thread: any; immutable once shared. Owner: shared.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/domain/segment.h"
#include "common/runtime/payload.h"

namespace millrace::orchestrator {

struct AnsweredSegment {
    SegmentKey key;
    StreamName stream;
    TranscodeReport report;
    PayloadPtr source;
    std::vector<PayloadPtr> renditions;  // one per report.renditions, in that order
    bool discontinuity = false;          // first segment of a run after the first
    std::string transcoder;              // name, for logs and traces
    Duration queued{0};                  // accepted until the first dispatch
    Duration total{0};                   // last body byte until committed
    WallTime committed_at;
};

using AnsweredSegmentPtr = std::shared_ptr<const AnsweredSegment>;

}  // namespace millrace::orchestrator
