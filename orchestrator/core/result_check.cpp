#include "orchestrator/core/result_check.h"

#include <vector>

namespace millrace::orchestrator {
namespace {

constexpr std::int64_t kSideMax = 65'536;       // pixels; far above what is transcoded
constexpr std::int64_t kFramesMax = 1'000'000;  // per segment
constexpr std::uint64_t kBytesMax = 1ULL << 40;

using Problem = std::optional<std::string>;

bool has_video(const SourceInfo& source) {
    return source.video != VideoCodec::none;
}

bool possible(Size size) {
    return size.width > 0 && size.height > 0 && size.width <= kSideMax && size.height <= kSideMax;
}

Problem wrong_source(const SourceInfo& source, bool allow_audio_only) {
    if (source.frames < 0 || source.frames > kFramesMax || source.pixels < 0 ||
        source.pixels > kFramesMax * kSideMax * kSideMax || source.duration < Duration::zero())
        return "the source's figures are impossible";
    if (has_video(source) && !possible(source.size))
        return "the source has video without a size";
    if (!has_video(source) && !allow_audio_only)
        return "the source has no video";
    return std::nullopt;
}

bool size_as_asked(const RenditionReport& r, const RenditionSpec& spec, const SourceInfo& source) {
    if (!has_video(source))
        return r.size == Size{};
    return r.size == fit(spec, source.size) ||
           (spec.bypass == Bypass::if_fits && r.size == source.size);
}

Problem wrong_rendition(const RenditionReport& r, const RenditionSpec& spec,
                        const SourceInfo& source) {
    const std::string who = "rendition " + spec.name;
    if (r.name != spec.name || r.container != spec.container)
        return who + " is not what was asked for";
    if (r.bytes == 0 || r.bytes > kBytesMax)
        return who + " has an impossible number of bytes";
    if (has_video(source) && falls_away(spec, source.size))
        return who + " is larger than the source";
    if (!size_as_asked(r, spec, source))
        return who + " has the wrong size";
    if (r.frames < 0 || r.frames > kFramesMax || r.duration < Duration::zero())
        return who + " has impossible figures";
    if (r.copied && spec.bypass != Bypass::if_fits)
        return who + " was copied without being allowed to";
    if (r.pixels != (r.copied ? 0 : r.frames * r.size.pixels()))
        return who + " counts pixels that it does not have";
    return std::nullopt;
}

bool may_be_skipped(const RenditionSpec& spec, const SourceInfo& source) {
    return !has_video(source) || falls_away(spec, source.size);
}

// Marks a place of the ladder; what is outside or marked already is wrong.
bool mark(std::vector<bool>& seen, std::uint32_t index) {
    if (index >= seen.size() || seen[index])
        return false;
    seen[index] = true;
    return true;
}

}  // namespace

Problem wrong_with(const TranscodeReport& report, const Ladder& ladder, bool allow_audio_only) {
    if (auto problem = wrong_source(report.source, allow_audio_only))
        return problem;
    std::vector<bool> seen(ladder.size(), false);
    std::optional<std::uint32_t> previous;
    for (const RenditionReport& r : report.renditions) {
        if (!mark(seen, r.index) || (previous && r.index < *previous))
            return "renditions are out of order, repeated or unasked";
        previous = r.index;
        if (auto problem = wrong_rendition(r, ladder[r.index], report.source))
            return problem;
    }
    for (const SkippedRendition& s : report.skipped) {
        if (!mark(seen, s.index) || s.name != ladder[s.index].name)
            return "skipped renditions are repeated or unasked";
        if (!may_be_skipped(ladder[s.index], report.source))
            return "rendition " + s.name + " was skipped without cause";
    }
    if (report.renditions.size() + report.skipped.size() != ladder.size())
        return "renditions are missing";
    return std::nullopt;
}

Arrival arrival(const TranscodeReport& report, const std::map<std::uint32_t, Received>& received) {
    Arrival result = Arrival::complete;
    for (const RenditionReport& r : report.renditions) {
        const auto found = received.find(r.index);
        if (found == received.end())
            result = Arrival::missing;
        else if (found->second != Received{r.bytes, r.sha256})
            return Arrival::different;
    }
    return result;
}

}  // namespace millrace::orchestrator
