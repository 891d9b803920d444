#pragma once
// Clips for tests, made by ffmpeg's command line (the same FFmpeg release, another code path than
// ours) and what ffprobe says about bytes: the independent oracle.
//
// Thread: any.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/domain/rendition.h"

namespace millrace::test {

struct ClipSpec {
    double seconds = 1.0;
    Size size{160, 90};
    std::string fps = "25";
    double start = 10.0;  // first timestamp, seconds
    bool video = true;
    bool audio = true;
    std::string encode = "-c:v libx264 -preset ultrafast -g 250 -bf 2 -c:a aac";
    std::string filter{};  // after the test picture, e.g. "setsar=4/3"
    std::string format = "mpegts";
    std::string sound = "sine=frequency=440:sample_rate=48000";
};

// What a command writes to its standard output. Fails the test when the command does.
std::string output_of(const std::string& command);

// Fails the test when ffmpeg does.
[[nodiscard]] std::vector<std::uint8_t> clip(const ClipSpec& spec);

// What such a command line writes to its standard output; "ffmpeg -v error -nostdin" is put before.
[[nodiscard]] std::vector<std::uint8_t> made_by(const std::string& arguments);
// The bytes of a transport stream from the `n`th random access point of PID 256 on (from 0), its
// tables before it: a segment cut out of the middle.
[[nodiscard]] std::vector<std::uint8_t> cut_at_key(std::span<const std::uint8_t> ts, int n);
// Mean PSNR in dB of the pictures of `bytes` against those of `reference` after `filter`; 100 when
// they are the same.
[[nodiscard]] double psnr(std::span<const std::uint8_t> bytes,
                          std::span<const std::uint8_t> reference, const std::string& filter);

// One continuous stream cut into MPEG-TS segments of `every` seconds by ffmpeg's segmenter.
[[nodiscard]] std::vector<std::vector<std::uint8_t>> segments(const ClipSpec& spec, double every);

// The first audio stream decoded by ffmpeg: samples of the first channel at 48 kHz, -1 to 1.
[[nodiscard]] std::vector<float> decoded_sound(std::span<const std::uint8_t> bytes);

// One packet as ffprobe lists it, times in the stream's own ticks.
struct ProbedPacket {
    std::int64_t pts = 0;
    std::int64_t dts = 0;
    bool key = false;
};
// Packets of stream "v:0" or "a:0", in file order.
[[nodiscard]] std::vector<ProbedPacket> probe_packets(std::span<const std::uint8_t> bytes,
                                                      const std::string& stream);
// Sorted presentation times.
[[nodiscard]] std::vector<std::int64_t> probe_times(std::span<const std::uint8_t> bytes,
                                                    const std::string& stream);
// One picture as ffprobe decodes it.
struct ProbedFrame {
    double seconds = 0;  // of showing
    Size size;
};
[[nodiscard]] std::vector<ProbedFrame> probe_frames(std::span<const std::uint8_t> bytes,
                                                    const std::string& stream);
// Value of one stream entry ("width", "profile"); empty when there is none.
[[nodiscard]] std::string probe_entry(std::span<const std::uint8_t> bytes,
                                      const std::string& stream, const std::string& entry);
// The same of the side data of a stream ("rotation").
[[nodiscard]] std::string probe_side_entry(std::span<const std::uint8_t> bytes,
                                           const std::string& stream, const std::string& entry);
// All that ffprobe tells of the first picture and what rides on it, a line each ("max_luminance=10000000/10000").
[[nodiscard]] std::string first_frame_says(std::span<const std::uint8_t> bytes);
// Frames that ffmpeg decodes; and the errors it prints on the way must be none.
[[nodiscard]] std::int64_t decoded_frames(std::span<const std::uint8_t> bytes);

// Frames that ffmpeg decodes from bytes that may be damaged.
[[nodiscard]] std::int64_t frames_ffmpeg_decodes(std::span<const std::uint8_t> bytes);

[[nodiscard]] std::vector<std::uint8_t> read_file(const std::string& path);
[[nodiscard]] std::vector<std::uint8_t> joined(
    const std::vector<std::vector<std::uint8_t>>& pieces);

}  // namespace millrace::test
