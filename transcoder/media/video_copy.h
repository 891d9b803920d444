#pragma once
// The source's own video as a rendition (`bypass: "if-fits"`): its packets are kept, and at the end
// of the segment it is known whether they are what the spec asks for.
//
// Thread: its owner's.

#include <optional>
#include <string>
#include <vector>

#include "transcoder/media/demuxer.h"

namespace millrace::media {

// What is known of the source when its first picture has come.
struct CopySource {
    const VideoStream* stream = nullptr;
    Size display;                    // square pixels, turned
    Ticks origin = 0;                // time 0 of the source's clock
    const AVFrame* first = nullptr;  // picture
};

// False when the headers tell that the source does not fit: codec, size, rate, profile, depth,
// chroma, container.
[[nodiscard]] bool may_be_copied(const RenditionSpec& spec, const CopySource& source);

class VideoCopy {
public:
    VideoCopy(const RenditionSpec& spec, const CopySource& source);

    void push(const AVPacket& packet);
    [[nodiscard]] const std::vector<av::PacketPtr>& packets() const { return packets_; }

    // Whether the segment, which ends at `end`, starts with a picture that needs no other, has key
    // frames wherever the spec wants them and stays below its bitrate.
    [[nodiscard]] bool fits(Ticks end) const;
    // Gives every packet a duration; call it once, before they are written. Containers that cannot
    // count below zero pass their `floor`.
    void prepare(Ticks end, std::optional<Ticks> floor);
    // The parameter sets in the first packet (Annex B), for players' CODECS; empty in others.
    [[nodiscard]] std::span<const std::uint8_t> first_bytes() const;
    [[nodiscard]] const AVCodecParameters& parameters() const { return *stream_.parameters; }

private:
    [[nodiscard]] bool times_are_whole() const;
    [[nodiscard]] bool starts_clean() const;
    [[nodiscard]] bool keys_are_in_place() const;
    [[nodiscard]] std::vector<Ticks> shown() const;

    const RenditionSpec& spec_;
    const VideoStream& stream_;
    Ticks origin_;
    std::int64_t bytes_ = 0;
    bool damaged_ = false;
    std::vector<av::PacketPtr> packets_;
};

}  // namespace millrace::media
