#include "transcoder/media/mp4_event_reader.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "transcoder/media/mp4_events.h"

namespace millrace::media {
namespace {

constexpr std::uint32_t kDurationUnknown = std::numeric_limits<std::uint32_t>::max();
// As in the demuxer: no clock reads more, the rest is damage.
constexpr std::uint64_t kTimeMax = std::uint64_t{1} << 50;

// Big-endian numbers and texts from the front; what lies beyond the end makes it bad.
class Fields {
public:
    explicit Fields(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    std::uint64_t number(std::size_t bytes) {
        std::uint64_t value = 0;
        for (const std::uint8_t byte : cut(bytes))
            value = value << 8 | byte;
        return value;
    }
    // Up to its zero.
    std::string_view text() {
        const auto end = std::ranges::find(bytes_, std::uint8_t{0});
        if (end == bytes_.end()) {
            bad_ = true;
            return {};
        }
        const auto text = cut(static_cast<std::size_t>(end - bytes_.begin()));
        (void)cut(1);
        return {reinterpret_cast<const char*>(text.data()), text.size()};
    }
    [[nodiscard]] std::span<const std::uint8_t> rest() const { return bytes_; }
    [[nodiscard]] bool bad() const { return bad_; }

private:
    std::span<const std::uint8_t> cut(std::size_t count) {
        bad_ = bad_ || count > bytes_.size();
        const auto front = bytes_.first(std::min(count, bytes_.size()));
        bytes_ = bytes_.subspan(front.size());
        return front;
    }

    std::span<const std::uint8_t> bytes_;
    bool bad_ = false;
};

std::optional<DataKind> kind_of(std::string_view scheme) {
    if (scheme == kId3Scheme)
        return DataKind::id3;
    return scheme == kScte35Scheme ? std::optional(DataKind::scte35) : std::nullopt;
}

// Rounded down; none = nothing that a clock could say.
std::optional<Ticks> to_ticks(std::uint64_t value, std::uint64_t timescale) {
    if (timescale == 0 || value / timescale > kTimeMax / kTicksPerSecond)
        return std::nullopt;
    return static_cast<Ticks>(value / timescale * kTicksPerSecond +
                              value % timescale * kTicksPerSecond / timescale);
}

// From behind the box's header. None: another scheme, another version, or damaged.
std::optional<Mp4EventReader::Event> parse(std::span<const std::uint8_t> body) {
    Fields in(body);
    const std::uint64_t version = in.number(1);
    (void)in.number(3);  // flags
    Mp4EventReader::Event event;
    std::string_view scheme;
    std::uint64_t timescale = 0, at = 0, duration = 0;
    if (version == 0) {
        scheme = in.text();
        (void)in.text();  // value
        timescale = in.number(4);
        at = in.number(4);
        duration = in.number(4);
        (void)in.number(4);  // id
        event.relative = true;
    } else if (version == 1) {
        timescale = in.number(4);
        at = in.number(8);
        duration = in.number(4);
        (void)in.number(4);  // id
        scheme = in.text();
        (void)in.text();  // value
    }
    const auto kind = kind_of(scheme);
    const auto ticks = to_ticks(at, timescale);
    if (in.bad() || !kind || !ticks || in.rest().empty())
        return std::nullopt;
    event.kind = *kind;
    event.at = *ticks;
    if (duration != kDurationUnknown)
        event.duration = to_ticks(duration, timescale);
    event.bytes.assign(in.rest().begin(), in.rest().end());
    return event;
}

}  // namespace

void Mp4EventReader::feed(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty() && !lost_) {
        if (!in_box_) {
            bytes = bytes.subspan(fill_header(bytes));
            continue;
        }
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
        if (keeping_)
            message_.insert(message_.end(), bytes.begin(),
                            bytes.begin() + static_cast<std::ptrdiff_t>(count));
        bytes = bytes.subspan(count);
        left_ -= count;
        if (left_ == 0)
            end_message();
    }
}

// Takes what the header still lacks; how much that was.
std::size_t Mp4EventReader::fill_header(std::span<const std::uint8_t> bytes) {
    const auto wanted = [this] {
        const bool large = header_bytes_ >= 8 &&
                           std::ranges::equal(std::span(header_).first(4), std::array{0, 0, 0, 1});
        return large ? kHeaderMax : std::size_t{8};
    };
    std::size_t used = 0;
    while (used < bytes.size() && header_bytes_ < wanted())
        header_[header_bytes_++] = bytes[used++];
    if (header_bytes_ == wanted())
        begin_box();
    return used;
}

void Mp4EventReader::begin_box() {
    const std::span<const std::uint8_t> header{header_.data(), header_bytes_};
    Fields in(header);
    std::uint64_t size = in.number(4);
    const bool message = in.number(4) == 0x656d7367;  // "emsg"
    if (header_bytes_ == kHeaderMax)
        size = in.number(8);
    lost_ = size < header_bytes_;
    left_ = lost_ ? 0 : size - header_bytes_;
    header_bytes_ = 0;
    keeping_ = message && left_ <= kMessageBytesMax && events_.size() < kWaitingMax;
    left_out_ += message && !keeping_ ? 1 : 0;
    in_box_ = left_ > 0;
}

void Mp4EventReader::end_message() {
    in_box_ = false;
    if (!std::exchange(keeping_, false))
        return;
    if (auto event = parse(std::exchange(message_, {})))
        events_.push_back(std::move(*event));
    else
        ++left_out_;
}

}  // namespace millrace::media
