#include "transcoder/media/caption_sei.h"

#include <algorithm>

#include "transcoder/media/caption_queue.h"

namespace millrace::media {

std::vector<std::uint8_t> hevc_caption_sei(std::span<const std::uint8_t> cc_data) {
    constexpr std::uint8_t kUserDataRegistered = 4;
    const std::size_t pairs =
        std::min(cc_data.size() / CaptionQueue::kPairBytes, CaptionQueue::kPairsMax);
    // T.35 country and provider (United States, ATSC), "GA94", cc_data() with its count.
    std::vector<std::uint8_t> message{
        0xb5, 0x00, 0x31, 'G', 'A', '9', '4', 0x03, static_cast<std::uint8_t>(0x40 | pairs), 0xff};
    message.insert(message.end(), cc_data.begin(),
                   cc_data.begin() + static_cast<std::ptrdiff_t>(pairs * CaptionQueue::kPairBytes));
    message.push_back(0xff);
    std::vector<std::uint8_t> body{kUserDataRegistered, static_cast<std::uint8_t>(message.size())};
    body.insert(body.end(), message.begin(), message.end());
    body.push_back(0x80);                                   // rbsp_trailing_bits
    std::vector<std::uint8_t> nal{0, 0, 0, 1, 39 << 1, 1};  // PREFIX_SEI_NUT, layer 0, temporal 0
    int zeros = 0;
    for (const std::uint8_t byte : body) {
        if (zeros == 2 && byte <= 3) {
            nal.push_back(3);
            zeros = 0;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        nal.push_back(byte);
    }
    return nal;
}

std::size_t first_hevc_slice(std::span<const std::uint8_t> annex_b) {
    constexpr unsigned kSliceTypesEnd = 32;  // VPS_NUT
    for (std::size_t at = 0; at + 3 < annex_b.size(); ++at) {
        if (annex_b[at] != 0 || annex_b[at + 1] != 0 || annex_b[at + 2] != 1)
            continue;
        if ((annex_b[at + 3] >> 1 & 0x3fU) < kSliceTypesEnd)
            return at > 0 && annex_b[at - 1] == 0 ? at - 1 : at;
    }
    return 0;
}

}  // namespace millrace::media
