#include "transcoder/media/sample_grid.h"

#include <algorithm>
#include <cmath>

namespace millrace::media {
namespace {

// Sources usually start on whole samples: half a sample beside is the safest place for a decision.
constexpr double kSlack = 0.5;

}  // namespace

SampleGrid::Range SampleGrid::owned(double start, double end) const {
    const auto complete_at = [this](double position) {
        return static_cast<std::int64_t>(std::floor((position + kSlack - ahead) / frame));
    };
    const std::int64_t first = complete_at(start);
    return {first, std::max(first, complete_at(end))};
}

}  // namespace millrace::media
