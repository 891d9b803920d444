#include "transcoder/media/sampler.h"

namespace millrace::media {

Sampler::Sampler(const RenditionSpec& spec, Ticks origin, std::int64_t frames_max)
    : spec_(spec), frames_max_(frames_max) {
    if (spec.fps.num <= 0)
        return;
    grid_.emplace(spec.fps, origin);
    shown_until_ = 0;
    if (spec.data == DataStreams::pass)
        captions_.emplace(spec.fps);
}

Result<void> Sampler::push(const std::shared_ptr<Picture>& picture, std::vector<Shot>& out) {
    if (!grid_) {
        const auto captions = av::captions_of(picture->source());
        return show({picture, picture->at(), {captions.begin(), captions.end()}}, out);
    }
    if (held_)
        MR_TRY(show_until(picture->at(), out));
    held_ = picture;
    return {};
}

Result<void> Sampler::finish(Ticks end, std::vector<Shot>& out) {
    if (held_)
        MR_TRY(show_until(end, out));
    held_.reset();
    return show_queued(true, out);
}

Result<void> Sampler::show_until(Ticks until, std::vector<Shot>& out) {
    const FrameGrid::Range range = grid_->sampled_in(held_->at(), until);
    shown_until_ = grid_->time_of(range.end);
    for (std::int64_t k = range.first; k < range.end; ++k)
        MR_TRY(queue(grid_->time_of(k), k == range.first, out));
    // A picture that is not shown leaves its captions to the one before.
    if (range.first == range.end && captions_)
        captions_->add(av::captions_of(held_->source()));
    return {};
}

Result<void> Sampler::queue(Ticks at, bool first, std::vector<Shot>& out) {
    MR_TRY(show_queued(false, out));
    queued_ = held_;
    queued_at_ = at;
    if (first && captions_)
        captions_->add(av::captions_of(queued_->source()));
    return {};
}

Result<void> Sampler::show_queued(bool last, std::vector<Shot>& out) {
    std::shared_ptr<Picture> picture = std::move(queued_);
    if (!picture)
        return {};
    auto captions = captions_ ? captions_->take(last) : std::vector<std::uint8_t>();
    return show({std::move(picture), queued_at_, std::move(captions)}, out);
}

Result<void> Sampler::show(Shot shot, std::vector<Shot>& out) {
    if (frames_ >= frames_max_)
        return error(ErrorKind::bad_input, "rendition \"" + spec_.name +
                                               "\" would have more than " +
                                               std::to_string(frames_max_) + " frames");
    ++frames_;
    if (spec_.data == DataStreams::drop)
        shot.captions.clear();
    out.push_back(std::move(shot));
    return {};
}

}  // namespace millrace::media
