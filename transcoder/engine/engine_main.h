#pragma once
// The engine: a child process in which FFmpeg runs, so that what a segment does to a decoder stays
// there. The transcoder starts its own binary again with the hidden argument "__engine".
//
// Lives until its socket closes or it is killed; one task at a time, warm in between. It has no
// file but the socket and stderr, writes nothing, starts nothing, and dies with the transcoder.
//
// Thread: the caller's becomes the working thread; one more reads the socket.

namespace millrace::engine {

// First argument of a process that is to be an engine, and the descriptor its socket is found at.
inline constexpr const char* kEngineArgument = "__engine";
inline constexpr int kEngineSocket = 3;

// Exit codes, told apart by the transcoder.
inline constexpr int kExitClosed = 0;        // the transcoder closed the socket
inline constexpr int kExitOutOfMemory = 86;  // allocation failed at the memory limit
inline constexpr int kExitBroken = 87;       // the transcoder's words made no sense

// Runs until the end and returns the exit code of the process.
[[nodiscard]] int engine_main(int socket);

}  // namespace millrace::engine
