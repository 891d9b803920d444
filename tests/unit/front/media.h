#pragma once
// Bytes and answered segments for tests.

#include <string>

#include "orchestrator/front/answered_segment.h"

namespace millrace::test {

// Null packets on a 188-byte grid: enough of a transport stream for the door.
inline std::string ts_bytes(std::size_t packets, char fill = 'x') {
    std::string bytes;
    for (std::size_t i = 0; i < packets; ++i)
        bytes += std::string("\x47\x1f\xff\x10", 4) + std::string(184, fill);
    return bytes;
}

inline PayloadPtr payload(const std::string& text) {
    static const auto pool = std::make_shared<BlockPool>();
    return make_payload(pool, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

inline SegmentKey key(std::uint64_t seq, std::uint32_t run = 0, char session = 'a') {
    SegmentKey key;
    key.session.value = std::string(32, session);
    key.run = run;
    key.seq = seq;
    return key;
}

// Two renditions, P240 and P360, and a source, all of them MPEG-TS of `ms`.
inline std::shared_ptr<orchestrator::AnsweredSegment> segment(SegmentKey of,
                                                              std::int64_t ms = 2000) {
    auto answered = std::make_shared<orchestrator::AnsweredSegment>();
    answered->key = std::move(of);
    answered->stream = {"cam"};
    SourceInfo& source = answered->report.source;
    source.container = Container::mpegts;
    source.video = VideoCodec::h264;
    source.size = {1280, 720};
    source.frame_rate = {30, 1};
    source.duration = std::chrono::milliseconds(ms);
    source.codecs = "avc1.64001f,mp4a.40.2";
    source.start_us = static_cast<std::int64_t>(answered->key.seq) * 2'000'000;
    // Number 0 begins at 2023-11-14T22:13:18Z.
    answered->committed_at.ms =
        1'700'000'000'000 + static_cast<std::int64_t>(answered->key.seq) * 2'000;
    answered->source = payload("source " + std::to_string(answered->key.seq));
    std::uint32_t index = 0;
    for (const auto& [name, size] : {std::pair{"P240", Size{426, 240}}, {"P360", Size{640, 360}}}) {
        RenditionReport report;
        report.index = index++;
        report.name = name;
        report.size = size;
        report.frames = ms * 30 / 1000;
        report.pixels = report.frames * size.pixels();
        report.frame_rate = {30, 1};
        report.codecs = "avc1.4d401e,mp4a.40.2";
        report.duration = source.duration;
        answered->renditions.push_back(
            payload(std::string(name) + " " + std::to_string(answered->key.seq)));
        report.bytes = answered->renditions.back()->size();
        answered->report.renditions.push_back(report);
    }
    return answered;
}

}  // namespace millrace::test
