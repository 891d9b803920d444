#pragma once
// What the numbers of a picture mean as colours (ITU-T H.273), and what those of a rendition shall
// mean: 8-bit renditions are BT.709 or older SDR whatever the source is, deeper ones keep HDR.
//
// Thread: any; pure functions but for ToneMap, which is its owner's.

#include <optional>

#include "transcoder/media/filter_chain.h"

namespace millrace::media {

struct Colour {
    AVColorPrimaries primaries = AVCOL_PRI_UNSPECIFIED;
    AVColorTransferCharacteristic transfer = AVCOL_TRC_UNSPECIFIED;
    AVColorSpace matrix = AVCOL_SPC_UNSPECIFIED;
    bool operator==(const Colour&) const = default;
};

// The picture's tags. What they leave open is filled in as players guess it: BT.709 above standard
// definition, BT.601 below; otherwise a small rendition of a large untagged source would be shown
// in other colours than its source. RGB gets the matrix that it is converted by.
[[nodiscard]] Colour colour_of(const AVFrame& picture);

// PQ, HLG, or a gamut wider than BT.709's: not to be shown as it is on an SDR screen.
[[nodiscard]] bool needs_tone_map(const Colour& colour);
[[nodiscard]] Colour sdr();

void tag(AVFrame& picture, const Colour& colour);
// What the screen could show that it was made on, and how bright it gets (SMPTE ST 2086, CTA-861.3), as far as it is told.
void copy_mastering(AVFrame& picture, const AVFrame& source);
// The same for libx264 and libx265, whose units these are: chromaticities in 1/50000, cd/m2 in 1/10000; empty where
// it is not told, not whole, or makes no sense.
[[nodiscard]] std::string mastering_display(
    const AVFrame& picture);  // "G(13250,34500)B(...)R(...)WP(...)L(10000000,50)"
[[nodiscard]] std::string content_light(const AVFrame& picture);  // "1000,400"
// The same for a container's stream, before its header is written.
void tell_mastering(AVStream& stream, const AVFrame& picture);

// HDR to SDR: linear light, primaries of BT.709, hable's curve against the peak that the source
// declares (1000 cd/m2 where it declares none), then BT.709. Filters zscale and tonemap.
class ToneMap {
public:
    explicit ToneMap(AVPixelFormat to) : to_(to) {}

    // A limited-range picture with the tags of `source`; `mapped` has its size.
    [[nodiscard]] Result<av::FramePtr> apply(const AVFrame& picture, const AVFrame& source);

private:
    AVPixelFormat to_;
    std::optional<FilterChain> chain_;
    std::string recipe_;
};

}  // namespace millrace::media
