#pragma once
// Pictures that NVDEC left on the card, scaled there for all renditions at once (transcoder/cuda): the
// small pictures cross the bus, in one copy, instead of the large one; those that NVENC takes stay.
//
// A picture is brought whole, for the CPU to scale, where the kernel is not what is wanted: turned sources,
// tone maps, renditions of other formats or made from each other (cascade.h).
//
// Promises: afterwards nothing of the picture is the decoder's any more, which has few surfaces.
// Errors: device. Thread: its owner's.

#include <map>
#include <memory>
#include <vector>

#include "transcoder/media/gpu.h"
#include "transcoder/media/picture.h"

namespace millrace::media {

class CardScaler {
public:
    // `shapes`: of all renditions that want pictures. Pictures in 4:2:0 with 8 bits are made in system
    // memory where their shape says planes (YUV420P), on the card where it says NV12.
    CardScaler(std::shared_ptr<Gpu> gpu, std::vector<Shape> shapes, av::Orientation orientation);
    ~CardScaler();

    // `picture`'s source lies on the card.
    [[nodiscard]] Result<void> bring(Picture& picture);

    [[nodiscard]] std::int64_t scaled() const { return scaled_; }        // pictures of the source
    [[nodiscard]] std::int64_t downloads() const { return downloads_; }  // copies towards the CPU
    // Why a picture was brought whole; empty: none was.
    [[nodiscard]] const std::string& reason() const { return reason_; }

private:
    class Ladder;
    [[nodiscard]] std::string reason_against(const AVFrame& surface) const;
    [[nodiscard]] Result<Ladder*> ladder_for(const AVFrame& surface);
    [[nodiscard]] Result<void> bring_whole(Picture& picture, std::string reason);
    [[nodiscard]] Result<av::FramePtr> fetched(const AVFrame& surface);

    std::shared_ptr<Gpu> gpu_;
    std::vector<Shape> ours_;  // the kernel's
    bool others_ = false;      // there are shapes that are not
    std::string never_;        // why no picture of this segment is scaled there; empty: some are
    std::unique_ptr<Ladder> made_;  // for the size of the last picture
    std::map<std::pair<std::int32_t, std::int32_t>, av::BufferPtr> surfaces_;  // by size, for NVENC
    std::int64_t scaled_ = 0;
    std::int64_t downloads_ = 0;
    std::string reason_;
};

// Whether `gpu` has what scaling there takes.
[[nodiscard]] bool scales_pictures(const Gpu& gpu);

}  // namespace millrace::media
