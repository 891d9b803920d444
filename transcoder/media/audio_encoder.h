#pragma once
// Sound of the source in, packets of one rendition's audio out, cut on the absolute sample grid
// (sample_grid.h). The encoder starts cold in every segment: it is fed what lies before the first
// frame that counts, and what it makes of that is thrown away.
//
// push() with `before` takes the tail of the segment before, where somebody has it; without it the
// beginning is mirrored, so that joins have sound instead of a hole.
//
// Thread: its owner's.

#include <vector>

#include "transcoder/media/sample_grid.h"
#include "transcoder/media/sound_line.h"

namespace millrace::media {

class AudioEncoder {
public:
    // `origin`: time 0 of the source's clock.
    [[nodiscard]] static Result<std::unique_ptr<AudioEncoder>> open(const AudioSpec& spec,
                                                                    const AVCodecParameters& source,
                                                                    Ticks origin);

    [[nodiscard]] Result<void> push(const AVPacket& packet, bool before = false) {
        return line_->push(packet, before);
    }
    // Time base 1/rate, counted from `origin`. Empty when nothing could be decoded.
    [[nodiscard]] Result<std::vector<av::PacketPtr>> finish();

    // Encodes a little silence: fails when the encoder gives nothing.
    [[nodiscard]] Result<void> try_out();

    [[nodiscard]] const AVCodecParameters& parameters() const { return *parameters_; }

private:
    AudioEncoder(av::CodecPtr encoder, std::unique_ptr<SoundLine> line);
    [[nodiscard]] Result<void> send(std::int64_t position);
    [[nodiscard]] Result<void> receive(std::int64_t from, std::int64_t to,
                                       std::vector<av::PacketPtr>& packets);

    av::CodecPtr encoder_;
    av::ParametersPtr parameters_;
    std::unique_ptr<SoundLine> line_;
    SampleGrid grid_;
};

// True when the source's audio is already what `spec` asks for: it is carried over as it is.
[[nodiscard]] bool satisfied_by(const AudioSpec& spec, const AVCodecParameters& source);

// Name of the libavcodec encoder that makes a codec; null = none.
[[nodiscard]] const char* encoder_name(AudioCodec codec);

}  // namespace millrace::media
