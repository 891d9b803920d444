#pragma once
// What a broadcaster asks for: rendition specs, ordered in a ladder. Plain values with equality;
// the JSON dialect (go-livepeer's, with our additions) is read in common/config/ladder_json.h.
//
// Thread: any; values.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

// A positive fraction; {0, 1} means "not given".
struct Rational {
    std::int32_t num = 0;
    std::int32_t den = 1;
    bool operator==(const Rational&) const = default;
    [[nodiscard]] double value() const { return den == 0 ? 0.0 : static_cast<double>(num) / den; }
};

// Codecs of video we know by name. Not all of them can be encoded (see Capabilities).
enum class VideoCodec : std::uint8_t { none, h264, hevc, vp8, vp9, av1, mpeg2, other };
enum class AudioCodec : std::uint8_t { none, aac, ac3, mp2, mp3, opus, vorbis, other };
enum class Container : std::uint8_t { mpegts, mp4, matroska, unknown };
enum class VideoProfile : std::uint8_t { automatic, baseline, main, high, constrained_high };
enum class ChromaFormat : std::uint8_t { yuv420, yuv422, yuv444 };
enum class AudioMode : std::uint8_t { copy, encode, none };
enum class Upscale : std::uint8_t { never, allow };
enum class Bypass : std::uint8_t { never, if_fits };
enum class DataStreams : std::uint8_t { pass, drop };
// cascaded: from the next larger rendition of the ladder, where there is one of the same format.
enum class Scaling : std::uint8_t { direct, cascaded };

[[nodiscard]] std::string_view to_string(VideoCodec codec);
[[nodiscard]] std::string_view to_string(AudioCodec codec);
[[nodiscard]] std::string_view to_string(Container container);
[[nodiscard]] std::string_view to_string(VideoProfile profile);

struct AudioSpec {
    AudioMode mode = AudioMode::copy;
    AudioCodec codec = AudioCodec::aac;  // used when mode is encode
    std::int32_t bitrate = 0;            // bit/s; 0 = the encoder's default
    std::int32_t rate = 0;               // samples/s; 0 = the source's
    std::int32_t channels = 0;           // 0 = the source's
    bool operator==(const AudioSpec&) const = default;
};

inline constexpr std::int64_t kGopDefault = 0;
inline constexpr std::int64_t kGopIntra = -1;

// One output version of a segment.
struct RenditionSpec {
    std::string name;        // unique in its ladder, a path component: [A-Za-z0-9._~+-]{1,64}
    std::int32_t width = 0;  // pixels; with height the larger box the picture is fitted into
    std::int32_t height =
        0;  // pixels; 0 with a width = follows from the source's shape, and vice versa
    std::int64_t bitrate = 0;  // bit/s; alone = constant bitrate, with quality = ceiling
    Rational fps;              // 0 = the source's frames
    VideoProfile profile = VideoProfile::automatic;
    std::int64_t gop_ms = kGopDefault;  // milliseconds between key frames; kGopDefault or kGopIntra
    VideoCodec codec = VideoCodec::h264;
    std::int32_t color_depth = 8;  // bits
    ChromaFormat chroma = ChromaFormat::yuv420;
    std::int32_t quality = 0;  // CRF 1..63; 0 = not given
    Container container = Container::mpegts;
    AudioSpec audio;
    std::string preset;  // empty = veryfast (NVENC: p4)
    Upscale upscale = Upscale::allow;
    Bypass bypass = Bypass::never;
    DataStreams data = DataStreams::pass;
    Scaling scaling = Scaling::direct;
    bool operator==(const RenditionSpec&) const = default;
};

inline constexpr std::size_t kRenditionsMax = 8;

using Ladder = std::vector<RenditionSpec>;

struct Size {
    std::int32_t width = 0;
    std::int32_t height = 0;
    bool operator==(const Size&) const = default;
    [[nodiscard]] std::int64_t pixels() const { return static_cast<std::int64_t>(width) * height; }
};

// The picture a rendition gets: `source` (display size, square pixels, rotation applied) fitted
// into the box of `spec` with its shape kept and sides rounded to even numbers of at least 2. The
// box's longer side belongs to the source's longer side, so portrait sources get portrait
// renditions.
[[nodiscard]] Size fit(const RenditionSpec& spec, Size source);

// True when the rendition would be larger than its source and the spec forbids that: it falls away,
// is named in the answer and is not paid.
[[nodiscard]] bool falls_away(const RenditionSpec& spec, Size source);

// The presets of go-livepeer by name ("P240p30fps16x9"): the same numbers, our defaults (upscale
// never, CRF with the bitrate as ceiling). Nothing for an unknown name.
[[nodiscard]] std::optional<RenditionSpec> preset_rendition(std::string_view name);
[[nodiscard]] std::vector<std::string_view> preset_names();

// File extension of a container without the dot: "ts" or "mp4".
[[nodiscard]] std::string_view extension(Container container);

}  // namespace millrace
