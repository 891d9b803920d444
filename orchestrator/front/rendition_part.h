#pragma once
// Which bytes of an answered segment HLS serves under a name.
//
// A rendition in MPEG-TS is served as it is. One in fragmented MP4 is an init part (ftyp, moov) and fragments:
// playlists name the fragments (.m4s) and, once for all segments that agree on it, the init part (EXT-X-MAP);
// both together are a file that plays by itself (.mp4).
//
// Thread: any; pure, but for hashing an init part that came without its hash.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "orchestrator/front/answered_segment.h"

namespace millrace::orchestrator {

// The broadcaster's own bytes, beside the renditions of the ladder.
inline constexpr std::string_view kSourceRendition = "source";

// A rendition of one segment, as playlists see it.
struct RenditionPart {
    PayloadPtr bytes;  // the whole rendition
    Container container = Container::mpegts;
    std::uint64_t init_bytes = 0;             // of the init part in front; 0 = none
    const RenditionReport* report = nullptr;  // null = the source
    [[nodiscard]] std::uint64_t size() const { return bytes->size() - init_bytes; }
};

// Nothing when the segment has no rendition of that name, or none that HLS can carry.
[[nodiscard]] std::optional<RenditionPart> find_rendition(const AnsweredSegment& segment,
                                                          std::string_view rendition);

// "init_0123456789abcdef": the same for init parts that a decoder may take for each other; empty when there
// is none.
[[nodiscard]] std::string init_name(const RenditionPart& part);

}  // namespace millrace::orchestrator
