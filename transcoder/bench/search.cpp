#include "transcoder/bench/search.h"

#include <algorithm>

#include "common/base/check.h"

namespace millrace::bench {
namespace {

// A quarter more at a time: the guess comes from what one session costs and is rarely far off.
constexpr std::uint32_t kGrowth = 4;
// Large machines need not be known to the session.
constexpr std::uint32_t kPrecision = 50;

}  // namespace

Search::Search(std::uint32_t guess, std::uint32_t max)
    : max_(std::max(max, 1U)), trying_(std::clamp(guess, 1U, max_)) {}

std::optional<std::uint32_t> Search::next() const {
    const bool known = failed_ && *failed_ - held_ <= 1 + held_ / kPrecision;
    return known || at_max() ? std::nullopt : std::optional(trying_);
}

void Search::told(bool held) {
    MR_CHECK(next(), "nothing is being tried any more");
    if (held)
        held_ = trying_;
    else
        failed_ = trying_;
    trying_ = !failed_ ? upward() : held_ == 0 ? downward() : held_ + (*failed_ - held_) / 2;
}

std::uint32_t Search::upward() const {
    return std::min(held_ + std::max(held_ / kGrowth, 1U), max_);
}

// Nothing has held yet.
std::uint32_t Search::downward() const {
    return *failed_ - std::clamp(*failed_ / kGrowth, 1U, std::max(*failed_ - 1, 1U));
}

}  // namespace millrace::bench
