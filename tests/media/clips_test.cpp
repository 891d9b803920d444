// Real clips that nobody here made, against an independent oracle: ffmpeg's command line decoding
// the same segment alone. Lives from the folder beside the source tree; says so when it is missing.

#include "tests/unit/media/clips.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
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
// readers round the others by themselves, a little more with each.
bool within_rounding(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
    return std::ranges::equal(a, b, [](auto x, auto y) { return std::abs(x - y) <= 15; });
}

// A clip of the folder: its segments in order, each as a broadcaster would send it.
struct Clip {
    std::string name;
    std::vector<std::vector<std::uint8_t>> segments;
    bool raw = false;  // remuxed from a stream without times
};

std::vector<fs::path> sorted_files(const fs::path& directory, const std::string& suffix) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(directory))
        if (entry.is_regular_file() && entry.path().string().ends_with(suffix))
            files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
}

// MILLRACE_ALL_CLIPS=1: every segment of every clip, a few minutes.
bool all_is_asked_for() {
    return std::getenv("MILLRACE_ALL_CLIPS") != nullptr;
}

// Two neighbours and the last of many.
void thin_out(std::vector<fs::path>& files) {
    if (files.size() > 3 && !all_is_asked_for())
        files = {files[0], files[1], files.back()};
}

Clip clip_of_directory(const fs::path& directory) {
    Clip clip{directory.filename().string(), {}};
    auto pieces = sorted_files(directory, ".ts");
    thin_out(pieces);
    for (const fs::path& piece : pieces)
        clip.segments.push_back(test::read_file(piece.string()));
    if (fs::exists(directory / "v_init.mp4")) {
        auto fragments = sorted_files(directory, ".m4s");
        std::erase_if(fragments, [](const fs::path& path) {
            return !path.filename().string().starts_with("v_");
        });
        thin_out(fragments);
        for (const fs::path& fragment : fragments)
            clip.segments.push_back(
                test::joined({test::read_file((directory / "v_init.mp4").string()),
                              test::read_file(fragment.string())}));
    }
    return clip;
}

Clip clip_of_file(const fs::path& path) {
    const std::string suffix = path.extension().string();
    const bool raw = suffix == ".h264" || suffix == ".h265" || suffix == ".264";
    if (raw || suffix == ".flv")
        return {path.filename().string(),
                {test::made_by("-i " + path.string() + " -c copy " +
                               (raw ? "-bsf:v setts=ts=N*3000 " : "") + "-f mpegts pipe:1")},
                raw};
    // Long ones by their beginning.
    if (suffix == ".webm" && fs::file_size(path) > 1'000'000 && !all_is_asked_for())
        return {path.filename().string(),
                {test::made_by("-i " + path.string() + " -t 4 -c copy -f webm pipe:1")}};
    return {path.filename().string(), {test::read_file(path.string())}};
}

std::vector<Clip> all_clips() {
    std::vector<Clip> clips;
    for (const auto& entry : fs::directory_iterator(kMedia)) {
        if (entry.is_directory() && entry.path().filename() != "broken")
            clips.push_back(clip_of_directory(entry.path()));
        else if (entry.is_regular_file() && entry.path().extension() != ".md")
            clips.push_back(clip_of_file(entry.path()));
    }
    std::ranges::sort(clips, {}, &Clip::name);
    return clips;
}

// ffprobe's name of the stream that ffmpeg's command line would take.
std::string best_video(const std::vector<std::uint8_t>& source) {
    const auto pixels = [&](const std::string& stream) {
        return std::atoll(test::probe_entry(source, stream, "width").c_str()) *
               std::atoll(test::probe_entry(source, stream, "height").c_str());
    };
    return pixels("v:1") > pixels("v:0") ? "v:1" : "v:0";
}

// What a player would show, by ffprobe's word on pixel shape and rotation.
Size displayed(const std::vector<std::uint8_t>& source, const std::string& stream, Size size) {
    const std::string shape = test::probe_entry(source, stream, "sample_aspect_ratio");
    const std::size_t colon = shape.find(':');
    if (colon != std::string::npos && std::atoi(shape.c_str()) > 0)
        size.width = static_cast<std::int32_t>(std::lround(
            1.0 * size.width * std::atoi(shape.c_str()) / std::atoi(shape.c_str() + colon + 1)));
    const int turn = std::atoi(test::probe_side_entry(source, stream, "rotation").c_str());
    if (std::abs(turn) % 180 == 90)
        std::swap(size.width, size.height);
    return size;
}

// Seconds of the pictures of an MPEG-TS against those of the oracle, modulo the clock's wrap.
bool same_times(const std::vector<std::int64_t>& ticks, std::vector<double> seconds) {
    constexpr double kWrapSeconds = 8589934592.0 / 90'000;
    std::ranges::sort(seconds);
    std::vector<double> ours;
    for (const std::int64_t tick : ticks)
        ours.push_back(std::remainder(static_cast<double>(tick) / 90'000, kWrapSeconds));
    std::ranges::sort(ours);
    return std::ranges::equal(ours, seconds, [](double a, double b) {
        return std::abs(std::remainder(a - b, kWrapSeconds)) < 0.0011;  // WebM counts in 1/1000 s
    });
}

void check_rendition(const RenditionReport& r, const std::vector<std::uint8_t>& file) {
    INFO(r.name);
    CHECK(r.bytes == file.size());
    CHECK(r.pixels == r.frames * r.size.pixels());
    CHECK(r.codecs.starts_with("avc1."));
    if (r.frames == 0)
        return;
    CHECK(test::decoded_frames(file) == r.frames);
    const auto packets = test::probe_packets(file, "v:0");
    REQUIRE_FALSE(packets.empty());
    CHECK(packets.front().key);
    CHECK(test::probe_entry(file, "v:0", "width") == std::to_string(r.size.width));
    CHECK(test::probe_entry(file, "v:0", "height") == std::to_string(r.size.height));
    // A key frame at the start and every two seconds, each at the first picture from there on.
    std::int64_t last_key = packets.front().pts;
    for (const auto& packet : packets) {
        CHECK(((packet.pts - last_key) & 0x1ffffffff) < 2 * 90'000 + 180'000);
        last_key = packet.key ? packet.pts : last_key;
    }
}

void check_segment(const Clip& clip, const std::vector<std::uint8_t>& source, const Output& out) {
    INFO((out.report ? "" : out.report.error().message));
    REQUIRE(out.report);
    const TranscodeReport& report = *out.report;
    const std::string stream = best_video(source);
    std::vector<double> seconds;
    const auto frames = test::probe_frames(source, stream);
    for (const auto& frame : frames)
        seconds.push_back(frame.seconds);
    if (clip.raw) {  // the pictures' own times are wrong in such a stream, as a set they are right
        seconds.clear();
        for (const std::int64_t tick : test::probe_times(source, stream))
            seconds.push_back(static_cast<double>(tick) / 90'000);
    }
    REQUIRE_FALSE(frames.empty());
    REQUIRE(report.renditions.size() == 2);
    const RenditionReport& same = report.renditions[0];
    const RenditionReport& p30 = report.renditions[1];
    std::int64_t pixels = 0;
    for (const auto& frame : frames)
        pixels += frame.size.pixels();
    CHECK(report.source.frames == static_cast<std::int64_t>(frames.size()));
    CHECK(report.source.pixels == pixels);
    const Size shown = displayed(source, stream, frames.front().size);
    CHECK(std::abs(report.source.size.width - shown.width) <= 1);
    CHECK(std::abs(report.source.size.height - shown.height) <= 1);
    CHECK(same.frames == report.source.frames);
    CHECK(std::abs(static_cast<double>(p30.frames) - 30 * to_seconds(same.duration)) <= 1.0);
    CHECK(same_times(test::probe_times(out.files.at("same"), "v:0"), seconds));
    const auto [low, high] = std::ranges::minmax(seconds);
    if (report.source.container == Container::mpegts && high - low < 60)
        CHECK(to_seconds(report.source.duration) >= high - low);
    for (const RenditionReport* r : {&same, &p30})
        check_rendition(*r, out.files.at(r->name));
    if (report.source.container == Container::mpegts && report.source.audio != AudioCodec::none)
        CHECK(within_rounding(test::probe_times(out.files.at("same"), "a:0"),
                              test::probe_times(source, "a:0")));
}

// Segments that follow each other must give renditions that do.
void check_joins(const std::vector<Output>& outputs) {
    for (const char* name : {"same", "p30"}) {
        std::optional<std::int64_t> end;
        for (const Output& out : outputs) {
            const auto times = test::probe_times(out.files.at(name), "v:0");
            if (times.empty())
                continue;
            if (end)
                CHECK(times.front() > *end);
            end = times.back();
        }
    }
}

}  // namespace

TEST_CASE("every clip gives the frames, sizes and times of the independent decoder", "[clips]") {
    if (media_is_missing())
        return;
    for (const Clip& clip : all_clips()) {
        INFO(clip.name);
        REQUIRE_FALSE(clip.segments.empty());
        std::vector<Output> outputs;
        for (const auto& source : clip.segments) {
            // Without pictures there is nothing to compare; tested by itself below.
            if (test::probe_entry(source, "v:0", "codec_name").empty())
                continue;
            INFO("segment " << outputs.size());
            outputs.push_back(run(source));
            check_segment(clip, source, outputs.back());
        }
        check_joins(outputs);
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
