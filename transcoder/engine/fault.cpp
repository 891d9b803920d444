#include "transcoder/engine/fault.h"

#ifdef MILLRACE_FAULT_HOOKS

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include "transcoder/engine/held_memory.h"
#include "transcoder/engine/last_words.h"
#include "transcoder/engine/sanitized.h"

namespace millrace::engine {
namespace {

constexpr std::size_t kHogStep = 64UL * 1024 * 1024;
// Sanitized builds have no memory limit: there the hog ends as the limit would end it, early.
constexpr std::size_t kHogSteps = kSanitized ? 2 : 64;

void hog() {
    std::vector<char*> held;
    for (std::size_t i = 0; i < kHogSteps; ++i) {
        auto* more = new char[kHogStep];
        std::memset(more, 1, kHogStep);
        held.push_back(more);
    }
    _exit(kExitOutOfMemory);
}

// Once is enough, however often a task is called upon.
void leak() {
    static const std::vector<char> kept(kHeldBytesMax + 1);
}

}  // namespace

void planted_fault(std::uint64_t seq) {
    const char* wish = std::getenv("MILLRACE_ENGINE_FAULT");
    if (wish == nullptr)
        return;
    const std::string text(wish);
    const auto colon = text.find(':');
    if (colon != std::string::npos && text.substr(colon + 1) != std::to_string(seq))
        return;
    const std::string name = text.substr(0, colon);
    if (name == "segv") {
        signal(SIGSEGV, SIG_DFL);  // not the sanitizer's report
        raise(SIGSEGV);
    } else if (name == "hang") {
        for (std::atomic<std::uint64_t> turns = 0;; ++turns) {
        }
    } else if (name == "call") {
        socket(AF_INET, SOCK_STREAM, 0);
    } else if (name == "hog") {
        hog();
    } else if (name == "leak") {
        leak();
    } else if (name == "exit") {
        _exit(1);
    }
}

}  // namespace millrace::engine

#else

namespace millrace::engine {

void planted_fault(std::uint64_t) {}

}  // namespace millrace::engine

#endif
