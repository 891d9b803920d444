#pragma once
// Segments with captions (ATSC A/53) made for tests, and the captions of what became of them, read by bytes alone.
//
// Thread: the test's.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"

namespace millrace::test {

using Bytes = std::vector<std::uint8_t>;

// Pair `n` of a type, valid; neither byte is ever zero.
inline Bytes pair_of(std::uint8_t type, unsigned n) {
    return {static_cast<std::uint8_t>(0xfc | type), static_cast<std::uint8_t>(0x40 | (n & 0x3f)),
            static_cast<std::uint8_t>(0x40 | (n >> 6 & 0x3f))};
}

inline Bytes of_type(const Bytes& cc_data, int first, int last) {
    Bytes out;
    for (std::size_t i = 0; i + 3 <= cc_data.size(); i += 3)
        if ((cc_data[i] & 4) != 0 && (cc_data[i] & 3) >= first && (cc_data[i] & 3) <= last)
            out.insert(out.end(), cc_data.begin() + static_cast<std::ptrdiff_t>(i),
                       cc_data.begin() + static_cast<std::ptrdiff_t>(i + 3));
    return out;
}

// One field-1 pair and `packets` CEA-708 pairs for each picture of a source at 60 fps.
inline std::vector<Bytes> source_captions(int pictures, int packets) {
    std::vector<Bytes> all;
    for (unsigned n = 0; n < static_cast<unsigned>(pictures); ++n) {
        Bytes one = pair_of(static_cast<std::uint8_t>(n % 2), n);
        for (unsigned k = 0; k < static_cast<unsigned>(packets); ++k) {
            const Bytes more = pair_of(k == 0 ? 3 : 2, n * 8 + k);
            one.insert(one.end(), more.begin(), more.end());
        }
        all.push_back(one);
    }
    return all;
}

// A SEI message with captions as H.264 carries it (ATSC A/53 part 4, 6.2.3).
inline Bytes sei(const Bytes& cc_data) {
    Bytes nal{0,
              0,
              0,
              1,
              6,
              4,
              static_cast<std::uint8_t>(cc_data.size() + 11),
              0xb5,
              0x00,
              0x31,
              'G',
              'A',
              '9',
              '4',
              0x03,
              static_cast<std::uint8_t>(0xc0 | cc_data.size() / 3),
              0xff};
    nal.insert(nal.end(), cc_data.begin(), cc_data.end());
    nal.insert(nal.end(), {0xff, 0x80});
    return nal;
}

// Access units of an Annex B stream, which all begin with a delimiter.
inline std::vector<Bytes> access_units(const Bytes& stream, bool hevc) {
    std::vector<Bytes> units;
    for (std::size_t at = 0; at < stream.size(); ++at) {
        const bool start =
            at + 4 < stream.size() && stream[at] == 0 && stream[at + 1] == 0 && stream[at + 2] == 1;
        const unsigned head = start ? stream[at + 3] : 0U;
        const unsigned type = hevc ? head >> 1 & 0x3f : head & 0x1f;
        if (start && type == (hevc ? 35 : 9))
            units.emplace_back();
        if (!units.empty())
            units.back().push_back(stream[at]);
    }
    return units;
}

// cc_data of an access unit, by its bytes alone.
inline Bytes captions_in(const Bytes& unit) {
    Bytes plain;
    int zeros = 0;
    for (const std::uint8_t byte : unit) {
        if (zeros >= 2 && byte == 3) {
            zeros = 0;
            continue;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        plain.push_back(byte);
    }
    const Bytes name{0xb5, 0x00, 0x31, 'G', 'A', '9', '4', 0x03};
    const auto at = std::search(plain.begin(), plain.end(), name.begin(), name.end());
    if (plain.end() - at < 10)
        return {};
    const auto count = static_cast<std::ptrdiff_t>(at[8] & 0x1f);
    return {at + 10, at + 10 + count * 3};
}

// Runs ffmpeg over bytes.
inline Bytes through_ffmpeg(const Bytes& bytes, const std::string& before,
                            const std::string& after) {
    const auto path = std::filesystem::temp_directory_path() / "millrace-captions.bin";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    Bytes out = made_by(before + " -i " + path.string() + " " + after);
    std::filesystem::remove(path);
    return out;
}

// cc_data of each picture in the order of showing.
inline std::vector<Bytes> shown_captions(const Bytes& file, bool hevc) {
    const auto units = access_units(
        through_ffmpeg(file, "",
                       std::string("-map 0:v -c copy -f ") + (hevc ? "hevc" : "h264") + " pipe:1"),
        hevc);
    const auto packets = probe_packets(file, "v:0");
    REQUIRE(units.size() == packets.size());
    std::vector<std::pair<std::int64_t, Bytes>> all;
    for (std::size_t i = 0; i < units.size(); ++i)
        all.emplace_back(packets[i].pts, captions_in(units[i]));
    std::ranges::sort(all);
    std::vector<Bytes> out;
    for (auto& [pts, captions] : all)
        out.push_back(std::move(captions));
    return out;
}

// 60 fps, a second of it, each picture with its captions.
inline Bytes captioned(const std::vector<Bytes>& captions) {
    const Bytes plain = made_by(
        "-f lavfi -i testsrc2=size=160x90:rate=60 -frames:v " + std::to_string(captions.size()) +
        " -pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 0 -x264-params aud=1 -f h264 pipe:1");
    Bytes with;
    std::size_t n = 0;
    for (const Bytes& unit : access_units(plain, false)) {
        const Bytes message = sei(captions[n++]);
        const Bytes start{0, 0, 0, 1, 9, unit[4]};
        with.insert(with.end(), start.begin(), start.end());
        with.insert(with.end(), message.begin(), message.end());
        with.insert(with.end(), unit.begin() + 5, unit.end());
    }
    REQUIRE(n == captions.size());
    return through_ffmpeg(with, "-r 60 -f h264", "-c copy -muxdelay 0 -f mpegts pipe:1");
}

inline Bytes all_of(const std::vector<Bytes>& captions) {
    return joined(captions);
}

}  // namespace millrace::test
