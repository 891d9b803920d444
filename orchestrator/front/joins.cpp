#include "orchestrator/front/joins.h"

#include <algorithm>
#include <chrono>

#include "orchestrator/front/splices.h"

namespace millrace::orchestrator {
namespace {

template <class T>
bool same_if_known(const T& before, const T& after) {
    return before == T{} || after == T{} || before == after;
}

bool clock_goes_on(const SourceInfo& before, const SourceInfo& after) {
    const auto passed = std::chrono::microseconds(
        clock_distance_us(after.container, before.start_us, after.start_us));
    const auto expected = std::chrono::duration_cast<std::chrono::microseconds>(before.duration);
    return std::chrono::abs(passed - expected) <= kClockJump;
}

bool same_source(const SourceInfo& before, const SourceInfo& after) {
    return before.container == after.container && same_if_known(before.size, after.size) &&
           same_if_known(before.codecs, after.codecs);
}

bool same_rendition(const RenditionReport& before, const RenditionReport& after) {
    return before.container == after.container && same_if_known(before.size, after.size) &&
           same_if_known(before.codecs, after.codecs) &&
           same_if_known(before.parameter_sets, after.parameter_sets);
}

}  // namespace

bool joins(const AnsweredSegment& before, const AnsweredSegment& after) {
    if (!clock_goes_on(before.report.source, after.report.source) ||
        !same_source(before.report.source, after.report.source))
        return false;
    return std::ranges::all_of(after.report.renditions, [&](const RenditionReport& report) {
        const auto& earlier = before.report.renditions;
        const auto found = std::ranges::find(earlier, report.name, &RenditionReport::name);
        return found == earlier.end() || same_rendition(*found, report);
    });
}

}  // namespace millrace::orchestrator
