#include "orchestrator/core/seam_keeper.h"

#include <algorithm>
#include <utility>

namespace millrace::orchestrator {

bool pins(const SeamContext& seam) {
    return seam.frame_rate.num > 0;
}

SeamContext SeamKeeper::handed_to(const SegmentKey& segment) const {
    if (!from_ || from_->run != segment.run || from_->seq >= segment.seq)
        return {};
    SeamContext seam = latest_;
    if (from_->seq + 1 != segment.seq) {
        seam.vbv_fill_bits.clear();
        seam.sound = {};
    }
    return seam;
}

bool SeamKeeper::differs(const TranscodeReport& report) const {
    return std::ranges::any_of(report.renditions, [this](const RenditionReport& r) {
        return !r.copied && r.index < sets_.size() && sets_[r.index] != Sha256{} &&
               r.parameter_sets != Sha256{} && sets_[r.index] != r.parameter_sets;
    });
}

void SeamKeeper::committed(const SegmentKey& segment, const TranscodeReport& report,
                           SeamContext left, bool told) {
    if (from_ && from_->run == segment.run && segment.seq < from_->seq)
        return;
    pin(report, left, told);
    left.frame_rate = latest_.frame_rate;
    left.constant_rate = latest_.constant_rate;
    latest_ = std::move(left);
    from_ = {segment.run, segment.seq};
}

void SeamKeeper::pin(const TranscodeReport& report, const SeamContext& left, bool told) {
    if (pins(left) && (told || !pins(latest_))) {
        latest_.frame_rate = left.frame_rate;
        latest_.constant_rate = left.constant_rate;
    }
    for (const RenditionReport& r : report.renditions) {
        if (r.index >= kRenditionsMax || r.copied || r.parameter_sets == Sha256{})
            continue;
        if (r.index >= sets_.size())
            sets_.resize(r.index + 1);
        if (told || sets_[r.index] == Sha256{})
            sets_[r.index] = r.parameter_sets;
    }
}

}  // namespace millrace::orchestrator
