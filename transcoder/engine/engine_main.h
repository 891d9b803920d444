#pragma once
// The engine: a child process in which FFmpeg runs, so that what a segment does to a decoder stays
// there. The transcoder starts its own binary again with the hidden argument "__engine".
//
// Lives until its socket closes or it is killed; one task at a time, warm in between. What it may
// not do, walls.h says.
//
// Thread: the caller's becomes the working thread; one more reads the socket.

namespace millrace::engine {

// First argument of a process that is to be an engine, and the descriptor its socket is found at.
inline constexpr const char* kEngineArgument = "__engine";
inline constexpr int kEngineSocket = 3;
// Last argument of one that has a GPU: the one that CUDA_VISIBLE_DEVICES leaves it.
inline constexpr const char* kGpuArgument = "gpu";

// Runs until the end; the process ends here, without unwinding what others have started in it. Its
// exit codes: last_words.h.
[[noreturn]] void engine_main(int socket, bool with_gpu);
// By the arguments behind the program's name.
[[noreturn]] void engine_main(int argc, char** argv);

}  // namespace millrace::engine
