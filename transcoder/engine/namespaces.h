#pragma once
// Namespaces of an engine's own: no network device but a loopback that is down, nobody to share
// memory with, a read-only root directory that is empty, or holds what a GPU's driver opens.
//
// There is no process namespace: it would need a second process per engine, and an engine that may
// start nothing and signal only itself has no use for what it would hide.
//
// Thread: the process's first; enter_namespaces() before any other is started, what follows holds for
// all (but capabilities, which each thread has for itself).

#include <optional>
#include <string>
#include <vector>

namespace millrace::engine {

// Whether a machine allows namespaces is its administrator's choice, so that their lack is no error:
// nothing when all were entered, else why not, as "unshare: Operation not permitted". What could be
// had stays.
// `named`: the process keeps its user's name there, without which it could make no file.
[[nodiscard]] std::optional<std::string> enter_namespaces(bool named);
// In namespaces that were entered. The root then holds these device files and nothing else.
[[nodiscard]] std::optional<std::string> empty_root(const std::vector<std::string>& files);

// After them: whatever the process was started with, in its old namespaces and its new ones.
void drop_capabilities();

}  // namespace millrace::engine
