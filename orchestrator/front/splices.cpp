#include "orchestrator/front/splices.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace millrace::orchestrator {
namespace {

using std::chrono::microseconds;

constexpr std::int64_t kClockTurnUs = (1LL << 33) * 100 / 9;  // 33 bits of 90 kHz
// Repeats of one announcement may differ by rounding.
constexpr std::int64_t kSameMomentUs = 50'000;

}  // namespace

std::int64_t clock_distance_us(Container container, std::int64_t from_us, std::int64_t to_us) {
    // Reports come over the wire: no sum of them may overflow, in nanoseconds either.
    constexpr std::int64_t kAbsurd = 1LL << 50;
    if (std::max(from_us, to_us) > kAbsurd || std::min(from_us, to_us) < -kAbsurd)
        return kAbsurd;
    const std::int64_t plain = to_us - from_us;
    if (container != Container::mpegts)
        return plain;
    const std::int64_t turned = ((plain % kClockTurnUs) + kClockTurnUs) % kClockTurnUs;
    return turned > kClockTurnUs / 2 ? turned - kClockTurnUs : turned;
}

SpliceBook::Open* SpliceBook::find(std::uint32_t event_id) {
    const auto found = std::find_if(open_.begin(), open_.end(), [event_id](const Open& open) {
        return open.event_id == event_id;
    });
    return found == open_.end() ? nullptr : &*found;
}

std::vector<DateRange> SpliceBook::read(const AnsweredSegment& segment, Duration start,
                                        std::uint64_t media_sequence) {
    const SourceInfo& source = segment.report.source;
    std::vector<DateRange> ranges;
    for (const SpliceMarker& splice : segment.report.splices) {
        const Duration at =
            start + microseconds(std::clamp<std::int64_t>(
                        clock_distance_us(source.container, source.start_us, splice.start_us),
                        -kClockTurnUs, kClockTurnUs));
        DateRange range;
        range.id = "splice-" + std::to_string(splice.event_id) + '-' +
                   std::to_string(media_sequence) + '-' + std::to_string(ranges.size());
        range.start = at;
        range.planned = microseconds(std::clamp<std::int64_t>(splice.duration_us, 0, kClockTurnUs));
        range.kind = splice.kind;
        range.section = splice.section;
        Open* const open = find(splice.event_id);
        if (splice.kind == SpliceKind::out) {
            if (open != nullptr && std::abs(clock_distance_us(source.container, open->start_us,
                                                              splice.start_us)) <= kSameMomentUs)
                continue;
            std::erase_if(open_, [&](const Open& one) { return one.event_id == splice.event_id; });
            open_.push_back({splice.event_id, splice.start_us, range.id, at});
            if (open_.size() > kOpenSplicesMax)
                open_.pop_front();
        } else if (splice.kind == SpliceKind::in && open != nullptr) {
            range.id = open->id;
            range.start = open->start;
            range.end = std::max(at, open->start);
            range.planned = Duration{0};
            std::erase_if(open_, [&](const Open& one) { return one.event_id == splice.event_id; });
        }
        ranges.push_back(std::move(range));
    }
    return ranges;
}

}  // namespace millrace::orchestrator
