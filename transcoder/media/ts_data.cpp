#include "transcoder/media/ts_data.h"

#include <algorithm>
#include <string_view>

namespace millrace::media {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kPacket = 188;
constexpr std::uint16_t kFirstPid = 0x1f0;
constexpr std::uint8_t kId3Type = 0x15;     // metadata in PES packets
constexpr std::uint8_t kScte35Type = 0x86;  // SCTE 35, 8.1
constexpr std::string_view kId3Name = "ID3 ";

void put(Bytes& to, std::string_view text) {
    to.insert(to.end(), text.begin(), text.end());
}
void put(Bytes& to, std::initializer_list<std::uint64_t> bytes) {
    for (const std::uint64_t byte : bytes)
        to.push_back(static_cast<std::uint8_t>(byte));
}

unsigned pid_of(std::span<const std::uint8_t> packet) {
    return (packet[1] & 0x1fU) << 8 | packet[2];
}
bool starts_unit(std::span<const std::uint8_t> packet) {
    return (packet[1] & 0x40) != 0;
}
std::span<const std::uint8_t> payload_of(std::span<const std::uint8_t> packet) {
    std::size_t at = 4;
    if ((packet[3] & 0x20) != 0)
        at += 1U + packet[4];
    return (packet[3] & 0x10) == 0 || at >= kPacket ? packet.last(0) : packet.subspan(at);
}

// The section that begins in this packet, when it ends there too.
std::span<const std::uint8_t> section_in(std::span<const std::uint8_t> packet) {
    const auto payload = payload_of(packet);
    if (!starts_unit(packet) || payload.empty() || payload[0] + 4U > payload.size())
        return {};
    const auto section = payload.subspan(payload[0] + 1U);
    const std::size_t size = ((section[1] & 0x0fU) << 8 | section[2]) + 3U;
    return size < 12 || size > section.size() ? section.first(0) : section.first(size);
}

std::optional<Ticks> time_in(std::span<const std::uint8_t> pes, std::size_t at) {
    if (at + 5 > pes.size())
        return std::nullopt;
    return Ticks{pes[at] >> 1 & 7} << 30 | Ticks{pes[at + 1]} << 22 |
           Ticks{pes[at + 2] >> 1} << 15 | Ticks{pes[at + 3]} << 7 | Ticks{pes[at + 4] >> 1};
}

// Decoding time of the PES packet that begins here.
std::optional<Ticks> decoded_at(std::span<const std::uint8_t> packet) {
    const auto pes = payload_of(packet);
    if (!starts_unit(packet) || pes.size() < 14 || pes[0] != 0 || pes[1] != 0 || pes[2] != 1)
        return std::nullopt;
    if ((pes[7] & 0xc0) == 0xc0)
        return time_in(pes, 14);
    return (pes[7] & 0x80) != 0 ? time_in(pes, 9) : std::nullopt;
}

// `a` at or before `b` on a clock of 33 bits.
bool not_after(Ticks a, Ticks b) {
    return ((b - a) & (kWrap - 1)) < kWrap / 2;
}

Bytes program_descriptors(const std::vector<DataKind>& streams, std::uint64_t program) {
    Bytes out;
    if (std::ranges::count(streams, DataKind::scte35) > 0) {
        put(out, {0x05, 4});
        put(out, "CUEI");
    }
    if (std::ranges::count(streams, DataKind::id3) > 0) {
        put(out, {0x25, 15, 0xff, 0xff});  // metadata_pointer_descriptor
        put(out, kId3Name);
        put(out, {0xff});
        put(out, kId3Name);
        put(out, {0, 0x1f, program >> 8U, program & 0xffU});
    }
    return out;
}

Bytes stream_entry(DataKind kind, unsigned pid) {
    Bytes out;
    if (kind == DataKind::scte35) {
        put(out, {kScte35Type, 0xe0 | pid >> 8, pid & 0xff, 0xf0, 0});
        return out;
    }
    put(out, {kId3Type, 0xe0 | pid >> 8, pid & 0xff, 0xf0, 15, 0x26, 13, 0xff, 0xff});
    put(out, kId3Name);
    put(out, {0xff});
    put(out, kId3Name);
    put(out, {0, 0x0f});
    return out;
}

// The map with the new streams in it; empty when it makes no sense.
Bytes extended(std::span<const std::uint8_t> map, const std::vector<DataKind>& streams) {
    const std::size_t info = (map[10] & 0x0fU) << 8 | map[11];
    if (12 + info + 4 > map.size())
        return {};
    const Bytes program = program_descriptors(streams, std::uint64_t{map[3]} << 8 | map[4]);
    Bytes out(map.begin(), map.begin() + 10);
    put(out, {0xf0U | (info + program.size()) >> 8, (info + program.size()) & 0xff});
    const auto old = map.subspan(12, map.size() - 12 - 4);
    out.insert(out.end(), old.begin(), old.begin() + static_cast<std::ptrdiff_t>(info));
    out.insert(out.end(), program.begin(), program.end());
    out.insert(out.end(), old.begin() + static_cast<std::ptrdiff_t>(info), old.end());
    for (std::size_t i = 0; i < streams.size(); ++i) {
        const Bytes entry = stream_entry(streams[i], static_cast<unsigned>(kFirstPid + i));
        out.insert(out.end(), entry.begin(), entry.end());
    }
    const std::size_t length = out.size() - 3 + 4;
    out[1] = static_cast<std::uint8_t>((out[1] & 0xf0U) | length >> 8);
    out[2] = static_cast<std::uint8_t>(length & 0xff);
    const std::uint32_t crc = section_crc(out);
    put(out, {crc >> 24, crc >> 16 & 0xff, crc >> 8 & 0xff, crc & 0xff});
    return out;
}

Bytes pes_of(const DataItem& item) {
    Bytes out;
    const std::uint64_t length = item.bytes.size() + 8;
    const auto pts = static_cast<std::uint64_t>(item.at & (kWrap - 1));
    // private_stream_1, aligned, with a presentation time.
    put(out, {0, 0, 1, 0xbd, length >> 8, length & 0xff, 0x84, 0x80, 5});
    put(out, {0x21 | (pts >> 29 & 0x0e), pts >> 22 & 0xff, 1 | (pts >> 14 & 0xfe), pts >> 7 & 0xff,
              1 | (pts << 1 & 0xfe)});
    out.insert(out.end(), item.bytes.begin(), item.bytes.end());
    return out;
}

// Cuts payload units of one PID into packets.
class Packetiser {
public:
    Packetiser(DataKind kind, unsigned pid) : kind_(kind), pid_(pid) {}

    void write(const DataItem& item, Bytes& to) {
        Bytes unit;
        if (kind_ == DataKind::scte35) {
            unit.push_back(0);  // pointer_field
            unit.insert(unit.end(), item.bytes.begin(), item.bytes.end());
        } else {
            unit = pes_of(item);
        }
        for (std::size_t at = 0; at < unit.size();)
            at += packet(std::span(unit).subspan(at), at == 0, to);
    }

private:
    // Sections are filled up behind, PES packets by a longer adaptation field.
    std::size_t packet(std::span<const std::uint8_t> rest, bool first, Bytes& to) {
        std::size_t field = begun_ ? 0 : 2;  // bytes of the adaptation field
        const std::size_t take = std::min(rest.size(), kPacket - 4 - field);
        const std::size_t fill = kPacket - 4 - field - take;
        if (kind_ == DataKind::id3)
            field += fill;
        put(to, {0x47, (first ? 0x40U : 0U) | pid_ >> 8, pid_ & 0xff,
                 (field > 0 ? 0x30U : 0x10U) | counter_});
        if (field > 0)
            to.push_back(static_cast<std::uint8_t>(field - 1));
        if (field > 1)
            to.push_back(begun_ ? 0x00 : 0x80);  // discontinuity_indicator
        if (field > 2)
            to.insert(to.end(), field - 2, 0xff);
        to.insert(to.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(take));
        if (kind_ == DataKind::scte35)
            to.insert(to.end(), fill, 0xff);
        counter_ = (counter_ + 1) & 0x0f;
        begun_ = true;
        return take;
    }

    DataKind kind_;
    unsigned pid_;
    unsigned counter_ = 0;
    bool begun_ = false;
};

// Copies packets and puts the items between them.
class Splicer {
public:
    Splicer(const std::vector<DataKind>& streams, const std::vector<DataItem>& items)
        : streams_(streams), items_(items) {
        for (std::size_t i = 0; i < streams.size(); ++i)
            packetisers_.emplace_back(streams[i], static_cast<unsigned>(kFirstPid + i));
    }

    Result<Bytes> run(std::span<const std::uint8_t> ts) {
        if (ts.size() % kPacket != 0)
            return error(ErrorKind::bad_input, "not whole transport packets");
        out_.reserve(ts.size() + 2 * kPacket * (items_.size() + 1));
        for (; !ts.empty(); ts = ts.subspan(kPacket))
            MR_TRY(copy(ts.first(kPacket)));
        if (map_pid_ == 0 || lead_pid_ == 0)
            return error(ErrorKind::bad_input, "no programme map");
        insert_until(std::nullopt);
        return std::move(out_);
    }

private:
    Result<void> copy(std::span<const std::uint8_t> packet) {
        const unsigned pid = pid_of(packet);
        if (const auto section = section_in(packet); pid == 0 && section.size() >= 16)
            map_pid_ = (section[10] & 0x1fU) << 8 | section[11];
        else if (pid == map_pid_ && pid != 0)
            return copy_map(packet);
        if (pid == lead_pid_ && pid != 0)
            if (const auto at = decoded_at(packet))
                insert_until(at);
        out_.insert(out_.end(), packet.begin(), packet.end());
        return {};
    }

    Result<void> copy_map(std::span<const std::uint8_t> packet) {
        const auto map = section_in(packet);
        const Bytes longer = map.empty() ? Bytes() : extended(map, streams_);
        const auto head = static_cast<std::size_t>(payload_of(packet).data() - packet.data());
        if (longer.empty() || head + 1 + longer.size() > kPacket)
            return error(ErrorKind::bad_input, "the programme map has no room");
        const std::size_t info = (map[10] & 0x0fU) << 8 | map[11];
        if (12 + info + 4 + 5 <= map.size())
            lead_pid_ = (map[12 + info + 1] & 0x1fU) << 8 | map[12 + info + 2];
        const std::size_t end = out_.size() + kPacket;
        out_.insert(out_.end(), packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(head));
        out_.push_back(0);
        out_.insert(out_.end(), longer.begin(), longer.end());
        out_.resize(end, 0xff);
        return {};
    }

    void insert_until(std::optional<Ticks> decoded) {
        for (; next_ < items_.size(); ++next_) {
            const DataItem& item = items_[next_];
            if (decoded && item.position && !not_after(*item.position, *decoded))
                return;
            packetisers_[item.stream].write(item, out_);
        }
    }

    const std::vector<DataKind>& streams_;
    const std::vector<DataItem>& items_;
    std::vector<Packetiser> packetisers_;
    Bytes out_;
    std::size_t next_ = 0;
    unsigned map_pid_ = 0;
    unsigned lead_pid_ = 0;  // of the stream whose times say where items go
};

}  // namespace

std::uint32_t section_crc(std::span<const std::uint8_t> bytes) {
    std::uint32_t crc = 0xffffffff;
    for (const std::uint8_t byte : bytes) {
        crc ^= std::uint32_t{byte} << 24;
        for (int bit = 0; bit < 8; ++bit)
            crc = crc << 1 ^ ((crc >> 31) != 0 ? 0x04c11db7U : 0U);
    }
    return crc;
}

Result<std::vector<std::uint8_t>> add_timed_data(std::span<const std::uint8_t> ts,
                                                 const std::vector<DataKind>& streams,
                                                 const std::vector<DataItem>& items) {
    return Splicer(streams, items).run(ts);
}

}  // namespace millrace::media
