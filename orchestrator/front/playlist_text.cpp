#include "orchestrator/front/playlist_text.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "common/base/hex.h"
#include "common/http/target.h"
#include "orchestrator/front/rendition_part.h"

namespace millrace::orchestrator {
namespace {

// What players must at least understand (RFC 8216, section 7; EXT-X-GAP: rfc8216bis).
constexpr int kVersion = 3;
constexpr int kVersionWithInit = 7;
constexpr int kVersionWithGap = 8;

std::string fixed(double value, int digits) {
    char text[40];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

double seconds_of(const AnsweredSegment& segment) {
    return std::max(to_seconds(segment.report.source.duration), 0.001);
}

std::string_view section_attribute(SpliceKind kind) {
    switch (kind) {
        case SpliceKind::out:
            return "SCTE35-OUT";
        case SpliceKind::in:
            return "SCTE35-IN";
        case SpliceKind::command:
            break;
    }
    return "SCTE35-CMD";
}

std::string date_range_line(const DateRange& range) {
    std::string line =
        "#EXT-X-DATERANGE:ID=\"" + range.id + "\",START-DATE=\"" + date_time(range.start) + '"';
    if (range.end)
        line += ",END-DATE=\"" + date_time(*range.end) + '"';
    if (range.planned > Duration::zero())
        line += ",PLANNED-DURATION=" + fixed(to_seconds(range.planned), 3);
    std::string hex = to_hex(range.section);
    std::ranges::transform(hex, hex.begin(),
                           [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
    if (!hex.empty())
        line.append(",").append(section_attribute(range.kind)).append("=0x").append(hex);
    return line + '\n';
}

// One rendition's playlist while it is written.
class Writer {
public:
    explicit Writer(std::string_view rendition)
        : rendition_(rendition), folder_(http::percent_encode(rendition) + '/') {}

    void add(const ListedSegment& entry, Container container) {
        if (entry.discontinuity)
            lines_ += "#EXT-X-DISCONTINUITY\n";
        const auto part = playable(entry, container);
        if (part)
            add_init(*part);
        lines_ += "#EXT-X-PROGRAM-DATE-TIME:" + date_time(entry.starts_at) + '\n';
        for (const DateRange& range : entry.splices)
            lines_ += date_range_line(range);
        // A rendition that fell away for this segment keeps its number: numbers agree in all playlists.
        if (!part)
            lines_ += "#EXT-X-GAP\n";
        with_gap_ = with_gap_ || !part;
        lines_ += "#EXTINF:" + fixed(seconds_of(*entry.segment), 6) + ",\n" + folder_ +
                  segment_name(entry.segment->key) +
                  (container == Container::mp4 ? ".m4s\n" : ".ts\n");
    }

    // The container of the newest segment that has the rendition: one playlist has one.
    [[nodiscard]] std::optional<Container> container(
        const std::vector<const ListedSegment*>& list) const {
        for (auto entry = list.rbegin(); entry != list.rend(); ++entry)
            if (const auto part = find_rendition(*(*entry)->segment, rendition_))
                return part->container;
        return std::nullopt;
    }

    [[nodiscard]] int version() const {
        return with_gap_ ? kVersionWithGap : !init_.empty() ? kVersionWithInit : kVersion;
    }
    [[nodiscard]] const std::string& lines() const { return lines_; }

private:
    [[nodiscard]] std::optional<RenditionPart> playable(const ListedSegment& entry,
                                                        Container container) const {
        auto part = find_rendition(*entry.segment, rendition_);
        return part && part->container == container ? part : std::nullopt;
    }

    void add_init(const RenditionPart& part) {
        std::string name = init_name(part);
        if (name == init_)
            return;
        lines_ += "#EXT-X-MAP:URI=\"" + folder_ + name + ".mp4\"\n";
        init_ = std::move(name);
    }

    std::string_view rendition_;
    std::string folder_;
    std::string lines_;
    std::string init_;  // the last one named
    bool with_gap_ = false;
};

}  // namespace

std::string date_time(Duration since_epoch) {
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(since_epoch);
    const auto whole = std::chrono::floor<std::chrono::seconds>(ms);
    const auto seconds = static_cast<std::time_t>(whole.count());
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char date[40];
    char text[60];
    (void)std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text, sizeof text, "%s.%03dZ", date, static_cast<int>((ms - whole).count()));
    return text;
}

std::optional<std::string> media_playlist(const StreamPlaylist& playlist,
                                          std::string_view rendition, bool all_listed) {
    const auto list = playlist.listed();
    Writer writer(rendition);
    const auto container = writer.container(list);
    if (!container)
        return std::nullopt;
    for (const ListedSegment* entry : list)
        writer.add(*entry, *container);
    std::string text =
        "#EXTM3U\n#EXT-X-VERSION:" + std::to_string(writer.version()) +
        "\n#EXT-X-TARGETDURATION:" + std::to_string(playlist.target_duration().count()) +
        "\n#EXT-X-MEDIA-SEQUENCE:" + std::to_string(list.front()->media_sequence) +
        "\n#EXT-X-DISCONTINUITY-SEQUENCE:" + std::to_string(list.front()->discontinuities_before) +
        '\n';
    if (all_listed && playlist.complete())
        text += "#EXT-X-PLAYLIST-TYPE:EVENT\n";
    text += writer.lines();
    if (playlist.ended())
        text += "#EXT-X-ENDLIST\n";
    return text;
}

}  // namespace millrace::orchestrator
