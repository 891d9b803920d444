#pragma once
// Namespaces of an engine's own: no network device but a loopback that is down, nobody to share
// memory with, an empty read-only root directory.
//
// There is no process namespace: it would need a second process per engine, and an engine that may
// start nothing and signal only itself has no use for what it would hide.
//
// Thread: the process's first, before any other is started.

#include <optional>
#include <string>

namespace millrace::engine {

// Whether a machine allows namespaces is its administrator's choice, so that their lack is no error:
// nothing when all were entered, else why not, as "unshare: Operation not permitted". What could be
// had stays.
[[nodiscard]] std::optional<std::string> enter_namespaces();

// After them: whatever the process was started with, in its old namespaces and its new ones.
void drop_capabilities();

}  // namespace millrace::engine
