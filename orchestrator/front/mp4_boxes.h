#pragma once
// The top level of an MP4 body, as its bytes arrive: does it bring the initialisation part that its
// fragments need (ISO/IEC 14496-12, 8.8; CMAF 7.3)? Looks at box headers alone and keeps nothing.
//
// Thread: its owner's.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::orchestrator {

// Larger initialisation parts are refused; usual ones have a kilobyte, with pictures in them 60.
inline constexpr std::size_t kInitBytesMax = 64 * 1024;

class BoxWalk {
public:
    enum class Start : std::uint8_t {
        undecided,  // neither 'moov', 'moof' nor 'mdat' has come
        complete,   // 'moov' came first, or what came is nothing to put a 'moov' in front of
        bare,       // a fragment ('moof') without one
    };

    // Bytes of the body in order.
    void feed(std::span<const std::uint8_t> bytes);

    [[nodiscard]] Start start() const { return start_; }
    // Bytes from the start of the body to the end of its 'moov'; 0 = none, or not all there.
    [[nodiscard]] std::uint64_t init_end() const { return fed_ >= moov_end_ ? moov_end_ : 0; }
    // Nothing so far that an initialisation part alone does not have.
    [[nodiscard]] bool may_be_init() const { return !samples_ && !lost_; }
    // The body, if it ends here, is 'ftyp', 'moov' and no samples.
    [[nodiscard]] bool only_init() const;

private:
    [[nodiscard]] bool read_header();
    void note_box();

    static constexpr std::size_t kHeaderMax = 16;  // with a 64-bit size
    std::array<std::uint8_t, kHeaderMax> header_{};
    std::size_t header_bytes_ = 0;
    std::uint64_t fed_ = 0;
    std::uint64_t next_ = 0;  // where the next header begins
    std::uint64_t moov_end_ = 0;
    bool ftyp_ = false;
    bool samples_ = false;  // 'moof' or 'mdat'
    bool lost_ = false;     // no box begins where one should
    Start start_ = Start::undecided;
};

// `init`: from the start to the end of 'moov'. Only a 'moov' with an 'mvex' in it is meant for
// fragments; that of a whole file describes samples of its own.
[[nodiscard]] bool serves_fragments(std::span<const std::uint8_t> init);

}  // namespace millrace::orchestrator
