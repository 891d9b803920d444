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

#include <string>

namespace millrace::engine {

// `words`: where the number goes (last_words.h). 0, or the errno that stood in the way.
[[nodiscard]] int forbid_system_calls(int words);

// "socket", or "number 512" when the library has no name for it.
[[nodiscard]] std::string system_call_name(int number);

}  // namespace millrace::engine
