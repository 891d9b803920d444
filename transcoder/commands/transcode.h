#pragma once
// `transcoder transcode`: the pipeline without an orchestrator. Inputs are consecutive segments of
// one stream; renditions land in DIR/<rendition>/<n>.<ext>, n from 0.
//
// Thread: the caller's; blocks until done.

#include <string>
#include <vector>

#include "common/config/gpu_selection.h"
#include "common/domain/rendition.h"
#include "common/domain/segment_limits.h"

namespace millrace::transcoder {

struct TranscodeOptions {
    std::vector<std::string> inputs;  // paths, in order
    Ladder ladder;
    std::string out_dir;  // made when missing
    bool json = false;    // one JSON document on stdout; else a table, with progress on a terminal
    SegmentLimits limits;
    int threads = 1;              // of the decoder and of each encoder
    config::GpuSelection gpus{};  // one at most
};

// Returns an exit code of contract.md section 1: 0; 64 when an input or the directory cannot be
// used; 65 when a segment cannot be transcoded (the others still are); 75 for a failure of this
// machine, or a GPU that cannot be used.
[[nodiscard]] int run_transcode(const TranscodeOptions& options);

}  // namespace millrace::transcoder
