#include "transcoder/engine/outgoing.h"

#include <cerrno>

#include <sys/socket.h>

namespace millrace::engine {

void Outgoing::append(Part part) {
    bytes_ += part.own.size() + part.body().size();
    parts_.push_back(std::move(part));
}

void Outgoing::push(const ToEngine& message) {
    const std::vector<std::uint8_t> content = encode(message);
    MR_CHECK(content.size() <= kEngineMessageBytesMax, "a message for the engine is too long");
    const FrameHeadBytes head =
        pack({FrameType::message, static_cast<std::uint32_t>(content.size()), 0});
    Part part{{head.begin(), head.end()}, nullptr, 0};
    part.own.insert(part.own.end(), content.begin(), content.end());
    append(std::move(part));
}

void Outgoing::push(const PayloadPtr& source) {
    for (std::size_t block = 0; block < source->block_count(); ++block) {
        const auto length = static_cast<std::uint32_t>(source->block(block).size());
        const FrameHeadBytes head = pack({FrameType::bytes, 0, length});
        append({{head.begin(), head.end()}, source, block});
    }
}

void Outgoing::clear() {
    parts_.clear();
    written_ = 0;
    bytes_ = 0;
}

Outgoing::Flush Outgoing::flush(int socket) {
    while (!parts_.empty()) {
        const Part& part = parts_.front();
        const std::size_t total = part.own.size() + part.body().size();
        const auto rest = written_ < part.own.size()
                              ? std::span(part.own).subspan(written_)
                              : part.body().subspan(written_ - part.own.size());
        const ssize_t count = send(socket, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno == EAGAIN ? Flush::blocked : Flush::broken;
        written_ += static_cast<std::size_t>(count);
        bytes_ -= static_cast<std::size_t>(count);
        if (written_ == total) {
            parts_.pop_front();
            written_ = 0;
        }
    }
    return Flush::done;
}

}  // namespace millrace::engine
