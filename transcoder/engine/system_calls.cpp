#include "transcoder/engine/system_calls.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string_view>

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "transcoder/engine/last_words.h"
#include "transcoder/engine/sanitized.h"

namespace millrace::engine {
namespace {

constexpr std::array kAllowed{
    // memory
    "munmap", "mremap", "brk", "madvise",
    // threads
    "futex", "set_robust_list", "rseq", "exit", "exit_group", "gettid", "membarrier", "sched_yield",
    "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler",
    "sched_get_priority_max", "sched_get_priority_min", "getcpu", "get_mempolicy", "getpriority",
    // signals
    "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
    // the descriptors that are open
    "read", "write", "writev", "close", "recvfrom", "fstat", "lseek",
    // time
    "clock_gettime", "clock_getres", "clock_nanosleep", "gettimeofday", "nanosleep", "time",
    "times",
    // harmless questions
    "getrandom", "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getrlimit",
    "getrusage", "sysinfo", "uname"};

// How UBSan finds out whether it may look at an object: it writes it into a pipe.
constexpr std::array kAllowedToSanitizers{"pipe2"};

struct Refused {
    int with;
    const char* name;
};

constexpr std::array kRefused{
    Refused{EACCES, "open"}, Refused{EACCES, "openat"}, Refused{EACCES, "openat2"},
    Refused{EACCES, "access"}, Refused{EACCES, "faccessat"}, Refused{EACCES, "faccessat2"},
    Refused{EACCES, "stat"}, Refused{EACCES, "lstat"}, Refused{EACCES, "statx"},
    Refused{EACCES, "readlink"}, Refused{EACCES, "readlinkat"}, Refused{EACCES, "statfs"},
    Refused{EACCES, "getcwd"}, Refused{ENOTTY, "ioctl"}, Refused{EPERM, "sched_setscheduler"},
    Refused{EPERM, "setrlimit"},
    // glibc then uses clone, whose flags can be looked at.
    Refused{ENOSYS, "clone3"}};

// As the open part of the driver and what others saw of the rest say; no card was there to ask.
constexpr std::array kAllowedToDriver{"poll",          "ppoll", "eventfd2", "pipe2",  "mbind",
                                      "set_mempolicy", "mlock", "munlock",  "mincore"};
constexpr std::array<std::string_view, 9> kFilesOfDriver{"access",   "faccessat",  "faccessat2",
                                                         "stat",     "lstat",      "statx",
                                                         "readlink", "readlinkat", "getcwd"};
constexpr std::uint64_t kIoctlType = 0xff00;
// The resource manager's, and those of its unified memory, which have none.
constexpr std::array<std::uint64_t, 2> kIoctlTypesOfDriver{'F' << 8, 0};
constexpr std::uint64_t kIoctlTypeOfTerminals = 'T' << 8;

constexpr scmp_arg_cmp argument(unsigned index, scmp_compare how, std::uint64_t a,
                                std::uint64_t b = 0) {
    return {index, how, a, b};
}

struct FreeFilter {
    void operator()(void* filter) const { seccomp_release(filter); }
};

class Filter {
public:
    Filter() : filter_(seccomp_init(SCMP_ACT_TRAP)) { note(filter_ ? 0 : -ENOMEM); }

    // A name that this architecture does not have is no rule.
    void rule(std::uint32_t action, const char* name,
              std::initializer_list<scmp_arg_cmp> arguments = {}) {
        const int number = seccomp_syscall_resolve_name(name);
        if (failure_ == 0 && number >= 0)
            note(seccomp_rule_add_array(filter_.get(), action, number,
                                        static_cast<unsigned>(arguments.size()),
                                        arguments.begin()));
    }
    void attribute(scmp_filter_attr which, std::uint32_t value) {
        if (failure_ == 0)
            note(seccomp_attr_set(filter_.get(), which, value));
    }
    // 0, or a negative errno of what failed first.
    [[nodiscard]] int load() {
        if (failure_ == 0)
            note(seccomp_load(filter_.get()));
        return failure_;
    }

private:
    void note(int rc) { failure_ = rc < 0 && rc != -EEXIST ? rc : failure_; }

    std::unique_ptr<void, FreeFilter> filter_;
    int failure_ = 0;
};

constexpr std::uint64_t kMapType = 0x0f;
constexpr scmp_arg_cmp not_executable = argument(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);

void refuse(Filter& filter, DriverCalls driver) {
    const auto of_driver = [&](std::string_view name) {
        return (driver != DriverCalls::none && name == "ioctl") ||
               (driver == DriverCalls::with_files &&
                (name == "open" || name == "openat" ||
                 std::ranges::find(kFilesOfDriver, name) != kFilesOfDriver.end()));
    };
    for (const Refused& refused : kRefused)
        if (!of_driver(refused.name))
            filter.rule(SCMP_ACT_ERRNO(static_cast<std::uint16_t>(refused.with)), refused.name);
}

void let_in(Filter& filter, DriverCalls driver) {
    for (const char* name : kAllowedToDriver)
        filter.rule(SCMP_ACT_ALLOW, name);
    // Not anonymous: that would be memory past the limit.
    filter.rule(
        SCMP_ACT_ALLOW, "mmap",
        {not_executable, argument(3, SCMP_CMP_MASKED_EQ, kMapType | MAP_ANONYMOUS, MAP_SHARED)});
    for (const std::uint64_t type : kIoctlTypesOfDriver)
        filter.rule(SCMP_ACT_ALLOW, "ioctl", {argument(1, SCMP_CMP_MASKED_EQ, kIoctlType, type)});
    filter.rule(SCMP_ACT_ERRNO(ENOTTY), "ioctl",
                {argument(1, SCMP_CMP_MASKED_EQ, kIoctlType, kIoctlTypeOfTerminals)});
    for (const int command : {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC})
        filter.rule(SCMP_ACT_ALLOW, "fcntl",
                    {argument(1, SCMP_CMP_EQ, static_cast<std::uint64_t>(command))});
    if (driver != DriverCalls::with_files)
        return;
    constexpr std::uint64_t kMakes = O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
    filter.rule(SCMP_ACT_ALLOW, "open", {argument(1, SCMP_CMP_MASKED_EQ, kMakes, 0)});
    filter.rule(SCMP_ACT_ALLOW, "openat", {argument(2, SCMP_CMP_MASKED_EQ, kMakes, 0)});
    for (const std::string_view name : kFilesOfDriver)
        filter.rule(SCMP_ACT_ALLOW, name.data());
}

// What depends on what is asked.
void add_conditions(Filter& filter, DriverCalls driver) {
    // Shared memory would not count against the limit.
    filter.rule(SCMP_ACT_ALLOW, "mmap",
                {not_executable, argument(3, SCMP_CMP_MASKED_EQ, kMapType, MAP_PRIVATE)});
    filter.rule(SCMP_ACT_ALLOW, "mprotect", {not_executable});
    filter.rule(SCMP_ACT_ALLOW, "clone",
                {argument(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)});
    filter.rule(SCMP_ACT_ALLOW, "rt_sigaction", {argument(0, SCMP_CMP_NE, SIGSYS)});
    filter.rule(SCMP_ACT_ALLOW, "tgkill",  // abort()
                {argument(0, SCMP_CMP_EQ, static_cast<std::uint64_t>(getpid()))});
    filter.rule(SCMP_ACT_ALLOW, "sendto", {argument(4, SCMP_CMP_EQ, 0)});  // no address
    filter.rule(SCMP_ACT_ALLOW, "prlimit64",
                {argument(0, SCMP_CMP_EQ, 0),    // asking about
                 argument(2, SCMP_CMP_EQ, 0)});  // itself
    filter.rule(SCMP_ACT_ALLOW, "setpriority",
                {argument(0, SCMP_CMP_EQ, PRIO_PROCESS), argument(1, SCMP_CMP_EQ, 0)});
    // With an empty path it is glibc's fstat.
    filter.rule(SCMP_ACT_ALLOW, "newfstatat", {argument(3, SCMP_CMP_EQ, AT_EMPTY_PATH)});
    filter.rule(driver == DriverCalls::with_files ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EACCES),
                "newfstatat", {argument(3, SCMP_CMP_NE, AT_EMPTY_PATH)});
    for (const int option : {PR_SET_NAME, PR_GET_NAME})
        filter.rule(SCMP_ACT_ALLOW, "prctl",
                    {argument(0, SCMP_CMP_EQ, static_cast<std::uint64_t>(option))});
}

int words_at = -1;

void on_forbidden_call(int, siginfo_t* info, void*) {
    end_with(kExitForbiddenCall, words_at, info->si_syscall);
}

bool install_handler(int words) {
    words_at = words;
    struct sigaction action {};
    action.sa_sigaction = &on_forbidden_call;
    action.sa_flags = SA_SIGINFO;
    return sigaction(SIGSYS, &action, nullptr) == 0;
}

}  // namespace

int forbid_system_calls(int words, DriverCalls driver) {
    if (!install_handler(words))
        return errno;
    Filter filter;
    filter.attribute(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    filter.attribute(SCMP_FLTATR_CTL_TSYNC, 1);
    filter.attribute(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree: there are many rules
    for (const char* name : kAllowed)
        filter.rule(SCMP_ACT_ALLOW, name);
    if (kSanitized)
        for (const char* name : kAllowedToSanitizers)
            filter.rule(SCMP_ACT_ALLOW, name);
    refuse(filter, driver);
    if (driver != DriverCalls::none)
        let_in(filter, driver);
    add_conditions(filter, driver);
    return -filter.load();
}

std::string system_call_name(int number) {
    const std::unique_ptr<char, decltype(&std::free)> name(
        seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number), &std::free);
    return name ? name.get() : "number " + std::to_string(number);
}

}  // namespace millrace::engine
