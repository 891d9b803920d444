#pragma once
// Listening sockets that whoever started us has bound already (sd_listen_fds(3), "socket
// activation"): clients that connect while we restart wait in the kernel instead of being refused.
//
//   LISTEN_PID      our process id, else all of this is meant for somebody else
//   LISTEN_FDS      how many; they are descriptors 3, 4, ...
//   LISTEN_FDNAMES  their names, colons between; optional
//
// Thread: main's, before there are others (it changes the environment).

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace millrace {

struct InheritedSocket {
    std::string name;  // one of the names asked for
    int fd = -1;       // listening, TCP, non-blocking, closed on exec
    std::string host;  // as bound; IPv6 without brackets
    std::uint16_t port = 0;
};

// Takes what is there, once: the variables are removed, so that no child believes they are its own.
// `names` in the order of sockets that came without names of their own: none given, or all the same
// (systemd names sockets after their unit unless told otherwise). bad_input: a name that is not one
// of `names` or comes twice, more sockets than names, or something that is not a listening TCP
// socket.
[[nodiscard]] Result<std::vector<InheritedSocket>> take_inherited_sockets(
    std::span<const std::string_view> names);

}  // namespace millrace
