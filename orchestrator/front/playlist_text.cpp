#include "orchestrator/front/playlist_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "common/http/target.h"

namespace millrace::orchestrator {
namespace {

// What the master says about one rendition, gathered over the listed segments.
struct Variant {
    std::string name;
    Size size;
    Rational frame_rate;
    std::string codecs;
    double peak = 0;  // bit/s
    double bits = 0;
    double seconds = 0;
};

double seconds_of(const AnsweredSegment& segment) {
    return std::max(to_seconds(segment.report.source.duration), 0.001);
}

std::string fixed(double value, int digits) {
    char text[40];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

void count(Variant& variant, const AnsweredSegment& segment, std::uint64_t bytes, Size size,
           Rational frame_rate, const std::string& codecs) {
    const double bits = static_cast<double>(bytes) * 8;
    variant.peak = std::max(variant.peak, bits / seconds_of(segment));
    variant.bits += bits;
    variant.seconds += seconds_of(segment);
    variant.size = size;
    variant.frame_rate = frame_rate;
    variant.codecs = codecs;
}

Variant& named(std::vector<Variant>& variants, std::string_view name) {
    const auto found = std::find_if(variants.begin(), variants.end(),
                                    [&](const Variant& variant) { return variant.name == name; });
    if (found != variants.end())
        return *found;
    variants.push_back({});
    variants.back().name = name;
    return variants.back();
}

void count_all(std::vector<Variant>& variants, const AnsweredSegment& segment) {
    const SourceInfo& source = segment.report.source;
    if (const PayloadPtr bytes = rendition_bytes(segment, kSourceRendition))
        count(named(variants, kSourceRendition), segment, bytes->size(), source.size,
              source.frame_rate, source.codecs);
    for (const RenditionReport& report : segment.report.renditions)
        if (const PayloadPtr bytes = rendition_bytes(segment, report.name))
            count(named(variants, report.name), segment, bytes->size(), report.size,
                  report.frame_rate, report.codecs);
}

std::string stream_line(const Variant& variant) {
    const auto rounded = [](double bits) { return std::to_string(std::llround(std::ceil(bits))); };
    std::string line = "#EXT-X-STREAM-INF:BANDWIDTH=" + rounded(variant.peak) +
                       ",AVERAGE-BANDWIDTH=" + rounded(variant.bits / variant.seconds);
    if (!variant.codecs.empty())
        line += ",CODECS=\"" + variant.codecs + '"';
    if (variant.size.pixels() > 0)
        line += ",RESOLUTION=" + std::to_string(variant.size.width) + 'x' +
                std::to_string(variant.size.height);
    if (variant.frame_rate.num > 0 && variant.size.pixels() > 0)
        line += ",FRAME-RATE=" + fixed(variant.frame_rate.value(), 3);
    return line + '\n';
}

std::string segment_lines(const ListedSegment& entry, std::string_view rendition) {
    std::string lines = entry.discontinuity ? "#EXT-X-DISCONTINUITY\n" : "";
    // A rendition that fell away for this segment keeps its number: numbers agree in all playlists.
    if (!rendition_bytes(*entry.segment, rendition))
        lines += "#EXT-X-GAP\n";
    return lines + "#EXTINF:" + fixed(seconds_of(*entry.segment), 6) + ",\n" +
           http::percent_encode(rendition) + '/' + segment_name(entry.segment->key) + ".ts\n";
}

}  // namespace

PayloadPtr rendition_bytes(const AnsweredSegment& segment, std::string_view rendition) {
    const auto& reports = segment.report.renditions;
    for (std::size_t i = 0; i < std::min(reports.size(), segment.renditions.size()); ++i)
        if (reports[i].name == rendition && reports[i].container == Container::mpegts)
            return segment.renditions[i];
    const bool playable = segment.report.source.container == Container::mpegts;
    return rendition == kSourceRendition && playable ? segment.source : nullptr;
}

std::optional<std::string> master_playlist(const StreamName& stream,
                                           const StreamPlaylist& playlist) {
    std::vector<Variant> variants;
    for (const ListedSegment* entry : playlist.listed())
        count_all(variants, *entry->segment);
    if (variants.empty())
        return std::nullopt;
    std::string text = "#EXTM3U\n#EXT-X-VERSION:3\n";
    for (const Variant& variant : variants)
        text += stream_line(variant) + http::percent_encode(stream.value) + '/' +
                http::percent_encode(variant.name) + ".m3u8\n";
    return text;
}

std::optional<std::string> media_playlist(const StreamPlaylist& playlist,
                                          std::string_view rendition, bool all_listed) {
    const auto list = playlist.listed();
    const auto has = [&](const ListedSegment* entry) {
        return rendition_bytes(*entry->segment, rendition) != nullptr;
    };
    if (std::none_of(list.begin(), list.end(), has))
        return std::nullopt;
    std::string text =
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:" +
        std::to_string(playlist.target_duration().count()) +
        "\n#EXT-X-MEDIA-SEQUENCE:" + std::to_string(list.front()->media_sequence) +
        "\n#EXT-X-DISCONTINUITY-SEQUENCE:" + std::to_string(list.front()->discontinuities_before) +
        '\n';
    if (all_listed && playlist.complete())
        text += "#EXT-X-PLAYLIST-TYPE:EVENT\n";
    for (const ListedSegment* entry : list)
        text += segment_lines(*entry, rendition);
    if (playlist.ended())
        text += "#EXT-X-ENDLIST\n";
    return text;
}

}  // namespace millrace::orchestrator
