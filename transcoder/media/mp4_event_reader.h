#pragma once
// The event messages of a fragmented MP4 ('emsg', ISO/IEC 23009-1, 5.10.3.3), picked out while its bytes
// pass by; FFmpeg's demuxer skips them. ID3 and SCTE 35 are taken, other schemes are counted.
//
// Promises: memory bounded by one message of kMessageBytesMax and the messages not yet taken, of which there
// are at most kWaitingMax; bytes that make no sense end the reading, never more.
//
// Thread: its owner's. No libav.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "transcoder/media/ticks.h"
#include "transcoder/media/ts_data.h"

namespace millrace::media {

class Mp4EventReader {
public:
    static constexpr std::size_t kMessageBytesMax = 64 * 1024;
    static constexpr std::size_t kWaitingMax = 1024;

    struct Event {
        DataKind kind = DataKind::id3;
        // Of presentation: on the media's clock (version 1), or after the segment's first picture (version 0).
        Ticks at = 0;
        bool relative = false;
        std::optional<Ticks> duration;  // none = not known
        std::vector<std::uint8_t> bytes;
    };

    // Bytes of the file in order.
    void feed(std::span<const std::uint8_t> bytes);
    // What has come since the last call, in order.
    [[nodiscard]] std::vector<Event> take() { return std::exchange(events_, {}); }
    // Messages that were not taken: of other schemes, too large, too many, or damaged.
    [[nodiscard]] int left_out() const { return left_out_; }

private:
    [[nodiscard]] std::size_t fill_header(std::span<const std::uint8_t> bytes);
    void begin_box();
    void end_message();

    static constexpr std::size_t kHeaderMax = 16;  // with a 64-bit size
    std::array<std::uint8_t, kHeaderMax> header_{};
    std::size_t header_bytes_ = 0;
    std::uint64_t left_ = 0;  // of the box whose header is complete
    bool in_box_ = false;
    bool keeping_ = false;  // the box is a message
    bool lost_ = false;     // no box begins where one should, or one goes on to the end
    std::vector<std::uint8_t> message_;
    std::vector<Event> events_;
    int left_out_ = 0;
};

}  // namespace millrace::media
