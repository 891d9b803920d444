#pragma once
// Who decoded a segment's pictures on a transcoder with GPUs, and if the CPU did, why.
//
// Thread: any; values.

#include <array>
#include <cstdint>
#include <string_view>

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

}  // namespace millrace
