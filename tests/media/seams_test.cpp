// What a viewer meets at joins, on real clips: every segment is transcoded by itself, as if each had
// gone to another transcoder, with nothing shared but the seam context.
//
//   media_seams_test            a short run for every build
//   media_seams_test "[full]"   all clips at 240p, 360p and 720p (some minutes)

#include <filesystem>
#include <iostream>

#include "common/runtime/payload.h"
#include "tests/media/seam_lab.h"
#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "transcoder/media/transcode.h"

namespace millrace::test {
namespace {

namespace fs = std::filesystem;

const fs::path kMedia = MILLRACE_SHARED_MEDIA;

// Mean over the joins, dB.
constexpr double kStepMaxCapped = 1.5;
constexpr double kStepMaxBitrate = 2.5;

bool media_is_missing() {
    if (fs::is_directory(kMedia))
        return false;
    std::cerr << "\n*** SKIPPED: no clips at " << kMedia << " ***\n\n";
    return true;
}

using Segments = std::vector<std::vector<std::uint8_t>>;

Segments segments_of(const std::string& init, const std::vector<std::string>& names) {
    Segments segments;
    for (const std::string& name : names) {
        std::vector<std::uint8_t> bytes;
        if (!init.empty())
            bytes = read_file((kMedia / init).string());
        const auto rest = read_file((kMedia / name).string());
        bytes.insert(bytes.end(), rest.begin(), rest.end());
        segments.push_back(std::move(bytes));
    }
    return segments;
}

Segments bbb(int first, int count) {
    std::vector<std::string> names;
    for (int n = first; n < first + count; ++n)
        names.push_back("bbb_1080p25_hls/seg_0" + std::string(n < 10 ? "0" : "") +
                        std::to_string(n) + ".ts");
    return segments_of("", names);
}

Segments cmaf(const std::string& dir, int count) {
    std::vector<std::string> names;
    for (int n = 1; n <= count; ++n)
        names.push_back(dir + "/v_" + std::to_string(n) + ".m4s");
    return segments_of(dir + "/v_init.mp4", names);
}

// The presets' numbers at the source's own rate.
RenditionSpec rendition(int height, std::int64_t bitrate, int quality) {
    RenditionSpec spec;
    spec.name = std::to_string(height) + (quality > 0 ? "c" : "b");
    spec.width = height * 16 / 9;
    spec.height = height;
    spec.bitrate = bitrate;
    spec.quality = quality;
    return spec;
}

Ladder ladder(bool with_720) {
    Ladder all;
    for (const int quality : {23, 0}) {
        all.push_back(rendition(240, 600'000, quality));
        all.push_back(rendition(360, 1'200'000, quality));
        if (with_720)
            all.push_back(rendition(720, 4'000'000, quality));
    }
    return all;
}

// The same in HEVC, which needs two thirds of the bits.
Ladder hevc_ladder(bool with_720) {
    Ladder all = ladder(with_720);
    for (RenditionSpec& spec : all) {
        spec.name += "h";
        spec.codec = VideoCodec::hevc;
        spec.bitrate = spec.bitrate * 2 / 3;
        spec.quality = spec.quality > 0 ? 28 : 0;
    }
    return all;
}

Ladder mp4_ladder(VideoCodec codec) {
    Ladder all = hevc_ladder(false);
    for (RenditionSpec& spec : all) {
        spec.codec = codec;
        spec.container = Container::mp4;
        spec.quality = spec.quality > 0 ? 33 : 0;
    }
    return all;
}

struct Keeper final : media::TranscodeObserver {
    void rendition_done(RenditionReport, std::vector<std::uint8_t> bytes) override {
        file = std::move(bytes);
    }
    std::vector<std::uint8_t> file;
};

// One rendition of 300 kbit/s, and the bytes of its pictures in order.
std::pair<RenditionReport, std::vector<std::int64_t>> one(const std::vector<std::uint8_t>& segment,
                                                          SeamContext seam) {
    Keeper keeper;
    media::PayloadSource bytes(make_payload(std::make_shared<BlockPool>(), segment));
    media::TranscodeRequest request;
    request.ladder = {rendition(180, 300'000, 0)};
    request.seam = std::move(seam);
    const auto report = media::transcode(bytes, request, keeper, {});
    REQUIRE(report);
    CHECK(decoded_frames(keeper.file) == report->renditions[0].frames);
    return {report->renditions[0], picture_bytes(keeper.file)};
}

double step_max(const SeamLab::Figures& figures) {
    return figures.what.ends_with("capped") ? kStepMaxCapped : kStepMaxBitrate;
}

void check_steps(const std::vector<SeamLab::Figures>& all) {
    SeamLab::print(all);
    for (const SeamLab::Figures& figures : all) {
        INFO(figures.what);
        CHECK(figures.ours.violations == 0);
        CHECK(figures.ours.step <= step_max(figures));
    }
}

void check(const std::vector<SeamLab::Figures>& all) {
    check_steps(all);
    for (const SeamLab::Figures& figures : all) {
        INFO(figures.what);
        CHECK(figures.ours.excess <= step_max(figures));
        CHECK(figures.ours.mean_psnr >= figures.cold.mean_psnr - 0.1);
        for (const RenditionReport& report : figures.reports)
            CHECK(report.parameter_sets == figures.reports.front().parameter_sets);
        CHECK(decoded_frames(figures.joined) ==
              static_cast<std::int64_t>(figures.ours.psnr.size()));
    }
}

void check_all(const std::string& name, const Segments& segments, bool with_720) {
    SeamLab lab(name, segments);
    check(lab.measure(ladder(with_720)));
    check(lab.measure(hevc_ladder(with_720)));
}

}  // namespace

TEST_CASE("joins of segments that were made apart are not seen", "[seams]") {
    if (media_is_missing())
        return;
    SeamLab lab("bbb", bbb(3, 4));
    const auto all = lab.measure(ladder(false));
    check(all);
    for (const SeamLab::Figures& figures : all)
        if (!figures.what.ends_with("capped"))
            CHECK(figures.ours.excess < figures.cold.excess - 2.0);  // or nothing was gained
}

TEST_CASE("joins of HEVC segments that were made apart are not seen", "[seams][hevc]") {
    if (media_is_missing())
        return;
    SeamLab lab("bbb", bbb(3, 4));
    const auto all = lab.measure(hevc_ladder(false));
    check(all);
    for (const SeamLab::Figures& figures : all)
        if (!figures.what.ends_with("capped"))
            CHECK(figures.ours.excess < figures.cold.excess - 1.5);  // or nothing was gained
}

TEST_CASE("joins of VP9 and AV1 segments that were made apart are not seen", "[seams][vp9]") {
    if (media_is_missing())
        return;
    SeamLab lab("bbb", bbb(3, 4));
    Ladder both{rendition(240, 400'000, 0), rendition(240, 400'000, 0)};
    both[0].codec = VideoCodec::vp9;
    both[1].codec = VideoCodec::av1;
    for (RenditionSpec& spec : both)
        spec.container = Container::mp4;
    const auto all = lab.measure(both);
    check_steps(all);
    for (const SeamLab::Figures& figures : all)
        CHECK(figures.ours.excess < figures.cold.excess - 1.5);  // or nothing was gained
}

TEST_CASE("hard cuts at joins and elsewhere never run the buffer empty", "[seams]") {
    const std::string black = "drawbox=t=fill:color=black";
    const std::string noise = "noise=alls=100:allf=t";
    const std::string flash = "drawbox=t=fill:color=black:enable='lt(mod(n\\,16)\\,8)'";
    Segments segments;
    for (const std::string& filter :
         {black, noise, std::string("null"), black, flash, noise, black, std::string("null")})
        segments.push_back(clip({.seconds = 0.96,
                                 .size = {320, 180},
                                 .start = 10 + 0.96 * static_cast<double>(segments.size()),
                                 .audio = false,
                                 .filter = filter}));
    SeamLab lab("cuts", segments);
    Ladder all_modes{rendition(180, 300'000, 0), rendition(180, 1'500'000, 0),
                     rendition(180, 300'000, 28)};
    for (const std::size_t n : {0, 1, 2}) {
        all_modes.push_back(all_modes[n]);
        all_modes.back().name += "h";
        all_modes.back().codec = VideoCodec::hevc;
    }
    for (const VideoCodec codec : {VideoCodec::vp9, VideoCodec::av1}) {
        all_modes.push_back(rendition(180, 300'000, 0));
        all_modes.back().codec = codec;
        all_modes.back().container = Container::mp4;
    }
    const auto all = lab.measure(all_modes);
    SeamLab::print(all);
    for (const SeamLab::Figures& figures : all) {
        INFO(figures.what);
        CHECK(figures.ours.violations == 0);
    }
}

TEST_CASE("a first picture too large for the buffer is made again, with the same headers",
          "[seams]") {
    const auto noise = clip(
        {.seconds = 0.6, .size = {320, 180}, .audio = false, .filter = "noise=alls=100:allf=t"});
    const auto [calm, calm_sizes] = one(noise, {});
    const auto [eager, eager_sizes] = one(noise, {{15'000}, {9'000}, {}, {}});
    CHECK(eager_sizes.front() * 8 < 15'000);
    CHECK(eager.frames == 15);
    CHECK(eager_sizes.size() == 15);
    CHECK(eager.parameter_sets == calm.parameter_sets);
}

TEST_CASE("joins of bbb at all sizes", "[.full]") {
    if (!media_is_missing())
        check_all("bbb", bbb(0, 13), true);
}

// With a ceiling a key picture is better than those around it, in one encoder more so than in ours: no loss, so only
// the step counts. One libvpx for all runs the buffer empty here.
TEST_CASE("joins of VP9 and AV1 at 240p and 360p", "[.full]") {
    if (media_is_missing())
        return;
    for (const bool cartoon : {true, false}) {
        SeamLab lab(cartoon ? "bbb" : "tos", cartoon ? bbb(0, 13) : cmaf("tos_1080p2997_cmaf", 4));
        for (const VideoCodec codec : {VideoCodec::vp9, VideoCodec::av1})
            check_steps(lab.measure(mp4_ladder(codec)));
    }
}

TEST_CASE("joins of tos at all sizes", "[.full]") {
    if (!media_is_missing())
        check_all("tos", cmaf("tos_1080p2997_cmaf", 4), true);
}

TEST_CASE("joins of train at all sizes", "[.full]") {
    if (!media_is_missing())
        check_all("train", cmaf("train_360p30_cmaf", 5), false);
}

TEST_CASE("joins of bee at all sizes", "[.full]") {
    if (!media_is_missing())
        check_all("bee",
                  segments_of("", {"bee_720p2997_hls/bee0.ts", "bee_720p2997_hls/bee1.ts",
                                   "bee_720p2997_hls/bee2.ts"}),
                  true);
}

}  // namespace millrace::test
