#pragma once
// Bounds of everything a peer may send, checked while decoding. A message beyond one of them is
// bad_input; our own encoder cuts texts for people to their bound, so that a long sentence costs
// its tail and not the message.
//
// Thread: any; constants.

#include <cstddef>
#include <cstdint>

namespace millrace::wire {

inline constexpr std::size_t kControlBytesMax = 128 * 1024;    // one message of the control lane
inline constexpr std::size_t kPayloadHeadBytesMax = 4 * 1024;  // envelope of the payload lane

inline constexpr std::size_t kSessionIdBytesMax = 64;
inline constexpr std::size_t kRenditionNameBytesMax = 64;
inline constexpr std::size_t kPresetBytesMax = 64;
inline constexpr std::size_t kNameBytesMax = 128;  // a transcoder's
inline constexpr std::size_t kVersionBytesMax = 64;
inline constexpr std::size_t kCodecsBytesMax = 128;  // RFC 6381 string
inline constexpr std::size_t kTokenIdBytesMax = 64;
inline constexpr std::size_t kKeyBytes = 40;  // CURVE public key in Z85
inline constexpr std::size_t kEndpointBytesMax = 256;
inline constexpr std::size_t kDeviceKindBytesMax = 32;
inline constexpr std::size_t kDeviceNameBytesMax = 256;
inline constexpr std::size_t kLabelKeyBytesMax = 64;
inline constexpr std::size_t kLabelValueBytesMax = 256;
inline constexpr std::size_t kSentenceBytesMax = 1024;  // details, reasons, warnings

inline constexpr std::size_t kWarningsMax = 16;
inline constexpr std::size_t kDevicesMax = 64;
inline constexpr std::size_t kLabelsMax = 64;
inline constexpr std::size_t kCodecsInListMax = 32;
inline constexpr std::size_t kSessionsMax = 256;    // of one transcoder
inline constexpr std::size_t kHeldTasksMax = 1024;  // 256 slots, 4 segments in flight each

inline constexpr std::int32_t kSideMax =
    65536;  // pixels; what a field can say, not what is transcoded
inline constexpr std::int64_t kHeartbeatMsMax = 60'000;
inline constexpr std::int64_t kLeaseMsMax = 600'000;

}  // namespace millrace::wire
