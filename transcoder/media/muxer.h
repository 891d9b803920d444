#pragma once
// Packets of one rendition into one container, in memory.
//
// MPEG-TS keeps the timestamps it is given, modulo 2^33: no start offset is added, the PCR runs
// ahead instead. The first packet of each PID carries the discontinuity indicator, so that segments
// made by different transcoders can be joined without continuity errors.
//
// Thread: its owner's.

#include <optional>
#include <vector>

#include "transcoder/media/av.h"

namespace millrace::media {

class Muxer {
public:
    struct Streams {
        const AVCodecContext* video = nullptr;     // null: none
        const AVCodecParameters* audio = nullptr;  // null: none
    };
    [[nodiscard]] static Result<std::unique_ptr<Muxer>> open(Container container,
                                                             const Streams& streams,
                                                             std::uint64_t bytes_max);
    ~Muxer();
    Muxer(const Muxer&) = delete;
    Muxer& operator=(const Muxer&) = delete;

    // Takes the packet's contents. Times in ticks, rising decoding times in each stream.
    [[nodiscard]] Result<void> write_video(AVPacket& packet);
    [[nodiscard]] Result<void> write_audio(AVPacket& packet);
    [[nodiscard]] Result<std::vector<std::uint8_t>> finish();

private:
    explicit Muxer(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
    static int on_write(void* self, std::uint8_t* data, int size);
    [[nodiscard]] Result<void> set_up(Container container, const Streams& streams);
    [[nodiscard]] Result<void> write(AVPacket& packet, int stream);
    [[nodiscard]] Error failed(const char* operation, int rc) const;

    std::uint64_t bytes_max_;
    std::vector<std::uint8_t> bytes_;
    bool over_limit_ = false;
    av::OutputPtr format_;
    AVIOContext* io_ = nullptr;
    int video_ = -1;
    int audio_ = -1;
};

// True when packets of that codec can be carried over into the container as they are.
[[nodiscard]] bool can_carry(Container container, AVCodecID codec);

}  // namespace millrace::media
