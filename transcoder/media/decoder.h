#pragma once
// Packets in, pictures out, in ticks.
//
// Promises: single damaged packets are counted, not errors; after drain() every picture that the
// packets held has come out. A picture beyond the limits is never allocated.
// With a GPU, pictures are decoded there where the plan allows it (gpu_plan.h). They come out in system
// memory all the same, or where the GPU scales as its surfaces, of which it has few: whoever gets one soon
// lets it go (card_scaler.h). A card that fails in mid-stream is an error (device), not a damaged picture.
// Thread: its owner's (libavcodec may run `threads` of its own inside).

#include "transcoder/media/gpu.h"
#include "transcoder/media/transcode.h"

namespace millrace::media {

class Decoder {
public:
    [[nodiscard]] static Result<Decoder> open(const AVCodecParameters& parameters,
                                              const Limits& limits, int threads,
                                              const Gpu* gpu = nullptr);

    // Call receive() until it asks for more, then send the next.
    [[nodiscard]] Result<void> send(const AVPacket& packet);
    void drain();
    [[nodiscard]] Result<av::Pull> receive(AVFrame& frame);

    [[nodiscard]] int damaged() const { return damaged_; }
    [[nodiscard]] StagesUsed stages_used() const;

private:
    Decoder(av::CodecPtr context, StageChoice plan, bool leaves_on_card)
        : context_(std::move(context)), plan_(std::move(plan)), leaves_on_card_(leaves_on_card) {}
    // Whether this is the card's failure and not the stream's.
    [[nodiscard]] bool is_card_failure(int rc) const;
    [[nodiscard]] Result<void> fetch(AVFrame& frame);

    av::CodecPtr context_;
    StageChoice plan_;
    bool leaves_on_card_ = false;
    AVColorSpace matrix_ = AVCOL_SPC_UNSPECIFIED;  // what pictures get; unspecified: their own
    std::int64_t surfaces_ = 0;                    // pictures that the card decoded
    std::int64_t downloads_ = 0;
    int damaged_ = 0;
};

// Name of the libavcodec decoder that is used for a codec; null = none.
[[nodiscard]] const char* decoder_name(AVCodecID id);

}  // namespace millrace::media
