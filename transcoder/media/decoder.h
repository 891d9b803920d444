#pragma once
// Packets in, pictures out, in ticks.
//
// Promises: single damaged packets are counted, not errors; after drain() every picture that the
// packets held has come out. A picture beyond the limits is never allocated.
// Thread: its owner's (libavcodec may run `threads` of its own inside).

#include "transcoder/media/av.h"
#include "transcoder/media/transcode.h"

namespace millrace::media {

class Decoder {
public:
    [[nodiscard]] static Result<Decoder> open(const AVCodecParameters& parameters,
                                              const Limits& limits, int threads);

    // Call receive() until it asks for more, then send the next.
    [[nodiscard]] Result<void> send(const AVPacket& packet);
    void drain();
    [[nodiscard]] Result<av::Pull> receive(AVFrame& frame);

    [[nodiscard]] int damaged() const { return damaged_; }

private:
    explicit Decoder(av::CodecPtr context) : context_(std::move(context)) {}

    av::CodecPtr context_;
    int damaged_ = 0;
};

// Name of the libavcodec decoder that is used for a codec; null = none.
[[nodiscard]] const char* decoder_name(AVCodecID id);

}  // namespace millrace::media
