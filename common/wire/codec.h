#pragma once
// Messages of the two lanes (common/domain/protocol.h) to bytes and back.
//
// Decoding reads the whole message into plain values before anybody sees any of it, with bounded
// work (limits.h) and without trusting a byte: any input gives a message, an Ignored or an error of
// kind bad_input. It needs no alignment and keeps no reference to its input.
//
// Encoding cannot fail. Texts for people (details, reasons, warnings) and lists for people
// (devices, labels, warnings) are cut to their bounds.
//
// Thread: any; free functions without state.

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/domain/protocol.h"

namespace millrace {

// A well-formed message that this build does not know: a later minor's message, or a known one that
// asks for something unknown. Count it and carry on; the peer is healthy.
struct Ignored {
    Fence fence;
    std::string what;  // for logs, e.g. "unknown Dispatch.kind"
    bool operator==(const Ignored&) const = default;
};

template <class Message>
using Decoded = Result<std::variant<Message, Ignored>>;

[[nodiscard]] std::vector<std::uint8_t> encode(const FromTranscoder& message);
[[nodiscard]] std::vector<std::uint8_t> encode(const FromOrchestrator& message);
[[nodiscard]] std::vector<std::uint8_t> encode(const PayloadEnvelope& message);

[[nodiscard]] Decoded<FromTranscoder> decode_from_transcoder(std::span<const std::uint8_t> bytes);
[[nodiscard]] Decoded<FromOrchestrator> decode_from_orchestrator(
    std::span<const std::uint8_t> bytes);
// The envelope only; a chunk's bytes are in the next frame, and its length is the caller's to
// check.
[[nodiscard]] Decoded<PayloadEnvelope> decode_payload(std::span<const std::uint8_t> bytes);

}  // namespace millrace
