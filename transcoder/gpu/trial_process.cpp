#include "transcoder/gpu/trial_process.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// glibc 2.36 forgot to give this header C linkage.
extern "C" {
#include <sys/pidfd.h>
}

#include "common/runtime/descriptor.h"

namespace millrace::gpu {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLineMax = 16 * 1024;
constexpr int kLinesMax = 256;
constexpr auto kDiesWithin = std::chrono::seconds(2);

// Ours stays here (it holds secrets); the driver's and the linker's go along. The child has one
// GPU, named by its UUID: CUDA counts in another order than NVML unless told.
std::vector<std::string> environment_for(const std::string& gpu) {
    std::vector<std::string> kept{"CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=" + gpu};
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        if (!text.starts_with("MILLRACE_") && !text.starts_with("CUDA_DEVICE_ORDER=") &&
            !text.starts_with("CUDA_VISIBLE_DEVICES="))
            kept.emplace_back(text);
    }
    return kept;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts)
        all.push_back(text.data());
    all.push_back(nullptr);
    return all;
}

int spawn(const TrialWish& wish, int pipe, pid_t& pid) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe, kTrialPipe);
    std::vector<std::string> words{"millrace-gpu-trial", kTrialArgument};
    if (wish.scope == TrialScope::full)
        words.emplace_back(kFullArgument);
    std::vector<std::string> environment = environment_for(wish.gpu);
    const int rc = posix_spawn(&pid, wish.executable.c_str(), &actions, nullptr,
                               pointers(words).data(), pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

bool readable_by(int fd, Clock::time_point deadline) {
    while (true) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd waits{fd, POLLIN, 0};
        const int rc = poll(&waits, 1, static_cast<int>(std::max<long>(left, 0)));
        if (rc != 0 && !(rc < 0 && errno == EINTR))
            return rc > 0;
        if (rc == 0 && left <= 0)
            return false;
    }
}

// False: its time was up.
bool listen(int fd, Clock::time_point deadline, const std::function<void(std::string_view)>& line) {
    std::string held;
    std::array<char, 4096> piece{};
    for (int lines = 0; lines < kLinesMax && held.size() < kLineMax;) {
        if (!readable_by(fd, deadline))
            return false;
        const ssize_t got = read(fd, piece.data(), piece.size());
        if (got <= 0)
            return true;
        held.append(piece.data(), static_cast<std::size_t>(got));
        for (std::size_t end = held.find('\n'); end != std::string::npos;
             end = held.find('\n'), ++lines) {
            line(std::string_view(held).substr(0, end));
            held.erase(0, end + 1);
        }
    }
    return true;
}

std::string ending_of(pid_t pid, int pidfd, bool in_time, Clock::time_point deadline) {
    if (!in_time || !readable_by(pidfd, deadline)) {
        pidfd_send_signal(pidfd, SIGKILL, nullptr, 0);
        const bool died = readable_by(pidfd, Clock::now() + kDiesWithin);
        if (died)
            waitpid(pid, nullptr, 0);
        return died ? "hung" : "hung, and its process cannot be ended";
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        return std::string("crashed with signal ") + std::to_string(WTERMSIG(status)) + " (" +
               strsignal(WTERMSIG(status)) + ")";
    return WEXITSTATUS(status) == 0 ? "" : "ended with code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

std::string run_trial(const TrialWish& wish, Duration limit,
                      const std::function<void(std::string_view)>& line) {
    const auto deadline = Clock::now() + limit;
    std::array<int, 2> pair{};
    if (pipe2(pair.data(), O_CLOEXEC) < 0)
        return std::string("could not be started: pipe2: ") + std::strerror(errno);
    const Descriptor ours(pair[0]);
    Descriptor low(pair[1]);
    // Out of the way of the number that it gets in the child: dup2 onto itself keeps close-on-exec.
    Descriptor theirs(fcntl(low.get(), F_DUPFD_CLOEXEC, kTrialPipe + 1));
    low.close();
    pid_t pid = -1;
    if (const int rc = spawn(wish, theirs.get(), pid); rc != 0)
        return std::string("could not be started: ") + std::strerror(rc);
    theirs.close();
    const Descriptor pidfd(pidfd_open(pid, 0));
    return ending_of(pid, pidfd.get(), listen(ours.get(), deadline, line), deadline);
}

}  // namespace millrace::gpu
