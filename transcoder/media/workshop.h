#pragma once
// Where the renditions of one segment are made: a thread for each rendition that encodes, one that
// scales, and bounded queues between them. The pipeline decodes meanwhile. On a machine that is full
// there is no thread that scales: whoever brings a picture scales it, while it is in the caches, and no
// pictures of the source wait.
//
// Promises
// - A rendition is encoded by one thread from first to last, in the order of the orders: what comes
//   out does not depend on how fast anybody is.
// - One scale per distinct shape of a picture.
// - The first thing that goes wrong ends everything: nobody waits for ever.
// - Pictures that wait are bounded by kQueuedBytesMax between any two threads, but for one each.
//
// Thread: one calls, all calls but the constructor after start(). Its own threads have ended when
// it is destroyed.

#include <atomic>
#include <memory>
#include <thread>
#include <variant>
#include <vector>

#include "transcoder/media/rendition.h"
#include "transcoder/media/sampler.h"
#include "transcoder/media/stage_queue.h"

namespace millrace::media {

// A picture for one rendition, by its number in the workshop.
struct Order {
    std::size_t rendition = 0;
    Shot shot;
};

class Workshop {
public:
    static constexpr std::size_t kQueuedBytesMax = 16UL * 1024 * 1024;
    static constexpr std::size_t kQueuedMax = 2;  // pictures

    enum class Scaling : std::uint8_t { in_its_thread, by_the_caller };
    using Pulse = Rendition::Pulse;

    // `picture_bytes`: of a picture of the source; 0: no video.
    Workshop(std::vector<std::unique_ptr<Rendition>> renditions, ScalerBank& scalers,
             Scaling scaling, std::size_t picture_bytes, CancelToken cancel);
    ~Workshop();

    [[nodiscard]] Result<void> start();
    // What one picture of the source is needed for. Waits for room; `pulse` is called meanwhile as
    // often as somebody has worked, and its error ends the waiting.
    [[nodiscard]] Result<void> push(std::vector<Order> orders, const Pulse& pulse);
    void push_audio(std::size_t rendition, const AVPacket& packet);
    // Of the source's video, for a rendition that may be a copy of it.
    void push_source(std::size_t rendition, const AVPacket& packet);
    // No more of anything; one ending for each rendition.
    void finish(const std::vector<Rendition::Ending>& endings);

    struct Done {
        std::size_t rendition = 0;
        Rendition::Finished finished;
    };
    // After finish(): the next rendition, small pictures first; empty when work went on meanwhile.
    [[nodiscard]] Result<std::optional<Done>> next();

    // CPU time of scaling; valid when every rendition has come out.
    [[nodiscard]] std::int64_t scale_us() const { return scale_us_; }

private:
    struct Scaled {
        av::FramePtr picture;
        Ticks at = 0;
        std::vector<std::uint8_t> captions;
    };
    struct Audio {
        av::PacketPtr packet;
    };
    struct Source {
        av::PacketPtr packet;
    };
    using Item = std::variant<Scaled, Audio, Source, Rendition::Ending>;

    struct Line {
        Line(std::unique_ptr<Rendition> r, std::size_t room);
        std::unique_ptr<Rendition> rendition;
        Shape shape;
        StageQueue<Item> inbox;
        std::optional<Rendition::Finished> finished;  // under mutex_
        std::jthread thread;
    };

    void scale_all();
    // `pulse` null: nobody has to be told while it waits for room.
    [[nodiscard]] Result<void> scale(const Order& order, const Pulse* pulse);
    void end_lines();
    void encode_all(Line& line);
    [[nodiscard]] Result<Rendition::Finished> encode(Line& line);
    [[nodiscard]] Result<void> pulse();
    void fail(const Error& problem);
    void abandon();
    [[nodiscard]] Result<void> problem() const;
    [[nodiscard]] bool take_worked();

    ScalerBank& scalers_;
    CancelToken cancel_;
    Scaling how_;
    std::int64_t scale_us_ = 0;  // whose thread scales
    std::vector<std::unique_ptr<Line>> lines_;
    std::vector<std::size_t> by_size_;
    std::size_t handed_out_ = 0;
    StageQueue<std::vector<Order>> orders_;
    std::vector<Rendition::Ending> endings_;  // before orders_ is closed; whose thread scales then

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Error> problem_;
    bool worked_ = false;  // since push() or next() looked last
    std::jthread scaling_;
};

}  // namespace millrace::media
