// Engines with a GPU whose driver is played by the libraries of tests/unit/gpu, behind their real walls.

#include <cstdlib>
#include <optional>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "transcoder/engine/engine_process.h"

namespace millrace::engine {
namespace {

using namespace std::chrono_literals;

// The environment of engines that are started in its life.
struct FakeDriver {
    explicit FakeDriver(const char* fault = "") {
        setenv("LD_LIBRARY_PATH",
               MILLRACE_FAKE_DRIVER ":" MILLRACE_FAKE_NVDEC ":" MILLRACE_FAKE_NVENC, 1);
        setenv("CUDA_FAKE", fault, 1);
    }
    ~FakeDriver() {
        unsetenv("LD_LIBRARY_PATH");
        unsetenv("CUDA_FAKE");
    }
    FakeDriver(const FakeDriver&) = delete;
    FakeDriver& operator=(const FakeDriver&) = delete;
};

constexpr const char* kGpu = "GPU-aaaa";

struct Bench {
    explicit Bench(const char* gpu, Duration opens_within = EngineProcess::kOpensWithin)
        : engine(loop, pool,
                 {.on_probed = [](const SourceInfo&) {},
                  .on_progress = [](const EngineProgress&) {},
                  .on_rendition = [this](const RenditionReport& report,
                                         const PayloadPtr&) { hashes.push_back(report.sha256); },
                  .on_finished = [this](const TranscodeReport& report) { finished = report; },
                  .on_failed =
                      [this](const Error& problem, std::optional<EngineDeath> how) {
                          failed = problem;
                          death = how;
                      },
                  .on_ready = [this] { ++ready; },
                  .on_lost =
                      [this](EngineDeath how, const std::string& why) {
                          ++lost;
                          death = how;
                          reason = why;
                      },
                  .on_walls = [this](const EngineWalls& found) { walls = found; },
                  .on_stages = [this](const StagesUsed& found) { stages = found; }},
                 MILLRACE_ENGINE_UNDER_TEST, gpu, opens_within) {}

    bool wait_for(const std::function<bool()>& condition) {
        return loop.run_until(condition, loop.now() + 20s);
    }
    bool wait_for_ready(int times = 1) {
        return wait_for([&] { return ready == times; });
    }
    void run(std::vector<GpuAbility> decoders) {
        finished.reset();
        failed.reset();
        stages.reset();
        hashes.clear();
        EngineTask task;
        RenditionSpec spec;
        spec.name = "small";
        spec.width = size.width;
        spec.height = size.height;
        task.ladder = {spec};
        task.gpu = std::move(decoders);
        engine.begin(task);
        engine.feed(make_payload(pool, source()));
        engine.end_input();
        REQUIRE(wait_for([this] { return finished || failed; }));
    }
    // What was used, less who encoded.
    [[nodiscard]] StagesUsed decoding() const {
        StagesUsed less = stages.value_or(StagesUsed{});
        less.encoded.clear();
        less.encode_reason.clear();
        return less;
    }
    static const std::vector<std::uint8_t>& source() {
        static const std::vector<std::uint8_t> bytes = test::clip(
            {.size = {160, 96},
             .audio = false,
             .encode = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -lag-in-frames 0 -b:v 300k",
             .format = "webm"});
        return bytes;
    }

    Size size{96, 54};  // of the rendition
    std::shared_ptr<BlockPool> pool = std::make_shared<BlockPool>();
    Loop loop;
    std::vector<Sha256> hashes;
    std::optional<TranscodeReport> finished;
    std::optional<Error> failed;
    std::optional<EngineDeath> death;
    std::optional<EngineWalls> walls;
    std::optional<StagesUsed> stages;
    std::string reason;
    int ready = 0;
    int lost = 0;
    EngineProcess engine;
};

const std::vector<GpuAbility> kVp9{{GpuAbilityKind::decode, "vp9", true, ""}};

StagesUsed decoded_there(std::int64_t scaled = 0) {
    return {.decoded = DecodedBy::gpu, .scaled = scaled, .downloads = 25};
}

}  // namespace

TEST_CASE("an engine with a GPU decodes on it behind its walls, segment after segment",
          "[engine][gpu]") {
    const FakeDriver driver;
    Bench bench(kGpu);
    CHECK_FALSE(bench.engine.idle());
    REQUIRE(bench.wait_for_ready());
    REQUIRE(bench.walls);
    CHECK(bench.walls->driver);
    CHECK(bench.walls->system_calls);
    std::vector<Sha256> before;
    for (int segment = 0; segment < 3; ++segment) {
        bench.run(kVp9);
        REQUIRE(bench.finished);
        CHECK(bench.decoding() == decoded_there());
        CHECK((before.empty() || before == bench.hashes));
        before = bench.hashes;
    }
    CHECK(bench.engine.restarts() == 0);

    SECTION("the CPU makes the very same of it, in this engine and in one without") {
        bench.run({});
        CHECK_FALSE(bench.stages);
        CHECK(bench.hashes == before);
        Bench plain("");
        plain.run({});
        CHECK(plain.hashes == before);
        CHECK_FALSE(plain.walls->driver);
    }
    SECTION("it scales there, too, with a kernel that was loaded before the walls") {
        const std::vector<GpuAbility> both{kVp9.front(),
                                           {GpuAbilityKind::scale, "kernel", true, ""}};
        for (int segment = 0; segment < 2; ++segment) {
            bench.run(both);
            REQUIRE(bench.finished);
            CHECK((bench.decoding() == decoded_there(25) ||
                   bench.decoding() == decoded_there()));  // no toolkit
        }
        CHECK(bench.engine.restarts() == 0);
    }
    SECTION("what it is told not to leave to the GPU it does not") {
        bench.run({{GpuAbilityKind::decode, "vp9", false, "other pictures"}});
        CHECK(bench.decoding() ==
              StagesUsed{.decoded = DecodedBy::codec, .decode_reason = "vp9: other pictures"});
    }
}

TEST_CASE("an engine encodes on its GPU behind its walls, or is told that its encoders are taken",
          "[engine][gpu]") {
    if (std::string_view(MILLRACE_FAKE_NVENC).empty()) {
        WARN("SKIPPED: this build has no stand-in for NVENC");
        return;
    }
    const std::vector<GpuAbility> both{kVp9.front(),
                                       {GpuAbilityKind::encode, "h264_nvenc", true, ""}};
    const bool taken = GENERATE(false, true);
    const FakeDriver driver(taken ? "taken-later" : "");
    Bench bench(kGpu);
    bench.size = {160, 96};
    REQUIRE(bench.wait_for_ready());
    for (int segment = 0; segment < 3; ++segment) {
        bench.run(both);
        REQUIRE(bench.finished);
        REQUIRE(bench.stages);
        CHECK(bench.stages->encoded == std::vector{taken ? EncodedBy::refused : EncodedBy::gpu});
        CHECK(bench.stages->uploads == (taken ? 0 : 25));
        CHECK(bench.finished->renditions.front().frames == 25);
    }
    CHECK(bench.engine.restarts() == 0);
}

TEST_CASE("an engine whose GPU fails says so and is replaced", "[engine][gpu]") {
    const FakeDriver driver("dies");
    Bench bench(kGpu);
    REQUIRE(bench.wait_for_ready());
    bench.run(kVp9);
    REQUIRE(bench.failed);
    CHECK(bench.failed->kind == ErrorKind::device);
    CHECK(bench.death == EngineDeath::device);
    REQUIRE(bench.wait_for_ready(2));
    CHECK(bench.engine.restarts() == 1);
    bench.run({});
    CHECK(bench.finished);
}

TEST_CASE("an engine that cannot open its GPU says so until it is moved", "[engine][gpu]") {
    const FakeDriver driver("gone");
    Bench bench(kGpu);
    REQUIRE(bench.wait_for([&] { return bench.lost >= 2; }));
    CHECK(bench.death == EngineDeath::device);
    CHECK(bench.reason == "the engine cannot open its GPU");
    CHECK(bench.ready == 0);
    bench.engine.move_to("");
    REQUIRE(bench.wait_for_ready());
    CHECK_FALSE(bench.walls->driver);
    bench.run({});
    CHECK(bench.finished);
}

TEST_CASE("an engine whose driver hangs when its GPU is opened is given up", "[engine][gpu]") {
    const FakeDriver driver("sticks");
    Bench bench(kGpu, 1s);
    REQUIRE(bench.wait_for([&] { return bench.lost >= 2; }));
    CHECK(bench.death == EngineDeath::device);
    CHECK(bench.reason == "the engine did not open its GPU in time");
    bench.engine.move_to("");
    REQUIRE(bench.wait_for_ready());
}

TEST_CASE("an engine that is moved is another process, and is said to be ready once",
          "[engine][gpu]") {
    const FakeDriver driver;
    Bench bench("");
    bench.run({});
    const int pid = bench.engine.pid();
    bench.engine.move_to(kGpu);
    bench.engine.move_to("GPU-bbbb");
    bench.engine.move_to(kGpu);
    REQUIRE(bench.wait_for_ready());
    CHECK(bench.engine.pid() != pid);
    bench.run(kVp9);
    CHECK(bench.decoding() == decoded_there());
    CHECK(bench.ready == 1);
    CHECK(bench.lost == 0);
}

}  // namespace millrace::engine
