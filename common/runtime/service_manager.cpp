#include "common/runtime/service_manager.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>

#include "common/runtime/descriptor.h"

namespace millrace {
namespace {

constexpr const char* kVariable = "NOTIFY_SOCKET";

}  // namespace

ServiceManager::ServiceManager() {
    const char* named = std::getenv(kVariable);
    // Longer ones cannot be addressed; other schemes (vsock:) are for virtual machines.
    if (named != nullptr && (named[0] == '/' || named[0] == '@') &&
        std::strlen(named) < sizeof(sockaddr_un::sun_path))
        socket_ = named;
    ::unsetenv(kVariable);
}

void ServiceManager::serving(std::string_view status) const {
    tell("READY=1\nSTATUS=" + std::string(status));
}

void ServiceManager::stopping() const {
    tell("STOPPING=1\nSTATUS=carrying through what was accepted");
}

void ServiceManager::tell(const std::string& lines) const {
    if (socket_.empty())
        return;
    const Descriptor manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!manager.open())
        return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket_.data(), socket_.size());
    // An abstract name has no terminator and begins with a zero.
    const bool abstract = socket_.front() == '@';
    if (abstract)
        address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size() +
                                               (abstract ? 0 : 1));
    (void)::sendto(manager.get(), lines.data(), lines.size(), MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&address), length);
}

}  // namespace millrace
