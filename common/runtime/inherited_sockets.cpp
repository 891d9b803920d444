#include "common/runtime/inherited_sockets.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

namespace millrace {
namespace {

constexpr int kFirstFd = 3;  // SD_LISTEN_FDS_START
using Names = std::vector<std::string>;

Error bad(std::string why) {
    return error(ErrorKind::bad_input, std::move(why));
}

std::string variable(const char* name) {
    const char* const value = ::getenv(name);
    return value == nullptr ? std::string() : value;
}

std::optional<int> number(const std::string& text) {
    int value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

Names split_colons(const std::string& text) {
    Names parts;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t colon = std::min(text.find(':', at), text.size());
        parts.push_back(text.substr(at, colon - at));
        at = colon + 1;
    }
    return parts;
}

bool known(std::span<const std::string_view> names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// What the sockets are for, in their order.
Result<Names> purposes(std::span<const std::string_view> names, int count,
                       const std::string& given) {
    const auto wanted = static_cast<std::size_t>(count);
    if (wanted > names.size())
        return bad("LISTEN_FDS: at most " + std::to_string(names.size()) + " sockets are taken");
    Names told = given.empty() ? Names() : split_colons(given);
    const bool all_alike =
        std::all_of(told.begin(), told.end(), [&](auto& name) { return name == told.front(); });
    if (told.empty() || (all_alike && !known(names, told.front())))
        return Names(names.begin(), names.begin() + count);
    if (told.size() != wanted)
        return bad("LISTEN_FDNAMES: as many names as there are sockets are wanted");
    for (const std::string& name : told)
        if (!known(names, name) || std::count(told.begin(), told.end(), name) > 1)
            return bad("LISTEN_FDNAMES: \"" + name.substr(0, 64) + "\" is unknown or comes twice");
    return told;
}

bool listens(int fd) {
    int type = 0, accepting = 0;
    socklen_t size = sizeof(int);
    return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
           ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &size) == 0 && accepting != 0;
}

Result<InheritedSocket> take(const std::string& name, int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> port{};
    if (!listens(fd) || ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
        (address.ss_family != AF_INET && address.ss_family != AF_INET6) ||
        ::getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host.data(), host.size(),
                      port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return bad("LISTEN_FDS: socket " + std::to_string(fd) + " (" + name +
                   ") is not a listening TCP socket");
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    // A connection that is gone before it is accepted must not stop the thread that accepts.
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    return InheritedSocket{name, fd, host.data(),
                           static_cast<std::uint16_t>(number(port.data()).value_or(0))};
}

}  // namespace

Result<std::vector<InheritedSocket>> take_inherited_sockets(
    std::span<const std::string_view> names) {
    const auto pid = number(variable("LISTEN_PID"));
    const auto count = number(variable("LISTEN_FDS"));
    const std::string given = variable("LISTEN_FDNAMES");
    for (const char* const name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
        ::unsetenv(name);
    std::vector<InheritedSocket> sockets;
    if (!pid || *pid != ::getpid() || !count || *count <= 0)
        return sockets;
    const auto told = purposes(names, *count, given);
    if (!told)
        return told.error();
    for (int i = 0; i < *count; ++i) {
        auto socket = take((*told)[static_cast<std::size_t>(i)], kFirstFd + i);
        if (!socket)
            return socket.error();
        sockets.push_back(std::move(*socket));
    }
    return sockets;
}

}  // namespace millrace
