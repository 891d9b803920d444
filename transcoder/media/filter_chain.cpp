#include "transcoder/media/filter_chain.h"

namespace millrace::media {
namespace {

// A list of one, as avfilter_graph_parse_ptr() wants its open ends.
AVFilterInOut* open_end(const char* name, AVFilterContext* context) {
    AVFilterInOut* end = avfilter_inout_alloc();
    MR_CHECK(end != nullptr, "out of memory");
    end->name = av_strdup(name);
    end->filter_ctx = context;
    return end;
}

// Pictures in a GPU's memory come from a pool that the filters have to know.
int tell_surfaces(AVFilterContext& source, AVBufferRef& surfaces) {
    AVBufferSrcParameters* parameters = av_buffersrc_parameters_alloc();
    MR_CHECK(parameters != nullptr, "out of memory");
    parameters->hw_frames_ctx = &surfaces;  // it takes a reference of its own
    const int rc = av_buffersrc_parameters_set(&source, parameters);
    av_free(parameters);
    return rc;
}

}  // namespace

FilterChain::FilterChain() : graph_(avfilter_graph_alloc()) {
    MR_CHECK(graph_ != nullptr, "out of memory");
    graph_->nb_threads = 1;
}

// From in_, where there is one, through the chain into a sink.
int FilterChain::connect(const std::string& chain) {
    AVFilterGraph* graph = graph_.get();
    int rc = avfilter_graph_create_filter(&out_, avfilter_get_by_name("buffersink"), "out", nullptr,
                                          nullptr, graph);
    if (rc >= 0) {
        AVFilterInOut* from = in_ != nullptr ? open_end("in", in_) : nullptr;
        AVFilterInOut* to = open_end("out", out_);
        rc = avfilter_graph_parse_ptr(graph, chain.c_str(), &to, &from, nullptr);
        avfilter_inout_free(&from);
        avfilter_inout_free(&to);
    }
    return rc >= 0 ? avfilter_graph_config(graph, nullptr) : rc;
}

Result<FilterChain> FilterChain::open(const AVFrame& like, const std::string& chain) {
    FilterChain made;
    made.size_ = {like.width, like.height};
    made.format_ = like.format;
    const std::string input = "video_size=" + std::to_string(like.width) + "x" +
                              std::to_string(like.height) +
                              ":pix_fmt=" + std::to_string(like.format) + ":time_base=1/" +
                              std::to_string(kTicksPerSecond);
    int rc = avfilter_graph_create_filter(&made.in_, avfilter_get_by_name("buffer"), "in",
                                          input.c_str(), nullptr, made.graph_.get());
    if (rc >= 0 && like.hw_frames_ctx != nullptr)
        rc = tell_surfaces(*made.in_, *like.hw_frames_ctx);
    if (rc >= 0)
        rc = made.connect(chain);
    if (rc < 0)
        return av::error(ErrorKind::unsupported, "the filters \"" + chain + "\"", rc);
    return made;
}

Result<FilterChain> FilterChain::generate(const std::string& chain) {
    FilterChain made;
    if (const int rc = made.connect(chain); rc < 0)
        return av::error(ErrorKind::unsupported, "the filters \"" + chain + "\"", rc);
    return made;
}

bool FilterChain::takes(const AVFrame& picture) const {
    return picture.format == format_ && Size{picture.width, picture.height} == size_;
}

Result<void> FilterChain::push(const AVFrame& picture) {
    const av::FramePtr another = av::share(picture);
    const int rc = av_buffersrc_add_frame(in_, another.get());
    return rc < 0 ? Result<void>(av::error(ErrorKind::internal, "av_buffersrc_add_frame", rc))
                  : Result<void>();
}

void FilterChain::drain() {
    const int rc = av_buffersrc_add_frame(in_, nullptr);
    MR_CHECK(rc >= 0, "a chain is drained once");
}

Result<av::FramePtr> FilterChain::pull() {
    av::FramePtr picture = av::make_frame();
    const int rc = av_buffersink_get_frame(out_, picture.get());
    if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF)
        return av::FramePtr();
    if (rc < 0)
        return av::error(ErrorKind::internal, "av_buffersink_get_frame", rc);
    if (picture->pts != AV_NOPTS_VALUE)
        picture->pts = av_rescale_q(picture->pts, av_buffersink_get_time_base(out_), av::kTickBase);
    return picture;
}

}  // namespace millrace::media
