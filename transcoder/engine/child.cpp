#include "transcoder/engine/child.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// glibc 2.36 forgot to give this header C linkage.
extern "C" {
#include <sys/pidfd.h>
}

#include "transcoder/engine/engine_main.h"
#include "transcoder/engine/last_words.h"
#include "transcoder/engine/system_calls.h"

namespace millrace::engine {
namespace {

// Beside these an engine sees nothing of the environment.
constexpr std::array<std::string_view, 8> kPassedOn{
    "PATH=",         "LD_LIBRARY_PATH=", "MILLRACE_ENGINE_FAULT=", "MILLRACE_AV_LOG=",
    "ASAN_OPTIONS=", "UBSAN_OPTIONS=",   "TSAN_OPTIONS=",          "LSAN_OPTIONS="};

// One with a GPU sees that one alone, under its UUID: CUDA counts in another order than NVML unless told.
std::vector<std::string> engine_environment(const std::string& gpu) {
    std::vector<std::string> kept;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const bool ours = std::ranges::any_of(
            kPassedOn, [&](std::string_view name) { return text.starts_with(name); });
        const bool drivers = !gpu.empty() && !text.starts_with("CUDA_VISIBLE_DEVICES=") &&
                             !text.starts_with("CUDA_DEVICE_ORDER=") &&
                             (text.starts_with("CUDA_") || text.starts_with("NVIDIA_"));
        if (ours || drivers)
            kept.emplace_back(text);
    }
    if (!gpu.empty()) {
        kept.push_back("CUDA_VISIBLE_DEVICES=" + gpu);
        kept.emplace_back("CUDA_DEVICE_ORDER=PCI_BUS_ID");
    }
    return kept;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts)
        pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
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

    // The loop blocks or handles signals that the child must find in their plain state. A group of its own has its
    // threads in it and nothing else (step_back()), and no part in a terminal's Ctrl-C: the transcoder drains then.
    void plain_signals_in_own_group() {
        sigset_t none;
        sigset_t all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setpgroup(&attributes, 0);
        posix_spawnattr_setflags(
            &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    }

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
};

}  // namespace

std::string ChildEnd::sentence() const {
    switch (kind) {
        case EndKind::killed_by_us:
            return "was stopped";
        case EndKind::crashed:
            return "crashed with signal " + std::to_string(number) + " (" + strsignal(number) + ")";
        case EndKind::out_of_memory:
            return "ran out of memory";
        case EndKind::forbidden_call:
            return "made a forbidden system call" +
                   (number < 0 ? std::string() : " (" + system_call_name(number) + ")");
        case EndKind::no_walls:
            return std::string("cannot be walled in here (seccomp: ") + std::strerror(number) + ")";
        case EndKind::no_device:
            return "cannot open its GPU";
        case EndKind::exited:
            return "ended by itself with code " + std::to_string(number);
    }
    return "ended";
}

Result<Child> Child::start(const std::string& executable, const std::string& gpu) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return system_error("socketpair", errno);
    Descriptor ours(pair[0]);
    Descriptor theirs(pair[1]);
    fcntl(ours.get(), F_SETFL, O_NONBLOCK);
    if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
        return system_error("pipe2", errno);
    Descriptor words(pair[0]);
    const Descriptor low_words(pair[1]);
    // Out of the way of the numbers that the child's descriptors get, one after the other.
    const Descriptor their_words(
        fcntl(low_words.get(), F_DUPFD_CLOEXEC, 2 * words_of(kEngineSocket)));
    if (!their_words.open())
        return system_error("fcntl", errno);
    SpawnActions spawn;
    spawn.plain_signals_in_own_group();
    // dup2 onto itself would keep close-on-exec: glibc's action clears it in that case too.
    posix_spawn_file_actions_adddup2(&spawn.actions, theirs.get(), kEngineSocket);
    posix_spawn_file_actions_adddup2(&spawn.actions, their_words.get(), words_of(kEngineSocket));
    std::vector<std::string> arguments{"millrace-engine", kEngineArgument,
                                       std::to_string(kEngineSocket)};
    if (!gpu.empty())
        arguments.emplace_back(kGpuArgument);
    std::vector<std::string> environment = engine_environment(gpu);
    pid_t pid = -1;
    const int rc = posix_spawn(&pid, executable.c_str(), &spawn.actions, &spawn.attributes,
                               pointers_to(arguments).data(), pointers_to(environment).data());
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
    return Child(std::move(ours), std::move(words), std::move(pidfd), pid,
                 gpu.empty() ? 0 : kMemoryBytesOfDriver);
}

Child::~Child() {
    if (!pidfd_.open())
        return;
    kill();
    [[maybe_unused]] const ChildEnd end = reap();
}

Child& Child::operator=(Child&& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(words_, other.words_);
    std::swap(pidfd_, other.pidfd_);
    std::swap(pid_, other.pid_);
    std::swap(killed_, other.killed_);
    std::swap(drivers_, other.drivers_);
    std::swap(memory_bytes_, other.memory_bytes_);
    return *this;
}

void Child::kill() {
    killed_ = true;
    pidfd_send_signal(pidfd_.get(), SIGKILL, nullptr, 0);
}

void Child::allow_memory(std::uint64_t bytes) {
    if (bytes == std::exchange(memory_bytes_, bytes))
        return;
    const rlimit both{bytes + drivers_, kMemoryBytesMax + drivers_};
    prlimit(pid_, RLIMIT_DATA, &both, nullptr);
}

void Child::step_back() {
    constexpr int kLast = 19;
    setpriority(PRIO_PGRP, static_cast<id_t>(pid_), kLast);
}

int Child::last_words(int if_none) const {
    std::int32_t number = 0;
    return read(words_.get(), &number, sizeof number) == sizeof number ? number : if_none;
}

ChildEnd Child::reap() {
    siginfo_t info{};
    rusage used{};
    // glibc's waitid() keeps the kernel's last argument to itself.
    while (syscall(SYS_waitid, P_PIDFD, pidfd_.get(), &info, WEXITED, &used) < 0 &&
           errno == EINTR) {
    }
    pidfd_ = Descriptor();
    const bool signalled = info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
    const int number = info.si_status;
    if (killed_ && signalled && number == SIGKILL)
        return {EndKind::killed_by_us, number};
    if (signalled && number == SIGSYS)
        return {EndKind::forbidden_call, -1};
    if (signalled) {
        // Nobody else sends SIGKILL to an engine but the kernel when memory runs out. And a library
        // that gets none may stumble over the null pointer before anybody can say so.
        const auto peak = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
        const bool starved = number == SIGKILL || peak >= (memory_bytes_ + drivers_) / 8 * 7;
        return {starved ? EndKind::out_of_memory : EndKind::crashed, number};
    }
    switch (number) {
        case kExitOutOfMemory:
            return {EndKind::out_of_memory, number};
        case kExitForbiddenCall:
            return {EndKind::forbidden_call, last_words(-1)};
        case kExitNoWalls:
            return {EndKind::no_walls, last_words(0)};
        case kExitNoDevice:
            return {EndKind::no_device, 0};
        default:
            return {EndKind::exited, number};
    }
}

}  // namespace millrace::engine
