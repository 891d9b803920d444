// What HDR renditions tell of the screen and the light that their source was made for.

#include <algorithm>
#include <array>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"
#include "transcoder/media/colour.h"

namespace millrace::media {
namespace {

using Catch::Contains;
using test::quick;
using test::Transcoded;

// Type and length of messages in H.264 (ITU-T H.264, annex D).
constexpr std::array<std::uint8_t, 2> kMasteringDisplay{137, 24};
constexpr std::array<std::uint8_t, 2> kContentLight{144, 4};

bool has_message(const std::vector<std::uint8_t>& video,
                 const std::array<std::uint8_t, 2>& message) {
    constexpr std::uint8_t kSei = 6;
    const std::array<std::uint8_t, 6> begin{0, 0, 1, kSei, message[0], message[1]};
    return !std::ranges::search(video, begin).empty();
}

}  // namespace

TEST_CASE("HDR renditions tell what their source was mastered for", "[media]") {
    const auto source = test::made_by(
        "-f lavfi -i testsrc2=size=160x90:rate=25 -t 0.2 -pix_fmt yuv420p10le -c:v libx265 -preset "
        "ultrafast -x265-params "
        "'colorprim=bt2020:colormatrix=bt2020nc:transfer=smpte2084:log-level=none:max-cll=1000,400:"
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)'"
        " -muxdelay 0 -f mpegts pipe:1");
    Ladder ladder{quick("hevc", {160, 90}), quick("mp4", {160, 90}),  quick("vp9", {160, 90}),
                  quick("av1", {160, 90}),  quick("h264", {160, 90}), quick("sdr", {160, 90})};
    ladder[0].codec = ladder[1].codec = VideoCodec::hevc;
    ladder[2].codec = VideoCodec::vp9;
    ladder[3].codec = VideoCodec::av1;
    for (const std::size_t mp4 : {1, 2, 3})
        ladder[mp4].container = Container::mp4;
    for (const std::size_t deep : {0, 1, 2, 3, 4})
        ladder[deep].color_depth = 10;
    TranscodeRequest request;
    request.ladder = ladder;
    const Transcoded out(source, request);
    INFO((out.report ? "" : out.report.error().message));
    REQUIRE(out.report);
    for (const char* name : {"hevc", "mp4"}) {
        INFO(name);
        const std::string said = test::first_frame_says(out.files.at(name));
        CHECK_THAT(said, Contains("green_x=13250/50000") && Contains("red_y=16000/50000") &&
                             Contains("white_point_x=15635/50000") &&
                             Contains("min_luminance=50/10000") &&
                             Contains("max_luminance=10000000/10000") &&
                             Contains("max_content=1000") && Contains("max_average=400"));
    }
    for (const char* name : {"mp4", "vp9", "av1"}) {
        INFO(name);
        const auto said = [&](const std::string& what) {
            return test::probe_side_entry(out.files.at(name), "v:0", what);
        };
        CHECK(said("green_x") == "13250/50000");
        CHECK(said("white_point_y") == "16450/50000");
        CHECK(said("max_luminance") == "10000000/10000");
        CHECK(said("max_content") == "1000");
        CHECK(said("max_average") == "400");
    }
    // FFmpeg 5.1 reads neither message in H.264.
    CHECK(has_message(out.files.at("h264"), kMasteringDisplay));
    CHECK(has_message(out.files.at("h264"), kContentLight));
    CHECK_FALSE(has_message(out.files.at("sdr"), kMasteringDisplay));
    CHECK_THAT(test::first_frame_says(out.files.at("sdr")), !Contains("luminance"));
}

TEST_CASE("mastering data that makes no sense is not told to encoders", "[media]") {
    const av::FramePtr picture = av::make_frame();
    CHECK(mastering_display(*picture).empty());
    AVMasteringDisplayMetadata& told =
        *av_mastering_display_metadata_create_side_data(picture.get());
    for (auto& primary : told.display_primaries)
        primary[0] = primary[1] = {1, 4};
    told.white_point[0] = told.white_point[1] = {1, 3};
    told.max_luminance = {1000, 1};
    told.min_luminance = {1, 1000};
    told.has_primaries = told.has_luminance = 1;
    CHECK(mastering_display(*picture) ==
          "G(12500,12500)B(12500,12500)R(12500,12500)WP(16667,16667)L(10000000,10)");
    for (const AVRational wrong : {AVRational{1, 0}, AVRational{-1, 2}, AVRational{3, 2}}) {
        told.white_point[1] = wrong;
        CHECK(mastering_display(*picture).empty());
    }
    told.white_point[1] = {1, 3};
    told.max_luminance = {1, 1000};
    CHECK(mastering_display(*picture).empty());  // no brighter than its black

    AVContentLightMetadata& light = *av_content_light_metadata_create_side_data(picture.get());
    light.MaxCLL = 1000;
    light.MaxFALL = 70'000;
    CHECK(content_light(*picture).empty());
    light.MaxFALL = 0;
    CHECK(content_light(*picture) == "1000,0");
}

}  // namespace millrace::media
