#include "transcoder/gpu/self_test.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "common/runtime/payload.h"
#include "transcoder/cuda/device_scaler.h"
#include "transcoder/media/synthetic.h"
#include "transcoder/media/transcode.h"

namespace millrace::gpu {
namespace {

using media::GpuStage;
using media::GpuStageKind;
using Bytes = std::vector<std::uint8_t>;

// ---- the kernel

// Rows without padding.
struct Picture {
    explicit Picture(const cuda::SurfaceSpec& spec) {
        for (int plane = 0; plane < cuda::kPlanes; ++plane) {
            strides[plane] = cuda::row_bytes(spec, plane);
            planes[plane].resize(static_cast<std::size_t>(strides[plane]) *
                                 static_cast<std::size_t>(cuda::plane_size(spec, plane).height));
        }
    }
    [[nodiscard]] cuda::Surface view() {
        return {{planes[0].data(), planes[1].data()}, {strides[0], strides[1]}};
    }
    Bytes planes[cuda::kPlanes];
    std::int64_t strides[cuda::kPlanes] = {};
};

struct DevicePicture {
    [[nodiscard]] static Result<DevicePicture> like(const Picture& picture) {
        DevicePicture made;
        for (int plane = 0; plane < cuda::kPlanes; ++plane) {
            auto buffer = cuda::DeviceBuffer::make(picture.planes[plane].size());
            if (!buffer)
                return buffer.error();
            MR_TRY(buffer->upload(picture.planes[plane]));
            made.planes.push_back(std::move(*buffer));
            made.strides[plane] = picture.strides[plane];
        }
        return made;
    }
    [[nodiscard]] cuda::Surface view() const {
        return {{planes[0].data(), planes[1].data()}, {strides[0], strides[1]}};
    }
    std::vector<cuda::DeviceBuffer> planes;
    std::int64_t strides[cuda::kPlanes] = {};
};

std::vector<cuda::SurfaceSpec> ladder_of(cuda::SurfaceFormat format) {
    return {
        {{1280, 720}, format}, {{854, 480}, format}, {{640, 360}, format}, {{427, 241}, format}};
}

Result<void> kernel_beside_host(cuda::SurfaceFormat format) {
    const cuda::SurfaceSpec source{{1922, 1082}, format};
    const std::vector<cuda::SurfaceSpec> outputs = ladder_of(format);
    const cuda::ScalePlan plan(source, false, outputs);
    Picture from(source);
    Rng rng(1);
    for (Bytes& plane : from.planes)
        for (std::uint8_t& byte : plane)
            byte = static_cast<std::uint8_t>(rng.below(256));
    std::vector<Picture> expected(outputs.begin(), outputs.end());
    std::vector<cuda::Surface> host;
    for (Picture& picture : expected)
        host.push_back(picture.view());
    cuda::scale_on_host(plan, from.view(), host);

    const auto there = DevicePicture::like(from);
    if (!there)
        return there.error();
    std::vector<DevicePicture> made;
    std::vector<cuda::Surface> views;
    for (const Picture& picture : std::vector<Picture>(outputs.begin(), outputs.end())) {
        auto surface = DevicePicture::like(picture);
        if (!surface)
            return surface.error();
        made.push_back(std::move(*surface));
        views.push_back(made.back().view());
    }
    auto scaler = cuda::DeviceScaler::open(plan);
    if (!scaler)
        return scaler.error();
    MR_TRY((*scaler)->enqueue(there->view(), views, nullptr));
    MR_TRY(cuda::DeviceScaler::wait(nullptr));
    for (std::size_t n = 0; n < outputs.size(); ++n)
        for (int plane = 0; plane < cuda::kPlanes; ++plane) {
            Bytes back(expected[n].planes[plane].size());
            MR_TRY(made[n].planes[static_cast<std::size_t>(plane)].download(back));
            if (back != expected[n].planes[plane])
                return error(ErrorKind::device, "it gives other pictures than the host");
        }
    return {};
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
    void stages_used(const media::StagesUsed& now) override { used = now; }
    void rendition_done(RenditionReport report, Bytes bytes) override {
        files[report.name] = std::move(bytes);
    }
    std::map<std::string, Bytes> files;
    std::optional<media::StagesUsed> used;
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

Result<void> pipeline_beside_cpu(const Bytes& source, const media::GpuStages& found) {
    const Ladder ladder{rendition("same", kSource), rendition("small", {320, 180})};
    auto gpu = media::open_gpu(found);
    if (!gpu)
        return gpu.error();
    const auto on_gpu = make(source, ladder, *gpu);
    if (!on_gpu)
        return on_gpu.error();
    const auto on_cpu = make(source, ladder);
    if (!on_cpu)
        return on_cpu.error();
    if (on_gpu->used && on_gpu->used->decoded != DecodedBy::gpu)
        return error(ErrorKind::device, on_gpu->used->decode_reason);
    return on_gpu->files == on_cpu->files
               ? Result<void>()
               : Result<void>(error(ErrorKind::device, "its renditions are not the CPU's"));
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
    const auto launchable = cuda::device_name();
    for (const auto& [format, name] : {std::pair{cuda::SurfaceFormat::nv12, "nv12"},
                                       std::pair{cuda::SurfaceFormat::p010, "p010"}})
        stages.attempt(GpuStageKind::kernel, name, [&]() -> Result<void> {
            return launchable ? kernel_beside_host(format) : Result<void>(launchable.error());
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
