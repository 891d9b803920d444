#include "common/config/gpu_selection.h"

#include "common/config/transcoder_config.h"
#include "tests/support/catch.h"

namespace millrace::config {
namespace {

using Catch::Contains;
using Words = std::vector<std::string>;

std::string refused(const Words& words) {
    const auto parsed = parse_gpus(words);
    REQUIRE_FALSE(parsed);
    return parsed.error().message;
}

Setup<TranscoderConfig> transcoder(Words words) {
    words.insert(words.begin(), {"--orch-addr", "a:1"});
    return read_transcoder_config({std::move(words), {{"HOME", "/home/m"}}});
}

}  // namespace

TEST_CASE("GPUs are all of them, or a list of indices and UUIDs with limits", "[config][gpu]") {
    CHECK(parse_gpus({"all"})->all);
    CHECK(parse_gpus({"0", "01"})->chosen == std::vector<GpuChoice>{{"0"}, {"1"}});
    const auto limited = parse_gpus({"0:18", "GPU-8f1c-22:15"});
    REQUIRE(limited);
    CHECK(limited->chosen == std::vector<GpuChoice>{{"0", 18}, {"GPU-8f1c-22", 15}});
    CHECK(limited->text() == "0:18,GPU-8f1c-22:15");
    CHECK(parse_gpus({"all"})->text() == "all");
    CHECK(GpuSelection{}.none());
}

TEST_CASE("everything that is wrong with a list of GPUs is said at once", "[config][gpu]") {
    const std::string all = refused({"x", "0:0", "1", "01", "64", "2:257", "all", "", "GPU-"});
    for (const char* part : {"'x'", "'0:0'", "GPU 1 is given twice", "'64'", "'2:257'",
                             "'all' stands alone", "''", "'GPU-'"})
        CHECK_THAT(all, Contains(part));
}

TEST_CASE("--nvidia takes them, and its mistakes stand beside others", "[config][gpu]") {
    CHECK(transcoder({}).config->gpus.none());
    CHECK(transcoder({"--nvidia", "all"}).config->gpus.all);
    CHECK(transcoder({"--nvidia", "0:18,1:15"}).config->gpus.text() == "0:18,1:15");
    CHECK(transcoder({"--nvidia", "all"}).config->gpus.stages == GpuStagesAllowed{});
    const auto some = transcoder({"--gpu-stages", "decode,scale", "--nvidia", "1"}).config->gpus;
    CHECK(some.stages == GpuStagesAllowed{true, true, false});
    CHECK(some.text() == "1");
    CHECK_THAT(transcoder({"--gpu-stages", "decode,mux"}).text,
               Contains("--gpu-stages") && Contains("'mux'"));
    const auto setup = transcoder({"--nvidia", "zero", "--label", "novalue"});
    CHECK(setup.exit_code == 78);
    CHECK_THAT(setup.text, Contains("--nvidia") && Contains("'zero'") && Contains("--label"));
}

TEST_CASE("transcode takes one GPU without a limit", "[config][gpu]") {
    const auto with = [](const char* gpus) {
        return read_transcoder_config(
            {{"transcode", "a.ts", "--out-dir", "/o", "--nvidia", gpus}, {{"HOME", "/home/m"}}});
    };
    CHECK(with("GPU-aaaa").config->gpus.text() == "GPU-aaaa");
    for (const char* several : {"all", "0,1", "0:2"}) {
        CHECK(with(several).exit_code == 78);
        CHECK_THAT(with(several).text, Contains("--nvidia") && Contains("one GPU"));
    }
}

}  // namespace millrace::config
