// Real clips that nobody here made, against an independent oracle: ffmpeg's command line decoding
// the same segment alone. Lives from the folder beside the source tree; says so when it is missing.

#include "tests/unit/media/clips.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>

#include "common/runtime/payload.h"
#include "tests/support/catch.h"
#include "transcoder/media/transcode.h"

namespace millrace::media {
namespace {

namespace fs = std::filesystem;

const fs::path kMedia = MILLRACE_SHARED_MEDIA;

bool media_is_missing() {
    if (fs::is_directory(kMedia))
        return false;
    std::cerr << "\n*** SKIPPED: no clips at " << kMedia << " ***\n\n";
    return true;
}

struct Output {
    Result<TranscodeReport> report = error(ErrorKind::internal, "not run");
    std::map<std::string, std::vector<std::uint8_t>> files;
    std::chrono::duration<double> took{0};
};

struct Keeper final : TranscodeObserver {
    explicit Keeper(Output& to) : out(to) {}
    void rendition_done(RenditionReport report, std::vector<std::uint8_t> bytes) override {
        out.files[report.name] = std::move(bytes);
    }
    Output& out;
};

RenditionSpec rendition(std::string name, std::int32_t height, Rational fps) {
    RenditionSpec spec;
    spec.name = std::move(name);
    spec.width = height * 16 / 9;
    spec.height = height;
    spec.fps = fps;
    spec.bitrate = 400'000;
    spec.quality = 28;
    spec.preset = "ultrafast";
    return spec;
}

Output run(const std::vector<std::uint8_t>& source, bool allow_audio_only = false) {
    Output out;
    Keeper keeper(out);
    PayloadSource bytes(make_payload(std::make_shared<BlockPool>(), source));
    TranscodeRequest request;
    request.ladder = {rendition("same", 90, {}), rendition("p30", 72, {30, 1})};
    request.allow_audio_only = allow_audio_only;
    const auto started = std::chrono::steady_clock::now();
    out.report = transcode(bytes, request, keeper, {});
    out.took = std::chrono::steady_clock::now() - started;
    return out;
}

std::vector<std::uint8_t> clip_of(const std::vector<std::string>& pieces) {
    std::vector<std::vector<std::uint8_t>> bytes;
    for (const std::string& piece : pieces)
        bytes.push_back(test::read_file((kMedia / piece).string()));
    return test::joined(bytes);
}

// Frames of 44.1 kHz audio are not whole ticks long; several share a timestamp in MPEG-TS, and
// readers round the others by themselves.
bool within_rounding(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
    return std::ranges::equal(a, b, [](auto x, auto y) { return std::abs(x - y) <= 2; });
}

struct Row {
    const char* name;
    std::vector<std::string> pieces;
    Size display;
    VideoCodec video;
};

const std::vector<Row>& rows() {
    static const std::vector<Row> kRows{
        {"bbb 1080p25", {"bbb_1080p25_hls/seg_004.ts"}, {1920, 1080}, VideoCodec::h264},
        {"bee 720p29.97", {"bee_720p2997_hls/bee0.ts"}, {1280, 720}, VideoCodec::h264},
        {"one frame", {"bee_720p2997_hls/bee2.ts"}, {1280, 720}, VideoCodec::h264},
        {"wrap of the clock", {"derived_ptswrap_720p.ts"}, {1280, 720}, VideoCodec::h264},
        {"wrap at 1 fps", {"rollover_33bit_1fps.ts"}, {128, 72}, VideoCodec::h264},
        {"open GOP, MP2", {"derived_576i25_tff_opengop_mp2.ts"}, {1024, 576}, VideoCodec::h264},
        {"extra data track", {"dog_720p2997_aac.mp4"}, {1280, 720}, VideoCodec::h264},
        {"one key frame, no audio", {"juggle_720p24_videoonly.mp4"}, {1280, 720}, VideoCodec::h264},
        {"uneven times, turned", {"fire_vfr_rot180_720p.mp4"}, {1280, 720}, VideoCodec::h264},
        {"turned a quarter", {"keyboard_rot90.mov"}, {320, 568}, VideoCodec::h264},
        {"pixels 64:45", {"bbb_sar64x45_bpyramid.mp4"}, {1138, 640}, VideoCodec::h264},
        {"60 fps, full range", {"rooftops_240p60_aac.mp4"}, {320, 240}, VideoCodec::h264},
        {"10 bit", {"testsrc_h264_high10.mp4"}, {200, 200}, VideoCodec::h264},
        {"two of each", {"nasa_2video_2audio_2subs.mp4"}, {480, 270}, VideoCodec::h264},
        {"CMAF with its init part",
         {"tos_1080p2997_cmaf/v_init.mp4", "tos_1080p2997_cmaf/v_2.m4s"},
         {1920, 1080},
         VideoCodec::h264},
        {"HEVC CMAF",
         {"bbb_hevc_360p24_ac3_cmaf/v_init.mp4", "bbb_hevc_360p24_ac3_cmaf/v_3.m4s"},
         {640, 360},
         VideoCodec::hevc},
        {"HEVC 10 bit, turned", {"phone_hevc10_hlg_rot90.mp4"}, {1080, 1920}, VideoCodec::hevc},
        {"AV1", {"av1_1080x720_aac.mp4"}, {1080, 720}, VideoCodec::av1},
        {"VP9, odd sides", {"bear_vp9_161x121_odd.webm"}, {161, 121}, VideoCodec::vp9},
        {"VP9 10 bit", {"roadtrip_vp9_10bit.webm"}, {426, 240}, VideoCodec::vp9},
    };
    return kRows;
}

}  // namespace

TEST_CASE("every clip gives the frames, sizes and times of the independent decoder", "[clips]") {
    if (media_is_missing())
        return;
    for (const Row& row : rows()) {
        INFO(row.name);
        const auto source = clip_of(row.pieces);
        const Output out = run(source);
        INFO((out.report ? "" : out.report.error().message));
        REQUIRE(out.report);
        const TranscodeReport& report = *out.report;
        CHECK(report.source.video == row.video);
        CHECK(report.source.size == row.display);
        REQUIRE(report.renditions.size() == 2);
        const RenditionReport& same = report.renditions[0];
        const RenditionReport& p30 = report.renditions[1];
        CHECK(report.source.frames == test::frames_ffmpeg_decodes(source));
        CHECK(same.frames == report.source.frames);
        CHECK(std::abs(static_cast<double>(p30.frames) - 30 * to_seconds(same.duration)) <= 1.0);
        for (const RenditionReport* r : {&same, &p30}) {
            const auto& file = out.files.at(r->name);
            CHECK(r->bytes == file.size());
            CHECK(test::decoded_frames(file) == r->frames);
            const auto packets = test::probe_packets(file, "v:0");
            CHECK(packets.front().key);
            CHECK(r->pixels == r->frames * r->size.pixels());
        }
        // MPEG-TS in and out: the very timestamps. (Damaged frames have packets and no picture.)
        if (report.source.container == Container::mpegts)
            CHECK(test::probe_times(out.files.at("same"), "v:0") ==
                  test::probe_times(source, "v:0"));
    }
}

TEST_CASE("audio rides along with its times", "[clips]") {
    if (media_is_missing())
        return;
    for (const char* name : {"bbb_1080p25_hls/seg_001.ts", "bee_720p2997_hls/bee1.ts"}) {
        INFO(name);
        const auto source = clip_of({name});
        const Output out = run(source);
        REQUIRE(out.report);
        CHECK(test::probe_times(out.files.at("same"), "a:0") == test::probe_times(source, "a:0"));
    }
}

TEST_CASE("consecutive segments join: frames add up, no gap, an IDR at each start", "[clips]") {
    if (media_is_missing())
        return;
    std::map<std::string, std::vector<std::vector<std::uint8_t>>> parts;
    std::map<std::string, std::int64_t> frames;
    for (const char* name : {"seg_003.ts", "seg_004.ts", "seg_005.ts", "seg_006.ts"}) {
        const Output out = run(clip_of({std::string("bbb_1080p25_hls/") + name}));
        REQUIRE(out.report);
        for (const RenditionReport& r : out.report->renditions) {
            frames[r.name] += r.frames;
            parts[r.name].push_back(out.files.at(r.name));
            CHECK(test::probe_packets(parts[r.name].back(), "v:0").front().key);
        }
    }
    for (const auto& [name, step] : {std::pair<std::string, int>{"same", 3600}, {"p30", 3000}}) {
        const auto whole = test::joined(parts[name]);
        const auto times = test::probe_times(whole, "v:0");
        CHECK(static_cast<std::int64_t>(times.size()) == frames[name]);
        CHECK(test::decoded_frames(whole) == frames[name]);
        for (std::size_t i = 1; i < times.size(); ++i)
            CHECK(times[i] - times[i - 1] == step);
    }
    CHECK(frames["same"] == 4 * 48);
}

TEST_CASE("audio alone: refused first, carried later", "[clips]") {
    if (media_is_missing())
        return;
    const auto source = clip_of({"bee_audioonly.ts"});
    const Output first = run(source);
    REQUIRE_FALSE(first.report);
    CHECK(first.report.error().kind == ErrorKind::bad_input);
    const Output later = run(source, true);
    REQUIRE(later.report);
    CHECK(later.report->renditions[0].frames == 0);
    CHECK(within_rounding(test::probe_times(later.files.at("same"), "a:0"),
                          test::probe_times(source, "a:0")));
}

TEST_CASE("every stream that no rendition carries is named in a warning", "[clips]") {
    if (media_is_missing())
        return;
    const Output out = run(clip_of({"nasa_2video_2audio_2subs.mp4"}));
    REQUIRE(out.report.has_value());
    CHECK(std::ranges::count_if(out.report->warnings, [](const std::string& warning) {
              return warning.ends_with("is left out");
          }) == 4);
    CHECK(run(clip_of({"bee_720p2997_hls/bee0.ts"})).report->warnings.empty());
}

TEST_CASE("broken files give what decodes with a warning, or a reason, and soon", "[clips]") {
    if (media_is_missing())
        return;
    // Pictures that come out of each; 0: bad_input.
    const std::map<std::string, std::int64_t> expected{{"ts_with_junk.ts", 3},
                                                       {"vp9_invalid_bitstream.webm", 0},
                                                       {"h264_error_i_p.264", 0},
                                                       {"video_pid_no_frames.ts", 0},
                                                       {"missing_pps.ts", 0},
                                                       {"mp4_chunk_out_of_range.mp4", 0},
                                                       {"packets_missing.ts", 6},
                                                       {"psi_only.ts", 0},
                                                       {"empty.ts", 0},
                                                       {"error_page.ts", 0},
                                                       {"trunc_midpacket.ts", 25},
                                                       {"bitflip_0p05pct.ts", 60},
                                                       {"no_moov.mp4", 0},
                                                       {"header_65535x65535.mp4", 30},
                                                       {"media_without_init.m4s", 0}};
    for (const auto& [name, frames] : expected) {
        INFO(name);
        const Output out = run(clip_of({"broken/" + name}));
        CHECK(out.report.has_value() == (frames > 0));
        if (!out.report) {
            CHECK(out.report.error().kind == ErrorKind::bad_input);
            CHECK(out.report.error().message.size() > 20);
            CHECK(out.took.count() < 1.0);
            continue;
        }
        CHECK(out.report->source.frames == frames);
        CHECK(test::decoded_frames(out.files.at("same")) == frames);
        if (name != "header_65535x65535.mp4")
            CHECK_FALSE(out.report->warnings.empty());
    }
}

}  // namespace millrace::media
