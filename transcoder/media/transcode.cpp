#include "transcoder/media/transcode.h"

#include "transcoder/media/gpu.h"
#include "transcoder/media/gpu_probe.h"
#include "transcoder/media/pipeline.h"

namespace millrace::media {

Result<std::shared_ptr<Gpu>> open_gpu(GpuStages found) {
    av::set_up_logging();
    auto device = open_cuda_device();
    if (!device)
        return device.error();
    auto kernel = cuda::Device::open();
    return std::make_shared<Gpu>(*std::move(device), kernel ? *std::move(kernel) : nullptr,
                                 std::move(found));
}

std::shared_ptr<Gpu> with_stages(const Gpu& gpu, GpuStages found) {
    av::BufferPtr device(av_buffer_ref(&gpu.device()));
    MR_CHECK(device != nullptr, "out of memory");
    return std::make_shared<Gpu>(std::move(device), gpu.kernel(), std::move(found));
}

void warm_up(const Gpu& gpu) {
    keep_driver_libraries();
    decode_one_clip(gpu.device());
    if (gpu.kernel() != nullptr)
        static_cast<void>(try_kernel(gpu.kernel()));  // shows at the next picture
}

Result<TranscodeReport> transcode(ByteSource& source, const TranscodeRequest& request,
                                  TranscodeObserver& observer, const CancelToken& cancel) {
    Pipeline pipeline(source, request, observer, cancel);
    return pipeline.run();
}

}  // namespace millrace::media
