#include "transcoder/media/vbv.h"

#include <algorithm>

namespace millrace::media {

VbvBucket::VbvBucket(std::int64_t rate, std::int64_t size, std::int64_t fill)
    : rate_(rate),
      size_(size),
      fill_(static_cast<double>(std::clamp<std::int64_t>(fill, 0, size))) {}

void VbvBucket::take(std::int64_t bits, double seconds) {
    fill_ = started_ ? fill_after(seconds) : fill_;
    started_ = true;
    fill_ -= static_cast<double>(bits);
    violations_ += fill_ < 0 ? 1 : 0;
}

double VbvBucket::fill_after(double seconds) const {
    return std::min(static_cast<double>(size_), fill_ + static_cast<double>(rate_) * seconds);
}

}  // namespace millrace::media
