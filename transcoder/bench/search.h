#pragma once
// Search: how many sessions to try next, so that the largest number that holds is found in few steps: up from a guess
// until one does not hold, then halving what is between. Pure.
//
// Assumes that what holds for n sessions holds for fewer.
//
// Thread: its owner's. Owner: measure().

#include <cstdint>
#include <optional>

namespace millrace::bench {

class Search {
public:
    // `guess` is tried first, clamped to 1..max; more than `max` is never tried.
    Search(std::uint32_t guess, std::uint32_t max);

    // Nothing: found. The same until told().
    [[nodiscard]] std::optional<std::uint32_t> next() const;
    // Whether what next() said held.
    void told(bool held);

    // The largest that held; 0 = not even one.
    [[nodiscard]] std::uint32_t best() const { return held_; }
    // As many as may be tried hold: the machine's own end was not found.
    [[nodiscard]] bool at_max() const { return held_ == max_; }

private:
    [[nodiscard]] std::uint32_t upward() const;
    [[nodiscard]] std::uint32_t downward() const;

    std::uint32_t max_;
    std::uint32_t trying_;
    std::uint32_t held_ = 0;
    std::optional<std::uint32_t> failed_;  // the smallest that did not hold
};

}  // namespace millrace::bench
