#include "tests/support/catch.h"
#include "transcoder/engine/memory_bound.h"

namespace millrace::engine {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

Ladder ladder_of(std::initializer_list<std::pair<int, int>> sizes, const char* preset) {
    Ladder ladder;
    for (const auto& [width, height] : sizes) {
        RenditionSpec& spec = ladder.emplace_back();
        spec.width = width;
        spec.height = height;
        spec.preset = preset;
    }
    return ladder;
}

}  // namespace

TEST_CASE("ordinary ladders get one gibibyte, and no preset of a small one more", "[engine]") {
    CHECK(memory_for({}) == kMemoryBytes);
    CHECK(memory_for(ladder_of({{1920, 1080}, {1280, 720}, {640, 360}, {426, 240}}, "")) ==
          kMemoryBytes);
    CHECK(memory_for(ladder_of({{1280, 720}, {640, 360}, {426, 240}}, "veryslow")) == kMemoryBytes);
}

TEST_CASE("a ladder of the largest pictures gets what it was seen to take, and not without end",
          "[engine]") {
    const auto rungs = {std::pair{4096, 2304},
                        {2560, 1440},
                        {1920, 1080},
                        {1280, 720},
                        {960, 540},
                        {854, 480},
                        {640, 360},
                        {426, 240}};
    const std::uint64_t quick = memory_for(ladder_of(rungs, "veryfast"));
    CHECK(quick > 1408 * kMiB);  // measured
    CHECK(quick < kMemoryBytesMax);
    CHECK(memory_for(ladder_of(rungs, "medium")) > quick);
    const auto most = {std::pair{4096, 2304}, {4096, 2304}, {4096, 2304}, {4096, 2304}};
    CHECK(memory_for(ladder_of(most, "veryslow")) == kMemoryBytesMax);
}

TEST_CASE("pictures that are kept until a segment is done count", "[engine]") {
    Ladder ladder = ladder_of({{4096, 2304}, {1920, 1080}}, "");
    ladder[1].codec = VideoCodec::vp9;
    ladder[1].bitrate = 3'000'000;
    const std::uint64_t kept = memory_for(ladder);
    ladder[1].quality = 30;  // no constant bitrate: nothing is tried
    CHECK(kept - memory_for(ladder) == 128 * kMiB);
}

TEST_CASE("sides that follow from the source count as the longest, sides beyond all bounds as none",
          "[engine]") {
    CHECK(memory_for(ladder_of({{0, 2304}}, "")) == memory_for(ladder_of({{4096, 2304}}, "")));
    CHECK(memory_for(ladder_of({{2'000'000'000, 2'000'000'000}}, "")) ==
          memory_for(ladder_of({{4096, 2304}}, "")));
}

}  // namespace millrace::engine
