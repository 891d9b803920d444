#include "common/runtime/inherited_sockets.h"

#include <array>
#include <cstdlib>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/catch.h"

using namespace millrace;

namespace {

constexpr std::array<std::string_view, 3> kNames{"service", "link", "payload"};

struct Given {
    int sockets = 0;  // listening ones, from descriptor 3 on
    std::string names;
    bool listening = true;
    bool ours = true;  // LISTEN_PID is right
};

int new_socket(bool listening) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return -1;
    if (listening)
        ::listen(fd, 4);
    return fd;
}

std::string told(const Result<std::vector<InheritedSocket>>& taken) {
    if (!taken)
        return "error: " + taken.error().message;
    std::string text;
    for (const InheritedSocket& socket : *taken) {
        const bool closed_on_exec = (::fcntl(socket.fd, F_GETFD) & FD_CLOEXEC) != 0;
        const bool waits = (::fcntl(socket.fd, F_GETFL) & O_NONBLOCK) == 0;
        if (!closed_on_exec || waits || socket.host != "127.0.0.1" || socket.port == 0)
            return "socket " + socket.name + " is not as promised";
        text += socket.name + '=' + std::to_string(socket.fd) + ' ';
    }
    if (::getenv("LISTEN_FDS") != nullptr || ::getenv("LISTEN_PID") != nullptr)
        return "the variables are still there";
    return text;
}

// In a child of our own: descriptors 3, 4, 5 of the test program are somebody else's.
std::string taken_with(const Given& given) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const int out = ::fcntl(ends[1], F_DUPFD, 100);
        for (int i = 0; i < given.sockets; ++i) {
            const int fd = ::fcntl(new_socket(given.listening), F_DUPFD, 50);
            ::dup2(fd, 3 + i);
        }
        ::setenv("LISTEN_PID", std::to_string(::getpid() + (given.ours ? 0 : 1)).c_str(), 1);
        ::setenv("LISTEN_FDS", std::to_string(given.sockets).c_str(), 1);
        if (!given.names.empty())
            ::setenv("LISTEN_FDNAMES", given.names.c_str(), 1);
        const std::string text = told(take_inherited_sockets(kNames));
        const bool written =
            ::write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size());
        ::_exit(written ? 0 : 1);
    }
    ::close(ends[1]);
    std::string text(4096, '\0');
    const ssize_t got = ::read(ends[0], text.data(), text.size());
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
    return text;
}

}  // namespace

TEST_CASE("sockets are taken by their names, or by order when they have none of ours",
          "[runtime][inherited]") {
    CHECK(taken_with({3, "payload:service:link"}) == "payload=3 service=4 link=5 ");
    CHECK(taken_with({2, ""}) == "service=3 link=4 ");
    CHECK(taken_with({3, "a.socket:a.socket:a.socket"}) == "service=3 link=4 payload=5 ");
    CHECK(taken_with({1, "unknown"}) == "service=3 ");
    CHECK(taken_with({1, "payload"}) == "payload=3 ");
}

TEST_CASE("nothing is taken that was not meant for us", "[runtime][inherited]") {
    CHECK(taken_with({0, ""}).empty());
    CHECK(taken_with({2, "", true, false}).empty());
}

TEST_CASE("sockets that cannot be told apart or do not listen are an error",
          "[runtime][inherited]") {
    for (const Given& given :
         {Given{2, "service:nonsense"}, Given{2, "service:service"}, Given{2, "service"},
          Given{3, "service:link"}, Given{4, ""}, Given{1, "service", false}}) {
        INFO(given.sockets << ' ' << given.names);
        CHECK(taken_with(given).starts_with("error: LISTEN_FD"));
    }
}
