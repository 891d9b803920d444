#include "common/http/chunked.h"

#include "common/base/check.h"

namespace millrace::http {
namespace {

// 15 hex digits: sizes below 2^60 cannot overflow, and nobody sends a larger chunk.
constexpr int kSizeDigitsMax = 15;

int hex_value(std::uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

ChunkedDecoder::Step ChunkedDecoder::advance(std::span<const std::uint8_t>& in) {
    while (state_ != State::data && state_ != State::done && state_ != State::malformed) {
        if (in.empty())
            return Step::need_more;
        state_ = next(in.front());
        in = in.subspan(1);
    }
    if (state_ == State::malformed)
        return Step::malformed;
    return state_ == State::data ? Step::data : Step::done;
}

void ChunkedDecoder::took(std::uint64_t bytes) {
    MR_CHECK(bytes <= data_left_, "more chunk data taken than announced");
    data_left_ -= bytes;
    if (data_left_ == 0 && state_ == State::data)
        state_ = State::data_cr;
}

bool ChunkedDecoder::overhead() {
    return ++overhead_ <= kChunkOverheadMax;
}

ChunkedDecoder::State ChunkedDecoder::after_size(std::uint8_t byte) {
    if (byte == '\r')
        return State::size_lf;
    // A lone LF ends a line for some servers and not for others: the seam that request smuggling
    // lives on.
    if (byte == '\n' || !overhead())
        return State::malformed;
    return byte == ';' || byte == ' ' || byte == '\t' || state_ == State::extension
               ? State::extension
               : State::malformed;
}

ChunkedDecoder::State ChunkedDecoder::next(std::uint8_t byte) {
    switch (state_) {
        case State::size_start:
        case State::size: {
            const int digit = hex_value(byte);
            if (digit < 0)
                return size_digits_ == 0 ? State::malformed : after_size(byte);
            if (++size_digits_ > kSizeDigitsMax)
                return State::malformed;
            data_left_ = data_left_ * 16 + static_cast<std::uint64_t>(digit);
            return State::size;
        }
        case State::extension:
            return after_size(byte);
        case State::size_lf:
            size_digits_ = 0;
            if (byte != '\n')
                return State::malformed;
            return data_left_ > 0 ? State::data : State::trailer_start;
        case State::data_cr:
            return byte == '\r' ? State::data_lf : State::malformed;
        case State::data_lf:
            return byte == '\n' ? State::size_start : State::malformed;
        case State::trailer_start:
            if (byte == '\r')
                return State::end_lf;
            [[fallthrough]];
        case State::trailer:
            if (byte == '\r')
                return State::trailer_lf;
            return byte == '\n' || !overhead() ? State::malformed : State::trailer;
        case State::trailer_lf:
            return byte == '\n' ? State::trailer_start : State::malformed;
        case State::end_lf:
            return byte == '\n' ? State::done : State::malformed;
        case State::data:
        case State::done:
        case State::malformed:
            break;
    }
    return State::malformed;
}

}  // namespace millrace::http
