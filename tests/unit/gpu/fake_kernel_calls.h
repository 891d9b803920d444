#pragma once
// What NVIDIA's driver asks of the kernel with each decoder and encoder: one of its files opened anew, an ioctl
// of its kind, an event to wait for.

#include <cstdint>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

inline void ask_the_kernel() {
    const int file =
        open("/dev/nvidiactl", O_RDWR | O_CLOEXEC);  // is not there, or is, or is refused
    const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pollfd waits{event, POLLIN, 0};
    poll(&waits, 1, 0);
    ioctl(event, _IOWR('F', 0x2b, std::uint64_t), nullptr);
    for (const int opened : {file, event})
        if (opened >= 0)
            close(opened);
}
