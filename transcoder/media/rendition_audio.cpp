#include "transcoder/media/rendition_audio.h"

#include "transcoder/media/codec_string.h"
#include "transcoder/media/muxer.h"

namespace millrace::media {

Result<void> RenditionAudio::open(const RenditionSpec& spec, const AVCodecParameters& source,
                                  Ticks zero, const SoundBefore& before) {
    AudioSpec wanted = spec.audio;
    if (wanted.mode == AudioMode::none)
        return {};
    const bool carried = can_carry(spec.container, source);
    if (carried && (wanted.mode == AudioMode::copy || satisfied_by(wanted, source))) {
        parameters_ = &source;
        return {};
    }
    recoded_ = wanted.mode == AudioMode::copy;
    if (recoded_)
        wanted = {.mode = AudioMode::encode, .codec = AudioCodec::aac};
    auto encoder = AudioEncoder::open(wanted, source, zero);
    if (!encoder)
        return error(encoder.error().kind,
                     "rendition \"" + spec.name + "\": " + encoder.error().message);
    encoder_ = std::move(*encoder);
    source_ = &source;
    before_.emplace(before);
    parameters_ = &encoder_->parameters();
    return {};
}

std::string RenditionAudio::codec_string() const {
    return parameters_ == nullptr ? std::string() : media::codec_string(*parameters_);
}

Result<void> RenditionAudio::push(const AVPacket& packet) {
    if (before_) {
        for (const av::PacketPtr& earlier : before_->leading_to(packet.pts, *source_))
            MR_TRY(encoder_->push(*earlier, true));
        before_.reset();
    }
    if (encoder_)
        return encoder_->push(packet);
    if (parameters_ == nullptr)
        return {};
    av::PacketPtr copy = av::make_packet();
    MR_CHECK(av_packet_ref(copy.get(), &packet) >= 0, "out of memory");
    carried_.push_back(std::move(copy));
    return {};
}

Result<std::vector<av::PacketPtr>> RenditionAudio::finish() {
    if (encoder_)
        return encoder_->finish();
    return std::move(carried_);
}

}  // namespace millrace::media
