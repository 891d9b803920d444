#include "transcoder/media/rendition.h"

#include <algorithm>

#include "common/runtime/sha256.h"
#include "transcoder/media/caption_sei.h"
#include "transcoder/media/codec_string.h"
#include "transcoder/media/cpu_timer.h"
#include "transcoder/media/decoding_times.h"
#include "transcoder/media/parameter_sets.h"

namespace millrace::media {

namespace {

std::vector<Ticks> presentation_times(const std::vector<av::PacketPtr>& packets) {
    std::vector<Ticks> times;
    for (const av::PacketPtr& packet : packets)
        times.push_back(packet->pts);
    return times;
}

}  // namespace

Rendition::Rendition(const RenditionSpec& spec, std::uint32_t index, const SegmentFacts& facts,
                     const TranscodeRequest& request, StageTimes& times)
    : spec_(spec),
      index_(index),
      request_(request),
      times_(times),
      rate_(spec.fps.num > 0 ? NominalRate{spec.fps, true} : facts.rate),
      first_(facts.first),
      keys_(spec.gop_ms, facts.origin, facts.first) {
    if (spec.fps.num <= 0)
        return;
    grid_.emplace(spec.fps, facts.origin);
    if (spec.data == DataStreams::pass)
        captions_.emplace(spec.fps);
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
    mp4_origin_ = std::min(facts.origin, facts.first);
    Muxer::Streams streams;
    streams.origin = spec_.container == Container::mp4 ? mp4_origin_ : facts.origin;
    const av::ParametersPtr video(avcodec_parameters_alloc());
    MR_CHECK(video != nullptr, "out of memory");
    if (facts.like != nullptr) {
        shape_ = {fit(spec_, facts.display), pixel_format(spec_.chroma, spec_.color_depth)};
        const CpuTimer timer(times_.encode_us);
        const av::FramePtr like = tags_for(*facts.like, shape_.format);
        auto encoder = VideoEncoder::open({.spec = &spec_,
                                           .shape = shape_,
                                           .rate = rate_,
                                           .threads = request_.threads,
                                           .headers_apart = spec_.container == Container::mp4,
                                           .captions = spec_.data == DataStreams::pass,
                                           .like = like.get()});
        if (!encoder)
            return encoder.error();
        encoder_ = std::move(*encoder);
        MR_CHECK(avcodec_parameters_from_context(video.get(), &encoder_->context()) >= 0,
                 "out of memory");
        streams.video = video.get();
        streams.frame_rate = encoder_->context().framerate;
    }
    if (facts.audio != nullptr && spec_.audio.mode == AudioMode::copy) {
        carries_audio_ = can_carry(spec_.container, facts.audio->codec_id);
        audio_left_out_ = !carries_audio_;
    }
    if (carries_audio_) {
        streams.audio = audio_ = facts.audio;
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
        return encode(*picture, picture->at(), av::captions_of(picture->source()), scalers);
    if (held_)
        MR_TRY(show_until(picture->at(), scalers));
    held_ = picture;
    return {};
}

Result<void> Rendition::show_until(Ticks until, ScalerBank& scalers) {
    const FrameGrid::Range range = grid_->sampled_in(held_->at(), until);
    shown_until_ = grid_->time_of(range.end);
    for (std::int64_t k = range.first; k < range.end; ++k)
        MR_TRY(queue(held_, grid_->time_of(k), k == range.first, scalers));
    // A picture that is not shown leaves its captions to the one before.
    if (range.first == range.end && captions_)
        captions_->add(av::captions_of(held_->source()));
    return {};
}

Result<void> Rendition::queue(const std::shared_ptr<Picture>& picture, Ticks at, bool first,
                              ScalerBank& scalers) {
    MR_TRY(encode_queued(false, scalers));
    queued_ = picture;
    queued_at_ = at;
    if (first && captions_)
        captions_->add(av::captions_of(picture->source()));
    return {};
}

Result<void> Rendition::encode_queued(bool last, ScalerBank& scalers) {
    const std::shared_ptr<Picture> picture = std::move(queued_);
    if (!picture)
        return {};
    const auto captions = captions_ ? captions_->take(last) : std::vector<std::uint8_t>();
    return encode(*picture, queued_at_, captions, scalers);
}

Result<void> Rendition::encode(Picture& picture, Ticks at, std::span<const std::uint8_t> captions,
                               ScalerBank& scalers) {
    if (encoder_->frames() >= request_.limits.frames)
        return error(ErrorKind::bad_input, "rendition \"" + spec_.name +
                                               "\" would have more than " +
                                               std::to_string(request_.limits.frames) + " frames");
    auto frame = picture.in_shape(shape_, scalers, times_.scale_us);
    if (!frame)
        return frame.error();
    if (spec_.data == DataStreams::drop)
        captions = {};
    if (!captions.empty() && spec_.codec == VideoCodec::hevc)
        sei_[at] = hevc_caption_sei(captions);
    {
        const CpuTimer timer(times_.encode_us);
        MR_TRY(encoder_->send(**frame, at, {keys_.is_key(at), captions}));
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
    av::PacketPtr packet = av::make_packet();
    Result<av::Pull> pulled = av::Pull::drained;
    {
        const CpuTimer timer(times_.encode_us);
        pulled = encoder_->receive(*packet);
    }
    if (!pulled || *pulled != av::Pull::ready)
        return pulled;
    learn_headers(*packet);
    add_captions(*packet);
    if (spec_.container == Container::mp4) {
        waiting_.push_back(std::move(packet));
    } else if (const auto written = muxer_->write_video(*packet); !written) {
        return written.error();
    }
    return av::Pull::ready;
}

void Rendition::add_captions(AVPacket& packet) {
    const auto sei = sei_.extract(packet.pts);
    if (sei.empty())
        return;
    const std::vector<std::uint8_t>& nal = sei.mapped();
    const auto old = static_cast<std::size_t>(packet.size);
    const std::size_t at = first_hevc_slice({packet.data, old});
    MR_CHECK(av_grow_packet(&packet, static_cast<int>(nal.size())) >= 0, "out of memory");
    std::copy_backward(packet.data + at, packet.data + old, packet.data + old + nal.size());
    std::ranges::copy(nal, packet.data + at);
}

void Rendition::learn_headers(const AVPacket& packet) {
    if (spec_.container == Container::mp4 || !video_codec_.empty())
        return;
    const std::span<const std::uint8_t> bytes{packet.data, static_cast<std::size_t>(packet.size)};
    const AVCodecID codec = encoder_->context().codec_id;
    video_codec_ = annex_b_string(codec, bytes);
    video_sets_ = parameter_sets(codec, bytes);
}

// MP4: packet n is decoded one constant delay before the n-th picture is shown, and lasts until
// the next, so that fragments of consecutive segments meet to the tick.
Result<void> Rendition::mux_in_step(Ticks end) {
    const std::vector<Ticks>& times = encoder_->times();
    MR_CHECK(waiting_.size() <= times.size(), "more packets than pictures");
    const std::vector<Ticks> decoded =
        decoding_times(times, presentation_times(waiting_), encoder_->delay(), mp4_origin_);
    for (std::size_t n = 0; n < waiting_.size(); ++n) {
        AVPacket& packet = *waiting_[n];
        const Ticks until = n + 1 < times.size() ? times[n + 1] : end;
        packet.dts = decoded[n];
        packet.duration = std::max<Ticks>(
            1, n + 1 < decoded.size() ? decoded[n + 1] - decoded[n] : until - times[n]);
        MR_TRY(muxer_->write_video(packet));
    }
    return {};
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
        if (const auto encoded = encode_queued(true, scalers); !encoded)
            return encoded.error();
        encoder_->drain();
        for (Result<av::Pull> pulled = av::Pull::ready; *pulled == av::Pull::ready;) {
            if (const auto allowed = pulse(); !allowed)
                return allowed.error();
            pulled = mux_encoded();
            if (!pulled)
                return pulled.error();
        }
    }
    if (!waiting_.empty())
        if (const auto muxed = mux_in_step(grid_ ? shown_until_ : end); !muxed)
            return muxed.error();
    Muxer::Written written;
    if (muxer_) {
        auto finished = muxer_->finish();
        if (!finished)
            return finished.error();
        written = std::move(*finished);
    }
    RenditionReport done = report(end, written);
    return Finished{std::move(done), std::move(written.bytes)};
}

RenditionReport Rendition::report(Ticks end, const Muxer::Written& written) const {
    const std::uint64_t bytes = written.bytes.size();
    const auto init = std::span(written.bytes).first(written.init_bytes);
    RenditionReport done;
    done.index = index_;
    done.name = spec_.name;
    done.container = spec_.container;
    done.bytes = bytes;
    done.init_bytes = init.size();
    done.codecs = join_codecs(init.empty() ? video_codec_ : init_string(init), audio_codec_);
    done.parameter_sets = init.empty() ? fingerprint(video_sets_, audio_) : sha256_of(init);
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
