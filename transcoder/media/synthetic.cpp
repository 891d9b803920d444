#include "transcoder/media/synthetic.h"

#include "transcoder/media/filter_chain.h"
#include "transcoder/media/muxer.h"
#include "transcoder/media/video_encoder.h"

namespace millrace::media {
namespace {

constexpr std::uint64_t kSegmentBytesMax = 64ULL << 20;
constexpr Ticks kFrameTicks = kTicksPerSecond / kSyntheticRate;

// Shapes move and change. The coarse noise outlives scaling down, as the texture of a real picture
// does; the fine one stands for a camera's. Chosen so that a session costs what one of natural video
// does (benchmarks/README.md, capacity).
std::string pictures_of(Size size) {
    const std::string coarse =
        std::to_string(size.width / 4) + "x" + std::to_string(size.height / 4);
    return "testsrc2=size=" + coarse + ":rate=" + std::to_string(kSyntheticRate) +
           ",noise=alls=14:allf=t,scale=" + std::to_string(size.width) + ":" +
           std::to_string(size.height) + ":flags=bicubic,noise=alls=6:allf=t,format=yuv420p";
}

Result<av::FramePtr> next(FilterChain& pictures) {
    auto picture = pictures.pull();
    if (picture && *picture == nullptr)
        return error(ErrorKind::internal, "the generated pictures came to an end");
    return picture;
}

RenditionSpec broadcast(const SyntheticWish& wish) {
    RenditionSpec spec;
    spec.name = "source";
    spec.width = wish.size.width;
    spec.height = wish.size.height;
    spec.bitrate = wish.bitrate;
    spec.preset = "superfast";
    return spec;
}

Result<void> mux_ready(VideoEncoder& encoder, Muxer& muxer) {
    const av::PacketPtr packet = av::make_packet();
    while (true) {
        const auto pulled = encoder.receive(*packet, [] { return Result<void>(); });
        if (!pulled)
            return pulled.error();
        if (*pulled != av::Pull::ready)
            return {};
        MR_TRY(muxer.write_video(*packet));
    }
}

Result<std::vector<std::uint8_t>> make_segment(FilterChain& pictures, const RenditionSpec& spec,
                                               Ticks start, int frames) {
    auto first = next(pictures);
    if (!first)
        return first.error();
    EncoderSettings settings;
    settings.spec = &spec;
    settings.shape = {{spec.width, spec.height}, AV_PIX_FMT_YUV420P};
    settings.rate = {{kSyntheticRate, 1}, true};
    settings.like = first->get();
    auto encoder = VideoEncoder::open(settings);
    if (!encoder)
        return encoder.error();
    const av::ParametersPtr parameters(avcodec_parameters_alloc());
    MR_CHECK(parameters != nullptr, "out of memory");
    avcodec_parameters_from_context(parameters.get(), &(*encoder)->context());
    Muxer::Streams streams;
    streams.video = parameters.get();
    streams.frame_rate = {kSyntheticRate, 1};
    auto muxer = Muxer::open(Container::mpegts, streams, kSegmentBytesMax);
    if (!muxer)
        return muxer.error();
    for (int n = 0; n < frames; ++n) {
        auto picture = n == 0 ? std::move(first) : next(pictures);
        if (!picture)
            return picture.error();
        MR_TRY((*encoder)->send(**picture, start + n * kFrameTicks, {.key = n == 0}));
        MR_TRY(mux_ready(**encoder, **muxer));
    }
    (*encoder)->drain();
    MR_TRY(mux_ready(**encoder, **muxer));
    auto written = (*muxer)->finish();
    if (!written)
        return written.error();
    return std::move(written->bytes);
}

}  // namespace

Result<std::vector<std::vector<std::uint8_t>>> synthetic_segments(const SyntheticWish& wish) {
    av::set_up_logging();
    auto pictures = FilterChain::generate(pictures_of(wish.size));
    if (!pictures)
        return pictures.error();
    const RenditionSpec spec = broadcast(wish);
    const int frames = wish.seconds * kSyntheticRate;
    std::vector<std::vector<std::uint8_t>> segments;
    for (int n = 0; n < wish.segments; ++n) {
        // Not from zero: decoding times have room below.
        const Ticks start = kTicksPerSecond + n * frames * kFrameTicks;
        auto segment = make_segment(*pictures, spec, start, frames);
        if (!segment)
            return segment.error();
        segments.push_back(std::move(*segment));
    }
    return segments;
}

}  // namespace millrace::media
