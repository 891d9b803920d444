#include "orchestrator/local_transcoder.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/runtime/descriptor.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"

extern char** environ;

namespace millrace::orchestrator {
namespace {

constexpr Duration kRestartFirst = std::chrono::milliseconds(500);
constexpr Duration kRestartMax = std::chrono::seconds(10);
constexpr Duration kHealthyAfter = std::chrono::seconds(10);

// Our own program's sibling, whichever way the two were installed.
std::optional<std::filesystem::path> transcoder_program() {
    std::error_code failed;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
    if (failed)
        return std::nullopt;
    for (const char* name : {"transcoder", "millrace-transcoder"}) {
        auto candidate = self.parent_path() / name;
        if (::access(candidate.c_str(), X_OK) == 0)
            return candidate;
    }
    return std::nullopt;
}

const char* level_name(LogLevel level) {
    constexpr std::array<const char*, 5> kNames{"trace", "debug", "info", "warn", "error"};
    return kNames[static_cast<std::size_t>(level)];
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (std::string& s : strings)
        result.push_back(s.data());
    result.push_back(nullptr);
    return result;
}

}  // namespace

class LocalTranscoder::Impl {
public:
    Impl(Loop& loop, LocalTranscoderOptions options)
        : loop_(loop), options_(std::move(options)), restart_(loop) {}

    ~Impl() {
        stopping_ = true;
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }

    Result<void> start() {
        const auto program = transcoder_program();
        if (!program)
            return error(ErrorKind::unsupported,
                         "--local-transcoder: there is no transcoder program beside this one");
        program_ = program->string();
        return spawn();
    }

    void stop() {
        stopping_ = true;
        restart_.cancel();
        if (pid_ > 0)
            ::kill(pid_, SIGTERM);
    }

    [[nodiscard]] bool running() const { return pid_ > 0; }

private:
    // Everything that allocates happens before fork(): other threads may hold the allocator's lock.
    Result<void> spawn() {
        std::vector<std::string> arguments{
            program_,         "run",
            "--orch-addr",    options_.control_endpoint,
            "--max-sessions", std::to_string(options_.slots),
            "--name",         "local",
            "--data-dir",     options_.data_dir,
            "--admin-addr",   "127.0.0.1:0",
            "--log-level",    level_name(options_.log.level),
            "--log-format",   options_.log.format == LogFormat::json ? "json" : "text"};
        std::vector<std::string> environment;
        for (char** entry = environ; *entry != nullptr; ++entry)
            if (std::strncmp(*entry, "MILLRACE_", 9) != 0)  // ours are not the transcoder's
                environment.emplace_back(*entry);
        environment.push_back("MILLRACE_JOIN_TOKEN=" + options_.join_token);
        auto argv = pointers(arguments);
        auto envp = pointers(environment);
        const pid_t parent = ::getpid();
        const pid_t pid = ::fork();
        if (pid < 0)
            return error(ErrorKind::overloaded,
                         std::string("cannot start the local transcoder: ") + std::strerror(errno));
        if (pid == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != parent)  // the parent died before prctl took effect
                ::_exit(1);
            sigset_t none;
            sigemptyset(&none);
            ::sigprocmask(SIG_SETMASK, &none, nullptr);
            ::syscall(SYS_close_range, 3U, ~0U, 0U);
            ::execve(program_.c_str(), argv.data(), envp.data());
            ::_exit(127);
        }
        pid_ = pid;
        started_at_ = loop_.now();
        const Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (pidfd.open()) {
            watch_.emplace(loop_, pidfd.get());
            watch_->on_readable([this] { ended(); });
        }
        log::info("local", "local transcoder started", {{"pid", std::to_string(pid)}});
        return {};
    }

    void ended() {
        int status = 0;
        if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) != pid_)
            return;
        watch_.reset();
        pid_ = -1;
        if (stopping_)
            return;
        const bool healthy = loop_.now() - started_at_ >= kHealthyAfter;
        delay_ = healthy ? kRestartFirst : std::min(kRestartMax, delay_ * 2);
        log::warn("local", "local transcoder ended, starting it again",
                  {{"status", std::to_string(status)}, {"in_ms", std::to_string(to_ms(delay_))}});
        restart_.set(loop_.now() + delay_, [this] {
            if (auto started = spawn(); !started)
                log::error("local", started.error().message, {});
        });
    }

    Loop& loop_;
    LocalTranscoderOptions options_;
    std::string program_;
    std::optional<FdWatch> watch_;
    Timer restart_;
    TimePoint started_at_;
    Duration delay_ = kRestartFirst / 2;
    pid_t pid_ = -1;
    bool stopping_ = false;
};

LocalTranscoder::LocalTranscoder(Loop& loop, LocalTranscoderOptions options)
    : impl_(std::make_unique<Impl>(loop, std::move(options))) {}
LocalTranscoder::~LocalTranscoder() = default;

Result<void> LocalTranscoder::start() {
    return impl_->start();
}
void LocalTranscoder::stop() {
    impl_->stop();
}
bool LocalTranscoder::running() const {
    return impl_->running();
}

}  // namespace millrace::orchestrator
