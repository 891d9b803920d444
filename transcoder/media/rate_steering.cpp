#include "transcoder/media/rate_steering.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace millrace::media {
namespace {

constexpr double kFactorsPerHalf = 6.0;  // x264: six steps of the quantiser double its size
constexpr double kMemory = 3.0;          // seconds after which a picture counts for 1/e
constexpr double kGuessWeight = 0.1;     // seconds of video that a guessed factor counts for
constexpr double kKeySpread = 2.0;       // seconds: the usual distance of key pictures
constexpr double kPull = 3.0;            // how much more is wanted per fullness
constexpr double kWantedMin = 0.3;       // of the bitrate
// Where a guess starts: this factor at that many bits per pixel suits ordinary film.
constexpr double kGuessFactor = 20.0;
constexpr double kGuessBitsPerPixel = 0.2;

double scale(double factor) {
    return std::exp2(factor / kFactorsPerHalf);
}

double within(double factor) {
    return std::clamp(factor, RateSteering::kFactorMin, RateSteering::kFactorMax);
}

double guess(const RateSteering::Aim& aim) {
    const double bits = static_cast<double>(aim.bitrate) /
                        (aim.pictures_per_second * static_cast<double>(aim.pixels));
    return within(kGuessFactor - kFactorsPerHalf * std::log2(bits / kGuessBitsPerPixel));
}

}  // namespace

RateSteering::RateSteering(const Aim& aim, std::optional<double> before)
    : aim_(aim),
      factor_(before ? within(*before) : guess(aim)),
      cost_(0),
      wanted_(static_cast<double>(aim.bitrate) * (before ? kMemory : kGuessWeight)) {
    cost_ = wanted_ * scale(factor_);
}

double RateSteering::spread(double cost, bool key, double seconds) {
    if (aim_.only_keys)
        return cost;
    if (key) {
        pending_ += std::exchange(cost, 0.0);
        release_ = pending_ / kKeySpread;
    }
    const double told = std::min(pending_, release_ * seconds);
    pending_ -= told;
    return cost + told;
}

void RateSteering::encoded(const Coded& picture) {
    const double fade = std::exp(-picture.seconds / kMemory);
    const double more = 1.0 + kPull * (picture.fullness - aim_.fullness);
    const double cost = static_cast<double>(picture.bits) * scale(picture.factor);
    cost_ = fade * cost_ + spread(cost, picture.key, picture.seconds);
    wanted_ = fade * wanted_ +
              static_cast<double>(aim_.bitrate) * picture.seconds * std::max(kWantedMin, more);
    factor_ = within(kFactorsPerHalf * std::log2(std::max(cost_, 1.0) / std::max(wanted_, 1.0)));
}

}  // namespace millrace::media
