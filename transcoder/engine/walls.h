#pragma once
// What an engine process gives up before it sees the first byte of a segment.
//
// Thread: the process's first, before any other is started.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/domain/engine_protocol.h"

namespace millrace::engine {

// The driver of the GPU that an engine has. Its files are all that the engine's root directory holds.
struct Driver {
    std::function<bool()> open;  // has it open what it can beforehand; false: the GPU is not there
    std::vector<std::string> files;  // of /dev
};
[[nodiscard]] std::vector<std::string> nvidia_device_files();

// Keeps `socket`, the pipe for last words behind it, and stderr; closes all other descriptors. No
// core, no file output, no capability, no new privileges, namespaces of its own where the machine
// allows them, the system calls of system_calls.h; dies with the transcoder; ignores the signals
// that ask the transcoder to leave, which a terminal or systemd sends to its children as well.
// Private memory: kMemoryBytes, which the transcoder may raise for a task (Child::allow_memory), the
// engine may not. One that needs more ends by itself and says why; the others keep theirs.
// Ends the process (kExitNoWalls) where system calls cannot be bounded: without that no engine runs.
//
// With a driver the device is opened in between (kExitNoDevice where it cannot be), and the walls that
// follow let the driver go on: its threads are there already. What is weaker then, README.md says.
[[nodiscard]] EngineWalls raise_walls(int socket, const Driver* driver = nullptr);

}  // namespace millrace::engine
