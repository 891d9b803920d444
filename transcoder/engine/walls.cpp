#include "transcoder/engine/walls.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <initializer_list>
#include <new>

#include <fcntl.h>
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "transcoder/engine/last_words.h"
#include "transcoder/engine/memory_bound.h"
#include "transcoder/engine/namespaces.h"
#include "transcoder/engine/sanitized.h"
#include "transcoder/engine/system_calls.h"

namespace millrace::engine {
namespace {

constexpr rlim_t kDescriptorsMax = 16;
constexpr rlim_t kDescriptorsMaxOfDriver = 1024;  // it opens its files anew for each mapping
constexpr rlim_t kMainStackBytes = 8UL * 1024 * 1024;
// Stacks count against the memory limit as a whole, and encoders start many threads.
constexpr std::size_t kThreadStackBytes = 2UL * 1024 * 1024;

int words_at = -1;

void limit(int resource, rlim_t value) {
    const rlimit both{value, value};
    setrlimit(static_cast<__rlimit_resource>(resource), &both);
}

// First in line when the machine runs out of memory: one engine costs an attempt, the transcoder
// costs all of them.
void offer_to_the_oom_killer() {
    const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    [[maybe_unused]] const ssize_t written = write(fd, "1000", 4);
    close(fd);
}

void close_descriptors(int socket) {
    // The transcoder's terminal or journal is not for an engine; stderr is, for what a sanitizer or
    // a failed check has to say.
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO}) {
        if (nothing >= 0)
            dup2(nothing, standard);
        else
            close(standard);
    }
    for (int fd = 3; fd < socket; ++fd)
        close(fd);
    close_range(static_cast<unsigned>(words_of(socket)) + 1, ~0U, 0);
}

void set_limits(bool driver) {
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, driver ? kDescriptorsMaxOfDriver : kDescriptorsMax);
    if (kSanitized)
        return;  // shadow memory takes terabytes, and a report must reach stderr, which may be a file
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_STACK, kMainStackBytes);
    pthread_attr_t threads;
    pthread_attr_init(&threads);
    pthread_attr_setstacksize(&threads, kThreadStackBytes);
    pthread_setattr_default_np(&threads);
    pthread_attr_destroy(&threads);
    const std::uint64_t drivers = driver ? kMemoryBytesOfDriver : 0;
    const rlimit memory{kMemoryBytes + drivers, kMemoryBytesMax + drivers};
    setrlimit(RLIMIT_DATA, &memory);
}

// Two halves, because a process with threads gets no user namespace, and opening a device starts some.
void enter_namespaces_with(const Driver* driver, EngineWalls& walls) {
    auto missing = enter_namespaces(driver != nullptr);
    if (driver != nullptr && !driver->open())
        end_with(kExitNoDevice, words_at, 0);
    if (!missing)
        missing = empty_root(driver != nullptr ? driver->files : std::vector<std::string>());
    walls.namespaces = !missing;
    if (missing)
        walls.missing = "namespaces: " + *missing;
}

[[noreturn]] void out_of_memory() {
    end_with(kExitOutOfMemory, words_at, 0);
}

}  // namespace

std::vector<std::string> nvidia_device_files() {
    constexpr std::array kNames{"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"};
    std::vector<std::string> files;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator("/dev", none)) {
        const std::string name = entry.path().filename();
        const bool numbered = name.starts_with("nvidia") && name.size() > 6 &&
                              std::ranges::all_of(name.substr(6), [](unsigned char c) {
                                  return std::isdigit(c) != 0;
                              });
        if (numbered || std::ranges::find(kNames, name) != kNames.end())
            files.push_back(entry.path());
    }
    return files;
}

EngineWalls raise_walls(int socket, const Driver* driver) {
    words_at = words_of(socket);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ})
        ::signal(signal, SIG_IGN);
    prctl(PR_SET_NAME, "millrace-engine");
    offer_to_the_oom_killer();
    close_descriptors(socket);
    if constexpr (kSanitized) {
        __sanitizer_sandbox_arguments keep{};  // a report needs /proc/self/maps, soon out of reach
        __sanitizer_sandbox_on_notify(&keep);
    }
    EngineWalls walls;
    walls.driver = driver != nullptr;
    enter_namespaces_with(driver, walls);
    drop_capabilities();
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // not before: a change of credentials takes it back
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0);
    set_limits(walls.driver);
    std::set_new_handler(&out_of_memory);
    if (!kSanitized)
        walls.memory_bytes = kMemoryBytes + (walls.driver ? kMemoryBytesOfDriver : 0);
    else
        walls.missing += (walls.missing.empty() ? "" : "; ") +
                         std::string("memory: a sanitized build cannot be limited");
    const DriverCalls calls = !walls.driver      ? DriverCalls::none
                              : walls.namespaces ? DriverCalls::with_files
                                                 : DriverCalls::without_files;
    if (const int problem = forbid_system_calls(words_at, calls); problem != 0)
        end_with(kExitNoWalls, words_at, problem);
    walls.system_calls = true;
    return walls;
}

}  // namespace millrace::engine
