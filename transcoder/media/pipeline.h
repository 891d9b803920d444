#pragma once
// One run of the pipeline over one segment: reads on a thread of its own, decodes on the caller's,
// scales and encodes on those of the workshop.
//
// Private to transcoder/media; transcode() is the door. Thread: the caller's, see transcode.h.

#include <atomic>
#include <chrono>
#include <thread>

#include "transcoder/media/card_scaler.h"
#include "transcoder/media/packet_queue.h"
#include "transcoder/media/sound_tail.h"
#include "transcoder/media/timed_data.h"
#include "transcoder/media/video_source.h"
#include "transcoder/media/workshop.h"

namespace millrace::media {

class Pipeline {
public:
    Pipeline(ByteSource& source, const TranscodeRequest& request, TranscodeObserver& observer,
             const CancelToken& cancel);
    ~Pipeline();

    [[nodiscard]] Result<TranscodeReport> run();

private:
    // What the reading thread sees pass: the extent of the stream, known long before its pictures.
    struct Extent {
        std::optional<Ticks> first;
        Ticks end = 0;
        std::int64_t packets = 0;
        void add(const AVPacket& packet);
        [[nodiscard]] Ticks length() const { return first ? end - *first : 0; }
    };

    [[nodiscard]] Result<void> open();
    void read_packets(std::stop_token stop);
    [[nodiscard]] Result<void> check_extents() const;
    void announce_duration();

    [[nodiscard]] Result<void> take_packets();
    [[nodiscard]] Result<void> take_packet(Demuxer::Packet packet);
    [[nodiscard]] Result<void> on_audio(av::PacketPtr packet);
    [[nodiscard]] Result<void> decode(const AVPacket* packet);
    void offer_source(const AVPacket& packet);
    [[nodiscard]] Result<void> show(const std::shared_ptr<Picture>& picture);
    [[nodiscard]] Result<void> place(std::size_t rendition, const Result<void>& sampled,
                                     std::vector<Order>& orders);
    [[nodiscard]] Result<void> open_renditions(const AVFrame* first, Ticks at);
    void settle_scaling(std::span<const std::unique_ptr<Rendition>> renditions,
                        const SegmentFacts& facts);
    [[nodiscard]] SegmentFacts facts_from(const AVFrame* first, Ticks at);
    [[nodiscard]] Result<void> pulse();

    [[nodiscard]] Result<TranscodeReport> finish();
    [[nodiscard]] Result<void> finish_without_video();
    [[nodiscard]] Result<void> finish_renditions(Ticks end);
    void hand_out(Workshop::Done done);
    void add_data(Rendition::Finished& finished);
    void report_splices(Ticks first);
    [[nodiscard]] StagesUsed stages_used() const;
    [[nodiscard]] Error no_video();
    void collect_warnings();

    ByteSource& source_;
    const TranscodeRequest& request_;
    TranscodeObserver& observer_;
    CancelToken cancel_;
    bool may_copy_;  // a rendition may be a copy of the source
    std::chrono::steady_clock::time_point started_;

    std::unique_ptr<Demuxer> demuxer_;
    PacketQueue queue_;
    Extent extents_[2];                   // the reader's, until known_length_ is set
    std::atomic<Ticks> known_length_{0};  // of the segment, set by the reader at its end
    std::unique_ptr<VideoSource> video_;  // null: the segment has no video stream
    std::optional<ScalerBank> scalers_;
    std::optional<CardScaler> card_;  // none: no picture stays on the card
    // Of the renditions, numbered as in the workshop.
    struct Plan {
        std::optional<Sampler> sampler;  // none: wants no pictures
        bool wants_source = false;
    };
    std::vector<Plan> plans_;
    std::vector<Shot> shots_;  // just sampled
    std::optional<TimedData> data_;
    std::optional<Ticks> decoded_at_;         // of the last video packet
    Ticks origin_ = 0;                        // zero of the source's clock
    Ticks first_ = 0;                         // time of the first picture, or of the first sound
    std::vector<av::PacketPtr> early_video_;  // until the first picture has come; for copies
    std::vector<av::PacketPtr> early_audio_;  // until the first picture has come
    std::optional<Ticks> last_audio_;         // decoding time
    Ticks audio_end_ = 0;
    SoundTailKeeper sound_tail_;
    bool audio_encoded_ = false;  // by a rendition: the next segment's will want the tail
    bool announced_ = false;
    Findings findings_;
    StagesUsed encoded_;  // of renditions that are through
    Progress progress_;
    TranscodeReport report_;
    std::unique_ptr<Workshop> workshop_;  // from the first picture on
    std::jthread reader_;                 // last: ends first
};

}  // namespace millrace::media
