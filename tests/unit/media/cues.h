#pragma once
// Timed data for tests: cues and tags made by hand, a segment that has some, and a reader of event messages
// that shares nothing with the pipeline's.
//
// Thread: any.

#include <optional>
#include <string>
#include <vector>

#include "tests/unit/media/clips.h"
#include "transcoder/media/ts_data.h"

namespace millrace::test {

using Bytes = std::vector<std::uint8_t>;
using media::Ticks;

// `value`, big endian, in so many bytes.
void put(Bytes& to, std::uint64_t value, int bytes);
[[nodiscard]] std::uint64_t number(const Bytes& from, std::size_t at, std::size_t bytes);

// SCTE 35 sections.
[[nodiscard]] Bytes insert(std::uint32_t event, bool leaves, std::optional<Ticks> at,
                           Ticks duration, Ticks adjustment = 0);
[[nodiscard]] Bytes time_signal(Ticks at, std::uint8_t type, std::uint32_t event, Ticks duration);
// A tag with one text in it.
[[nodiscard]] Bytes id3(const std::string& text);

// All bytes that FFmpeg's demuxer finds in one data stream.
[[nodiscard]] Bytes data_in(const Bytes& file, int stream);

// A second from 10 s on, one cue of each kind and two tags.
struct Source {
    Bytes out = insert(7, true, 1'035'000, 2'700'000);
    Bytes in = insert(7, false, 935'000, 0, 100'000);
    Bytes signal = time_signal(990'000, 0x34, 77, 900'000);
    Bytes first = id3("one");
    Bytes second = id3(std::string(500, 'x'));
    Bytes ts = *media::add_timed_data(clip({.seconds = 1.0}),
                                      {media::DataKind::scte35, media::DataKind::id3},
                                      {{0, 0, 909'000, out},
                                       {1, 911'000, 911'000, first},
                                       {0, 0, 925'000, in},
                                       {0, 0, 940'000, signal},
                                       {1, 953'217, 950'000, second}});
};

// An event message as ISO/IEC 23009-1, 5.10.3.3 writes it, read by a reader of our tests' own.
struct Message {
    std::uint64_t timescale = 0, at = 0, duration = 0, id = 0;
    std::string scheme{}, value{};
    Bytes data{};
};

struct Mp4Parts {
    std::vector<std::string> order;  // of the boxes
    std::vector<Message> messages;
    Bytes rest;  // everything else
};

[[nodiscard]] Mp4Parts parts_of(const Bytes& file);

}  // namespace millrace::test
