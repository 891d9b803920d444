#include "tests/support/catch.h"
#include "transcoder/gpu/gpu_choice.h"

namespace millrace::gpu {
namespace {

using Catch::Contains;

std::vector<Reading> two() {
    std::vector<Reading> present(2);
    present[0].uuid = "GPU-aaaa";
    present[0].name = "RTX 4090";
    present[1].index = 1;
    present[1].uuid = "GPU-bbbb";
    present[1].name = "H100";
    return present;
}

auto chosen(const std::vector<std::string>& words) {
    return choose(*config::parse_gpus(words), two());
}

}  // namespace

TEST_CASE("GPUs are chosen by index and UUID, in the order of the flag", "[gpu][choice]") {
    const auto some = chosen({"GPU-bbbb:3", "0"});
    REQUIRE(some);
    REQUIRE(some->size() == 2);
    CHECK((*some)[0].index == 1);
    CHECK((*some)[0].sessions_max == 3U);
    CHECK((*some)[1].uuid == "GPU-aaaa");
    CHECK_FALSE((*some)[1].sessions_max);
    CHECK(chosen({"all"})->size() == 2);
}

TEST_CASE("a GPU that is not there or chosen twice is named, with what there is", "[gpu][choice]") {
    const auto wrong = chosen({"2", "0", "GPU-aaaa", "GPU-cccc"});
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().kind == ErrorKind::device);
    for (const char* part : {"no GPU 2", "GPU-aaaa is the same GPU", "no GPU GPU-cccc",
                             "0 (RTX 4090, GPU-aaaa)", "1 (H100, GPU-bbbb)"})
        CHECK_THAT(wrong.error().message, Contains(part));
}

}  // namespace millrace::gpu
