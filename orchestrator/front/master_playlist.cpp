// The master playlist: what each rendition is, gathered over the listed segments.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "common/http/target.h"
#include "orchestrator/front/playlist_text.h"
#include "orchestrator/front/rendition_part.h"

namespace millrace::orchestrator {
namespace {

constexpr int kVersion = 3;
// What players of fragmented MP4 understand (RFC 8216, section 7).
constexpr int kVersionWithInit = 7;

struct Piece {
    double bits = 0;
    double seconds = 0;
};

// What the master says about one rendition.
struct Variant {
    std::string name;
    Size size;
    Rational frame_rate;
    std::string codecs;
    std::vector<Piece> pieces;
};

// The largest bit rate of a run of segments that is at least half a target duration long (RFC 8216, section
// 4.1): a short last segment alone says nothing.
double peak_of(const std::vector<Piece>& pieces, double target_seconds) {
    double peak = 0;
    Piece run;
    std::size_t first = 0;
    for (const Piece& piece : pieces) {
        run.bits += piece.bits;
        run.seconds += piece.seconds;
        while (run.seconds - pieces[first].seconds >= target_seconds / 2) {
            run.bits -= pieces[first].bits;
            run.seconds -= pieces[first].seconds;
            ++first;
        }
        if (run.seconds >= target_seconds / 2 || &piece == &pieces.back())
            peak = std::max(peak, run.bits / run.seconds);
    }
    return peak;
}

double average_of(const std::vector<Piece>& pieces) {
    Piece all;
    for (const Piece& piece : pieces) {
        all.bits += piece.bits;
        all.seconds += piece.seconds;
    }
    return all.bits / all.seconds;
}

Variant& named(std::vector<Variant>& variants, std::string_view name) {
    const auto found = std::ranges::find(variants, name, &Variant::name);
    if (found != variants.end())
        return *found;
    variants.emplace_back().name = name;
    return variants.back();
}

// The latest segment with a picture says what the rendition is; one without is its exception.
void describe(Variant& variant, Size size, Rational frame_rate, const std::string& codecs) {
    if (size.pixels() == 0 && variant.size.pixels() > 0)
        return;
    variant.size = size;
    variant.frame_rate = frame_rate;
    if (!codecs.empty())
        variant.codecs = codecs;
}

void count(std::vector<Variant>& variants, const AnsweredSegment& segment, std::string_view name) {
    const auto part = find_rendition(segment, name);
    if (!part)
        return;
    Variant& variant = named(variants, name);
    variant.pieces.push_back({static_cast<double>(part->size()) * 8,
                              std::max(to_seconds(segment.report.source.duration), 0.001)});
    const SourceInfo& source = segment.report.source;
    if (part->report != nullptr)
        describe(variant, part->report->size, part->report->frame_rate, part->report->codecs);
    else
        describe(variant, source.size, source.frame_rate, source.codecs);
}

std::string stream_line(const Variant& variant, double target_seconds) {
    const auto rounded = [](double bits) { return std::to_string(std::llround(std::ceil(bits))); };
    std::string line =
        "#EXT-X-STREAM-INF:BANDWIDTH=" + rounded(peak_of(variant.pieces, target_seconds)) +
        ",AVERAGE-BANDWIDTH=" + rounded(average_of(variant.pieces));
    if (!variant.codecs.empty())
        line += ",CODECS=\"" + variant.codecs + '"';
    if (variant.size.pixels() > 0)
        line += ",RESOLUTION=" + std::to_string(variant.size.width) + 'x' +
                std::to_string(variant.size.height);
    if (variant.frame_rate.num > 0 && variant.size.pixels() > 0) {
        char rate[40];
        std::snprintf(rate, sizeof rate, ",FRAME-RATE=%.3f", variant.frame_rate.value());
        line += rate;
    }
    return line + '\n';
}

}  // namespace

std::optional<std::string> master_playlist(const StreamName& stream,
                                           const StreamPlaylist& playlist) {
    std::vector<Variant> variants;
    bool with_init = false;
    for (const ListedSegment* entry : playlist.listed()) {
        count(variants, *entry->segment, kSourceRendition);
        for (const RenditionReport& report : entry->segment->report.renditions) {
            count(variants, *entry->segment, report.name);
            with_init = with_init || report.container == Container::mp4;
        }
    }
    // Players cannot switch between containers (hls.js has one buffer for MP4 and two for MPEG-TS): beside
    // MP4 renditions the source has its own playlist only.
    if (with_init && variants.size() > 1)
        std::erase_if(variants, [](const Variant& v) { return v.name == kSourceRendition; });
    if (variants.empty())
        return std::nullopt;
    const double target = static_cast<double>(playlist.target_duration().count());
    std::string text =
        "#EXTM3U\n#EXT-X-VERSION:" + std::to_string(with_init ? kVersionWithInit : kVersion) + '\n';
    for (const Variant& variant : variants)
        text += stream_line(variant, target) + http::percent_encode(stream.value) + '/' +
                http::percent_encode(variant.name) + ".m3u8\n";
    return text;
}

}  // namespace millrace::orchestrator
