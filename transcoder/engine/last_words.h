#pragma once
// What an engine can still say when it ends by itself: an exit code, and one number on a pipe of its
// own, because the socket may be in the middle of a frame.
//
// Thread: any of the engine's; usable in a signal handler.

#include <cstdint>

namespace millrace::engine {

// Exit codes, told apart by the transcoder.
inline constexpr int kExitClosed = 0;          // the transcoder closed the socket
inline constexpr int kExitOutOfMemory = 86;    // allocation failed at the memory limit
inline constexpr int kExitBroken = 87;         // the transcoder's words made no sense
inline constexpr int kExitForbiddenCall = 88;  // the number is the system call's
inline constexpr int kExitNoWalls = 89;        // the number is the errno that stood in the way
inline constexpr int kExitNoDevice = 90;       // the driver does not give us the GPU

// The pipe is the descriptor behind the socket's.
[[nodiscard]] constexpr int words_of(int socket) {
    return socket + 1;
}

[[noreturn]] void end_with(int exit_code, int words, std::int32_t number) noexcept;

}  // namespace millrace::engine
