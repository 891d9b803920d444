#pragma once
// Holds a bitrate by moving one number, the rate factor (x264's CRF scale: 6 more = half the bits),
// from picture to picture.
//
// Why not the encoder's own bitrate mode: its memory dies with the encoder, and every segment has a
// new one. The rate factor and the fill of the decoder's buffer are all there is to remember here,
// both plain numbers, so whoever encodes the next segment goes on where this one ended. Measured
// against libx264's bitrate mode opened cold at every join: README.md.
//
// Model: bits x 2^(factor/6) is what a picture would cost at factor 0. Sums of that cost and of the
// bits wanted meanwhile fade over kMemory; their ratio is the next factor. A key picture's cost is
// spread over the pictures after it, so that quality does not dip after each. More is wanted when
// the buffer is fuller than aimed for.
//
// It only aims; keeping the buffer from running empty is the encoder's VBV's.
//
// Thread: its owner's. Pure arithmetic; no libav.

#include <cstdint>
#include <optional>

namespace millrace::media {

class RateSteering {
public:
    struct Aim {
        std::int64_t bitrate = 0;        // bit/s, above 0
        double pictures_per_second = 0;  // above 0; a hint
        std::int64_t pixels = 0;         // of a picture, above 0
        bool only_keys = false;
        // Of the decoder's buffer, at which the bitrate itself is wanted: room for a key picture
        // below, room for quiet scenes above.
        double fullness = 0.55;
    };
    static constexpr double kFactorMin = 4.0;
    static constexpr double kFactorMax = 45.0;

    // `before`: the factor at the end of the segment before; none: guessed from bits per pixel and
    // corrected fast.
    RateSteering(const Aim& aim, std::optional<double> before);

    // For the next picture.
    [[nodiscard]] double factor() const { return factor_; }
    struct Coded {
        std::int64_t bits = 0;
        double factor = 0;  // it was encoded with
        bool key = false;
        double seconds = 0;   // since the one before
        double fullness = 0;  // of the decoder's buffer now, 0..1
    };
    void encoded(const Coded& picture);

private:
    [[nodiscard]] double spread(double cost, bool key, double seconds);

    Aim aim_;
    double factor_;
    double cost_;         // at factor 0, faded
    double wanted_;       // bits, faded
    double pending_ = 0;  // cost of key pictures not told yet
    double release_ = 0;  // of it, per second
};

}  // namespace millrace::media
