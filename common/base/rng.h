#pragma once
// A small seeded generator for decisions and simulations (SplitMix64: Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", 2014). Same seed, same run. Not for secrets: those
// come from libsodium in common/net.
//
// Thread: its owner's.

#include <cstdint>

namespace millrace {

class Rng {
public:
    explicit Rng(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    // Uniform in [0, bound); bound 0 gives 0. The bias of the modulo is below 2^-32 for our bounds.
    std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
    // True with the given probability, 0..1.
    bool chance(double probability) {
        return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
    }

private:
    std::uint64_t state_;
};

}  // namespace millrace
