#pragma once
// Pictures in, packets of one rendition out, in ticks.
//
// Every segment gets an encoder of its own, opened cold and drained to the last picture (FFmpeg 5.1
// cannot flush software encoders and go on); what joins need of the encoder before is carried over
// (rate_control.h). GOPs are closed, key frames come exactly where they are asked for, and headers
// depend on the settings alone so that segments of one rendition share them.
//
// Time: at a constant rate the encoder counts frames and the true times are put back afterwards,
// so that rate control and headers see a clean rate whatever the source's rounding; at uneven rates
// it sees the ticks.
//
// On a GPU (EncoderSettings::gpu) pictures may come as surfaces of the card or in NV12, which is copied there. A card
// that does not begin is `unsupported` from open(); one that fails later is `device`.
//
// Thread: its owner's.

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "transcoder/media/av.h"
#include "transcoder/media/encoder_options.h"
#include "transcoder/media/rate_control.h"

namespace millrace::media {

class VideoEncoder {
public:
    [[nodiscard]] static Result<std::unique_ptr<VideoEncoder>> open(
        const EncoderSettings& settings);

    struct Kind {
        bool key = false;  // must become an IDR picture
        // cc_data of ATSC A/53, instead of what rides on the picture; empty: none.
        std::span<const std::uint8_t> captions{};
    };
    // Called before each picture's work where one call does that of many; its error ends the call.
    using Pulse = std::function<Result<void>()>;
    // `at` strictly rising. Then receive() until it asks for more.
    [[nodiscard]] Result<void> send(const AVFrame& picture, Ticks at, Kind kind);
    void drain();
    [[nodiscard]] Result<av::Pull> receive(AVPacket& packet, const Pulse& pulse);

    [[nodiscard]] const AVCodecContext& context() const { return *context_; }
    [[nodiscard]] std::int64_t frames() const { return frames_; }
    // Pictures that crossed the bus to the card.
    [[nodiscard]] std::int64_t uploads() const { return uploads_; }
    // How far decoding runs ahead of showing at a constant rate; nothing at uneven times.
    [[nodiscard]] std::optional<Ticks> delay() const;
    // Of the pictures sent, in order.
    [[nodiscard]] const std::vector<Ticks>& times() const { return times_; }
    // For the next segment's encoder; valid once drained.
    [[nodiscard]] RateMemory memory() const { return control_.memory(); }

private:
    explicit VideoEncoder(const EncoderSettings& settings);
    [[nodiscard]] Result<void> open_context(RateControl::Start start);
    [[nodiscard]] Result<void> begin_again();
    [[nodiscard]] Result<void> begin_again_coarser(const Pulse& pulse);
    [[nodiscard]] Result<bool> send_beginning(const Pulse& pulse);
    [[nodiscard]] Result<void> try_on(const Pulse& pulse);
    [[nodiscard]] Result<bool> hold_packets(const Pulse& pulse);
    void settle();
    [[nodiscard]] Result<av::FramePtr> where_it_encodes(const AVFrame& picture);
    [[nodiscard]] Error failure(const char* operation, int rc) const;
    [[nodiscard]] Result<void> put_times(AVPacket& packet);
    [[nodiscard]] std::int64_t reorder() const;
    [[nodiscard]] Ticks decoded_at(std::int64_t packet) const;

    EncoderSettings settings_;
    av::FramePtr like_;  // settings_.like's; until the first packet
    // Pictures until the first packet, if it may overspend; all of them while the segment is on trial.
    std::vector<av::FramePtr> beginning_;
    // On trial: the encoder may still have to begin again, and its packets are held.
    bool trial_ = false;
    std::size_t trial_bytes_ = 0;
    std::deque<av::PacketPtr> held_;
    RateControl control_;
    av::BufferPtr surfaces_;  // of the card, for pictures that come in system memory
    av::CodecPtr context_;
    bool counts_;     // time base is one frame
    Ticks step_ = 1;  // a frame at the nominal rate
    std::vector<Ticks> times_;
    std::int64_t frames_ = 0;
    std::int64_t packets_ = 0;
    std::int64_t uploads_ = 0;
    bool draining_ = false;
};

// A grey picture in 8-bit 4:2:0, to try things with.
[[nodiscard]] av::FramePtr grey_picture(Size size);

// Opens an encoder of that name with small settings and makes a picture: an encoder that is
// compiled in may still not work (no driver, no device). Says why.
[[nodiscard]] Result<void> try_encoder(const char* name);
// The same of a surface of a card.
[[nodiscard]] Result<void> try_encoder(const char* name, const AVFrame& surface);
// How many of them can be open at the same time, of `most`. All are closed again.
[[nodiscard]] std::uint32_t encoders_at_once(const char* name, const AVFrame& surface,
                                             std::uint32_t most);

}  // namespace millrace::media
