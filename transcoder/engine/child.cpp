#include "transcoder/engine/child.h"

#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// glibc 2.36 forgot to give this header C linkage.
extern "C" {
#include <sys/pidfd.h>
}

#include "transcoder/engine/engine_main.h"

namespace millrace::engine {
namespace {

// Beside these an engine sees nothing of the environment.
constexpr std::array<std::string_view, 8> kPassedOn{
    "PATH=",         "LD_LIBRARY_PATH=", "MILLRACE_ENGINE_FAULT=", "MILLRACE_AV_LOG=",
    "ASAN_OPTIONS=", "UBSAN_OPTIONS=",   "TSAN_OPTIONS=",          "LSAN_OPTIONS="};

std::vector<char*> engine_environment() {
    std::vector<char*> kept;
    for (char** entry = environ; *entry != nullptr; ++entry)
        for (const std::string_view name : kPassedOn)
            if (std::string_view(*entry).starts_with(name))
                kept.push_back(*entry);
    kept.push_back(nullptr);
    return kept;
}

Error system_error(const char* operation, int number) {
    return error(ErrorKind::internal, std::string(operation) + ": " + std::strerror(number));
}

class SpawnActions {
public:
    SpawnActions() {
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
    }
    ~SpawnActions() {
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
    }
    SpawnActions(const SpawnActions&) = delete;
    SpawnActions& operator=(const SpawnActions&) = delete;

    // The loop blocks or handles signals that the child must find in their plain state.
    void plain_signals() {
        sigset_t none;
        sigset_t all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
};

}  // namespace

Descriptor::~Descriptor() {
    if (fd_ >= 0)
        close(fd_);
}

Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

std::string ChildEnd::sentence() const {
    switch (kind) {
        case EndKind::killed_by_us:
            return "was stopped";
        case EndKind::crashed:
            return "crashed with signal " + std::to_string(number) + " (" + strsignal(number) + ")";
        case EndKind::out_of_memory:
            return "ran out of memory";
        case EndKind::exited:
            return "ended by itself with code " + std::to_string(number);
    }
    return "ended";
}

Result<Child> Child::start(const std::string& executable) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return system_error("socketpair", errno);
    Descriptor ours(pair[0]);
    Descriptor theirs(pair[1]);
    fcntl(ours.get(), F_SETFL, O_NONBLOCK);
    SpawnActions spawn;
    spawn.plain_signals();
    // dup2 onto itself would keep close-on-exec: glibc's action clears it in that case too.
    posix_spawn_file_actions_adddup2(&spawn.actions, theirs.get(), kEngineSocket);
    const std::string number = std::to_string(kEngineSocket);
    std::array<char*, 4> arguments{const_cast<char*>("millrace-engine"),
                                   const_cast<char*>(kEngineArgument),
                                   const_cast<char*>(number.c_str()), nullptr};
    std::vector<char*> environment = engine_environment();
    pid_t pid = -1;
    const int rc = posix_spawn(&pid, executable.c_str(), &spawn.actions, &spawn.attributes,
                               arguments.data(), environment.data());
    if (rc != 0)
        return system_error("starting an engine", rc);
    // Not yet reaped, so the number cannot belong to anybody else.
    Descriptor pidfd(pidfd_open(pid, 0));
    if (!pidfd.open()) {
        const int number_of_error = errno;
        ::kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
        return system_error("pidfd_open", number_of_error);
    }
    return Child(std::move(ours), std::move(pidfd), pid);
}

Child::~Child() {
    if (!pidfd_.open())
        return;
    kill();
    [[maybe_unused]] const ChildEnd end = reap();
}

Child& Child::operator=(Child&& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(pidfd_, other.pidfd_);
    std::swap(pid_, other.pid_);
    std::swap(killed_, other.killed_);
    return *this;
}

void Child::kill() {
    killed_ = true;
    pidfd_send_signal(pidfd_.get(), SIGKILL, nullptr, 0);
}

ChildEnd Child::reap() {
    siginfo_t info{};
    while (waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) < 0 && errno == EINTR) {
    }
    pidfd_ = Descriptor();
    const bool signalled = info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
    const int number = info.si_status;
    if (killed_ && signalled && number == SIGKILL)
        return {EndKind::killed_by_us, number};
    // Nobody else sends SIGKILL to an engine but the kernel when memory runs out.
    if ((signalled && number == SIGKILL) || (!signalled && number == kExitOutOfMemory))
        return {EndKind::out_of_memory, number};
    return {signalled ? EndKind::crashed : EndKind::exited, number};
}

}  // namespace millrace::engine
