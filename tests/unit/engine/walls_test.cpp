// The walls around an engine, tried from the inside by a child without sanitizers.

#include "transcoder/engine/walls.h"

#include <cstdlib>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

#include "tests/support/catch.h"
#include "transcoder/engine/child.h"

namespace millrace::engine {
namespace {

struct Outcome {
    ChildEnd end;
    std::string said;
};

constexpr int kPatienceMs = 120'000;  // touching a gibibyte takes a busy machine its time

Outcome outcome_of(const char* deed, const char* gpu = "") {
    setenv("MILLRACE_ENGINE_FAULT", deed, 1);
    auto child = Child::start(MILLRACE_WALLED_CHILD, gpu);
    unsetenv("MILLRACE_ENGINE_FAULT");
    REQUIRE(child);
    pollfd ended{child->pidfd(), POLLIN, 0};
    REQUIRE(poll(&ended, 1, kPatienceMs) == 1);
    char text[256];
    const ssize_t count = recv(child->socket(), text, sizeof text, MSG_DONTWAIT);
    return {child->reap(), count > 0 ? std::string(text, static_cast<std::size_t>(count)) : ""};
}

// Its next words; "" when it ended without.
std::string said_by(const Child& child) {
    pollfd speaks{child.socket(), POLLIN, 0};
    REQUIRE(poll(&speaks, 1, kPatienceMs) == 1);
    char text[256];
    const ssize_t count = recv(child.socket(), text, sizeof text, MSG_DONTWAIT);
    return count > 0 ? std::string(text, static_cast<std::size_t>(count)) : "";
}

}  // namespace

TEST_CASE("an engine says which walls it has", "[engine][walls]") {
    const Outcome outcome = outcome_of("walls");
    CHECK(outcome.end.kind == EndKind::exited);
    INFO(outcome.said);
    CHECK(outcome.said.starts_with("calls "));
    const bool namespaces = outcome.said.find("namespaces 1073741824") != std::string::npos;
    // Where the machine does not allow them, the engine says why.
    CHECK((namespaces || outcome.said.find("1073741824 namespaces: ") != std::string::npos));
}

TEST_CASE("files are out of an engine's reach", "[engine][walls]") {
    for (const char* deed : {"open", "create", "stat"}) {
        INFO(deed);
        const Outcome outcome = outcome_of(deed);
        CHECK(outcome.end.kind == EndKind::exited);
        CHECK(outcome.said == "Permission denied");
    }
}

TEST_CASE("an engine may start threads", "[engine][walls]") {
    CHECK(outcome_of("thread").said == "it worked");
}

TEST_CASE("forbidden system calls end an engine and are named", "[engine][walls]") {
    const std::pair<const char*, const char*> rows[] = {{"socket", "socket"},
                                                        {"unix socket", "socket"},
                                                        {"connect", "connect"},
                                                        {"fork", "clone"},
                                                        {"execve", "execve"},
                                                        {"ptrace", "ptrace"},
                                                        {"kill", "kill"},
                                                        {"memfd_create", "memfd_create"},
                                                        {"shared memory", "mmap"},
                                                        {"executable memory", "mmap"},
                                                        {"made executable", "mprotect"},
                                                        {"unmask", "rt_sigaction"},
                                                        {"own bound", "prlimit64"},
                                                        {"mkdir", "mkdir"}};
    for (const auto& [deed, call] : rows) {
        INFO(deed);
        const Outcome outcome = outcome_of(deed);
        CHECK(outcome.end.kind == EndKind::forbidden_call);
        CHECK(outcome.said.empty());
        const std::string sentence = outcome.end.sentence();
        // Some architectures know the older call by the newer one's name only.
        CHECK((sentence == std::string("made a forbidden system call (") + call + ")" ||
               sentence == std::string("made a forbidden system call (") + call + "at)"));
    }
}

TEST_CASE("an engine gets one gibibyte, however it asks for it", "[engine][walls]") {
    for (const char* deed : {"malloc", "mmap"}) {
        INFO(deed);
        const Outcome outcome = outcome_of(deed);
        CHECK(outcome.end.kind == EndKind::exited);
        const int mebibytes = std::atoi(outcome.said.c_str());
        CHECK(mebibytes > 900);
        CHECK(mebibytes <= 1024);
    }
}

TEST_CASE("the transcoder may give an engine more memory, the engine may not", "[engine][walls]") {
    for (const auto& [bytes, said] : {std::pair{kMemoryBytes, "Cannot allocate memory"},
                                      std::pair{2 * kMemoryBytes, "it worked"}}) {
        setenv("MILLRACE_ENGINE_FAULT", "allowed", 1);
        auto child = Child::start(MILLRACE_WALLED_CHILD);
        unsetenv("MILLRACE_ENGINE_FAULT");
        REQUIRE(child);
        CHECK(said_by(*child) == "up");
        child->allow_memory(bytes);
        REQUIRE(send(child->socket(), "!", 1, MSG_NOSIGNAL) == 1);
        CHECK(said_by(*child) == said);
    }
}

// Of an engine that has a GPU; its driver is played by the child.
Outcome with_driver(const char* deed) {
    return outcome_of(deed, "GPU-aaaa");
}
bool machine_allows_namespaces() {
    return outcome_of("walls").said.find("namespaces 1073741824") != std::string::npos;
}

TEST_CASE("an engine with a GPU says that the driver is let through its walls",
          "[engine][walls][gpu]") {
    const std::string said = with_driver("walls").said;
    INFO(said);
    CHECK(said.starts_with("calls "));
    CHECK(said.find("driver 2147483648 ") != std::string::npos);
    CHECK(machine_allows_namespaces() == said.starts_with("calls namespaces driver"));
}

TEST_CASE("the driver's files are all that an engine with a GPU can open", "[engine][walls][gpu]") {
    const bool files = machine_allows_namespaces();
    CHECK(with_driver("zero").said == (files ? "it worked" : "Permission denied"));
    for (const char* deed : {"open", "stat", "driver's thread opens"}) {
        INFO(deed);
        CHECK(with_driver(deed).said ==
              (files ? "No such file or directory" : "Permission denied"));
    }
    const Outcome made = with_driver("create");
    CHECK((made.end.kind == EndKind::forbidden_call || made.said == "Permission denied"));
}

TEST_CASE("the driver's calls are let through, and no terminal's", "[engine][walls][gpu]") {
    CHECK(with_driver("wait").said == "it worked");
    CHECK(outcome_of("wait").end.kind == EndKind::forbidden_call);
    CHECK(with_driver("terminal").said == "Inappropriate ioctl for device");
    // The kernel's answer: the socket is no driver's file. A filter that refuses would say the same for
    // all, but it ends the engine for those it does not know.
    CHECK(with_driver("driver's words").end.kind == EndKind::exited);
    CHECK(with_driver("other words").end.kind == EndKind::forbidden_call);
}

TEST_CASE("what ends an engine ends one with a GPU, whichever thread does it",
          "[engine][walls][gpu]") {
    for (const char* deed :
         {"socket", "connect", "fork", "execve", "ptrace", "kill", "memfd_create", "shared memory",
          "executable memory", "made executable", "unmask", "own bound", "mkdir",
          "driver's thread connects"}) {
        INFO(deed);
        CHECK(with_driver(deed).end.kind == EndKind::forbidden_call);
    }
}

TEST_CASE("an engine whose GPU cannot be opened does not start", "[engine][walls][gpu]") {
    const Outcome outcome = with_driver("no device");
    CHECK(outcome.end.kind == EndKind::no_device);
    CHECK(outcome.end.sentence() == "cannot open its GPU");
    CHECK(outcome.said.empty());
}

TEST_CASE("running out of memory is told from crashing", "[engine][walls]") {
    CHECK(outcome_of("new").end.kind == EndKind::out_of_memory);
    CHECK(outcome_of("stumble").end.kind == EndKind::out_of_memory);
    CHECK(outcome_of("crash").end.kind == EndKind::crashed);
    CHECK(outcome_of("abort").end.kind == EndKind::crashed);
    CHECK(outcome_of("nothing").end.kind == EndKind::exited);
}

}  // namespace millrace::engine
