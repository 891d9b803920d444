#include "transcoder/media/cuda_device.h"

#include <dlfcn.h>

namespace millrace::media {
namespace {

// Of hwcontext_cuda.h, which wants the toolkit's headers for nothing else that we use.
constexpr int kUsePrimaryContext = 1 << 0;

Result<av::FramePtr> moved(av::FramePtr to, const AVFrame& from) {
    int rc = av_hwframe_transfer_data(to.get(), &from, 0);
    if (rc >= 0)
        rc = av_frame_copy_props(to.get(), &from);
    if (rc < 0)
        return av::error(ErrorKind::device, "av_hwframe_transfer_data", rc);
    return to;
}

}  // namespace

Result<av::BufferPtr> open_cuda_device() {
    AVBufferRef* device = nullptr;
    const int rc =
        av_hwdevice_ctx_create(&device, AV_HWDEVICE_TYPE_CUDA, "0", nullptr, kUsePrimaryContext);
    if (rc < 0)
        return av::error(rc == AVERROR(ENOSYS) ? ErrorKind::unsupported : ErrorKind::device,
                         "opening the GPU", rc);
    return av::BufferPtr(device);
}

void keep_driver_libraries() {
    for (const char* name : {"libcuda.so.1", "libnvcuvid.so.1", "libnvidia-encode.so.1"})
        dlopen(name, RTLD_LAZY);  // never closed
}

Result<av::BufferPtr> make_cuda_surfaces(AVBufferRef& device, Size size, AVPixelFormat format) {
    av::BufferPtr surfaces(av_hwframe_ctx_alloc(&device));
    MR_CHECK(surfaces != nullptr, "out of memory");
    auto& frames = *reinterpret_cast<AVHWFramesContext*>(surfaces->data);
    frames.format = AV_PIX_FMT_CUDA;
    frames.sw_format = format;
    frames.width = size.width;
    frames.height = size.height;
    if (const int rc = av_hwframe_ctx_init(surfaces.get()); rc < 0)
        return av::error(ErrorKind::device, "av_hwframe_ctx_init", rc);
    return surfaces;
}

Result<void> give_surface(AVFrame& frame, AVBufferRef& device, av::BufferPtr& pool) {
    if (pool == nullptr) {
        auto made = make_cuda_surfaces(device, {frame.width, frame.height}, AV_PIX_FMT_NV12);
        if (!made)
            return made.error();
        pool = std::move(*made);
    }
    if (const int rc = av_hwframe_get_buffer(pool.get(), &frame, 0); rc < 0)
        return av::error(ErrorKind::device, "av_hwframe_get_buffer", rc);
    return {};
}

Result<av::FramePtr> upload(const AVFrame& picture, AVBufferRef& surfaces) {
    av::FramePtr surface = av::make_frame();
    if (const int rc = av_hwframe_get_buffer(&surfaces, surface.get(), 0); rc < 0)
        return av::error(ErrorKind::device, "av_hwframe_get_buffer", rc);
    return moved(std::move(surface), picture);
}

// A decoder's surface is cropped on two sides only: the others could not be cut without touching it.
Result<av::FramePtr> download(const AVFrame& surface) {
    auto picture = moved(av::make_frame(), surface);
    if (!picture)
        return picture;
    if (const int rc = av_frame_apply_cropping(picture->get(), AV_FRAME_CROP_UNALIGNED); rc < 0)
        return av::error(ErrorKind::internal, "av_frame_apply_cropping", rc);
    return picture;
}

// The CPU's decoders give planes, and so does download() after scaling: who asks for the format wants to know
// depth and chroma.
av::FramePtr without_card(const AVFrame& surface) {
    av::FramePtr described = av::without_pixels(surface);
    const auto& frames = *reinterpret_cast<const AVHWFramesContext*>(surface.hw_frames_ctx->data);
    described->format =
        frames.sw_format == AV_PIX_FMT_P010 ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
    return described;
}

}  // namespace millrace::media
