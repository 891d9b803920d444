// A child that raises an engine's walls and then does what MILLRACE_ENGINE_FAULT names; what came of
// it goes to the socket as text. Built without sanitizers: those walls are the ones that are shipped.

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transcoder/engine/walls.h"

namespace {

constexpr int kSocket = 3;
constexpr std::size_t kStep = std::size_t{1} << 20;

void say(const std::string& text) {
    [[maybe_unused]] const auto sent = send(kSocket, text.data(), text.size(), 0);
}

void say_result(long result) {
    say(result < 0 ? std::strerror(errno) : "it worked");
}

void* map(int protection, int flags, std::size_t bytes = kStep) {
    return mmap(nullptr, bytes, protection, flags | MAP_ANONYMOUS, -1, 0);
}

void* map_shared(int fd) {
    return mmap(nullptr, kStep, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

std::size_t fill_by_malloc() {
    std::size_t steps = 0;
    for (void* more = malloc(kStep); more != nullptr; more = malloc(kStep), ++steps)
        std::memset(more, 1, kStep);
    return steps;
}

std::size_t fill_by_mmap() {
    std::size_t steps = 0;
    for (void* more = map(PROT_READ | PROT_WRITE, MAP_PRIVATE); more != MAP_FAILED;
         more = map(PROT_READ | PROT_WRITE, MAP_PRIVATE), ++steps)
        std::memset(more, 1, kStep);
    return steps;
}

const std::map<std::string, void (*)()> kDeeds{
    {"nothing", [] { say("nothing"); }},
    {"open", [] { say_result(open("/etc/passwd", O_RDONLY)); }},
    {"create", [] { say_result(open("/tmp/millrace-walls", O_WRONLY | O_CREAT, 0600)); }},
    {"stat",
     [] {
         struct stat found {};
         say_result(stat("/etc/passwd", &found));
     }},
    {"thread", [] { std::thread([] { say("it worked"); }).join(); }},
    {"malloc", [] { say(std::to_string(fill_by_malloc())); }},
    {"mmap", [] { say(std::to_string(fill_by_mmap())); }},
    {"own bound",
     [] {
         const rlimit more{3UL << 30, 3UL << 30};
         say_result(setrlimit(RLIMIT_DATA, &more));
     }},
    {"allowed",
     [] {
         say("up");
         char word = 0;
         [[maybe_unused]] const auto read = recv(kSocket, &word, 1, 0);
         say_result(map(PROT_READ | PROT_WRITE, MAP_PRIVATE, 3 * kStep * 512) == MAP_FAILED ? -1
                                                                                            : 0);
     }},
    {"new",
     [] {
         for (std::vector<char*> held;;)
             held.push_back(new char[kStep]);
     }},
    {"stumble",
     [] {
         fill_by_malloc();
         raise(SIGSEGV);
     }},
    {"crash", [] { raise(SIGSEGV); }},
    {"abort", [] { abort(); }},
    {"socket", [] { socket(AF_INET, SOCK_STREAM, 0); }},
    {"unix socket", [] { socket(AF_UNIX, SOCK_STREAM, 0); }},
    {"connect", [] { connect(kSocket, nullptr, 0); }},
    {"fork", [] { fork(); }},
    {"execve", [] { execl("/bin/true", "true", nullptr); }},
    {"ptrace", [] { ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
    {"kill", [] { kill(getppid(), SIGKILL); }},
    {"memfd_create", [] { memfd_create("walls", 0); }},
    {"shared memory", [] { map(PROT_READ | PROT_WRITE, MAP_SHARED); }},
    {"executable memory", [] { map(PROT_READ | PROT_EXEC, MAP_PRIVATE); }},
    {"made executable",
     [] { mprotect(map(PROT_READ | PROT_WRITE, MAP_PRIVATE), kStep, PROT_READ | PROT_EXEC); }},
    {"zero",
     [] {
         const int zero = open("/dev/zero", O_RDWR);
         say_result(zero < 0 ? -1 : map_shared(zero) == MAP_FAILED ? -1 : 0);
     }},
    {"terminal", [] { say_result(ioctl(kSocket, TIOCSTI, "x")); }},
    {"driver's words", [] { say_result(ioctl(kSocket, _IOC(_IOC_READ, 'F', 0x2b, 32), nullptr)); }},
    {"other words", [] { say_result(ioctl(kSocket, _IOC(_IOC_READ, 'd', 1, 32), nullptr)); }},
    {"wait", [] { say_result(poll(nullptr, 0, 0)); }},
    {"unmask", [] { signal(SIGSYS, SIG_IGN); }},
    {"mkdir", [] { mkdir("/tmp/millrace-walls", 0700); }},
};

// What is there of a driver: two files, a thread that is older than the walls, and a device that may
// be missing.
std::atomic<bool> walled = false;
void live_beside(const std::string& deed) {
    std::thread([deed] {
        walled.wait(false);
        if (deed == "driver's thread opens")
            say_result(open("/etc/passwd", O_RDONLY));
        if (deed == "driver's thread connects")
            socket(AF_INET, SOCK_STREAM, 0);
        _exit(0);
    }).detach();
}

}  // namespace

int main(int argc, char** argv) {
    const char* wish = std::getenv("MILLRACE_ENGINE_FAULT");
    const std::string deed = wish == nullptr ? "" : wish;
    const millrace::engine::Driver driver{[&] {
                                              live_beside(deed);
                                              return deed != "no device";
                                          },
                                          {"/dev/zero", "/dev/null"}};
    const bool has_driver = argc > 3 && std::string(argv[3]) == "gpu";
    const millrace::EngineWalls walls =
        millrace::engine::raise_walls(kSocket, has_driver ? &driver : nullptr);
    if (deed.starts_with("driver's thread")) {
        walled = true;
        walled.notify_all();
        walled.wait(true);
    }
    if (deed == "walls")
        say(std::string(walls.system_calls ? "calls " : "") +
            (walls.namespaces ? "namespaces " : "") + (walls.driver ? "driver " : "") +
            std::to_string(walls.memory_bytes) + " " + walls.missing);
    else if (const auto found = kDeeds.find(deed); found != kDeeds.end())
        found->second();
    _exit(0);
}
