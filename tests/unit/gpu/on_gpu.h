#pragma once
// Segments through the pipeline with the libraries that play the driver's.
//
// Thread: the test's; the fault is in the environment of the process.

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"
#include "transcoder/cuda/kernel_image.h"
#include "transcoder/media/gpu_stages.h"

namespace millrace::test {

inline const media::GpuStages kDecoders{{media::GpuStageKind::decode, "vp8", true, ""},
                                        {media::GpuStageKind::decode, "vp9", true, ""},
                                        {media::GpuStageKind::decode, "h264", true, ""}};

// kDecoders and more.
[[nodiscard]] inline media::GpuStages decoders_and(const media::GpuStages& more) {
    media::GpuStages stages = kDecoders;
    stages.insert(stages.end(), more.begin(), more.end());
    return stages;
}
inline const media::GpuStage kScaler{media::GpuStageKind::scale, std::string(media::kOurScaler),
                                     true, ""};

struct OnGpu final : media::TranscodeObserver {
    OnGpu(const std::vector<std::uint8_t>& source, const Ladder& ladder,
          const media::GpuStages& found = kDecoders, const char* fault = "") {
        setenv("CUDA_FAKE", fault, 1);
        auto gpu = media::open_gpu(found);
        REQUIRE(gpu);
        media::PayloadSource bytes(make_payload(std::make_shared<BlockPool>(), source));
        report = media::transcode(bytes, {.ladder = ladder, .gpu = *gpu}, *this, {});
    }
    void stages_used(const StagesUsed& now) override { used = now; }
    void rendition_done(RenditionReport done, std::vector<std::uint8_t> bytes) override {
        files[done.name] = std::move(bytes);
    }
    // What was used, less who encoded.
    [[nodiscard]] StagesUsed decoding() const {
        StagesUsed less = used;
        less.encoded.clear();
        less.encode_reason.clear();
        return less;
    }
    StagesUsed used;
    std::map<std::string, std::vector<std::uint8_t>> files;
    Result<TranscodeReport> report = error(ErrorKind::internal, "not run");
};

// A build without a CUDA toolkit has no kernel to scale with: says so.
[[nodiscard]] inline bool has_kernel() {
    const bool has = !cuda::kernel_image().empty();
    if (!has)
        WARN("SKIPPED: this build has no kernel: no CUDA toolkit was found");
    return has;
}

inline const std::string kVp9 =
    "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -lag-in-frames 0 -b:v 300k";
inline const std::string kVp8 =
    "-c:v libvpx -deadline realtime -cpu-used 8 -lag-in-frames 0 -auto-alt-ref 0 -b:v 300k";

// A second of 25 pictures.
[[nodiscard]] inline std::vector<std::uint8_t> encoded(const std::string& how,
                                                       Size size = {160, 96},
                                                       const std::string& format = "webm") {
    return clip({.size = size, .audio = false, .encode = how, .format = format});
}

}  // namespace millrace::test
