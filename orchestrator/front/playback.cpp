#include "orchestrator/front/playback.h"

#include <algorithm>

#include "common/http/problem.h"
#include "orchestrator/front/names.h"
#include "orchestrator/front/playlist_text.h"
#include "orchestrator/front/playlist_token.h"
#include "orchestrator/front/rendition_part.h"

namespace millrace::orchestrator {
namespace {

constexpr std::string_view kPlaylistExtension = ".m3u8";
constexpr std::string_view kInitPrefix = "init_";

// Players read again what they have missed a moment ago; segments never change under their name.
constexpr std::string_view kPlaylistCaching = "max-age=1";
constexpr std::string_view kSegmentCaching = "max-age=3600, immutable";

std::optional<std::string> without(std::string_view name, std::string_view extension) {
    if (name.size() <= extension.size() || !name.ends_with(extension))
        return std::nullopt;
    return std::string(name.substr(0, name.size() - extension.size()));
}

void answer(const http::ExchangePtr& exchange, http::Response response, std::string_view caching) {
    response.headers.set("Access-Control-Allow-Origin", "*");
    response.headers.set("Cache-Control", std::string(caching));
    exchange->respond(std::move(response));
}

void not_found(const http::ExchangePtr& exchange, std::string detail) {
    answer(exchange, http::to_response({ApiCode::not_found, std::move(detail), {}}),
           kPlaylistCaching);
}

// Nothing when the rendition is not to be had under that extension.
std::optional<http::PayloadRange> range_of(const RenditionPart& part, bool init,
                                           std::string_view extension) {
    const std::uint64_t all = part.bytes->size();
    if (part.container != Container::mp4)
        return extension == ".ts" ? std::optional(http::PayloadRange{part.bytes, 0, all})
                                  : std::nullopt;
    if (extension == ".mp4")
        return http::PayloadRange{part.bytes, 0, init ? part.init_bytes : all};
    if (extension == ".m4s" && !init)
        return http::PayloadRange{part.bytes, part.init_bytes, part.size()};
    return std::nullopt;
}

void answer_playlist(const http::ExchangePtr& exchange, std::optional<std::string> text,
                     std::string_view token) {
    if (!text)
        return not_found(exchange, "no such playlist now");
    answer(exchange,
           http::text_response(200, "application/vnd.apple.mpegurl",
                               with_token(std::move(*text), token)),
           kPlaylistCaching);
}

// The token that URLs carry on; nothing = refused and answered.
std::optional<std::string> let_in(const WatchGate& gate, const http::ExchangePtr& exchange,
                                  const StreamName& stream) {
    auto verdict = gate(exchange->request(), stream);
    if (const auto* problem = std::get_if<http::Problem>(&verdict)) {
        answer(exchange, http::to_response(*problem), "no-store");
        return std::nullopt;
    }
    return std::get<std::string>(std::move(verdict));
}

void get_master(Playback& playback, const WatchGate& gate, const http::ExchangePtr& exchange,
                const std::string& file) {
    const auto stream = without(file, kPlaylistExtension);
    if (!stream || !valid_stream_name(*stream))
        return not_found(exchange, "a stream's playlist is /stream/NAME.m3u8");
    if (const auto token = let_in(gate, exchange, {*stream}))
        answer_playlist(exchange, playback.master({*stream}), *token);
}

void get_media(Playback& playback, const WatchGate& gate, const http::ExchangePtr& exchange,
               const std::string& stream, const std::string& file) {
    const auto rendition = without(file, kPlaylistExtension);
    if (!rendition || !valid_stream_name(stream))
        return not_found(exchange, "a rendition's playlist is /stream/NAME/RENDITION.m3u8");
    if (const auto token = let_in(gate, exchange, {stream}))
        answer_playlist(exchange, playback.media({stream}, *rendition), *token);
}

void get_segment(Playback& playback, const WatchGate& gate, const http::ExchangePtr& exchange,
                 const http::PathParameters& path) {
    if (valid_stream_name(path["stream"]) && !let_in(gate, exchange, {path["stream"]}))
        return;
    std::optional<http::PayloadRange> bytes;
    if (valid_stream_name(path["stream"]))
        bytes = playback.segment({path["stream"]}, path["rendition"], path["file"]);
    if (!bytes)
        return not_found(exchange, "no such segment now");
    http::Response response;
    response.headers.set("Content-Type",
                         path["file"].ends_with(".ts") ? "video/mp2t" : "video/mp4");
    response.body.emplace_back(*std::move(bytes));
    response.ranges = true;
    answer(exchange, std::move(response), kSegmentCaching);
}

// Browsers ask first when a player adds header fields of its own (Fetch standard, CORS-preflight).
void allow_origins(const http::ExchangePtr& exchange) {
    http::Response response;
    response.status = 204;
    response.headers.set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
    response.headers.set("Access-Control-Allow-Headers", "*");
    response.headers.set("Access-Control-Max-Age", "86400");
    answer(exchange, std::move(response), "max-age=86400");
}

}  // namespace

Playback::Playback(PlaybackConfig config, Clock clock)
    : config_(config), clock_(std::move(clock)) {}

StreamPlaylist* Playback::find(const StreamName& stream) {
    const auto found = streams_.find(stream);
    if (found == streams_.end())
        return nullptr;
    const TimePoint now = clock_();
    found->second.advance_to(now);
    if (!found->second.over(now))
        return &found->second;
    streams_.erase(found);
    return nullptr;
}

StreamPlaylist& Playback::obtain(const StreamName& stream) {
    if (StreamPlaylist* const known = find(stream))
        return *known;
    PlaylistConfig config;
    config.listed = config_.listed_segments;
    return streams_.try_emplace(stream, config).first->second;
}

void Playback::resume(const StreamName& stream, const PlaylistResume& from, bool ended) {
    if (!config_.enabled)
        return;
    const std::lock_guard lock(mutex_);
    StreamPlaylist& playlist = obtain(stream);
    playlist.resume(from);
    if (ended)
        playlist.end(from.session, clock_());
}

void Playback::tick() {
    const std::lock_guard lock(mutex_);
    const TimePoint now = clock_();
    for (auto stream = streams_.begin(); stream != streams_.end();) {
        stream->second.advance_to(now);
        stream = stream->second.over(now) ? streams_.erase(stream) : std::next(stream);
    }
}

void Playback::fit_memory() {
    const auto total = [&] {
        std::uint64_t bytes = 0;
        for (const auto& [name, playlist] : streams_)
            bytes += playlist.bytes();
        return bytes;
    };
    for (std::uint64_t held = total(); held > config_.bytes_max; held = total()) {
        const auto largest = std::max_element(
            streams_.begin(), streams_.end(),
            [](const auto& a, const auto& b) { return a.second.bytes() < b.second.bytes(); });
        if (!largest->second.drop_oldest())
            return;
    }
}

void Playback::segment_expected(const StreamName& stream, const SegmentKey& segment,
                                TimePoint deadline) {
    if (!config_.enabled)
        return;
    const std::lock_guard lock(mutex_);
    obtain(stream).expect(segment, deadline, clock_());
}

void Playback::segment_answered(const AnsweredSegmentPtr& segment) {
    if (!config_.enabled)
        return;
    const std::lock_guard lock(mutex_);
    obtain(segment->stream).answer(segment, clock_());
    fit_memory();
}

void Playback::segment_failed(const StreamName& stream, const SegmentKey& segment) {
    const std::lock_guard lock(mutex_);
    if (StreamPlaylist* const playlist = find(stream))
        playlist->fail(segment, clock_());
}

void Playback::session_ended(const SessionId& session, const StreamName& stream) {
    const std::lock_guard lock(mutex_);
    if (StreamPlaylist* const playlist = find(stream))
        playlist->end(session, clock_());
}

std::optional<std::string> Playback::master(const StreamName& stream) {
    const std::lock_guard lock(mutex_);
    const StreamPlaylist* const playlist = find(stream);
    return playlist == nullptr ? std::nullopt : master_playlist(stream, *playlist);
}

std::optional<std::string> Playback::media(const StreamName& stream, std::string_view rendition) {
    const std::lock_guard lock(mutex_);
    const StreamPlaylist* const playlist = find(stream);
    return playlist == nullptr ? std::nullopt
                               : media_playlist(*playlist, rendition, config_.listed_segments == 0);
}

std::optional<http::PayloadRange> Playback::segment(const StreamName& stream,
                                                    std::string_view rendition,
                                                    std::string_view file) {
    const std::size_t dot = std::min(file.rfind('.'), file.size());
    const std::string_view name = file.substr(0, dot);
    const std::string_view extension = file.substr(dot);
    const bool init = name.starts_with(kInitPrefix);
    const auto part_of = [&](const AnsweredSegment& segment) {
        return find_rendition(segment, rendition);
    };
    const auto wanted = [&](const AnsweredSegment& segment) {
        if (!init)
            return segment_name(segment.key) == name;
        const auto part = part_of(segment);
        return part && init_name(*part) == name;
    };
    const std::lock_guard lock(mutex_);
    const StreamPlaylist* const playlist = find(stream);
    const AnsweredSegmentPtr found = playlist == nullptr ? nullptr : playlist->find(wanted);
    const auto part = found ? part_of(*found) : std::nullopt;
    return part ? range_of(*part, init, extension) : std::nullopt;
}

std::uint64_t Playback::bytes() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t bytes = 0;
    for (const auto& [name, playlist] : streams_)
        bytes += playlist.bytes();
    return bytes;
}

std::size_t Playback::streams() const {
    const std::lock_guard lock(mutex_);
    return streams_.size();
}

void add_playback_routes(http::Router& router, Playback& playback, const WatchGate& gate) {
    using http::ExchangePtr;
    using http::Method;
    using http::PathParameters;
    router.on(Method::get, "/stream/{file}",
              [&playback, gate](const ExchangePtr& e, const PathParameters& path) {
                  get_master(playback, gate, e, path["file"]);
              });
    router.on(Method::get, "/stream/{stream}/{file}",
              [&playback, gate](const ExchangePtr& e, const PathParameters& path) {
                  get_media(playback, gate, e, path["stream"], path["file"]);
              });
    router.on(Method::get, "/stream/{stream}/{rendition}/{file}",
              [&playback, gate](const ExchangePtr& e, const PathParameters& path) {
                  get_segment(playback, gate, e, path);
              });
    for (const std::string_view pattern : {"/stream/{a}", "/stream/{a}/{b}", "/stream/{a}/{b}/{c}"})
        router.on(Method::options, pattern,
                  [](const ExchangePtr& e, const PathParameters&) { allow_origins(e); });
}

}  // namespace millrace::orchestrator
