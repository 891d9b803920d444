#pragma once
// Which segments of a stream are listed, in which order, and when. Pure: time is an argument.
//
// Rules
// - Order is (session in order of appearance, run, seq). A segment is listed in all renditions at once.
//     Why: players switch renditions by media sequence number; a number must mean one segment.
// - seq n+1 waits for n until n's deadline, or until n failed; a number nobody has announced yet is
//   waited for until the deadline of the segment behind it. Then n is passed over: a gap with a
//   discontinuity, and n is not listed any more, however late it comes.
//     Why: a listed segment can never be inserted before another one.
// - Numbers never fall: media sequence +1 per listed segment, discontinuity sequence +1 per
//   discontinuity that has left the list (RFC 8216, sections 4.3.3.2 and 4.3.3.3).
// - After a restart both go on from the number of segments ever committed on the stream, which the store
//   counts in the transaction of each commit. Why: a listed segment was committed before, and a discontinuity
//   stands before a listed segment, so neither number was ever higher.
// - A discontinuity stands where players need one (joins.h), at a new run or session, after a gap, and at
//   the first segment after a restart.
// - Wall time: the first segment of a run of segments without discontinuity began its duration before its last byte
//   arrived; each further one begins where the one before ended, on the media's own clock.
// - Beside the listed window a short tail is kept, for players that loaded the list a moment ago.
//
// Bounded: window + tail of segments, kPendingMax waiting ones.
// Thread: its owner's. Owner: Playback.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "orchestrator/front/answered_segment.h"
#include "orchestrator/front/splices.h"

namespace millrace::orchestrator {

struct PlaylistConfig {
    std::size_t listed = 6;  // segments; 0 = all that are kept
    std::size_t tail = 6;    // kept behind the list
    Duration kept_after_end = std::chrono::seconds(60);
};

inline constexpr std::size_t kPendingMax = 64;  // segments that wait for an earlier one

struct ListedSegment {
    AnsweredSegmentPtr segment;
    std::uint64_t media_sequence = 0;
    std::uint64_t discontinuities_before = 0;
    bool discontinuity = false;  // between the segment before and this one
    Duration starts_at{0};       // wall time, since the Unix epoch
    std::vector<DateRange> splices;
};

// Where an earlier process had come to with one session of a stream.
struct PlaylistResume {
    SessionId session;
    std::uint64_t numbers_used = 0;  // on the stream: none below is given again
    // The highest committed: nothing up to it is listed again.
    std::optional<std::pair<std::uint32_t, std::uint64_t>> run_and_seq;
};

class StreamPlaylist {
public:
    explicit StreamPlaylist(PlaylistConfig config) : config_(config) {}

    // Before anything else; once for each session, the latest last.
    void resume(const PlaylistResume& from);

    void expect(const SegmentKey& key, TimePoint deadline, TimePoint now);
    void answer(const AnsweredSegmentPtr& segment, TimePoint now);
    void fail(const SegmentKey& key, TimePoint now);
    void end(const SessionId& session, TimePoint now);
    // Deadlines that have passed take effect.
    void advance_to(TimePoint now);

    // What a playlist shows, oldest first.
    [[nodiscard]] std::vector<const ListedSegment*> listed() const;
    // Ended, and everything accepted before that is listed or given up.
    [[nodiscard]] bool ended() const { return ended_at_ && pending_.empty(); }
    // The end was long enough ago to forget the stream.
    [[nodiscard]] bool over(TimePoint now) const;
    // Never shrinks; at least 1 s once something is listed.
    [[nodiscard]] std::chrono::seconds target_duration() const { return target_; }
    // Nothing was ever dropped from the front: all there is since the start.
    [[nodiscard]] bool complete() const {
        return entries_.empty() || entries_.front().media_sequence == 0;
    }

    // The first of the list and the tail that `wanted` says yes to; null when there is none.
    [[nodiscard]] AnsweredSegmentPtr find(
        const std::function<bool(const AnsweredSegment&)>& wanted) const;

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    // Forgets the oldest segment, for a memory limit above this. False when there is none.
    bool drop_oldest();

private:
    struct Order {
        std::uint64_t session = 0;
        std::uint32_t run = 0;
        std::uint64_t seq = 0;
        auto operator<=>(const Order&) const = default;
    };
    struct Pending {
        TimePoint deadline;
        AnsweredSegmentPtr answer;
        bool failed = false;
    };

    // Nothing when its place has been passed.
    [[nodiscard]] Pending* place(const SegmentKey& key);
    [[nodiscard]] Order order_of(const SegmentKey& key);
    std::uint64_t session_order(const SessionId& session);
    [[nodiscard]] bool goes_on(const Order& order, const AnsweredSegment& segment) const;
    [[nodiscard]] bool follows(const Order& order) const;
    [[nodiscard]] bool settle_first(TimePoint now);
    void append(const Order& order, AnsweredSegmentPtr segment);

    PlaylistConfig config_;
    std::deque<ListedSegment> entries_;  // tail, then list
    std::map<Order, Pending> pending_;
    std::optional<Order> last_;  // listed or passed over
    bool gap_ = false;           // something was passed over since the last listed one
    std::map<std::string, std::uint64_t> sessions_;
    std::uint64_t sessions_seen_ = 0;
    std::string session_;  // the latest
    std::optional<TimePoint> ended_at_;
    std::uint64_t next_media_sequence_ = 0;
    std::uint64_t discontinuities_ = 0;
    std::chrono::seconds target_{0};
    SpliceBook splices_;
    std::uint64_t bytes_ = 0;
};

// "1f0c44aa_0_17": a segment's name in its stream, the same in all renditions, never used for other
// bytes.
[[nodiscard]] std::string segment_name(const SegmentKey& key);

}  // namespace millrace::orchestrator
