#pragma once
// Pictures in, packets of one rendition out, in ticks.
//
// Every segment gets an encoder of its own, opened cold and drained to the last picture (FFmpeg 5.1
// cannot flush libx264 and go on). GOPs are closed, key frames come exactly where they are asked
// for, and headers depend on the settings alone so that segments of one rendition share them.
//
// Time: at a constant rate the encoder counts frames and the true times are put back afterwards,
// so that rate control and headers see a clean rate whatever the source's rounding; at uneven rates
// it sees the ticks.
//
// Thread: its owner's.

#include <optional>
#include <vector>

#include "transcoder/media/av.h"
#include "transcoder/media/grid.h"
#include "transcoder/media/picture.h"

namespace millrace::media {

struct EncoderSettings {
    const RenditionSpec* spec = nullptr;
    Shape shape;
    NominalRate rate;
    int threads = 1;
    bool headers_apart = false;     // parameter sets in the context's extradata, not in packets
    bool captions = true;           // keep captions that ride on the pictures
    const AVFrame* like = nullptr;  // a picture whose colour tags hold for all
};

class VideoEncoder {
public:
    [[nodiscard]] static Result<std::unique_ptr<VideoEncoder>> open(
        const EncoderSettings& settings);

    struct Kind {
        bool key = false;  // must become an IDR picture
        // cc_data of ATSC A/53, instead of what rides on the picture; empty: none.
        std::span<const std::uint8_t> captions{};
    };
    // `at` strictly rising. Then receive() until it asks for more.
    [[nodiscard]] Result<void> send(const AVFrame& picture, Ticks at, Kind kind);
    void drain();
    [[nodiscard]] Result<av::Pull> receive(AVPacket& packet);

    [[nodiscard]] const AVCodecContext& context() const { return *context_; }
    [[nodiscard]] std::int64_t frames() const { return frames_; }
    // How far decoding runs ahead of showing at a constant rate; nothing at uneven times.
    [[nodiscard]] std::optional<Ticks> delay() const {
        return counts_ ? std::optional<Ticks>(context_->has_b_frames * step_) : std::nullopt;
    }
    // Of the pictures sent, in order.
    [[nodiscard]] const std::vector<Ticks>& times() const { return times_; }

private:
    VideoEncoder(av::CodecPtr context, bool counts, Ticks step)
        : context_(std::move(context)), counts_(counts), step_(step) {}
    [[nodiscard]] Ticks true_time(std::int64_t counted) const;

    av::CodecPtr context_;
    bool counts_;  // time base is one frame
    Ticks step_;   // a frame at the nominal rate
    std::vector<Ticks> times_;
    std::int64_t frames_ = 0;
};

// Opens an encoder of that name with small settings and closes it again: an encoder that is
// compiled in may still not work (no driver, no device). Says why.
[[nodiscard]] Result<void> try_encoder(const char* name);

}  // namespace millrace::media
