#include "orchestrator/front/rendition_part.h"

#include <algorithm>
#include <vector>

#include "common/base/hex.h"
#include "common/runtime/sha256.h"

namespace millrace::orchestrator {
namespace {

constexpr std::size_t kInitDigits = 16;  // of the hash, in names
// An init part is a few kilobytes; one that claims more is not hashed, and not served.
constexpr std::uint64_t kInitBytesMax = 1ULL << 20;

bool hls_carries(Container container, std::uint64_t init_bytes, std::uint64_t bytes) {
    if (container == Container::mpegts)
        return init_bytes == 0;
    return container == Container::mp4 && init_bytes > 0 && init_bytes < bytes &&
           init_bytes <= kInitBytesMax;
}

}  // namespace

std::optional<RenditionPart> find_rendition(const AnsweredSegment& segment,
                                            std::string_view rendition) {
    const auto& reports = segment.report.renditions;
    for (std::size_t i = 0; i < std::min(reports.size(), segment.renditions.size()); ++i) {
        const RenditionReport& report = reports[i];
        if (report.name == rendition &&
            hls_carries(report.container, report.init_bytes, segment.renditions[i]->size()))
            return RenditionPart{segment.renditions[i], report.container, report.init_bytes,
                                 &report};
    }
    if (rendition == kSourceRendition && segment.source &&
        hls_carries(segment.report.source.container, 0, segment.source->size()))
        return RenditionPart{segment.source, Container::mpegts, 0, nullptr};
    return std::nullopt;
}

std::string init_name(const RenditionPart& part) {
    if (part.init_bytes == 0)
        return {};
    Sha256 hash = part.report->parameter_sets;
    if (hash == Sha256{}) {
        std::vector<std::uint8_t> init(part.init_bytes);
        (void)part.bytes->read(0, init);
        hash = sha256_of(init);
    }
    return "init_" + to_hex(hash).substr(0, kInitDigits);
}

}  // namespace millrace::orchestrator
