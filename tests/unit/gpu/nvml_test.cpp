#include "transcoder/gpu/nvml.h"

#include <chrono>
#include <cstdlib>
#include <thread>

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "transcoder/gpu/gpu_json.h"
#include "transcoder/gpu/gpu_watch.h"

namespace millrace::gpu {
namespace {

// The library that plays the driver's, with that wrong with it; "": nothing.
Result<std::unique_ptr<Nvml>> fake(const char* fault = "") {
    setenv("MILLRACE_FAKE_NVML", fault, 1);
    return Nvml::open(MILLRACE_FAKE_NVML_LIBRARY);
}

}  // namespace

TEST_CASE("every GPU is read with what it tells, and what it does not tell is absent",
          "[gpu][nvml]") {
    const auto nvml = fake();
    REQUIRE(nvml);
    CHECK((*nvml)->driver() == "580.65.06");
    const std::vector<Reading> gpus = (*nvml)->read();
    REQUIRE(gpus.size() == 2);
    CHECK(gpus[0].name == "NVIDIA GeForce RTX 4090");
    CHECK(gpus[0].uuid == "GPU-aaaa");
    CHECK(gpus[0].sm == 0.75);
    CHECK(gpus[0].memory == 1.0);
    CHECK(gpus[0].encoder == 0.4);
    CHECK(gpus[0].decoder == 0.25);
    CHECK(gpus[0].memory_used == 1ULL << 30);
    CHECK(gpus[0].memory_total == 24ULL << 30);
    CHECK(gpus[0].celsius == 61.0);
    CHECK(gpus[0].watts == 215.5);
    CHECK(gpus[0].encoder_sessions == 3U);
    CHECK(gpus[0].throttled == std::vector<std::string>{"power", "thermal"});
    CHECK_FALSE(gpus[0].xid);

    CHECK(gpus[1].index == 1);
    CHECK_FALSE(gpus[1].encoder);
    CHECK_FALSE(gpus[1].encoder_sessions);
    CHECK(gpus[1].throttled.empty());
    CHECK(gpus[1].xid == 79ULL);
}

TEST_CASE("an Xid stays with its GPU until the library is opened anew", "[gpu][nvml]") {
    const auto nvml = fake();
    REQUIRE(nvml);
    CHECK((*nvml)->read()[1].xid == 79ULL);
    CHECK((*nvml)->read()[1].xid == 79ULL);
}

TEST_CASE("what is missing is said: library, driver or GPU", "[gpu][nvml]") {
    const auto no_library = Nvml::open("libmillrace-none.so.1");
    REQUIRE_FALSE(no_library);
    CHECK(no_library.error().kind == ErrorKind::unsupported);
    CHECK_THAT(no_library.error().message,
               Catch::Contains("driver is not installed") && Catch::Contains("libmillrace-none"));

    const auto unloaded = fake("unloaded");
    REQUIRE_FALSE(unloaded);
    CHECK(unloaded.error() ==
          error(ErrorKind::unsupported, "NVIDIA's driver is installed, but not loaded"));

    const auto empty = fake("empty");
    REQUIRE_FALSE(empty);
    CHECK(empty.error() == error(ErrorKind::unsupported, "the driver sees no GPU"));

    const auto broken = fake("broken");
    REQUIRE_FALSE(broken);
    CHECK(broken.error() == error(ErrorKind::device, "nvmlInit: NVML error 999"));
}

TEST_CASE("a GPU that fell off the bus keeps its number and tells nothing", "[gpu][nvml]") {
    const auto nvml = fake("lost");
    REQUIRE(nvml);
    const std::vector<Reading> gpus = (*nvml)->read();
    REQUIRE(gpus.size() == 2);
    CHECK(gpus[0].index == 0);
    CHECK(gpus[0].name.empty());
    CHECK_FALSE(gpus[0].sm);
    CHECK(gpus[1].uuid == "GPU-bbbb");
}

TEST_CASE("the watch reads on a thread of its own, and without GPUs there is nothing to tell",
          "[gpu][watch]") {
    const Watch watch(fake(), std::chrono::milliseconds(1));
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (watch.latest().empty() && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // pause: of a poll
    CHECK(watch.latest().size() == 2);
    const Watch none(error(ErrorKind::unsupported, "no driver"));
    CHECK(none.latest().empty());
}

TEST_CASE("a GPU as JSON says null for what is not told", "[gpu][json]") {
    const auto nvml = fake();
    REQUIRE(nvml);
    const nlohmann::json json = to_json((*nvml)->read()[1]);
    CHECK(json["uuid"] == "GPU-bbbb");
    CHECK(json["utilization"]["encoder"].is_null());
    CHECK(json["utilization"]["decoder"] == 0.25);
    CHECK(json["encoder_sessions"].is_null());
    CHECK(json["xid"] == 79);
}

}  // namespace millrace::gpu
