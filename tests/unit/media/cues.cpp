#include "tests/unit/media/cues.h"

#include <filesystem>
#include <fstream>

#include "tests/support/catch.h"

namespace millrace::test {

void put(Bytes& to, std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i)
        to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

namespace {

Bytes section(std::uint8_t command, const Bytes& body, const Bytes& descriptors, Ticks adjustment) {
    Bytes out{0xfc, 0x30, 0x00, 0x00};
    put(out, static_cast<std::uint64_t>(adjustment), 5);
    put(out, 0x00fff0, 3);  // cw_index, tier, upper bits of the length
    out.push_back(static_cast<std::uint8_t>(body.size()));
    out.push_back(command);
    out.insert(out.end(), body.begin(), body.end());
    put(out, descriptors.size(), 2);
    out.insert(out.end(), descriptors.begin(), descriptors.end());
    out[2] = static_cast<std::uint8_t>(out.size() - 3 + 4);
    put(out, media::section_crc(out), 4);
    return out;
}

}  // namespace

Bytes insert(std::uint32_t event, bool leaves, std::optional<Ticks> at, Ticks duration,
             Ticks adjustment) {
    Bytes body;
    put(body, event, 4);
    body.push_back(0x7f);
    body.push_back(static_cast<std::uint8_t>((leaves ? 0x80 : 0) | 0x40 |
                                             (duration > 0 ? 0x20 : 0) | (at ? 0 : 0x10) | 0x0f));
    if (at)
        put(body, 0xfe00000000 | static_cast<std::uint64_t>(*at), 5);
    if (duration > 0)
        put(body, 0xfe00000000 | static_cast<std::uint64_t>(duration), 5);
    put(body, 1, 2);
    put(body, 0, 2);
    return section(5, body, {}, adjustment);
}

Bytes time_signal(Ticks at, std::uint8_t type, std::uint32_t event, Ticks duration) {
    Bytes body;
    put(body, 0xfe00000000 | static_cast<std::uint64_t>(at), 5);
    Bytes descriptor;
    put(descriptor, 0x43554549, 4);
    put(descriptor, event, 4);
    descriptor.insert(descriptor.end(), {0x7f, 0xff});
    put(descriptor, static_cast<std::uint64_t>(duration), 5);
    descriptor.insert(descriptor.end(), {0x09, 0x02, 'i', 'd', type, 1, 1});
    descriptor.insert(descriptor.begin(), {0x02, static_cast<std::uint8_t>(descriptor.size())});
    return section(6, body, descriptor, 0);
}

Bytes id3(const std::string& text) {
    const std::size_t frame = 10 + 1 + text.size();
    Bytes tag{'I',
              'D',
              '3',
              4,
              0,
              0,
              0,
              0,
              static_cast<std::uint8_t>(frame >> 7),
              static_cast<std::uint8_t>(frame & 0x7f),
              'T',
              'X',
              'X',
              'X',
              0,
              0,
              static_cast<std::uint8_t>((text.size() + 1) >> 7),
              static_cast<std::uint8_t>((text.size() + 1) & 0x7f),
              0,
              0,
              3};
    tag.insert(tag.end(), text.begin(), text.end());
    return tag;
}

Bytes data_in(const Bytes& file, int stream) {
    const auto path = std::filesystem::temp_directory_path() / "millrace-data.ts";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(file.data()),
               static_cast<std::streamsize>(file.size()));
    Bytes out = made_by("-i " + path.string() + " -map 0:d:" + std::to_string(stream) +
                        " -c copy -f data pipe:1");
    std::filesystem::remove(path);
    return out;
}

std::uint64_t number(const Bytes& from, std::size_t at, std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i)
        value = value * 256 + from.at(at + i);
    return value;
}

namespace {

Message message_in(const Bytes& box) {
    REQUIRE(number(box, 8, 4) == 0x01000000);  // version 1, no flags
    Message m{number(box, 12, 4), number(box, 16, 8), number(box, 24, 4), number(box, 28, 4)};
    std::size_t at = 32;
    for (std::string* text : {&m.scheme, &m.value}) {
        while (box.at(at) != 0)
            text->push_back(static_cast<char>(box[at++]));
        ++at;
    }
    m.data.assign(box.begin() + static_cast<std::ptrdiff_t>(at), box.end());
    return m;
}

}  // namespace

Mp4Parts parts_of(const Bytes& file) {
    Mp4Parts parts;
    for (std::size_t at = 0; at < file.size();) {
        const std::size_t size = number(file, at, 4);
        REQUIRE((size >= 8 && size <= file.size() - at));
        const Bytes box(file.begin() + static_cast<std::ptrdiff_t>(at),
                        file.begin() + static_cast<std::ptrdiff_t>(at + size));
        parts.order.emplace_back(box.begin() + 4, box.begin() + 8);
        if (parts.order.back() == "emsg")
            parts.messages.push_back(message_in(box));
        else
            parts.rest.insert(parts.rest.end(), box.begin(), box.end());
        at += size;
    }
    return parts;
}

}  // namespace millrace::test
