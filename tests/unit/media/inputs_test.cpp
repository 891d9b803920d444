// What broadcasters send: interlaced, HDR, turned, changing in mid-segment, cut out of open GOPs, in
// every codec we name. The oracle is ffmpeg's command line.

#include <algorithm>
#include <cmath>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"

namespace millrace::media {
namespace {

using test::quick;
using test::Transcoded;

const std::string kX264 = " -c:v libx264 -preset ultrafast ";
const std::string kTs = " -muxdelay 0 -f mpegts pipe:1";

std::string picture(const std::string& size, const std::string& seconds) {
    return "-f lavfi -i testsrc2=size=" + size + ":rate=25 -t " + seconds + " -pix_fmt yuv420p ";
}

Transcoded run(const std::vector<std::uint8_t>& source, Ladder ladder = {quick("out", {80, 46})}) {
    TranscodeRequest request;
    request.ladder = std::move(ladder);
    return Transcoded(source, request);
}

// 12 frames, the second half of which has another size or format.
std::vector<std::uint8_t> glued(const std::string& first, const std::string& second) {
    return test::joined({test::made_by(picture("160x90", "0.24") + kX264 + first + kTs),
                         test::made_by(picture("160x90", "0.24") + kX264 + second +
                                       " -output_ts_offset 0.24 " + kTs)});
}

// An MP4 whose video track asks for that transformation.
std::vector<std::uint8_t> with_matrix(std::vector<std::uint8_t> mp4, const int (&parts)[4]) {
    const std::string_view name = "tkhd";
    const auto box = std::ranges::search(mp4, name).begin();
    REQUIRE(box != mp4.end());
    REQUIRE(box[4] == 0);  // version: 32-bit times
    constexpr int kMatrixAt = 44;
    constexpr int kPlaces[4] = {0, 4, 12, 16};
    for (int i = 0; i < 4; ++i) {
        const std::int32_t value = parts[i] * (1 << 16);
        for (int byte = 0; byte < 4; ++byte)
            box[kMatrixAt + kPlaces[i] + byte] =
                static_cast<std::uint8_t>(value >> (24 - 8 * byte));
    }
    return mp4;
}

// Pieces of 12 pictures one after the other, each of a codec and with further arguments of its own.
std::vector<std::vector<std::uint8_t>> pieces_of(const std::vector<std::string>& encodings) {
    std::vector<std::vector<std::uint8_t>> pieces;
    for (const std::string& encoding : encodings) {
        const std::string start = std::to_string(10 + 0.48 * static_cast<double>(pieces.size()));
        pieces.push_back(test::made_by("-f lavfi -i sine=sample_rate=48000 " +
                                       picture("160x90", "0.48") + "-c:a mp2 " + encoding +
                                       " -output_ts_offset " + start + kTs));
    }
    return pieces;
}

}  // namespace

TEST_CASE("interlaced pictures are made whole as ffmpeg's own filter does", "[media]") {
    const auto source = test::made_by(
        "-f lavfi -i testsrc2=size=320x240:rate=50 -t 0.6 -vf tinterlace=interleave_top "
        "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -crf 10 -flags +ildct+ilme "
        "-x264opts tff=1 " +
        kTs);
    auto spec = quick("out", {320, 240});
    spec.quality = 4;
    const Transcoded out = run(source, {spec});
    REQUIRE(out.report);
    CHECK(out.report->source.frames == 15);
    CHECK(out.report->renditions[0].frames == 15);
    CHECK(test::probe_times(out.files.at("out"), "v:0") == test::probe_times(source, "v:0"));
    const double whole =
        test::psnr(out.files.at("out"), source, "bwdif=send_frame:auto:interlaced");
    CHECK(whole > 40);
    CHECK(test::psnr(out.files.at("out"), source, "null") < whole - 5);
}

TEST_CASE("one interlaced picture is a segment too", "[media]") {
    const auto source = test::made_by(picture("160x92", "0.04") + kX264 +
                                      "-flags +ildct+ilme -x264opts tff=1 " + kTs);
    const Transcoded out = run(source);
    REQUIRE(out.report);
    CHECK(out.report->renditions[0].frames == 1);
}

TEST_CASE("a picture that changes in mid-segment goes on in the size it began with", "[media]") {
    for (const char* change : {"-s 320x180", "-s 160x120", "-s 320x90", "-s 96x90",
                               "-pix_fmt yuv422p", "-pix_fmt yuv444p", "-pix_fmt yuv420p10le"}) {
        INFO(change);
        for (const bool first : {true, false}) {
            const auto source = first ? glued(change, "") : glued("", change);
            const Transcoded out = run(source);
            REQUIRE(out.report);
            CHECK(out.report->source.frames == 12);
            CHECK(out.report->renditions[0].frames == 12);
            CHECK(test::decoded_frames(out.files.at("out")) == 12);
            CHECK(test::probe_entry(out.files.at("out"), "v:0", "width") ==
                  std::to_string(out.report->renditions[0].size.width));
        }
    }
}

TEST_CASE("HDR becomes SDR in 8-bit renditions and stays HDR in deeper ones", "[media]") {
    for (const char* transfer : {"smpte2084", "arib-std-b67"}) {
        INFO(transfer);
        const auto source = test::made_by(
            "-f lavfi -i testsrc2=size=160x90:rate=25 -t 0.2 -pix_fmt yuv420p10le -c:v libx265 "
            "-preset ultrafast -x265-params colorprim=bt2020:colormatrix=bt2020nc:log-level=none:"
            "transfer=" +
            std::string(transfer) + kTs);
        Ladder ladder{quick("sdr", {160, 90}), quick("hdr", {160, 90})};
        ladder[0].quality = 4;
        ladder[1].color_depth = 10;
        const Transcoded out = run(source, ladder);
        INFO((out.report ? "" : out.report.error().message));
        REQUIRE(out.report);
        CHECK(test::probe_entry(out.files.at("sdr"), "v:0", "color_transfer") == "bt709");
        CHECK(test::probe_entry(out.files.at("sdr"), "v:0", "color_primaries") == "bt709");
        CHECK(test::probe_entry(out.files.at("sdr"), "v:0", "color_space") == "bt709");
        CHECK(test::probe_entry(out.files.at("hdr"), "v:0", "color_transfer") == transfer);
        CHECK(test::probe_entry(out.files.at("hdr"), "v:0", "color_primaries") == "bt2020");
        const std::string chain =
            "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,"
            "tonemap=tonemap=hable:desat=0:peak=10,zscale=t=bt709:m=bt709:r=tv,format=yuv420p";
        CHECK(test::psnr(out.files.at("sdr"), source, chain) > 35);
        CHECK(test::psnr(out.files.at("sdr"), source, "format=yuv420p") < 25);
    }
}

TEST_CASE("untagged sources get the colours that players would have guessed", "[media]") {
    const std::pair<const char*, const char*> rows[] = {
        {"1280x720", "bt709"}, {"160x90", "smpte170m"}, {"720x576", "bt470bg"}};
    for (const auto& [size, matrix] : rows) {
        INFO(size);
        const Transcoded out = run(test::made_by(picture(size, "0.08") + kX264 + kTs));
        REQUIRE(out.report);
        CHECK(test::probe_entry(out.files.at("out"), "v:0", "color_space") == matrix);
    }
}

TEST_CASE("a lone picture that might be reordered keeps its time beside its sound", "[media]") {
    for (const std::string start : {"10", "40000.5"}) {
        INFO(start);
        const auto source =
            test::made_by("-f lavfi -i sine=sample_rate=48000 " + picture("160x90", "0.04") +
                          "-c:v mpeg2video -c:a mp2 -output_ts_offset " + start + kTs);
        const Transcoded out = run(source);
        REQUIRE(out.report);
        CHECK(test::probe_times(out.files.at("out"), "v:0") == test::probe_times(source, "v:0"));
        CHECK_FALSE(out.warned("jumped"));
    }
}

// FFmpeg's MPEG-2 decoder keeps the last picture before such a change to itself.
TEST_CASE("a picture lost where the size changes does not move the later ones", "[media]") {
    const auto piece = [](const char* size, const std::string& start) {
        return test::made_by(picture(size, "0.4") + "-c:v mpeg2video -output_ts_offset " + start +
                             kTs);
    };
    const auto source = test::joined({piece("720x576", "10"), piece("320x180", "10.4")});
    const Transcoded out = run(source);
    REQUIRE(out.report);
    const auto frames = test::probe_frames(source, "v:0");
    const auto times = test::probe_times(out.files.at("out"), "v:0");
    REQUIRE(times.size() == frames.size());
    for (std::size_t n = 0; n < times.size(); ++n)
        CHECK(times[n] == std::lround(frames[n].seconds * 90'000));
}

TEST_CASE("of a VP8 source the container knows the colours", "[media]") {
    const Transcoded out =
        run(test::made_by(picture("160x90", "0.08") + " -c:v libvpx -deadline realtime -cpu-used 8 "
                                                      "-colorspace bt709 -f webm pipe:1"));
    REQUIRE(out.report);
    CHECK(test::probe_entry(out.files.at("out"), "v:0", "color_space") == "bt709");
}

TEST_CASE("a turn that only the pictures know of is made", "[media]") {
    const auto source =
        test::made_by(picture("160x90", "0.2") + kX264 +
                      "-bsf:v h264_metadata=display_orientation=insert:rotate=90 " + kTs);
    const Transcoded out = run(source, {quick("out", {160, 90})});
    REQUIRE(out.report);
    CHECK(out.report->source.size == Size{90, 160});
    CHECK(out.report->renditions[0].size == Size{90, 160});
}

TEST_CASE("pictures are turned and mirrored as their container says, all eight ways", "[media]") {
    const auto upright = test::made_by(picture("160x90", "0.12") + kX264 +
                                       "-qp 4 -movflags +frag_keyframe+empty_moov -f mp4 pipe:1");
    // a, b, c, d of the matrix in the track's header: x' = ax + cy, y' = bx + dy.
    const int rows[][4] = {{1, 0, 0, 1},  {0, 1, -1, 0}, {-1, 0, 0, -1}, {0, -1, 1, 0},
                           {-1, 0, 0, 1}, {1, 0, 0, -1}, {0, 1, 1, 0},   {0, -1, -1, 0}};
    for (const auto& row : rows) {
        INFO(row[0] << " " << row[1] << " " << row[2] << " " << row[3]);
        const auto source = with_matrix(upright, row);
        const Size size = row[0] == 0 ? Size{90, 160} : Size{160, 90};
        auto spec = quick("out", size);
        spec.quality = 4;
        const Transcoded out = run(source, {spec});
        REQUIRE(out.report);
        CHECK(out.report->source.size == size);
        CHECK(test::psnr(out.files.at("out"), source, "null") > 40);  // ffmpeg turns it, too
    }
}

TEST_CASE("a video codec that changes in mid-segment is followed", "[media]") {
    const std::string avc = "-c:v libx264 -preset ultrafast -bf 2 ";
    const std::string hevc = "-c:v libx265 -preset ultrafast -x265-params log-level=none ";
    const std::string mpeg2 = "-c:v mpeg2video -q:v 3 -bf 2 ";
    const std::string elsewhere = "-streamid 0:400 ";  // another PID
    const std::vector<std::string> rows[] = {{avc, hevc},
                                             {hevc, avc},
                                             {avc, mpeg2},
                                             {mpeg2, hevc},
                                             {avc, hevc, mpeg2},
                                             {avc, avc + elsewhere},
                                             {hevc, mpeg2 + elsewhere}};
    for (const auto& row : rows) {
        INFO(row.front() << " to " << row.back());
        const auto pieces = pieces_of(row);
        const auto frames = static_cast<std::int64_t>(12 * pieces.size());
        Ladder ladder{quick("out", {160, 90}), quick("copied", {160, 90})};
        ladder[1].bypass = Bypass::if_fits;
        ladder[0].quality = ladder[1].quality = 10;
        const Transcoded out = run(test::joined(pieces), ladder);
        REQUIRE(out.report);
        CHECK(out.report->source.frames == frames);
        CHECK(out.report->source.pixels == frames * 160 * 90);
        std::vector<std::int64_t> times;
        for (const auto& piece : pieces) {
            const auto more = test::probe_times(piece, "v:0");
            times.insert(times.end(), more.begin(), more.end());
        }
        // The same pictures in one codec.
        const auto plain = test::joined(pieces_of(std::vector(row.size(), avc)));
        for (const char* name : {"out", "copied"}) {
            CHECK(out.of(name).frames == frames);
            CHECK_FALSE(out.of(name).copied);
            CHECK(test::decoded_frames(out.files.at(name)) == frames);
            CHECK(test::probe_times(out.files.at(name), "v:0") == times);
            CHECK(test::psnr(out.files.at(name), plain, "null") > 30);
        }
        CHECK(test::probe_times(out.files.at("out"), "a:0").size() ==
              test::probe_times(test::joined(pieces), "a:0").size());
    }
}

TEST_CASE("a change to a video codec that we cannot read is told", "[media]") {
    const auto pieces = pieces_of({"-c:v libx264 -preset ultrafast ", "-c:v mpeg4 "});
    const Transcoded out = run(test::joined(pieces));
    REQUIRE(out.report);
    CHECK(out.report->source.frames == 12);
    CHECK(out.of("out").frames == 12);
    CHECK(out.warned("mpeg4 video stream"));
}

TEST_CASE("leading pictures of an open GOP are left out, counted and not paid", "[media]") {
    const std::pair<const char*, const char*> rows[] = {
        {"libx264",
         "-x264-params open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0"},
        {"libx265",
         "-x265-params open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0:"
         "log-level=none"}};
    for (const auto& [codec, settings] : rows) {
        INFO(codec);
        const auto source = test::cut_at_key(
            test::made_by(picture("160x90", "1.2") + "-c:v " + codec + " " + settings + kTs), 1);
        const auto packets = test::probe_packets(source, "v:0");
        const auto leading = std::ranges::count_if(
            packets, [&](const auto& packet) { return packet.pts < packets.front().pts; });
        REQUIRE(leading > 0);
        const Transcoded out = run(source);
        REQUIRE(out.report);
        const auto kept = static_cast<std::int64_t>(packets.size()) - leading;
        CHECK(out.report->source.frames == kept);
        CHECK(out.report->source.pixels == kept * 160 * 90);
        CHECK(out.report->renditions[0].frames == kept);
        CHECK(test::probe_times(out.files.at("out"), "v:0").front() == packets.front().pts);
        CHECK(out.warned(std::to_string(leading) + " pictures at the start"));
    }
}

TEST_CASE("a segment without a key frame is refused with that reason", "[media]") {
    for (const char* codec : {"libx264 -preset ultrafast", "mpeg2video"}) {
        INFO(codec);
        auto source =
            test::made_by(picture("160x90", "0.6") + "-bf 0 -c:v " + codec + " -g 100 " + kTs);
        // Without the packets of the first picture.
        const auto second = test::cut_at_key(source, 0);
        std::vector<std::uint8_t> cut;
        int starts = 0;
        for (std::size_t at = 0; at + 188 <= second.size(); at += 188) {
            const int pid = (second[at + 1] & 0x1f) << 8 | second[at + 2];
            starts += pid == 256 && (second[at + 1] & 0x40) != 0 ? 1 : 0;
            if (pid != 256 || starts > 1)
                cut.insert(cut.end(), second.begin() + static_cast<std::ptrdiff_t>(at),
                           second.begin() + static_cast<std::ptrdiff_t>(at + 188));
        }
        const Transcoded out = run(cut);
        REQUIRE_FALSE(out.report);
        CHECK(out.report.error().kind == ErrorKind::bad_input);
        INFO(out.report.error().message);
        CHECK((out.report.error().message.find("key frame") != std::string::npos ||
               out.report.error().message.find("parameter sets") != std::string::npos));
    }
}

TEST_CASE("every codec and sampling we name is read", "[media]") {
    struct Row {
        const char* encode;
        const char* format;
        VideoCodec video;
        AudioCodec audio;
    };
    const Row rows[] = {
        {"-c:v libx264 -pix_fmt yuv422p -c:a ac3", "mpegts", VideoCodec::h264, AudioCodec::ac3},
        {"-c:v libx264 -pix_fmt yuv444p -c:a mp2", "mpegts", VideoCodec::h264, AudioCodec::mp2},
        {"-c:v libx264 -pix_fmt yuv422p10le -c:a libmp3lame", "mpegts", VideoCodec::h264,
         AudioCodec::mp3},
        {"-c:v libx264 -pix_fmt gray -c:a aac", "mpegts", VideoCodec::h264, AudioCodec::aac},
        {"-c:v libx264rgb -c:a aac -movflags frag_keyframe+empty_moov", "mov", VideoCodec::h264,
         AudioCodec::aac},
        {"-c:v libx265 -pix_fmt yuv422p10le -x265-params log-level=none -c:a libopus", "mpegts",
         VideoCodec::hevc, AudioCodec::opus},
        {"-c:v mpeg2video -b:v 1M -c:a mp2", "mpegts", VideoCodec::mpeg2, AudioCodec::mp2},
        {"-c:v libvpx -b:v 1M -c:a libvorbis", "webm", VideoCodec::vp8, AudioCodec::vorbis},
        {"-c:v libvpx-vp9 -cpu-used 8 -pix_fmt yuv444p -c:a libopus", "webm", VideoCodec::vp9,
         AudioCodec::opus},
        {"-c:v libsvtav1 -preset 12 -pix_fmt yuv420p10le -c:a libopus", "matroska", VideoCodec::av1,
         AudioCodec::opus},
    };
    for (const Row& row : rows) {
        INFO(row.encode);
        const auto source = test::made_by(
            "-f lavfi -i testsrc2=size=160x90:rate=25 -f lavfi -i sine=sample_rate=48000 -t 0.2 " +
            std::string(row.encode) + " -f " + row.format + " pipe:1");
        const Transcoded out = run(source);
        INFO((out.report ? "" : out.report.error().message));
        REQUIRE(out.report);
        CHECK(out.report->source.video == row.video);
        CHECK(out.report->source.audio == row.audio);
        CHECK(out.report->source.frames == 5);
        CHECK(test::decoded_frames(out.files.at("out")) == 5);
    }
}

TEST_CASE("times beyond any clock are not believed", "[media]") {
    // A fragment whose decode time (tfdt) is patched to the end of 64 bits.
    auto source =
        test::made_by(picture("160x90", "0.2") + kX264 +
                      "-movflags frag_keyframe+empty_moov+default_base_moof -f mp4 pipe:1");
    const std::string name = "tfdt";
    const auto at = std::search(source.begin(), source.end(), name.begin(), name.end());
    REQUIRE(at != source.end());
    REQUIRE(at[4] == 1);  // version with 64 bits
    for (const std::uint8_t top : {0x7f, 0x10, 0x00}) {
        at[8] = top;
        std::fill(at + 9, at + 16, std::uint8_t{0xff});
        const Transcoded out = run(source);
        if (out.report)
            CHECK(out.report->source.frames == 5);
        else
            CHECK(out.report.error().kind == ErrorKind::bad_input);
    }
}

}  // namespace millrace::media
