#include "transcoder/gpu/self_test.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/runtime/payload.h"
#include "transcoder/cuda/device_scaler.h"
#include "transcoder/media/synthetic.h"
#include "transcoder/media/transcode.h"

namespace millrace::gpu {
namespace {

using media::GpuStage;
using media::GpuStageKind;
using Bytes = std::vector<std::uint8_t>;

constexpr Size kOdd{1922, 1082};

std::vector<cuda::SurfaceSpec> ladder_of(cuda::SurfaceFormat format) {
    return {
        {{1280, 720}, format}, {{854, 480}, format}, {{640, 360}, format}, {{427, 241}, format}};
}

// ---- the pipeline

constexpr Size kSource{640, 360};
constexpr std::int64_t kBitrate = 1'000'000;

RenditionSpec rendition(std::string name, Size size) {
    RenditionSpec spec;
    spec.name = std::move(name);
    spec.width = size.width;
    spec.height = size.height;
    spec.bitrate = kBitrate;
    spec.preset = "ultrafast";
    return spec;
}

struct Made final : media::TranscodeObserver {
    void stages_used(const StagesUsed& now) override { used = now; }
    void rendition_done(RenditionReport report, Bytes bytes) override {
        frames[report.name] = report.frames;
        files[report.name] = std::move(bytes);
    }
    std::map<std::string, Bytes> files;
    std::map<std::string, std::int64_t> frames;
    std::optional<StagesUsed> used;
};

Result<Made> make(const Bytes& source, Ladder ladder, std::shared_ptr<media::Gpu> gpu = {}) {
    Made made;
    media::PayloadSource bytes(make_payload(std::make_shared<BlockPool>(), source));
    media::TranscodeRequest request;
    request.ladder = std::move(ladder);
    request.gpu = std::move(gpu);
    if (const auto report = media::transcode(bytes, request, made, {}); !report)
        return report.error();
    return made;
}

// A segment of each codec that we make ourselves, by its name.
Result<std::map<std::string, Bytes>> sources() {
    const auto h264 = media::synthetic_segments({kSource, kBitrate, 1, 1});
    if (!h264)
        return h264.error();
    RenditionSpec hevc = rendition("hevc", kSource);
    hevc.codec = VideoCodec::hevc;
    RenditionSpec vp9 = rendition("vp9", kSource);
    vp9.codec = VideoCodec::vp9;
    vp9.container = Container::mp4;
    auto made = make(h264->front(), {hevc, vp9});
    if (!made)
        return made.error();
    made->files["h264"] = h264->front();
    return std::move(made->files);
}

media::GpuStages only_decoders(media::GpuStages stages) {
    std::erase_if(stages, [](const GpuStage& stage) { return stage.kind != GpuStageKind::decode; });
    return stages;
}

// NVDEC's pictures scaled and encoded by the CPU are the CPU's own. Then with all that the GPU does.
Result<void> pipeline_beside_cpu(const Bytes& source, const media::GpuStages& found) {
    const Ladder ladder{rendition("same", kSource), rendition("small", {320, 180})};
    const auto on_cpu = make(source, ladder);
    if (!on_cpu)
        return on_cpu.error();
    auto gpu = media::open_gpu(found);
    if (!gpu)
        return gpu.error();
    const auto decoders = media::with_stages(**gpu, only_decoders(found));
    const auto decoded = make(source, ladder, decoders);
    if (!decoded)
        return decoded.error();
    if (decoded->used && decoded->used->decoded != DecodedBy::gpu)
        return error(ErrorKind::device, decoded->used->decode_reason);
    if (decoded->files != on_cpu->files)
        return error(ErrorKind::device, "its renditions are not the CPU's");
    const auto whole = make(source, ladder, *gpu);
    if (!whole)
        return whole.error();
    if (whole->frames != on_cpu->frames)
        return error(ErrorKind::device,
                     "scaled and encoded there, renditions have other numbers of pictures");
    return {};
}

class Stages {
public:
    explicit Stages(const media::GpuProbeListener& listener) : listener_(listener) {}
    template <class How>
    void attempt(GpuStageKind kind, std::string name, const How& how) const {
        GpuStage stage{kind, std::move(name), false, {}};
        listener_.begins(stage);
        const Result<void> done = how();
        stage.works = done.has_value();
        if (!done)
            stage.reason = (done.error().kind == ErrorKind::unsupported ? std::string(kNotTried)
                                                                        : std::string()) +
                           done.error().message;
        listener_.tried(stage);
    }

private:
    const media::GpuProbeListener& listener_;
};

}  // namespace

void self_test(const media::GpuStages& found, const media::GpuProbeListener& listener) {
    const Stages stages(listener);
    const auto device = cuda::Device::open();
    for (const auto& [format, name] : {std::pair{cuda::SurfaceFormat::nv12, "nv12"},
                                       std::pair{cuda::SurfaceFormat::p010, "p010"}})
        stages.attempt(GpuStageKind::kernel, name, [&]() -> Result<void> {
            return device ? cuda::compare_with_host(*device, format, kOdd, ladder_of(format))
                          : Result<void>(device.error());
        });
    const auto made = sources();
    for (const char* codec : {"h264", "hevc", "vp9"})
        stages.attempt(GpuStageKind::pipeline, codec, [&]() -> Result<void> {
            if (!media::works(found, GpuStageKind::decode, codec))
                return error(ErrorKind::unsupported, "no decoder");
            return made ? pipeline_beside_cpu(made->at(codec), found) : Result<void>(made.error());
        });
}

}  // namespace millrace::gpu
