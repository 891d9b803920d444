#pragma once
// The audio of one rendition: the source's own packets, or encoded ones.
//
// `copy` carries over what the container takes and encodes the rest as AAC. `aac` and `opus` encode,
// unless the source is that already and nothing else was asked of it: then copying is the same
// sound, only better.
//
// Thread: its owner's.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transcoder/media/audio_encoder.h"
#include "transcoder/media/sound_tail.h"

namespace millrace::media {

class RenditionAudio {
public:
    // `zero`: where the container's clock begins. `source` and the tail in `before` must live on.
    [[nodiscard]] Result<void> open(const RenditionSpec& spec, const AVCodecParameters& source,
                                    Ticks zero, const SoundBefore& before);

    // Of what will be written; null: no audio.
    [[nodiscard]] const AVCodecParameters* parameters() const { return parameters_; }
    [[nodiscard]] std::string codec_string() const;
    [[nodiscard]] bool encoded() const { return encoder_ != nullptr; }
    [[nodiscard]] bool recoded() const { return recoded_; }

    // A packet of the source. Another reference to it is taken.
    [[nodiscard]] Result<void> push(const AVPacket& packet);
    // What goes into the file, in order.
    [[nodiscard]] Result<std::vector<av::PacketPtr>> finish();

private:
    const AVCodecParameters* parameters_ = nullptr;
    std::unique_ptr<AudioEncoder> encoder_;  // null: carried over
    const AVCodecParameters* source_ = nullptr;
    std::optional<SoundBefore> before_;  // until the first packet
    std::vector<av::PacketPtr> carried_;
    bool recoded_ = false;
};

}  // namespace millrace::media
