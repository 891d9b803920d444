#include "common/config/ladder_json.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "common/config/json_text.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::config;

namespace {

std::vector<std::string> paths_of(const Parsed<Ladder>& parsed) {
    std::vector<std::string> paths;
    for (const FieldError& error : parsed.errors())
        paths.push_back(error.path);
    return paths;
}

RenditionSpec one(std::string_view rendition) {
    const auto ladder = parse_ladder("[" + std::string(rendition) + "]");
    INFO(to_string(ladder.errors()));
    REQUIRE(ladder);
    return ladder->front();
}

std::string only_mistake(std::string_view rendition) {
    const auto ladder = parse_ladder("[" + std::string(rendition) + "]");
    INFO(to_string(ladder.errors()));
    REQUIRE(ladder.errors().size() == 1);
    return ladder.errors().front().path + ": " + ladder.errors().front().detail;
}

}  // namespace

TEST_CASE("go-livepeer's own ladder JSON is taken as it is", "[config][ladder]") {
    const RenditionSpec spec = one(
        R"({"name":"720p","width":1280,"height":720,"bitrate":4000000,"fps":30000,"fpsDen":1001,
            "profile":"h264ConstrainedHigh","gop":"2.5","encoder":"H.264","colorDepth":8,
            "chromaFormat":0,"quality":23})");
    CHECK(spec.name == "720p");
    CHECK(spec.width == 1280);
    CHECK(spec.height == 720);
    CHECK(spec.bitrate == 4'000'000);
    CHECK(spec.fps == Rational{30000, 1001});
    CHECK(spec.profile == VideoProfile::constrained_high);
    CHECK(spec.gop_ms == 2500);
    CHECK(spec.codec == VideoCodec::h264);
    CHECK(spec.quality == 23);
    CHECK(spec.upscale == Upscale::allow);
}

TEST_CASE("what MistServer sends is taken: fps in thousandths and a gop of 0.0",
          "[config][ladder]") {
    const RenditionSpec spec = one(
        R"({"bitrate":1000000,"fps":25000,"fpsDen":1000,"gop":"0.0","height":360,"name":"a","profile":"H264High","width":640})");
    CHECK(spec.fps == Rational{25, 1});
    CHECK(spec.gop_ms == kGopDefault);
}

TEST_CASE("absent fields and nulls mean the documented defaults", "[config][ladder]") {
    const RenditionSpec spec = one(R"({"width":640,"height":360,"bitrate":800000,"fps":null})");
    CHECK(spec.name == "custom_640x360_800000");
    CHECK(spec.fps == Rational{0, 1});
    CHECK(spec.container == Container::mpegts);
    CHECK(spec.audio == AudioSpec{});
    CHECK(spec.codec == VideoCodec::h264);
    CHECK(spec.data == DataStreams::pass);
}

TEST_CASE("gop is intra, seconds as text, or a number", "[config][ladder]") {
    CHECK(one(R"({"quality":20,"gop":"intra"})").gop_ms == kGopIntra);
    CHECK(one(R"({"quality":20,"gop":"1"})").gop_ms == 1000);
    CHECK(one(R"({"quality":20,"gop":0.48})").gop_ms == 480);
    for (const char* gop :
         {R"("2s")", R"("-1")", "-1", R"("1e1")", "61", R"("nan")", "0.0001", "[]"})
        CHECK_THAT(only_mistake(R"({"quality":20,"gop":)" + std::string(gop) + "}"),
                   Catch::StartsWith("[0].gop: must be \"intra\" or seconds"));
}

TEST_CASE("our additions are read", "[config][ladder]") {
    const RenditionSpec spec = one(
        R"({"name":"x","quality":30,"encoder":"AV1","container":"mp4","preset":"p4","colorDepth":10,
            "audio":{"codec":"opus","bitrate":96000,"rate":48000,"channels":2},
            "upscale":"never","bypass":"if-fits","data":"drop","scaling":"cascaded"})");
    CHECK(spec.codec == VideoCodec::av1);
    CHECK(spec.container == Container::mp4);
    CHECK(spec.audio == AudioSpec{AudioMode::encode, AudioCodec::opus, 96000, 48000, 2});
    CHECK(spec.preset == "p4");
    CHECK(spec.color_depth == 10);
    CHECK(spec.upscale == Upscale::never);
    CHECK(spec.bypass == Bypass::if_fits);
    CHECK(spec.data == DataStreams::drop);
    CHECK(spec.scaling == Scaling::cascaded);
    CHECK(one(R"({"quality":30,"audio":"none"})").audio.mode == AudioMode::none);
}

TEST_CASE("encoders go only into containers that carry them", "[config][ladder]") {
    for (const char* encoder : {"H.264", "HEVC"})
        for (const char* container : {"mpegts", "mp4"})
            CHECK(parse_ladder(std::string(R"([{"quality":20,"encoder":")") + encoder +
                               R"(","container":")" + container + "\"}]"));
    CHECK_THAT(only_mistake(R"({"quality":20,"encoder":"VP9"})"),
               Catch::StartsWith("[0].container: VP9 needs"));
    CHECK_THAT(only_mistake(R"({"quality":20,"encoder":"VP8"})"),
               Catch::StartsWith("[0].encoder: "));
    CHECK_THAT(only_mistake(R"({"quality":20,"encoder":"HEVC","profile":"H264Main"})"),
               Catch::StartsWith("[0].profile: "));
}

TEST_CASE("every mistake of a ladder is reported, each by its path", "[config][ladder]") {
    const auto ladder = parse_ladder(R"([
        {"name":"a","width":640,"height":360,"bitrate":"800k"},
        {"name":"a","width":5000,"height":2,"bitrate":-1,"fps":29.97,"colour":1},
        7,
        {"name":"../x","quality":52,"audio":{"codec":"mp3","volume":1}}])");
    REQUIRE_FALSE(ladder);
    const auto paths = paths_of(ladder);
    for (const char* path :
         {"[0].bitrate", "[1].width", "[1].height", "[1].bitrate", "[1].fps", "[1]", "[1].name",
          "[2]", "[3].name", "[3].quality", "[3].audio.codec", "[3].audio"}) {
        INFO(path);
        CHECK(std::count(paths.begin(), paths.end(), path) == 1);
    }
    CHECK(paths.size() == 12);
}

TEST_CASE("wrong single values are refused with the place and the remedy", "[config][ladder]") {
    CHECK(only_mistake(R"({"width":640,"height":360})") ==
          "[0].bitrate: is needed unless quality is given");
    CHECK_THAT(only_mistake(R"({"bitrate":800})"), Catch::Contains("bit/s"));
    CHECK_THAT(only_mistake(R"({"quality":20,"fps":29.97})"), Catch::Contains("30000"));
    CHECK_THAT(only_mistake(R"({"quality":20,"fps":1000})"), Catch::StartsWith("[0].fps: "));
    CHECK_THAT(only_mistake(R"({"quality":20,"width":4096,"height":4096})"),
               Catch::StartsWith("[0].height: "));
    CHECK_THAT(only_mistake(R"({"quality":20,"width":18446744073709551615})"),
               Catch::StartsWith("[0].width: "));
    CHECK_THAT(only_mistake(R"({"quality":20,"name":"source"})"), Catch::StartsWith("[0].name: "));
    CHECK_THAT(only_mistake(R"({"quality":20,"colorDepth":9})"),
               Catch::StartsWith("[0].colorDepth"));
    CHECK_THAT(only_mistake(R"({"quality":20,"chromaFormat":3})"),
               Catch::StartsWith("[0].chromaFormat"));
    CHECK_THAT(only_mistake(R"({"quality":20,"preset":"warp"})"), Catch::StartsWith("[0].preset"));
    CHECK_THAT(only_mistake(R"({"quality":20,"audio":{"codec":"copy","rate":48000}})"),
               Catch::StartsWith("[0].audio.codec"));
}

TEST_CASE("text that is no ladder is refused as a whole", "[config][ladder]") {
    for (const char* text :
         {"", "{}", "[]", "[{]", "null", "[[]]", "\xff\xfe", "[{\"a\":1,\"a\":2}]"})
        CHECK_FALSE(parse_ladder(text));
    std::string nine = "[";
    for (int i = 0; i < 9; ++i)
        nine +=
            std::string(i ? "," : "") + R"({"quality":20,"name":"r)" + std::to_string(i) + "\"}";
    CHECK(parse_ladder(nine + "]").errors().front().detail == "must have 1 to 8 renditions, not 9");
    CHECK_FALSE(parse_ladder(std::string(100'000, '[')));
    CHECK_FALSE(parse_ladder("[" + std::string(kJsonTextMax, ' ') + "]"));
}

TEST_CASE("a ladder written as JSON reads back as the same ladder", "[config][ladder]") {
    Ladder ladder = *parse_ladder_option("P240p30fps16x9,P360p25fps16x9");
    CHECK(*parse_ladder(to_json(ladder)) == ladder);
    ladder[0].gop_ms = 1234;
    ladder[1].gop_ms = kGopIntra;
    ladder[1].codec = VideoCodec::vp9;
    ladder[1].container = Container::mp4;
    ladder[1].audio = {AudioMode::encode, AudioCodec::aac, 128000, 44100, 1};
    ladder[1].chroma = ChromaFormat::yuv444;
    ladder[1].color_depth = 10;
    ladder[1].preset = "slow";
    ladder[1].bypass = Bypass::if_fits;
    ladder[1].data = DataStreams::drop;
    ladder[1].scaling = Scaling::cascaded;
    ladder[1].fps = {30000, 1001};
    CHECK(*parse_ladder(to_json(ladder)) == ladder);
}

TEST_CASE("presets by name are go-livepeer's numbers with our quality", "[config][ladder]") {
    const auto ladder = parse_ladder_option(kDefaultLadder);
    REQUIRE(ladder);
    REQUIRE(ladder->size() == 2);
    CHECK((*ladder)[0].width == 426);
    CHECK((*ladder)[1].bitrate == 1'200'000);
    CHECK((*ladder)[1].upscale == Upscale::never);
    CHECK(paths_of(parse_ladder_option("P240p30fps16x9,P999")) == std::vector<std::string>{"[1]"});
    CHECK(paths_of(parse_ladder_option("P240p30fps16x9,P240p30fps16x9")) ==
          std::vector<std::string>{"[1].name"});
    CHECK_THAT(parse_ladder_option("no such file").errors().front().detail,
               Catch::Contains("neither a readable file nor"));
    CHECK_FALSE(parse_ladder_option("/"));
    CHECK_FALSE(parse_ladder_option(""));
}

TEST_CASE("a ladder is read from a file", "[config][ladder]") {
    const std::string path = std::tmpnam(nullptr);
    std::ofstream(path) << R"([{"name":"small","width":320,"height":180,"bitrate":300000}])";
    const auto ladder = parse_ladder_option(path);
    std::remove(path.c_str());
    REQUIRE(ladder);
    CHECK(ladder->front().name == "small");
}

TEST_CASE("the transcode-configuration header takes profiles, presets or a bare array",
          "[config][ladder]") {
    CHECK(parse_transcode_configuration(
              R"({"manifestID":"x","profiles":[{"name":"a","quality":20}],"deadlineMs":5})")
              ->front()
              .name == "a");
    CHECK(parse_transcode_configuration(R"({"presets":["P240p30fps16x9"]})")->size() == 1);
    CHECK(parse_transcode_configuration(R"([{"name":"b","quality":20}])")->front().name == "b");
    CHECK(paths_of(parse_transcode_configuration(R"({"profiles":[{"quality":99}]})")) ==
          std::vector<std::string>{"profiles[0].quality"});
    CHECK(paths_of(parse_transcode_configuration(R"({"presets":["nope"]})")) ==
          std::vector<std::string>{"presets[0]"});
    CHECK_FALSE(parse_transcode_configuration("{}"));
}
