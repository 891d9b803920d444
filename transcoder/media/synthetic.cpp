#include "transcoder/media/synthetic.h"

#include "transcoder/media/muxer.h"
#include "transcoder/media/video_encoder.h"

namespace millrace::media {
namespace {

constexpr std::uint64_t kSegmentBytesMax = 64ULL << 20;
constexpr Ticks kFrameTicks = kTicksPerSecond / kSyntheticRate;

// A filter graph without an input: pictures, one after the other.
class Pictures {
public:
    static Result<Pictures> open(Size size) {
        Pictures made;
        made.graph_.reset(avfilter_graph_alloc());
        MR_CHECK(made.graph_ != nullptr, "out of memory");
        made.graph_->nb_threads = 1;
        // Shapes move and change. The coarse noise outlives scaling down, as the texture of a real
        // picture does; the fine one stands for a camera's. Chosen so that a session costs what one of
        // natural video does (benchmarks/README.md, capacity).
        const std::string coarse =
            std::to_string(size.width / 4) + "x" + std::to_string(size.height / 4);
        const std::string chain =
            "testsrc2=size=" + coarse + ":rate=" + std::to_string(kSyntheticRate) +
            ",noise=alls=14:allf=t,scale=" + std::to_string(size.width) + ":" +
            std::to_string(size.height) + ":flags=bicubic,noise=alls=6:allf=t,format=yuv420p";
        int rc = avfilter_graph_create_filter(&made.out_, avfilter_get_by_name("buffersink"), "out",
                                              nullptr, nullptr, made.graph_.get());
        if (rc >= 0) {
            AVFilterInOut* to = avfilter_inout_alloc();
            MR_CHECK(to != nullptr, "out of memory");
            to->name = av_strdup("out");
            to->filter_ctx = made.out_;
            AVFilterInOut* from = nullptr;
            rc = avfilter_graph_parse_ptr(made.graph_.get(), chain.c_str(), &to, &from, nullptr);
            avfilter_inout_free(&from);
            avfilter_inout_free(&to);
        }
        if (rc >= 0)
            rc = avfilter_graph_config(made.graph_.get(), nullptr);
        if (rc < 0)
            return av::error(ErrorKind::unsupported, "the filters \"" + chain + "\"", rc);
        return made;
    }
    [[nodiscard]] Result<av::FramePtr> next() {
        av::FramePtr picture = av::make_frame();
        if (const int rc = av_buffersink_get_frame(out_, picture.get()); rc < 0)
            return av::error(ErrorKind::internal, "av_buffersink_get_frame", rc);
        picture->pict_type = AV_PICTURE_TYPE_NONE;  // the encoder's choice
        return picture;
    }

private:
    av::GraphPtr graph_;
    AVFilterContext* out_ = nullptr;  // the graph's
};

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
        const auto pulled = encoder.receive(*packet);
        if (!pulled)
            return pulled.error();
        if (*pulled != av::Pull::ready)
            return {};
        MR_TRY(muxer.write_video(*packet));
    }
}

Result<std::vector<std::uint8_t>> make_segment(Pictures& pictures, const RenditionSpec& spec,
                                               Ticks start, int frames) {
    auto first = pictures.next();
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
        auto picture = n == 0 ? std::move(first) : pictures.next();
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
    auto pictures = Pictures::open(wish.size);
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
