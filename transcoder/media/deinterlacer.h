#pragma once
// Makes whole pictures of interlaced ones, one for one, each at its own time. Pictures that do not
// say that they are interlaced pass untouched, and until the first one that does nothing is spent.
//
// The filter is FFmpeg's bwdif, which looks one picture ahead and one behind: inside a segment that
// is what ffmpeg's command line gives; the first and last picture of a segment know one side only.
//
// Thread: its owner's.

#include <deque>
#include <optional>

#include "transcoder/media/filter_chain.h"

namespace millrace::media {

class Deinterlacer {
public:
    // Pictures come with their times and leave in the same order.
    [[nodiscard]] Result<void> push(av::FramePtr picture);
    [[nodiscard]] Result<void> drain();
    // Null: needs another picture, or empty after drain().
    [[nodiscard]] av::FramePtr pull();

private:
    [[nodiscard]] Result<void> open_if_needed(const AVFrame& picture);
    [[nodiscard]] Result<void> take_finished();

    std::optional<FilterChain> chain_;
    std::deque<av::FramePtr> finished_;
};

}  // namespace millrace::media
