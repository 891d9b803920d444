#pragma once
// What was really used for a segment on a transcoder with GPUs: who decoded, scaled and encoded its
// pictures, and where it was the CPU, why.
//
// Thread: any; values.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

enum class DecodedBy : std::uint8_t {
    gpu,
    codec,    // the GPU's decoder for it failed its trial, or is not trusted with it
    format,   // depth or chroma
    refused,  // the card would not begin the stream: a size, a level
    failed,   // the GPU began it and failed: made once more without
    no_gpu,   // the session has none: in quarantine, or full
};
inline constexpr std::array<std::string_view, 6> kDecodedBy{"gpu",     "codec",  "format",
                                                            "refused", "failed", "no_gpu"};

[[nodiscard]] inline std::string_view to_string(DecodedBy by) {
    return kDecodedBy.at(static_cast<std::size_t>(by));
}

// Of a rendition.
enum class EncodedBy : std::uint8_t {
    gpu,
    codec,    // the GPU's encoder for it failed its trial, or there is none
    format,   // depth, chroma or profile
    size,     // smaller than the encoder takes
    refused,  // the card would not begin: its encoder sessions or its memory are taken
};
inline constexpr std::array<std::string_view, 5> kEncodedBy{"gpu", "codec", "format", "size",
                                                            "refused"};

[[nodiscard]] inline std::string_view to_string(EncodedBy by) {
    return kEncodedBy.at(static_cast<std::size_t>(by));
}

struct StagesUsed {
    DecodedBy decoded = DecodedBy::no_gpu;  // the last decoder, where a segment needed several
    std::string decode_reason{};            // why it was not the GPU
    std::int64_t scaled = 0;                // pictures of the source that the GPU scaled
    std::string scale_reason{};             // why it did not scale some that it decoded
    std::vector<EncodedBy> encoded{};       // of each rendition with pictures of its own
    std::string encode_reason{};            // why one was not by the GPU
    std::int64_t downloads = 0;             // copies over the bus towards the CPU
    std::int64_t uploads = 0;               // and of pictures towards the GPU
    bool operator==(const StagesUsed&) const = default;
};

// Of many segments.
struct StageCounts {
    std::array<std::uint64_t, kDecodedBy.size()> segments{};    // by who decoded
    std::array<std::uint64_t, kEncodedBy.size()> renditions{};  // by who encoded
    std::int64_t scaled = 0;                                    // pictures of sources
    std::int64_t downloads = 0;
    std::int64_t uploads = 0;
    // Why a GPU did not decode, scale, encode; the last of each.
    std::string decode_reason;
    std::string scale_reason;
    std::string encode_reason;

    void add(const StagesUsed& used);
    [[nodiscard]] std::uint64_t by(DecodedBy who) const {
        return segments.at(static_cast<std::size_t>(who));
    }
    [[nodiscard]] std::uint64_t by(EncodedBy who) const {
        return renditions.at(static_cast<std::size_t>(who));
    }
};

}  // namespace millrace
