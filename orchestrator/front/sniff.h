#pragma once
// Is this media at all? Looks at the first bytes of a body, without FFmpeg, so that text and garbage
// are turned away at the door instead of costing a transcoder an attempt. It only has to be sure
// about what is not media; what is broken inside is the engine's to find.
//
// Thread: its owner's.

#include <cstdint>
#include <span>
#include <vector>

namespace millrace::orchestrator {

enum class Sniffed : std::uint8_t { undecided, mpegts, mp4, matroska, nothing };

inline constexpr std::size_t kSniffBytes = 4096;

class Sniffer {
public:
    // Bytes of the body in order; only the first kSniffBytes are kept.
    void feed(std::span<const std::uint8_t> bytes);
    // undecided until enough has come to say no, or yes.
    [[nodiscard]] Sniffed verdict() const { return verdict_; }
    // The body has ended: decides with what there is.
    [[nodiscard]] Sniffed finish();

private:
    std::vector<std::uint8_t> head_;
    Sniffed verdict_ = Sniffed::undecided;
};

// `whole`: there are no bytes behind these.
[[nodiscard]] Sniffed sniff(std::span<const std::uint8_t> head, bool whole);

}  // namespace millrace::orchestrator
