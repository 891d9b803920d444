#pragma once
// Which pictures of the source a rendition shows, when, and with which captions: all of them at
// their own times (fps 0), or sampled on the frame grid, where one may come twice or not at all.
//
// Decided before anything is scaled: nothing is spent on a picture that nobody shows.
//
// Thread: its owner's.

#include <memory>
#include <optional>
#include <vector>

#include "transcoder/media/caption_queue.h"
#include "transcoder/media/grid.h"
#include "transcoder/media/picture.h"

namespace millrace::media {

// A picture of the source as one rendition shows it.
struct Shot {
    std::shared_ptr<Picture> picture;
    Ticks at = 0;
    std::vector<std::uint8_t> captions;  // cc_data of ATSC A/53; empty: none
};

class Sampler {
public:
    // `origin`: time 0 of the source's clock. No more than `frames_max` are shown. `spec` must live
    // on.
    Sampler(const RenditionSpec& spec, Ticks origin, std::int64_t frames_max);

    // The next picture of the source. What is to be shown before it is added to `out`; what it
    // needs itself may come with the next one.
    [[nodiscard]] Result<void> push(const std::shared_ptr<Picture>& picture,
                                    std::vector<Shot>& out);
    // After the last picture; `end`: of the segment.
    [[nodiscard]] Result<void> finish(Ticks end, std::vector<Shot>& out);

    // End of the last picture shown; none: it lasts as long as the segment.
    [[nodiscard]] std::optional<Ticks> shown_until() const { return shown_until_; }
    // Pairs of captions that found no place.
    [[nodiscard]] std::size_t captions_lost() const { return captions_ ? captions_->waiting() : 0; }

private:
    [[nodiscard]] Result<void> show_until(Ticks until, std::vector<Shot>& out);
    // A picture of the frame grid; it waits for the captions that come before the next one.
    [[nodiscard]] Result<void> queue(Ticks at, bool first, std::vector<Shot>& out);
    [[nodiscard]] Result<void> show_queued(bool last, std::vector<Shot>& out);
    [[nodiscard]] Result<void> show(Shot shot, std::vector<Shot>& out);

    const RenditionSpec& spec_;
    std::int64_t frames_max_;
    std::int64_t frames_ = 0;
    std::optional<FrameGrid> grid_;    // none: every picture at its own time
    std::shared_ptr<Picture> held_;    // shown until the next one comes
    std::shared_ptr<Picture> queued_;  // next to be shown
    Ticks queued_at_ = 0;
    std::optional<Ticks> shown_until_;
    std::optional<CaptionQueue> captions_;  // none: dropped, or every picture keeps its own
};

}  // namespace millrace::media
