#pragma once
// Packets of one rendition into one container, in memory.
//
// MPEG-TS keeps the timestamps it is given, modulo 2^33: no start offset is added, the PCR runs
// ahead instead. The first packet of each PID carries the discontinuity indicator, so that segments
// made by different transcoders can be joined without continuity errors.
//
// Fragmented MP4 is an init part (ftyp, moov) that depends on the settings alone, and one fragment
// (moof, mdat) whose decode time counts from `origin` on the source's clock: init parts of equal
// settings are the same bytes, and fragments of consecutive segments, whoever made them, follow
// each other behind any of them. No edit list and no negative offsets, which readers take
// differently. Decode times are unsigned: audio from before `origin` is left out, and where a 33-bit
// source clock starts again they start again too.
//
// Thread: its owner's.

#include <optional>
#include <vector>

#include "transcoder/media/av.h"

namespace millrace::media {

class Muxer {
public:
    struct Streams {
        const AVCodecParameters* video = nullptr;  // null: none
        AVRational frame_rate{0, 1};
        // A picture that tells what the video was mastered for; null: nobody does. Only MP4 says so.
        const AVFrame* like = nullptr;
        const AVCodecParameters* audio = nullptr;  // null: none
        Ticks origin = 0;                          // time 0 of the source's clock
    };
    [[nodiscard]] static Result<std::unique_ptr<Muxer>> open(Container container,
                                                             const Streams& streams,
                                                             std::uint64_t bytes_max);
    ~Muxer();
    Muxer(const Muxer&) = delete;
    Muxer& operator=(const Muxer&) = delete;

    // Takes the packet's contents. Times in ticks, rising decoding times in each stream; MP4 wants
    // durations too.
    [[nodiscard]] Result<void> write_video(AVPacket& packet);
    // Time base of the packet: ticks of the source's line, or 1/rate counted from `origin`.
    [[nodiscard]] Result<void> write_audio(AVPacket& packet);

    struct Written {
        std::vector<std::uint8_t> bytes;
        std::size_t init_bytes = 0;  // of an MP4's init part
    };
    [[nodiscard]] Result<Written> finish();

private:
    Muxer(Container container, Ticks origin, std::uint64_t bytes_max)
        : container_(container), origin_(origin), bytes_max_(bytes_max) {}
    static int on_write(void* self, std::uint8_t* data, int size);
    [[nodiscard]] Result<void> set_up(const Streams& streams);
    [[nodiscard]] Result<void> set_up_video(const Streams& streams);
    [[nodiscard]] Result<void> set_up_audio(const AVCodecParameters& parameters);
    [[nodiscard]] Result<void> set_up_filter(const char* name, const AVCodecParameters& parameters,
                                             av::FilterPtr& filter) const;
    [[nodiscard]] Result<bool> pass(av::FilterPtr& filter, AVPacket& packet) const;
    [[nodiscard]] AVStream& add_stream(const AVCodecParameters& parameters);
    void put_on_clock(AVPacket& packet, const AVStream& stream) const;
    void close_rounding(AVPacket& packet, AVStream& stream);
    [[nodiscard]] Result<void> write(AVPacket& packet, int stream);
    [[nodiscard]] Error failed(const char* operation, int rc) const;

    Container container_;
    Ticks origin_;
    std::uint64_t bytes_max_;
    std::uint64_t taken_ = 0;  // bytes of packets
    std::vector<std::uint8_t> bytes_;
    bool over_limit_ = false;
    av::OutputPtr format_;
    AVIOContext* io_ = nullptr;
    av::FilterPtr annex_b_;  // gives pictures from an MP4 start codes; null: not needed
    av::FilterPtr strip_;    // takes AAC out of its ADTS headers; null: not needed
    int video_ = -1;
    int audio_ = -1;
    std::optional<std::int64_t> audio_next_;  // end of the audio written, in its time base
};

// True when packets of that codec can be carried over into the container as they are.
[[nodiscard]] bool can_carry(Container container, AVCodecID codec);
// The same of a source's own packets: MP4 wants Opus' own header (OpusHead), which damaged and careless WebM lacks.
[[nodiscard]] bool can_carry(Container container, const AVCodecParameters& stream);

}  // namespace millrace::media
