#pragma once
// Bytes and chunks for the transfer tests. Thread: the test's.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/domain/protocol.h"
#include "common/runtime/payload.h"
#include "common/runtime/sha256.h"

namespace millrace::transcoder {

inline std::vector<std::uint8_t> pattern(std::size_t size, std::size_t seed = 1) {
    std::vector<std::uint8_t> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::uint8_t>(seed * 31 + i * 7 + i / 251);
    return bytes;
}

inline std::vector<std::uint8_t> bytes_of(const PayloadPtr& payload) {
    std::vector<std::uint8_t> bytes(payload->size());
    payload->read(0, bytes);
    return bytes;
}

// A source cut into chunks as an orchestrator sends them.
struct CutSource {
    TaskId task{1};
    AttemptNo attempt{1};
    std::vector<std::uint8_t> bytes;
    std::size_t chunk_bytes = kBlockBytes;

    [[nodiscard]] Sha256 sha256() const { return sha256_of(bytes); }
    [[nodiscard]] std::size_t chunks() const {
        return (bytes.size() + chunk_bytes - 1) / chunk_bytes;
    }
    [[nodiscard]] std::span<const std::uint8_t> body(std::size_t index) const {
        const std::size_t from = index * chunk_bytes;
        return std::span(bytes).subspan(from, std::min(chunk_bytes, bytes.size() - from));
    }
    [[nodiscard]] Chunk chunk(std::size_t index) const {
        Chunk chunk;
        chunk.transfer = {task, attempt, Direction::to_transcoder, 0};
        chunk.offset = index * chunk_bytes;
        chunk.total = bytes.size();
        chunk.last = index + 1 == chunks();
        if (chunk.last)
            chunk.sha256 = sha256();
        return chunk;
    }
};

}  // namespace millrace::transcoder
