#include "transcoder/media/deinterlacer.h"

namespace millrace::media {
namespace {

// bwdif needs some neighbours; smaller pictures pass as they are.
constexpr int kSideMin = 4;

}  // namespace

Result<void> Deinterlacer::open_if_needed(const AVFrame& picture) {
    if (chain_ && !chain_->takes(picture))
        MR_TRY(drain());
    if (chain_ || picture.interlaced_frame == 0 || picture.width < kSideMin ||
        picture.height < kSideMin)
        return {};
    auto chain = FilterChain::open(picture, "bwdif=mode=send_frame:parity=auto:deint=interlaced");
    if (!chain)
        return chain.error();
    chain_.emplace(std::move(*chain));
    return {};
}

Result<void> Deinterlacer::push(av::FramePtr picture) {
    MR_TRY(open_if_needed(*picture));
    if (!chain_) {
        finished_.push_back(std::move(picture));
        return {};
    }
    MR_TRY(chain_->push(*picture));
    return take_finished();
}

Result<void> Deinterlacer::take_finished() {
    while (true) {
        auto picture = chain_->pull();
        if (!picture)
            return picture.error();
        if (*picture == nullptr)
            return {};
        finished_.push_back(std::move(*picture));
    }
}

Result<void> Deinterlacer::drain() {
    if (!chain_)
        return {};
    chain_->drain();
    MR_TRY(take_finished());
    chain_.reset();
    return {};
}

av::FramePtr Deinterlacer::pull() {
    if (finished_.empty())
        return nullptr;
    av::FramePtr picture = std::move(finished_.front());
    finished_.pop_front();
    return picture;
}

}  // namespace millrace::media
