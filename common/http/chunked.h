#pragma once
// The framing of a chunked body (RFC 9112, section 7.1), apart from all I/O: it eats framing bytes
// and says how many data bytes come next; the caller moves those itself.
//
// Bounded: a size line and its extension, the trailers, and the sum of all extensions.
//
// Thread: its owner's.

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::http {

// Extensions and trailers of one body together, bytes.
inline constexpr std::size_t kChunkOverheadMax = 16 * 1024;

class ChunkedDecoder {
public:
    enum class Step : std::uint8_t {
        need_more,  // `in` is used up inside the framing
        data,       // data_left() > 0 bytes of data come next
        done,       // the body has ended; what is left in `in` belongs to the next request
        malformed,  // close the connection
    };

    // Takes framing bytes off the front of `in`. Call again after the announced data was taken.
    [[nodiscard]] Step advance(std::span<const std::uint8_t>& in);

    [[nodiscard]] std::uint64_t data_left() const { return data_left_; }
    // `bytes` of the announced data were taken, at most data_left().
    void took(std::uint64_t bytes);

private:
    enum class State : std::uint8_t {
        size_start,
        size,
        extension,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_start,
        trailer,
        trailer_lf,
        end_lf,
        done,
        malformed,
    };

    [[nodiscard]] State next(std::uint8_t byte);
    [[nodiscard]] State after_size(std::uint8_t byte);
    [[nodiscard]] bool overhead();

    State state_ = State::size_start;
    std::uint64_t data_left_ = 0;
    std::size_t overhead_ = 0;
    int size_digits_ = 0;
};

}  // namespace millrace::http
