// benchmarks/gpu: how fast does our kernel scale a picture to a ladder on this card, in one launch for
// all renditions beside one launch for each? Times of many pictures enqueued and waited for together,
// interleaved. Without a device it says why and ends with 77.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "transcoder/cuda/device_scaler.h"
#include "transcoder/gpu/nvml.h"

namespace {

using namespace millrace;
using cuda::DeviceBuffer;
using cuda::DeviceScaler;
using cuda::Surface;
using cuda::SurfaceSpec;

constexpr int kSkipped = 77;
constexpr int kRepetitions = 15;
constexpr int kPictures = 500;  // per repetition

template <class T>
T must(Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "gpu: %s\n", result.error().message.c_str());
        std::exit(1);
    }
    return std::move(*result);
}

void must(const Result<void>& result) {
    if (!result) {
        std::fprintf(stderr, "gpu: %s\n", result.error().message.c_str());
        std::exit(1);
    }
}

// A surface on the device, rows aligned as decoders have them.
struct OnDevice {
    OnDevice(const std::shared_ptr<cuda::Device>& device, const SurfaceSpec& spec) {
        constexpr std::int64_t kAlignment = 512;
        const cuda::SurfaceLayout layout = cuda::lay_out(spec, kAlignment);
        memory.push_back(must(DeviceBuffer::make(device, layout.bytes)));
        view = layout.at(memory.back().data());
    }
    std::vector<DeviceBuffer> memory;
    Surface view;
};

// One or several launches for a picture.
struct Way {
    std::vector<std::unique_ptr<DeviceScaler>> scalers;
    std::vector<std::vector<Surface>> targets;  // of each
    std::vector<double> us;                     // per picture, of each repetition

    void run(cuda::Device& device, const Surface& from) {
        const auto start = std::chrono::steady_clock::now();
        for (int n = 0; n < kPictures; ++n)
            for (std::size_t s = 0; s < scalers.size(); ++s)
                must(scalers[s]->enqueue(from, targets[s]));
        must(device.wait());
        const std::chrono::duration<double, std::micro> took =
            std::chrono::steady_clock::now() - start;
        us.push_back(took.count() / kPictures);
    }
    [[nodiscard]] double median() {
        std::ranges::sort(us);
        return us[us.size() / 2];
    }
};

void measure(const std::shared_ptr<cuda::Device>& device, const char* name,
             const SurfaceSpec& source, const std::vector<SurfaceSpec>& ladder) {
    const OnDevice from(device, source);
    std::vector<OnDevice> to;
    for (const SurfaceSpec& rendition : ladder)
        to.emplace_back(device, rendition);
    Way together;
    Way apart;
    together.scalers.push_back(must(DeviceScaler::open(device, {source, false, ladder})));
    together.targets.emplace_back();
    for (std::size_t n = 0; n < ladder.size(); ++n) {
        together.targets.front().push_back(to[n].view);
        apart.scalers.push_back(must(DeviceScaler::open(device, {source, false, {ladder[n]}})));
        apart.targets.push_back({to[n].view});
    }
    for (int n = 0; n <= kRepetitions; ++n) {
        together.run(*device, from.view);
        apart.run(*device, from.view);
        if (n == 0) {  // the first one warms up
            together.us.clear();
            apart.us.clear();
        }
    }
    const double one = together.median();
    const double each = apart.median();
    std::printf("%-28s one launch %8.1f us (%.0f pictures/s), one for each %8.1f us, ratio %.2f\n",
                name, one, 1e6 / one, each, each / one);
}

}  // namespace

int main() {
    if (const auto nvml = gpu::Nvml::open(); nvml)
        for (const gpu::Reading& gpu : (*nvml)->read())
            std::printf("gpu %u %s, driver %s, %.0f C, %.0f W, encoder %s, decoder %s\n", gpu.index,
                        gpu.name.c_str(), (*nvml)->driver().c_str(), gpu.celsius.value_or(-1),
                        gpu.watts.value_or(-1), gpu.encoder ? "told" : "not told",
                        gpu.decoder ? "told" : "not told");
    else
        std::printf("gpu: NVML: %s\n", nvml.error().message.c_str());
    const auto opened = cuda::Device::open();
    if (!opened) {
        std::printf("gpu: SKIPPED: %s\n", opened.error().message.c_str());
        return kSkipped;
    }
    const std::shared_ptr<cuda::Device>& device = *opened;
    std::printf("%s; median of %d times %d pictures\n", device->name().c_str(), kRepetitions,
                kPictures);
    using enum cuda::SurfaceFormat;
    measure(device, "1080p NV12 to 720 480 360 240", {{1920, 1080}, nv12},
            {{{1280, 720}, nv12}, {{854, 480}, nv12}, {{640, 360}, nv12}, {{426, 240}, nv12}});
    measure(device, "2160p P010 to 1080 720 480", {{3840, 2160}, p010},
            {{{1920, 1080}, p010}, {{1280, 720}, nv12}, {{854, 480}, nv12}});
    measure(device, "720p NV12 to 360 240", {{1280, 720}, nv12},
            {{{640, 360}, nv12}, {{426, 240}, nv12}});
    return 0;
}
