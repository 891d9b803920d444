#include "transcoder/engine/incoming.h"

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>

namespace millrace::engine {

void Incoming::expect_rendition(std::uint64_t bytes) {
    rendition_left_ = bytes;
}

void Incoming::reset() {
    [[maybe_unused]] const PayloadPtr dropped = builder_.seal();
    head_.reset();
    message_.clear();
    filled_ = 0;
    rendition_left_ = 0;
}

Incoming::Read Incoming::read_into(int socket, std::span<std::uint8_t> out, std::size_t& count) {
    while (true) {
        const ssize_t rc = recv(socket, out.data(), out.size(), MSG_DONTWAIT);
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc < 0)
            return errno == EAGAIN ? Read::blocked : Read::closed;
        count = static_cast<std::size_t>(rc);
        return rc == 0 ? Read::closed : Read::some;
    }
}

// Fills `out` from `filled_` on; an event only when that does not succeed now.
std::optional<Incoming::Event> Incoming::read_fixed(int socket, std::span<std::uint8_t> out) {
    while (filled_ < out.size()) {
        std::size_t count = 0;
        const Read read = read_into(socket, out.subspan(filled_), count);
        if (read != Read::some)
            return read == Read::blocked ? Event(Nothing{}) : Event(Closed{});
        filled_ += count;
    }
    filled_ = 0;
    return std::nullopt;
}

std::optional<Incoming::Event> Incoming::take_head() {
    head_ = unpack(head_bytes_);
    if (!head_)
        return Broken{"a frame that breaks its bounds"};
    if (head_->type == FrameType::bytes && head_->body_bytes > rendition_left_)
        return Broken{"bytes that were not announced"};
    message_.resize(head_->message_bytes);
    return std::nullopt;
}

std::optional<Incoming::Event> Incoming::read_body(int socket) {
    while (filled_ < head_->body_bytes) {
        const std::span<std::uint8_t> room = builder_.room();
        std::size_t count = 0;
        const Read read = read_into(
            socket, room.first(std::min<std::size_t>(room.size(), head_->body_bytes - filled_)),
            count);
        if (read != Read::some)
            return read == Read::blocked ? Event(Nothing{}) : Event(Closed{});
        builder_.filled(count);
        filled_ += count;
    }
    rendition_left_ -= filled_;
    filled_ = 0;
    head_.reset();
    return rendition_left_ == 0 ? std::optional<Event>(builder_.seal()) : std::nullopt;
}

Incoming::Event Incoming::next(int socket) {
    while (true) {
        if (!head_) {
            if (auto event = read_fixed(socket, head_bytes_))
                return *event;
            if (auto event = take_head())
                return *event;
        }
        if (head_->type == FrameType::bytes) {
            if (auto event = read_body(socket))
                return *event;
            continue;
        }
        if (auto event = read_fixed(socket, message_))
            return *event;
        head_.reset();
        if (rendition_left_ > 0)
            return Broken{"a message inside a rendition"};
        auto message = decode_from_engine(message_);
        return message ? Event(std::move(*message)) : Event(Broken{message.error().message});
    }
}

}  // namespace millrace::engine
