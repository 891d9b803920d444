#pragma once
// ServiceManager: tells the service manager that started this process (systemd, Type=notify) when it serves and
// when it stops, so that what is ordered after it waits for exactly that. Without one every call does nothing.
//
// Protocol: sd_notify(3): one datagram of VARIABLE=VALUE lines to the socket named by $NOTIFY_SOCKET, a path, or
// an abstract name behind '@'. Nothing waits for an answer; a manager that does not read is not waited for.
//
// Thread: the owner's. Owner: serve() of the orchestrator, run() of the transcoder.

#include <string>
#include <string_view>

namespace millrace {

class ServiceManager {
public:
    // Takes the variable out of the environment: children are no services of their own.
    // Call it before there is a second thread.
    ServiceManager();

    void serving(std::string_view status) const;
    void stopping() const;

private:
    void tell(const std::string& lines) const;

    std::string socket_;  // empty = there is no manager, or none that listens
};

}  // namespace millrace
