#include <cstdlib>

#include "tests/support/catch.h"
#include "transcoder/gpu/gpu_trial.h"

namespace millrace::gpu {
namespace {

using Catch::Contains;
using media::GpuStage;
using media::GpuStageKind;

const Chosen kGpu{0, "GPU-aaaa", "NVIDIA H100 80GB HBM3", {}};

// In a process of its own, with the library that plays CUDA's, and that wrong with it.
Trial tried(const char* fault, Duration limit = kTrialTime,
            const char* libraries = MILLRACE_FAKE_DRIVER) {
    setenv("LD_LIBRARY_PATH", libraries, 1);
    setenv("CUDA_FAKE", fault, 1);
    return try_gpu(kGpu, limit, MILLRACE_TRIAL_CHILD);
}

const GpuStage& stage(const Trial& trial, GpuStageKind kind, std::string_view name) {
    const auto at = std::ranges::find_if(trial.stages, [&](const GpuStage& tried) {
        return tried.kind == kind && tried.name == name;
    });
    REQUIRE(at != trial.stages.end());
    return *at;
}

Trial read(std::initializer_list<const char*> lines, const std::string& ending = "") {
    TrialReader reader;
    for (const char* line : lines)
        reader.line(line);
    return std::move(reader).finish(ending);
}

constexpr const char* kContext =
    R"({"say":"tried","kind":"context","name":"cuda","works":true,"reason":""})";
constexpr const char* kTransfer =
    R"({"say":"tried","kind":"transfer","name":"nv12","works":true,"reason":""})";
constexpr const char* kDecode =
    R"({"say":"tried","kind":"decode","name":"h264","works":true,"reason":""})";
constexpr const char* kNoEncoder =
    R"({"say":"tried","kind":"encode","name":"h264_nvenc","works":false,"reason":"no unit"})";
constexpr const char* kBegins = R"({"say":"begins","kind":"encode","name":"hevc_nvenc"})";
constexpr const char* kDone = R"({"say":"done"})";

}  // namespace

TEST_CASE("a card that decodes and has no encoder is usable", "[gpu][trial]") {
    const Trial trial = read({kContext, kTransfer, kDecode, kNoEncoder, kDone});
    CHECK(trial.usable());
    CHECK(trial.reason().empty());
    CHECK(works(trial.stages, GpuStageKind::decode, "h264"));
    CHECK_FALSE(works(trial.stages, GpuStageKind::encode, "h264_nvenc"));
}

TEST_CASE("a card that only moves pictures is not", "[gpu][trial]") {
    const Trial trial = read({kContext, kTransfer, kNoEncoder, kDone});
    CHECK_FALSE(trial.usable());
    CHECK_THAT(trial.reason(), Contains("neither decodes nor encodes") && Contains("no unit"));
}

TEST_CASE("a driver that crashed or hung makes the card unusable, whatever worked before",
          "[gpu][trial]") {
    const Trial crashed = read({kContext, kTransfer, kDecode, kBegins}, "crashed with signal 11");
    CHECK_FALSE(crashed.usable());
    CHECK(crashed.reason() == "the trial crashed with signal 11 at encode hevc_nvenc");
    CHECK(crashed.stages.size() == 3);
    CHECK(read({kContext, kTransfer, kDecode}).reason() == "the trial ended before it was through");
}

TEST_CASE("lines that are not the child's change nothing", "[gpu][trial]") {
    for (const char* line : {"", "{", "[]", "3", R"({"say":3,"kind":[],"name":{}})",
                             R"({"say":"tried","kind":"paint","name":"x","works":true})"})
        CHECK(read({line, kDone}).stages.empty());
    const Trial odd = read({R"({"say":"tried","kind":"decode","works":"yes"})", kDone});
    REQUIRE(odd.stages.size() == 1);
    CHECK_FALSE(odd.stages[0].works);
}

TEST_CASE("on a driver without NVDEC and NVENC each stage says which library is missing",
          "[gpu][trial]") {
    const Trial trial = tried("");
    CHECK(trial.failure.empty());
    CHECK(stage(trial, GpuStageKind::context, "cuda").works);
    CHECK(stage(trial, GpuStageKind::transfer, "nv12").works);
    for (const char* codec : {"h264", "hevc", "vp8", "vp9", "av1", "mpeg2video"}) {
        const GpuStage& decoding = stage(trial, GpuStageKind::decode, codec);
        INFO(codec << ": " << decoding.reason);
        CHECK_FALSE(decoding.works);
        CHECK_THAT(decoding.reason, Contains("libnvcuvid.so.1"));
    }
    CHECK_THAT(stage(trial, GpuStageKind::encode, "h264_nvenc").reason,
               Contains("libnvidia-encode.so.1"));
    CHECK_FALSE(stage(trial, GpuStageKind::scale, "scale_cuda").works);
    CHECK_FALSE(trial.usable());
    CHECK_THAT(trial.reason(), Contains("neither decodes nor encodes"));
}

TEST_CASE("a unit is believed for the codecs whose pictures are the CPU's", "[gpu][trial]") {
    const Trial trial = tried("", kTrialTime, MILLRACE_FAKE_DRIVER ":" MILLRACE_FAKE_NVDEC);
    for (const char* codec : {"vp8", "vp9"})
        CHECK(stage(trial, GpuStageKind::decode, codec).works);
    for (const char* codec : {"h264", "hevc", "av1", "mpeg2video"})
        CHECK_FALSE(stage(trial, GpuStageKind::decode, codec).works);
    CHECK(trial.usable());
    const Trial wrong = tried("garbled", kTrialTime, MILLRACE_FAKE_DRIVER ":" MILLRACE_FAKE_NVDEC);
    CHECK_THAT(stage(wrong, GpuStageKind::decode, "vp8").reason,
               Contains("other pictures than the CPU"));
}

#ifdef MILLRACE_FAKE_NVENC
TEST_CASE("encoders are counted until the card refuses one", "[gpu][trial]") {
    constexpr const char* kLibraries = MILLRACE_FAKE_DRIVER ":" MILLRACE_FAKE_NVENC;
    const Trial few = tried("three", kTrialTime, kLibraries);
    CHECK(few.usable());
    const GpuStage& counted = stage(few, GpuStageKind::encoder_sessions, "h264_nvenc");
    CHECK(counted.works);
    CHECK(counted.count == 3U);
    const Trial many = tried("", kTrialTime, kLibraries);
    CHECK(stage(many, GpuStageKind::encoder_sessions, "h264_nvenc").works);
    CHECK_FALSE(stage(many, GpuStageKind::encoder_sessions, "h264_nvenc").count);
    const Trial none = tried("taken", kTrialTime, kLibraries);
    CHECK(std::ranges::none_of(none.stages, [](const GpuStage& tried) {
        return tried.kind == GpuStageKind::encoder_sessions;
    }));
}
#endif

TEST_CASE("without a device nothing further is tried", "[gpu][trial]") {
    const Trial trial = tried("none");
    CHECK(trial.failure.empty());
    REQUIRE(trial.stages.size() == 1);
    CHECK_THAT(trial.reason(), Contains("context") && Contains("CUDA_ERROR_NO_DEVICE"));
}

TEST_CASE("a card without free memory says so", "[gpu][trial]") {
    const Trial trial = tried("full");
    CHECK_FALSE(trial.usable());
    CHECK_THAT(stage(trial, GpuStageKind::transfer, "nv12").reason,
               Contains("CUDA_ERROR_OUT_OF_MEMORY"));
}

TEST_CASE("pictures that come back changed are found out", "[gpu][trial]") {
    CHECK_THAT(stage(tried("garbled"), GpuStageKind::transfer, "nv12").reason,
               Contains("another picture came back"));
}

TEST_CASE("a driver that crashes or hangs takes only the trial along", "[gpu][trial]") {
    const Trial crashed = tried("crash");
    CHECK_THAT(crashed.reason(), Contains("crashed with signal 11") && Contains("context"));
    const Trial hung = tried("hang", std::chrono::milliseconds(1500));
    CHECK_THAT(hung.reason(), Contains("hung"));
    CHECK_FALSE(hung.usable());
}

TEST_CASE("a GPU that fell off the bus is not tried, and a program that is not there is said",
          "[gpu][trial]") {
    CHECK_THAT(try_gpu({0, "", "", {}}).reason(), Contains("fell off the bus"));
    CHECK_THAT(try_gpu(kGpu, kTrialTime, "/nowhere/transcoder").reason(),
               Contains("could not be started"));
}

}  // namespace millrace::gpu
