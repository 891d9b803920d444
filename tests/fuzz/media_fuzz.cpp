// Any bytes as a segment. Small limits, so that a round stays short whatever it claims to be.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/runtime/payload.h"
#include "transcoder/media/transcode.h"

namespace {

struct Nobody final : millrace::media::TranscodeObserver {
    void rendition_done(millrace::RenditionReport, std::vector<std::uint8_t>) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace millrace;
    media::TranscodeRequest request;
    RenditionSpec spec;
    spec.name = "out";
    spec.width = 32;
    spec.height = 32;
    spec.fps = {30, 1};
    spec.quality = 40;
    spec.preset = "ultrafast";
    if (size % 2 != 0)
        spec.container = Container::mp4;  // timed data goes into either
    request.ladder = {spec};
    request.limits.frames = 40;
    request.limits.picture = {640, 640};
    request.allow_audio_only = true;
    const std::vector<std::uint8_t> bytes(data, data + size);
    media::PayloadSource source(make_payload(std::make_shared<BlockPool>(), bytes));
    Nobody nobody;
    (void)media::transcode(source, request, nobody, {});
    return 0;
}
