#include "transcoder/media/caption_queue.h"

#include <algorithm>

#include "common/base/check.h"

namespace millrace::media {
namespace {

constexpr std::uint8_t kValid = 0x04;
constexpr std::uint8_t kType = 0x03;
constexpr std::uint8_t kPacketData = 2;  // the first type that is CEA-708
constexpr std::size_t kShareMin = 2;     // both fields of line 21, at whatever rate

std::size_t share_of(Rational rate) {
    MR_CHECK(rate.num > 0 && rate.den > 0, "captions need a frame rate");
    const auto pairs =
        static_cast<std::size_t>(std::int64_t{CaptionQueue::kPairsPerSecond} * rate.den / rate.num);
    return std::clamp(pairs, kShareMin, CaptionQueue::kPairsMax);
}

}  // namespace

CaptionQueue::CaptionQueue(Rational rate) : share_(share_of(rate)) {}

void CaptionQueue::add(std::span<const std::uint8_t> cc_data) {
    for (; cc_data.size() >= kPairBytes; cc_data = cc_data.subspan(kPairBytes)) {
        const Pair pair{cc_data[0], cc_data[1], cc_data[2]};
        const bool packet = (pair[0] & kType) >= kPacketData;
        padded_ |= packet;
        if ((pair[0] & kValid) == 0)
            continue;
        if (line21_.size() + packets_.size() >= kWaitingMax)
            ++lost_;
        else
            (packet ? packets_ : line21_).push_back(pair);
    }
}

std::vector<std::uint8_t> CaptionQueue::take(bool last) {
    std::vector<std::uint8_t> out;
    const std::size_t room = (last ? kPairsMax : share_) * kPairBytes;
    for (std::deque<Pair>* queue : {&line21_, &packets_})
        while (!queue->empty() && out.size() < room) {
            out.insert(out.end(), queue->front().begin(), queue->front().end());
            queue->pop_front();
        }
    constexpr Pair kPadding{0xfa, 0, 0};
    while (padded_ && out.size() < share_ * kPairBytes)
        out.insert(out.end(), kPadding.begin(), kPadding.end());
    return out;
}

}  // namespace millrace::media
