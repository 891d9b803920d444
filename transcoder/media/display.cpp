#include "transcoder/media/display.h"

#include <algorithm>

namespace millrace::media {
namespace {

// Pixel shapes beyond this are damage, not intent.
constexpr double kAspectMax = 8.0;

Size square_pixels(Size size, AVRational shape, const Limits& limits) {
    if (shape.num <= 0 || shape.den <= 0)
        return size;
    const double ratio = av_q2d(shape);
    if (ratio >= kAspectMax || ratio <= 1.0 / kAspectMax)
        return size;
    const auto width = static_cast<int>(av_rescale(size.width, shape.num, shape.den));
    if (width <= std::max(limits.picture.width, limits.picture.height))
        return {std::max(1, width), size.height};
    return {size.width,
            std::max(1, static_cast<int>(av_rescale(size.height, shape.den, shape.num)))};
}

av::Orientation orientation_of(const VideoStream& stream, const AVFrame& picture) {
    if (stream.orientation)
        return *stream.orientation;
    const AVFrameSideData* side = av_frame_get_side_data(&picture, AV_FRAME_DATA_DISPLAYMATRIX);
    return side == nullptr ? av::Orientation{} : av::orientation_of({side->data, side->size});
}

}  // namespace

Display display_of(const VideoStream& stream, const AVFrame& picture, const Limits& limits) {
    const AVRational shape =
        stream.sample_aspect.num > 0 ? stream.sample_aspect : picture.sample_aspect_ratio;
    Display display{square_pixels({picture.width, picture.height}, shape, limits),
                    orientation_of(stream, picture)};
    if (display.orientation.swaps_sides())
        std::swap(display.size.width, display.size.height);
    return display;
}

}  // namespace millrace::media
