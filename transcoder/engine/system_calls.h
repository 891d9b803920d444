#pragma once
// The system calls an engine may still make once it is up: what decoding, encoding and threads need,
// and the socket that is open. No file, no connection, no process, no executable or shared memory.
//
// - Allowed: see the tables in system_calls.cpp.
// - Refused with an error, because libraries ask and live well without: opening files, terminals.
// - Everything else ends the process before the call is made, and its number is the engine's last
//   word: the transcoder's log names it. (A plain kill would be as safe and tell nobody which call a
//   new library wants. The handler cannot be replaced: the filter forbids that too.)
//
// Thread: any of the engine's; holds for all of them and for good.

#include <cstdint>
#include <string>

namespace millrace::engine {

// What a GPU's driver may do beside that.
// - ioctl of the two kinds that NVIDIA's driver has, shared mappings of descriptors, and what its own
//   threads wait by.
// - with_files: open what is there without making anything. Only where the root directory holds the
//   driver's device files and nothing else; elsewhere files stay out of reach, and if the driver has
//   to open one, the card refuses the stream.
enum class DriverCalls : std::uint8_t { none, without_files, with_files };

// `words`: where the number goes (last_words.h). 0, or the errno that stood in the way.
[[nodiscard]] int forbid_system_calls(int words, DriverCalls driver = DriverCalls::none);

// "socket", or "number 512" when the library has no name for it.
[[nodiscard]] std::string system_call_name(int number);

}  // namespace millrace::engine
