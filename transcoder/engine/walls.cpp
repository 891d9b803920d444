#include "transcoder/engine/walls.h"

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <new>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "transcoder/engine/engine_main.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MILLRACE_SHADOW_MEMORY 1  // sanitizers reserve terabytes
#else
#define MILLRACE_SHADOW_MEMORY 0
#endif

namespace millrace::engine {
namespace {

constexpr rlim_t kDescriptorsMax = 16;

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

[[noreturn]] void out_of_memory() {
    _exit(kExitOutOfMemory);
}

}  // namespace

void raise_walls(int socket) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_NAME, "millrace-engine");
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ})
        ::signal(signal, SIG_IGN);
    offer_to_the_oom_killer();
    for (int fd = 3; fd < socket; ++fd)
        close(fd);
    close_range(static_cast<unsigned>(socket) + 1, ~0U, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_NOFILE, kDescriptorsMax);
    if (MILLRACE_SHADOW_MEMORY == 0)
        limit(RLIMIT_DATA, kMemoryBytesMax);
    std::set_new_handler(&out_of_memory);
}

}  // namespace millrace::engine
