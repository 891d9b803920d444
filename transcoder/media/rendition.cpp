#include "transcoder/media/rendition.h"

#include <algorithm>

#include "common/runtime/sha256.h"
#include "transcoder/media/caption_sei.h"
#include "transcoder/media/codec_string.h"
#include "transcoder/media/cpu_timer.h"
#include "transcoder/media/cuda_device.h"
#include "transcoder/media/decoding_times.h"
#include "transcoder/media/gpu.h"
#include "transcoder/media/parameter_sets.h"
#include "transcoder/media/video_source.h"

namespace millrace::media {

namespace {

std::vector<Ticks> presentation_times(const std::vector<av::PacketPtr>& packets) {
    std::vector<Ticks> times;
    for (const av::PacketPtr& packet : packets)
        times.push_back(packet->pts);
    return times;
}

RateMemory rate_memory(const SeamContext& seam, std::uint32_t index) {
    RateMemory memory;
    if (index < seam.vbv_fill_bits.size())
        memory.vbv_fill_bits = seam.vbv_fill_bits[index];
    if (index < seam.rate_factors_milli.size())
        memory.rate_factor_milli = seam.rate_factors_milli[index];
    return memory;
}

}  // namespace

Rendition::Rendition(const RenditionSpec& spec, std::uint32_t index, const SegmentFacts& facts,
                     const TranscodeRequest& request)
    : spec_(spec),
      index_(index),
      facts_(facts),
      request_(request),
      rate_(spec.fps.num > 0 ? NominalRate{spec.fps, true} : facts.rate),
      first_(facts.first),
      mp4_origin_(std::min(facts.origin, facts.first)),
      keys_(spec.gop_ms, facts.origin, facts.first) {
    if (facts_.like == nullptr)
        return;
    like_ = av::without_pixels(*facts_.like);
    facts_.like = like_.get();
    shape_ = {fit(spec_, facts_.display), pixel_format(spec_.chroma, spec_.color_depth)};
    if (request.gpu)
        encode_by_ = plan_encode(request.gpu->stages(), spec_, shape_.size);
    if (encode_by_.on_gpu())
        shape_.format = AV_PIX_FMT_NV12;
    const CopySource source{facts_.video, facts_.display, facts_.origin, facts_.like};
    if (may_be_copied(spec_, source))
        copy_.emplace(spec_, source);
}

Result<void> Rendition::open() {
    if (facts_.audio != nullptr)
        MR_TRY(audio_.open(
            spec_, *facts_.audio, clock_zero(),
            {request_.seam.sound, facts_.origin, facts_.container == Container::mpegts}));
    if (copy_)
        return {};  // whether it is a copy is known at the end
    if (facts_.like != nullptr)
        MR_TRY(open_encoder());
    return open_muxer();
}

Result<void> Rendition::open_encoder() {
    const CpuTimer timer(times_.encode_us);
    if (!encode_by_.on_gpu())
        return open_encoder(nullptr);
    const auto opened = open_encoder(request_.gpu.get());
    if (opened)
        return {};
    // Its encoder sessions are few on some cards, and other programs have theirs.
    encode_by_ = {EncodedBy::refused, opened.error().message};
    to_planes_.emplace(Shape{shape_.size, AV_PIX_FMT_YUV420P}, av::Orientation{});
    return open_encoder(nullptr);
}

Result<void> Rendition::open_encoder(const Gpu* gpu) {
    const Shape shape = to_planes_ ? to_planes_->shape() : shape_;
    tags_ = tags_for(*facts_.like, shape.format);
    auto encoder = VideoEncoder::open({.spec = &spec_,
                                       .shape = shape,
                                       .rate = rate_,
                                       .threads = request_.threads,
                                       .headers_apart = spec_.container == Container::mp4,
                                       .captions = spec_.data == DataStreams::pass,
                                       .like = tags_.get(),
                                       .before = rate_memory(request_.seam, index_),
                                       .gpu = gpu});
    if (!encoder)
        return encoder.error();
    encoder_ = std::move(*encoder);
    return {};
}

Result<void> Rendition::open_muxer() {
    Muxer::Streams streams;
    streams.origin = clock_zero();
    const av::ParametersPtr encoded(avcodec_parameters_alloc());
    MR_CHECK(encoded != nullptr, "out of memory");
    if (copy_) {
        streams.video = &copy_->parameters();
        streams.frame_rate = {facts_.rate.rate.num, std::max(1, facts_.rate.rate.den)};
    } else if (encoder_) {
        MR_CHECK(avcodec_parameters_from_context(encoded.get(), &encoder_->context()) >= 0,
                 "out of memory");
        streams.video = encoded.get();
        streams.frame_rate = encoder_->context().framerate;
        streams.like = tags_.get();
    }
    streams.audio = audio_.parameters();
    if (streams.video == nullptr && streams.audio == nullptr)
        return {};  // nothing to put in: finish() hands out an empty rendition
    auto muxer = Muxer::open(spec_.container, streams, request_.limits.output_bytes);
    if (!muxer)
        return muxer.error();
    muxer_ = std::move(*muxer);
    return {};
}

Result<void> Rendition::encode(const AVFrame& picture, Ticks at,
                               std::span<const std::uint8_t> captions, const Pulse& pulse) {
    if (!captions.empty() && spec_.codec == VideoCodec::hevc && !encode_by_.on_gpu())
        sei_[at] = hevc_caption_sei(captions);
    {
        const CpuTimer timer(times_.encode_us);
        const auto frame = for_the_encoder(picture);
        if (!frame)
            return frame.error();
        MR_TRY(encoder_->send(**frame, at, {keys_.is_key(at), captions}));
    }
    while (true) {
        const auto pulled = mux_encoded(pulse);
        if (!pulled)
            return pulled.error();
        if (*pulled != av::Pull::ready)
            return {};
    }
}

// It was made for the card's encoder, which may have refused.
Result<av::FramePtr> Rendition::for_the_encoder(const AVFrame& picture) {
    if (!to_planes_)
        return av::share(picture);
    if (picture.format != AV_PIX_FMT_CUDA)
        return to_planes_->apply(picture);
    const auto here = download(picture);
    return here ? to_planes_->apply(**here) : Result<av::FramePtr>(here.error());
}

// Moves one packet from the encoder to the muxer.
Result<av::Pull> Rendition::mux_encoded(const Pulse& pulse) {
    av::PacketPtr packet = av::make_packet();
    Result<av::Pull> pulled = av::Pull::drained;
    {
        const CpuTimer timer(times_.encode_us);
        pulled = encoder_->receive(*packet, pulse);
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
    const CpuTimer timer(times_.encode_us);
    return audio_.push(packet);
}

// The copy does not fit: its packets are decoded once more, for this rendition alone.
Result<void> Rendition::encode_after_all(Ending& ending, const Pulse& pulse) {
    const VideoCopy copy = std::move(*copy_);
    copy_.reset();
    MR_TRY(open_encoder());
    MR_TRY(open_muxer());
    auto video =
        VideoSource::open(*facts_.video, facts_.container, request_.limits, request_.threads);
    if (!video)
        return video.error();
    Sampler sampler(spec_, facts_.origin, request_.limits.frames);
    ScalerBank scalers(facts_.orientation);
    std::vector<Shot> shots;
    const auto encode_shots = [&]() -> Result<void> {
        for (const Shot& shot : std::exchange(shots, {})) {
            MR_TRY(pulse());
            const auto frame = shot.picture->in_shape(shape_, scalers, times_.scale_us);
            if (!frame)
                return frame.error();
            MR_TRY(encode(**frame, shot.at, shot.captions, pulse));
        }
        return {};
    };
    for (std::size_t n = 0; n <= copy.packets().size(); ++n) {
        MR_TRY(pulse());
        MR_TRY((*video)->send(n < copy.packets().size() ? copy.packets()[n].get() : nullptr,
                              times_.decode_us));
        while (true) {
            const auto picture = (*video)->next(times_.decode_us);
            if (!picture)
                return picture.error();
            if (*picture == nullptr)
                break;
            MR_TRY(sampler.push(*picture, shots));
            MR_TRY(encode_shots());
        }
    }
    MR_TRY(sampler.finish(ending.segment, shots));
    ending.shown = sampler.shown_until();
    captions_lost_ = sampler.captions_lost();
    return encode_shots();
}

Result<void> Rendition::finish_copy(Ticks end) {
    MR_TRY(open_muxer());
    const bool mp4 = spec_.container == Container::mp4;
    copy_->prepare(end, mp4 ? std::optional<Ticks>(mp4_origin_) : std::nullopt);
    const AVCodecParameters& source = copy_->parameters();
    video_codec_ = annex_b_string(source.codec_id, copy_->first_bytes());
    video_sets_ = parameter_sets(source.codec_id, copy_->first_bytes());
    if (video_codec_.empty())
        video_codec_ = codec_string(source);
    if (video_sets_.empty() && source.extradata_size > 0)
        video_sets_.assign(source.extradata, source.extradata + source.extradata_size);
    for (const av::PacketPtr& packet : copy_->packets()) {
        const av::PacketPtr share = av::make_packet();
        MR_CHECK(av_packet_ref(share.get(), packet.get()) >= 0, "out of memory");
        MR_TRY(muxer_->write_video(*share));
    }
    return {};
}

Result<void> Rendition::finish_encoding(Ending ending, const Pulse& pulse) {
    encoder_->drain();
    for (Result<av::Pull> pulled = av::Pull::ready; *pulled == av::Pull::ready;) {
        MR_TRY(pulse());
        pulled = mux_encoded(pulse);
        if (!pulled)
            return pulled.error();
    }
    return waiting_.empty() ? Result<void>() : mux_in_step(ending.shown.value_or(ending.segment));
}

Result<void> Rendition::finish_audio() {
    const CpuTimer timer(times_.encode_us);
    auto packets = audio_.finish();
    if (!packets)
        return packets.error();
    for (const av::PacketPtr& packet : *packets)
        MR_TRY(muxer_->write_audio(*packet));
    return {};
}

Result<Rendition::Finished> Rendition::finish(Ending ending, const Pulse& pulse) {
    const Ticks end = ending.segment;
    Result<void> made;
    if (copy_ && !copy_->fits(end))
        made = encode_after_all(ending, pulse);
    if (made && copy_)
        made = finish_copy(end);
    else if (made && encoder_)
        made = finish_encoding(ending, pulse);
    if (made && audio_.parameters() != nullptr)
        made = finish_audio();
    if (!made)
        return made.error();
    Muxer::Written written;
    if (muxer_) {
        auto finished = muxer_->finish();
        if (!finished)
            return finished.error();
        written = std::move(*finished);
    }
    RenditionReport done = report(end, written);
    Finished finished{std::move(done),  std::move(written.bytes), times_, captions_lost_,
                      audio_.encoded(), audio_.recoded(),         {},     0};
    if (encoder_ && request_.gpu) {
        finished.encoded = encode_by_;
        finished.uploads = encoder_->uploads();
    }
    return finished;
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
    done.codecs =
        join_codecs(init.empty() ? video_codec_ : init_string(init), audio_.codec_string());
    done.parameter_sets =
        init.empty() ? fingerprint(video_sets_, audio_.parameters()) : sha256_of(init);
    done.duration = to_duration(end - first_);
    if (encoder_) {
        done.size = shape_.size;
        done.frames = encoder_->frames();
        done.pixels = done.frames * shape_.size.pixels();
        done.frame_rate = rate_.rate;
        done.vbv_fill_bits = encoder_->memory().vbv_fill_bits;
        done.rate_factor_milli = encoder_->memory().rate_factor_milli;
    }
    if (copy_) {
        done.copied = true;
        done.size = shape_.size;
        done.frames = static_cast<std::int64_t>(copy_->packets().size());
        done.frame_rate = facts_.rate.rate;
    }
    if (end > first_)
        done.bandwidth = static_cast<std::int64_t>(bytes) * 8 * kTicksPerSecond / (end - first_);
    return done;
}

}  // namespace millrace::media
