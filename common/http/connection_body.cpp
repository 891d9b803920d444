// How a connection receives a body: straight from the socket into payload blocks.

#include <algorithm>
#include <cstring>

#include "common/http/chunked.h"
#include "common/http/connection.h"

namespace millrace::http {

struct Connection::Receiver {
    explicit Receiver(BodyOrder wanted) : order(std::move(wanted)), builder(order.options.pool) {
        if (order.options.discard)
            scratch.resize(kScratchBytes);
    }

    [[nodiscard]] std::span<std::uint8_t> room() {
        return order.options.discard ? std::span(scratch) : builder.room();
    }
    // Bytes that lie in room() already.
    void took(std::span<const std::uint8_t> bytes) {
        if (!order.options.discard)
            builder.filled(bytes.size());
        if (order.options.tap && !bytes.empty())
            order.options.tap(bytes, order.options.discard ? nullptr : builder.owner());
        received += bytes.size();
    }
    void append(std::span<const std::uint8_t> bytes) {
        while (!bytes.empty()) {
            const std::span<std::uint8_t> space = room();
            const std::size_t count = std::min(space.size(), bytes.size());
            std::memcpy(space.data(), bytes.data(), count);
            took(space.first(count));
            bytes = bytes.subspan(count);
        }
    }
    [[nodiscard]] std::uint64_t left() const { return order.options.bytes_max - received; }

    static constexpr std::size_t kScratchBytes = 4096;
    BodyOrder order;
    PayloadBuilder builder;
    std::vector<std::uint8_t> scratch;
    std::uint64_t received = 0;
};

namespace {

std::span<std::uint8_t> at_most(std::span<std::uint8_t> room, std::uint64_t bytes) {
    return room.first(static_cast<std::size_t>(std::min<std::uint64_t>(room.size(), bytes)));
}

}  // namespace

asio::awaitable<void> Connection::receive_body() {
    Receiver receiver(std::move(*order_));
    order_.reset();
    BodyEnd end = BodyEnd::complete;
    if (body_ == Body::unread) {
        body_ = Body::reading;
        body_limit_ = asio::steady_timer::clock_type::now() + limits().body_time;
        if (content_length_ > receiver.order.options.bytes_max)
            end = BodyEnd::too_large;
        else if (chunked_)
            end = co_await receive_chunked(receiver);
        else
            end = co_await receive_plain(receiver);
    }
    settle_body(end, receiver);
}

asio::awaitable<void> Connection::send_continue() {
    if (!expects_continue_ || !buffered().empty())
        co_return;
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    std::vector<asio::const_buffer> buffers{asio::buffer(kContinue)};
    // Should this fail, the read that follows fails too and says why.
    (void)co_await write_all(std::move(buffers));
}

asio::awaitable<Connection::BodyEnd> Connection::receive_plain(Receiver& receiver) {
    co_await send_continue();
    std::uint64_t left = content_length_;
    const auto have = buffered().first(std::min<std::size_t>(buffered().size(), left));
    receiver.append(have);
    left -= have.size();
    consume(have.size());
    while (left > 0) {
        if (response_ || aborted_)
            co_return end_of({});
        const auto room = at_most(receiver.room(), left);
        const Transport::Room into{asio::mutable_buffer(room.data(), room.size()), {}};
        const auto [failure, bytes] = co_await read(into);
        receiver.took(room.first(bytes));
        left -= bytes;
        if (failure && left > 0)
            co_return end_of(failure);
    }
    co_return BodyEnd::complete;
}

// One read takes the rest of a chunk into the payload and the framing behind it into the buffer.
asio::awaitable<Connection::BodyEnd> Connection::receive_chunked(Receiver& receiver) {
    co_await send_continue();
    ChunkedDecoder decoder;
    while (true) {
        if (response_ || aborted_)
            co_return end_of({});
        auto in = buffered();
        const ChunkedDecoder::Step step = decoder.advance(in);
        consume(buffered().size() - in.size());
        if (step == ChunkedDecoder::Step::done)
            co_return BodyEnd::complete;
        if (step == ChunkedDecoder::Step::malformed)
            co_return BodyEnd::malformed;
        std::span<std::uint8_t> room;
        if (step == ChunkedDecoder::Step::data) {
            if (decoder.data_left() > receiver.left())
                co_return BodyEnd::too_large;
            const auto have = in.first(std::min<std::size_t>(in.size(), decoder.data_left()));
            if (!have.empty()) {
                receiver.append(have);
                decoder.took(have.size());
                consume(have.size());
                continue;
            }
            room = at_most(receiver.room(), decoder.data_left());
        }
        const Transport::Room into =
            room.empty()
                ? Transport::Room{buffer_room(), asio::mutable_buffer()}
                : Transport::Room{asio::mutable_buffer(room.data(), room.size()), buffer_room()};
        const auto [failure, bytes] = co_await read(into);
        const std::size_t direct = std::min(bytes, room.size());
        if (direct > 0) {
            receiver.took(room.first(direct));
            decoder.took(direct);
        }
        end_ += bytes - direct;
        if (failure)
            co_return end_of(failure);
    }
}

Connection::BodyEnd Connection::end_of(const Failure& failure) const {
    if (aborted_)
        return BodyEnd::disconnected;
    if (response_)
        return BodyEnd::interrupted;
    return failure && timed_out_ ? BodyEnd::paused : BodyEnd::disconnected;
}

void Connection::settle_body(BodyEnd end, Receiver& receiver) {
    BodyOrder& order = receiver.order;
    body_ = end == BodyEnd::complete ? Body::consumed : Body::broken;
    const auto refuse = [&](ApiCode code, ErrorKind kind, std::string why) {
        if (!response_)
            response_ = to_response({code, why, {}});
        order.fail(error(kind, std::move(why)));
    };
    switch (end) {
        case BodyEnd::complete:
            return order.finish(receiver.builder.seal());
        case BodyEnd::too_large:
            return refuse(
                ApiCode::segment_too_large, ErrorKind::bad_input,
                "the body is larger than " + std::to_string(order.options.bytes_max) + " bytes");
        case BodyEnd::malformed:
            return refuse(ApiCode::bad_request, ErrorKind::bad_input,
                          "the body's chunks are malformed");
        case BodyEnd::paused:
            return refuse(ApiCode::request_timeout, ErrorKind::timeout,
                          "the body paused or took too long");
        case BodyEnd::interrupted:
            return order.fail(error(ErrorKind::disconnected, "answered before the body was read"));
        case BodyEnd::disconnected:
            tell_gone();
            return order.fail(error(ErrorKind::disconnected, "the body was cut short"));
    }
}

}  // namespace millrace::http
