#pragma once
// A segment, what was found in it, and what was made of it. Plain values.
//
// Thread: any; values.

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/domain/rendition.h"

namespace millrace {

// Identity of a segment: the same four values are the same segment, whenever and however often it
// comes.
struct SegmentKey {
    SessionId session;
    std::uint32_t run = 0;  // the source's restarts, from 0
    std::uint64_t seq = 0;  // the broadcaster's number
    Sha256 sha256{};        // of the source bytes
    auto operator<=>(const SegmentKey&) const = default;
};

// What the engine found in the source.
struct SourceInfo {
    Container container = Container::unknown;
    VideoCodec video = VideoCodec::none;
    AudioCodec audio = AudioCodec::none;
    Size size;                  // display size: square pixels, rotation applied
    Rational frame_rate;        // average
    std::int64_t frames = 0;    // decoded
    std::int64_t pixels = 0;    // decoded: frames x coded size
    Duration duration{0};       // measured from timestamps
    std::int64_t start_us = 0;  // first timestamp on the source's clock, microseconds
    std::string codecs;         // RFC 6381, as in an HLS CODECS attribute
    bool operator==(const SourceInfo&) const = default;
};

// What one rendition turned out to be. Sizes in pixels are what gets paid.
struct RenditionReport {
    std::uint32_t index = 0;  // place in the ladder
    std::string name;
    Container container = Container::mpegts;
    std::uint64_t bytes = 0;
    Sha256 sha256{};
    Size size;
    std::int64_t frames = 0;  // encoded
    std::int64_t pixels = 0;  // encoded: frames x size
    Duration duration{0};
    Rational frame_rate;
    std::string codecs;            // RFC 6381
    std::int64_t bandwidth = 0;    // bit/s over this segment, container included
    std::uint64_t init_bytes = 0;  // leading bytes that are an mp4's init part; 0 = none
    // SHA-256 of what a decoder must know before the first picture: equal = joins without a new
    // init part. All zero = not known.
    Sha256 parameter_sets{};
    // In the decoder's buffer when the picture after the last one is due; 0 = not known.
    std::int64_t vbv_fill_bits = 0;
    bool copied = false;  // the source's own video: not encoded, not paid
    // Quality at the end on the encoder's own scale (x264: CRF), thousandths; 0 = not known.
    std::int32_t rate_factor_milli = 0;
    bool operator==(const RenditionReport&) const = default;
};

// A splice the source announced (SCTE-35). Times are on the source's clock, microseconds.
enum class SpliceKind : std::uint8_t { command, out, in };
struct SpliceMarker {
    std::int64_t start_us = 0;
    std::int64_t duration_us = 0;  // 0 = not known
    std::uint32_t event_id = 0;
    SpliceKind kind = SpliceKind::command;
    std::vector<std::uint8_t> section;  // the whole splice_info_section, at most kSpliceBytesMax
    bool operator==(const SpliceMarker&) const = default;
};
inline constexpr std::size_t kSpliceBytesMax = 1024;
inline constexpr std::size_t kSplicesMax = 16;  // per segment

struct SkippedRendition {
    std::uint32_t index = 0;
    std::string name;
    std::string reason;
    bool operator==(const SkippedRendition&) const = default;
};

// CPU time of the stages and wall time of the whole, microseconds.
struct StageTimes {
    std::int64_t receive_us = 0;
    std::int64_t decode_us = 0;
    std::int64_t scale_us = 0;
    std::int64_t encode_us = 0;
    std::int64_t send_us = 0;
    std::int64_t total_us = 0;
    bool operator==(const StageTimes&) const = default;
};

// The last packets of a segment's sound as the source had them. Whoever encodes the sound of the
// next segment decodes them first: decoders and encoders need what was before.
struct SoundPacket {
    std::int64_t at = 0;  // 1/90000 s on the source's clock, +- kSoundTimeMax
    std::vector<std::uint8_t> bytes;
    bool operator==(const SoundPacket&) const = default;
};
struct SoundTail {
    Sha256 format{};  // of what a decoder is told beforehand: packets of another format are no use
    std::vector<SoundPacket> packets;  // in order
    bool operator==(const SoundTail&) const = default;
};
inline constexpr std::size_t kSoundPacketsMax = 16;
inline constexpr std::size_t kSoundBytesMax = 32 * 1024;  // of all packets together
inline constexpr std::int64_t kSoundTimeMax = std::int64_t{1} << 50;

// Plain data the orchestrator hands along so that joins between segments are not seen (design.md,
// section 3). Empty = none at hand; a transcoder that does not know a field ignores it. Lists have
// one entry per rendition in ladder order, 0 = not known; see RenditionReport.
struct SeamContext {
    std::vector<std::int64_t> vbv_fill_bits;       // of the segment right before
    std::vector<std::int32_t> rate_factors_milli;  // of any segment before, the latest known
    SoundTail sound;                               // of the segment right before
    // The rate that headers tell, as the session's first segment had it: what is measured of a short
    // or uneven segment differs, and with it parameter sets. num 0 = not known.
    Rational frame_rate;
    bool constant_rate = false;  // pictures come at even times
    bool operator==(const SeamContext&) const = default;
};

// What an engine says when a segment is done.
struct TranscodeReport {
    SourceInfo source;
    std::vector<RenditionReport> renditions;  // in ladder order
    std::vector<SkippedRendition> skipped;
    std::vector<std::string> warnings;  // sentences for the broadcaster
    StageTimes times;
    std::vector<SpliceMarker> splices;  // in order of appearance
    // CPU by all threads of the engine, as the kernel counts it; 0 = not told. To orchestrators only where no GPU helps:
    // beside CpuBudget it says how hard the pictures are.
    std::int64_t cpu_us = 0;
    // For the next segment of the session. On both lanes it stands beside the report, not in it.
    SeamContext seam;
    bool operator==(const TranscodeReport&) const = default;
};

// What the renditions leave to those of the next segment.
void leave(SeamContext& seam, const std::vector<RenditionReport>& renditions);

}  // namespace millrace
