#pragma once
// What the ledger keeps of a report. Internal to orchestrator/store.

#include <cstdint>
#include <string>

#include "common/domain/segment.h"

namespace millrace::orchestrator::store {

// Over all renditions.
struct RenditionTotals {
    std::int64_t frames = 0;
    std::int64_t pixels = 0;
    std::int64_t bytes = 0;
};
[[nodiscard]] RenditionTotals totals_of(const TranscodeReport& report);

// [{"name", "width", "height", "frames", "pixels", "bytes"}] in ladder order.
[[nodiscard]] std::string renditions_json(const TranscodeReport& report);

}  // namespace millrace::orchestrator::store
