#pragma once
// Playback: the playlists of all streams, and what players ask of them.
//
// The loop tells it what was accepted and answered (PlaybackSink); players read. Deadlines take
// effect when somebody looks; tick() lets them take effect, and forgets what is over, when nobody does. Bytes
// it holds are bounded: window and tail of
// each stream, and `bytes_max` over all of them (the largest stream loses its oldest segment first).
//
// Thread: any; one mutex, held for as long as a playlist takes to print.
// Owner: main; made before the service, outlives it and the front.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/http/message.h"
#include "common/http/problem.h"
#include "common/http/router.h"
#include "orchestrator/front/ingest_port.h"
#include "orchestrator/front/playlist.h"

namespace millrace::orchestrator {

struct PlaybackConfig {
    bool enabled = true;              // --playback off: nothing is kept, every path is 404
    std::size_t listed_segments = 6;  // 0 = all
    std::uint64_t bytes_max = 1ULL << 30;
};

inline constexpr Duration kPlaybackTick = std::chrono::seconds(1);

class Playback final : public PlaybackSink {
public:
    using Clock = std::function<TimePoint()>;

    explicit Playback(PlaybackConfig config, Clock clock = std::chrono::steady_clock::now);

    // Before the first segment: what an earlier process had come to with a session, the latest of a stream last.
    void resume(const StreamName& stream, const PlaylistResume& from, bool ended);
    // Now and then (kPlaybackTick).
    void tick();

    // PlaybackSink
    void segment_expected(const StreamName& stream, const SegmentKey& segment,
                          TimePoint deadline) override;
    void segment_answered(const AnsweredSegmentPtr& segment) override;
    void segment_failed(const StreamName& stream, const SegmentKey& segment) override;
    void session_ended(const SessionId& session, const StreamName& stream) override;

    // Players; nothing = 404.
    [[nodiscard]] std::optional<std::string> master(const StreamName& stream);
    [[nodiscard]] std::optional<std::string> media(const StreamName& stream,
                                                   std::string_view rendition);
    // `file` is what a playlist names: segment.ts, segment.m4s, init.mp4; or segment.mp4, which plays by itself.
    [[nodiscard]] std::optional<http::PayloadRange> segment(const StreamName& stream,
                                                            std::string_view rendition,
                                                            std::string_view file);

    [[nodiscard]] bool enabled() const { return config_.enabled; }
    [[nodiscard]] std::uint64_t bytes() const;
    [[nodiscard]] std::size_t streams() const;

private:
    // The stream's playlist as of now; null when there is none.
    [[nodiscard]] StreamPlaylist* find(const StreamName& stream);
    [[nodiscard]] StreamPlaylist& obtain(const StreamName& stream);
    void fit_memory();

    PlaybackConfig config_;
    Clock clock_;
    mutable std::mutex mutex_;
    std::map<StreamName, StreamPlaylist> streams_;
};

// Asked before anything of a stream is shown: the token that URLs in playlists carry on ("" = none), or the
// refusal.
using WatchGate = std::function<std::variant<std::string, http::Problem>(const http::Request&,
                                                                         const StreamName&)>;

// GET /stream/…, with CORS for every origin.
void add_playback_routes(http::Router& router, Playback& playback, const WatchGate& gate);

}  // namespace millrace::orchestrator
