#include "transcoder/media/gpu_probe.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "transcoder/cuda/device_scaler.h"
#include "transcoder/media/cuda_device.h"
#include "transcoder/media/decoder.h"
#include "transcoder/media/filter_chain.h"
#include "transcoder/media/gpu_clips.h"
#include "transcoder/media/video_encoder.h"

namespace millrace::media {
namespace {

constexpr Size kPicture{256, 144};  // NVENC wants more than 145x49
constexpr Size kScaled{128, 80};
constexpr int kGrey = 128;
constexpr int kGreyWithin = 4;
constexpr std::array kEncoders{"h264_nvenc", "hevc_nvenc", "av1_nvenc"};
// Drivers for consumers' cards allow 2 to 12 on a machine, as they came out; others set no number. Further tries would
// take memory and, for a second or two, sessions from whoever else is on the card.
constexpr std::uint32_t kEncodersTried = 16;

// What FFmpeg says of a failure is more than its error code: which library is missing, which
// function of the driver refused.
class Complaints {
public:
    static void listen() {
        av_log_set_callback([](void* about, int level, const char* format, va_list words) {
            if (level <= AV_LOG_ERROR)
                instance().add(about, level, format, words);
        });
    }
    static std::string take() {
        const std::lock_guard lock(instance().mutex_);
        return std::exchange(instance().text_, {});
    }

private:
    static constexpr std::size_t kMax = 400;  // bytes
    static Complaints& instance() {
        static Complaints complaints;
        return complaints;
    }
    void add(void* about, int level, const char* format, va_list words) {
        std::array<char, 256> line{};
        int prefix = 0;
        av_log_format_line2(about, level, format, words, line.data(), line.size(), &prefix);
        std::string said = line.data();
        if (const auto end = said.find("] "); said.starts_with('[') && end != std::string::npos)
            said.erase(0, end + 2);
        while (!said.empty() && (said.back() == '\n' || said.back() == ' ' || said.back() == '.'))
            said.pop_back();
        const std::lock_guard lock(mutex_);
        if (!said.empty() && text_.size() + said.size() < kMax)
            text_ += (text_.empty() ? "" : "; ") + said;
    }

    std::mutex mutex_;  // decoders have threads
    std::string text_;
};

Error unlike(const char* what) {
    return error(ErrorKind::device, what);
}

bool is_grey(const AVFrame& picture) {
    for (int y = 0; y < picture.height; ++y)
        for (int x = 0; x < picture.width; ++x)
            if (std::abs(picture.data[0][y * picture.linesize[0] + x] - kGrey) > kGreyWithin)
                return false;
    return true;
}

// An NV12 picture of the GPU beside a planar one of the CPU.
bool same_picture(const AVFrame& gpu, const AVFrame& cpu) {
    if (gpu.format != AV_PIX_FMT_NV12 || cpu.format != AV_PIX_FMT_YUV420P ||
        gpu.width != cpu.width || gpu.height != cpu.height)
        return false;
    const auto at = [](const AVFrame& frame, int plane, int x, int y) {
        return frame.data[plane][y * frame.linesize[plane] + x];
    };
    for (int y = 0; y < cpu.height; ++y)
        for (int x = 0; x < cpu.width; ++x)
            if (at(gpu, 0, x, y) != at(cpu, 0, x, y))
                return false;
    for (int y = 0; y < cpu.height / 2; ++y)
        for (int x = 0; x < cpu.width / 2; ++x)
            if (at(gpu, 1, 2 * x, y) != at(cpu, 1, x, y) ||
                at(gpu, 1, 2 * x + 1, y) != at(cpu, 2, x, y))
                return false;
    return true;
}

AVPixelFormat cuda_or_nothing(AVCodecContext*, const AVPixelFormat* offered) {
    for (; *offered != AV_PIX_FMT_NONE; ++offered)
        if (*offered == AV_PIX_FMT_CUDA)
            return *offered;
    return AV_PIX_FMT_NONE;
}

// All pictures of the clip, in system memory. Without a device: the CPU's.
Result<std::vector<av::FramePtr>> decoded(const GpuClip& clip, AVBufferRef* device) {
    // The CPU's AV1 decoder is another library, which knows no device.
    const AVCodec* codec = device != nullptr
                               ? avcodec_find_decoder(clip.codec)
                               : avcodec_find_decoder_by_name(decoder_name(clip.codec));
    if (device != nullptr && clip.codec == AV_CODEC_ID_AV1)
        codec = avcodec_find_decoder_by_name("av1");
    if (codec == nullptr)
        return error(ErrorKind::unsupported, "not in this FFmpeg");
    const av::CodecPtr context(avcodec_alloc_context3(codec));
    MR_CHECK(context != nullptr, "out of memory");
    context->thread_count = 1;
    if (device != nullptr) {
        context->hw_device_ctx = av_buffer_ref(device);
        context->get_format = &cuda_or_nothing;
    }
    int rc = avcodec_open2(context.get(), codec, nullptr);
    std::vector<av::FramePtr> pictures;
    const auto receive = [&]() -> Result<void> {
        while (true) {
            av::FramePtr frame = av::make_frame();
            const int got = avcodec_receive_frame(context.get(), frame.get());
            if (got == AVERROR(EAGAIN) || got == AVERROR_EOF)
                return {};
            if (got < 0)
                return av::error(ErrorKind::device, "decoding", got);
            if (frame->format == AV_PIX_FMT_CUDA) {
                auto here = download(*frame);
                if (!here)
                    return here.error();
                frame = *std::move(here);
            }
            pictures.push_back(std::move(frame));
        }
    };
    for (const std::string_view text : clip.packets) {
        std::vector<std::uint8_t> bytes = bytes_of(text);
        const av::PacketPtr packet = av::make_packet();
        packet->data = bytes.data();
        packet->size = static_cast<int>(bytes.size() - AV_INPUT_BUFFER_PADDING_SIZE);
        packet->pts = packet->dts = static_cast<std::int64_t>(pictures.size());
        if (rc >= 0)
            rc = avcodec_send_packet(context.get(), packet.get());
        if (rc < 0)
            return av::error(ErrorKind::device, "decoding", rc);
        MR_TRY(receive());
    }
    avcodec_send_packet(context.get(), nullptr);
    MR_TRY(receive());
    return pictures;
}

Result<void> try_decoding(const GpuClip& clip, AVBufferRef& device) {
    const auto cpu = decoded(clip, nullptr);
    if (!cpu)
        return cpu.error();
    Complaints::take();
    const auto gpu = decoded(clip, &device);
    if (!gpu)
        return gpu.error();
    if (gpu->size() != cpu->size() || gpu->size() != clip.packets.size())
        return unlike("it gives another number of pictures than the CPU");
    for (std::size_t n = 0; n < gpu->size(); ++n)
        if (!same_picture(*(*gpu)[n], *(*cpu)[n]))
            return unlike("it gives other pictures than the CPU");
    return {};
}

// The same grey picture as a decoder's surface would hold it.
av::FramePtr grey_nv12() {
    av::FramePtr planar = grey_picture(kPicture);
    av::FramePtr frame = av::make_frame();
    frame->width = planar->width;
    frame->height = planar->height;
    frame->format = AV_PIX_FMT_NV12;
    MR_CHECK(av_frame_get_buffer(frame.get(), 0) >= 0, "out of memory for a picture");
    for (int plane = 0; plane < 2; ++plane)
        std::fill_n(frame->data[plane],
                    static_cast<std::ptrdiff_t>(frame->linesize[plane]) *
                        (plane == 0 ? frame->height : frame->height / 2),
                    std::uint8_t{kGrey});
    return frame;
}

Result<av::FramePtr> grey_surface(AVBufferRef& device) {
    auto surfaces = make_cuda_surfaces(device, kPicture, AV_PIX_FMT_NV12);
    if (!surfaces)
        return surfaces.error();
    auto surface = upload(*grey_nv12(), **surfaces);
    if (surface)
        (*surface)->pts = 0;
    return surface;
}

Result<void> try_transfer(AVBufferRef& device) {
    const auto surface = grey_surface(device);
    if (!surface)
        return surface.error();
    const auto back = download(**surface);
    if (!back)
        return back.error();
    return is_grey(**back) ? Result<void>() : Result<void>(unlike("another picture came back"));
}

Result<void> try_scaling(AVBufferRef& device) {
    const auto surface = grey_surface(device);
    if (!surface)
        return surface.error();
    auto chain = FilterChain::open(**surface, "scale_cuda=" + std::to_string(kScaled.width) + ":" +
                                                  std::to_string(kScaled.height));
    if (!chain)
        return chain.error();
    MR_TRY(chain->push(**surface));
    chain->drain();
    const auto scaled = chain->pull();
    if (!scaled)
        return scaled.error();
    if (*scaled == nullptr)
        return unlike("it gave no picture");
    const auto back = download(**scaled);
    if (!back)
        return back.error();
    const bool right = (*back)->width == kScaled.width && (*back)->height == kScaled.height;
    return right && is_grey(**back) ? Result<void>()
                                    : Result<void>(unlike("it gave another picture"));
}

Result<void> count_sessions(GpuStage& stage, AVBufferRef& device) {
    const auto surface = grey_surface(device);
    if (!surface)
        return surface.error();
    const std::uint32_t given = encoders_at_once(stage.name.c_str(), **surface, kEncodersTried);
    if (given == 0)
        return unlike("it gave none after it had given one");
    if (given < kEncodersTried)
        stage.count = given;
    return {};
}

}  // namespace

std::string_view to_string(GpuStageKind kind) {
    constexpr std::array<std::string_view, kGpuStageKinds.size()> kNames{
        "context", "transfer",         "decode", "scale",
        "encode",  "encoder_sessions", "kernel", "pipeline"};
    return kNames.at(static_cast<std::size_t>(kind));
}

void decode_one_clip(AVBufferRef& device) {
    for (const GpuClip& clip : gpu_clips())
        if (decoded(clip, &device))
            return;
}

Result<void> try_kernel(const std::shared_ptr<cuda::Device>& device) {
    using enum cuda::SurfaceFormat;
    const std::array<cuda::SurfaceSpec, 2> outputs{{{kScaled, i420}, {kPicture, nv12}}};
    return cuda::compare_with_host(device, nv12, kPicture, outputs);
}

void probe_gpu(const GpuProbeListener& listener) {
    av::set_up_logging();
    Complaints::listen();
    const auto attempt = [&](GpuStageKind kind, std::string name, const auto& how) {
        GpuStage stage{kind, std::move(name), false, {}};
        listener.begins(stage);
        Complaints::take();
        const Result<void> done = how(stage);
        stage.works = done.has_value();
        if (!done) {
            const std::string said = Complaints::take();
            stage.reason = done.error().message + (said.empty() ? "" : " (" + said + ")");
        }
        listener.tried(stage);
        return stage.works;
    };
    av::BufferPtr device;
    attempt(GpuStageKind::context, "cuda", [&](GpuStage&) -> Result<void> {
        auto opened = open_cuda_device();
        if (!opened)
            return opened.error();
        device = *std::move(opened);
        return {};
    });
    if (device == nullptr)
        return;
    attempt(GpuStageKind::transfer, "nv12", [&](GpuStage&) { return try_transfer(*device); });
    for (const GpuClip& clip : gpu_clips())
        attempt(GpuStageKind::decode, av::codec_name(clip.codec),
                [&](GpuStage&) { return try_decoding(clip, *device); });
    attempt(GpuStageKind::scale, std::string(kOurScaler), [](GpuStage&) -> Result<void> {
        const auto opened = cuda::Device::open();
        return opened ? try_kernel(*opened) : Result<void>(opened.error());
    });
    attempt(GpuStageKind::scale, "scale_cuda", [&](GpuStage&) { return try_scaling(*device); });
    const char* works = nullptr;
    for (const char* name : kEncoders) {
        const bool tried = attempt(GpuStageKind::encode, name, [&](GpuStage&) -> Result<void> {
            const auto surface = grey_surface(*device);
            return surface ? try_encoder(name, **surface) : Result<void>(surface.error());
        });
        works = works == nullptr && tried ? name : works;
    }
    if (works != nullptr)
        attempt(GpuStageKind::encoder_sessions, works,
                [&](GpuStage& stage) { return count_sessions(stage, *device); });
}

}  // namespace millrace::media
