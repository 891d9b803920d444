#pragma once
// What an engine process gives up before it sees the first byte of a segment.
//
// Thread: the process's first, before any other is started.

#include <cstdint>

namespace millrace::engine {

// The private memory an engine may use. An engine that needs more ends by itself and says why; the
// transcoder and its neighbours keep theirs.
inline constexpr std::uint64_t kMemoryBytesMax = 2ULL * 1024 * 1024 * 1024;

// Keeps `socket` and the standard descriptors, closes all others; no core, no file output, no new
// privileges; dies with the transcoder; ignores the signals that ask the transcoder to leave, which
// a terminal or systemd sends to its children as well. Failing to close a door is not fatal: the
// others hold.
void raise_walls(int socket);

}  // namespace millrace::engine
