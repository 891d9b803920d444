#include "transcoder/media/rendition.h"

#include "transcoder/media/codec_string.h"
#include "transcoder/media/cpu_timer.h"

namespace millrace::media {

Rendition::Rendition(const RenditionSpec& spec, std::uint32_t index, const SegmentFacts& facts,
                     const TranscodeRequest& request, StageTimes& times)
    : spec_(spec),
      index_(index),
      request_(request),
      times_(times),
      rate_(spec.fps.num > 0 ? NominalRate{spec.fps, true} : facts.rate),
      first_(facts.first),
      keys_(spec.gop_ms, facts.origin, facts.first) {
    if (spec.fps.num > 0)
        grid_.emplace(spec.fps, facts.origin);
}

Result<std::unique_ptr<Rendition>> Rendition::open(const RenditionSpec& spec, std::uint32_t index,
                                                   const SegmentFacts& facts,
                                                   const TranscodeRequest& request,
                                                   StageTimes& times) {
    std::unique_ptr<Rendition> rendition(new Rendition(spec, index, facts, request, times));
    MR_TRY(rendition->open_streams(facts));
    return rendition;
}

Result<void> Rendition::open_streams(const SegmentFacts& facts) {
    Muxer::Streams streams;
    if (facts.like != nullptr) {
        shape_ = {fit(spec_, facts.display), pixel_format(spec_.chroma, spec_.color_depth)};
        const CpuTimer timer(times_.encode_us);
        auto encoder = VideoEncoder::open(
            {&spec_, shape_, rate_, request_.threads, spec_.data == DataStreams::pass, facts.like});
        if (!encoder)
            return encoder.error();
        encoder_ = std::move(*encoder);
        streams.video = &encoder_->context();
    }
    if (facts.audio != nullptr && spec_.audio.mode == AudioMode::copy) {
        carries_audio_ = can_carry(spec_.container, facts.audio->codec_id);
        audio_left_out_ = !carries_audio_;
    }
    if (carries_audio_) {
        streams.audio = facts.audio;
        audio_codec_ = codec_string(*facts.audio);
    }
    if (streams.video == nullptr && streams.audio == nullptr)
        return {};  // nothing to put in: finish() hands out an empty rendition
    auto muxer = Muxer::open(spec_.container, streams, request_.limits.output_bytes);
    if (!muxer)
        return muxer.error();
    muxer_ = std::move(*muxer);
    return {};
}

Result<void> Rendition::push(const std::shared_ptr<Picture>& picture, ScalerBank& scalers) {
    if (!grid_)
        return encode(*picture, picture->at(), false, scalers);
    if (held_)
        MR_TRY(show_until(picture->at(), scalers));
    held_ = picture;
    return {};
}

Result<void> Rendition::show_until(Ticks until, ScalerBank& scalers) {
    const FrameGrid::Range range = grid_->sampled_in(held_->at(), until);
    for (std::int64_t k = range.first; k < range.end; ++k)
        MR_TRY(encode(*held_, grid_->time_of(k), k > range.first, scalers));
    return {};
}

Result<void> Rendition::encode(Picture& picture, Ticks at, bool repeat, ScalerBank& scalers) {
    if (encoder_->frames() >= request_.limits.frames)
        return error(ErrorKind::bad_input, "rendition \"" + spec_.name +
                                               "\" would have more than " +
                                               std::to_string(request_.limits.frames) + " frames");
    auto frame = picture.in_shape(shape_, scalers, times_.scale_us);
    if (!frame)
        return frame.error();
    {
        const CpuTimer timer(times_.encode_us);
        MR_TRY(encoder_->send(**frame, at, {keys_.is_key(at), repeat}));
    }
    while (true) {
        const auto pulled = mux_encoded();
        if (!pulled)
            return pulled.error();
        if (*pulled != av::Pull::ready)
            return {};
    }
}

// Moves one packet from the encoder to the muxer.
Result<av::Pull> Rendition::mux_encoded() {
    const av::PacketPtr packet = av::make_packet();
    Result<av::Pull> pulled = av::Pull::drained;
    {
        const CpuTimer timer(times_.encode_us);
        pulled = encoder_->receive(*packet);
    }
    if (!pulled || *pulled != av::Pull::ready)
        return pulled;
    if (video_codec_.empty())
        video_codec_ = avc_string({packet->data, static_cast<std::size_t>(packet->size)});
    if (const auto written = muxer_->write_video(*packet); !written)
        return written.error();
    return av::Pull::ready;
}

Result<void> Rendition::push_audio(const AVPacket& packet) {
    if (!carries_audio_)
        return {};
    const av::PacketPtr copy = av::make_packet();
    MR_CHECK(av_packet_ref(copy.get(), &packet) >= 0, "out of memory");
    return muxer_->write_audio(*copy);
}

Result<Rendition::Finished> Rendition::finish(Ticks end, ScalerBank& scalers,
                                              const std::function<Result<void>()>& pulse) {
    if (encoder_) {
        if (grid_ && held_)
            if (const auto shown = show_until(end, scalers); !shown)
                return shown.error();
        encoder_->drain();
        for (Result<av::Pull> pulled = av::Pull::ready; *pulled == av::Pull::ready;) {
            if (const auto allowed = pulse(); !allowed)
                return allowed.error();
            pulled = mux_encoded();
            if (!pulled)
                return pulled.error();
        }
    }
    std::vector<std::uint8_t> bytes;
    if (muxer_) {
        auto written = muxer_->finish();
        if (!written)
            return written.error();
        bytes = std::move(*written);
    }
    RenditionReport done = report(end, bytes.size());
    return Finished{std::move(done), std::move(bytes)};
}

RenditionReport Rendition::report(Ticks end, std::uint64_t bytes) const {
    RenditionReport done;
    done.index = index_;
    done.name = spec_.name;
    done.container = spec_.container;
    done.bytes = bytes;
    done.codecs = join_codecs(video_codec_, audio_codec_);
    done.duration = to_duration(end - first_);
    if (encoder_) {
        done.size = shape_.size;
        done.frames = encoder_->frames();
        done.pixels = done.frames * shape_.size.pixels();
        done.frame_rate = rate_.rate;
    }
    if (end > first_)
        done.bandwidth = static_cast<std::int64_t>(bytes) * 8 * kTicksPerSecond / (end - first_);
    return done;
}

}  // namespace millrace::media
