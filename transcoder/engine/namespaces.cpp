#include "transcoder/engine/namespaces.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace millrace::engine {
namespace {

constexpr int kNamespaces =
    CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWCGROUP;
// Directories that every system has, to be covered by the empty root until it is the root.
constexpr std::array kPlaces{"/tmp", "/proc", "/dev"};

std::string failure_of(const char* operation) {
    return std::string(operation) + ": " + std::strerror(errno);
}

bool put_empty_root_on(const char* place) {
    return mount("none", place, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                 "size=4k,nr_inodes=1,mode=0500") == 0;
}

// Both times ".": the old root lies below the new one and is let go (pivot_root(2)).
bool move_into(const char* place) {
    if (chdir(place) != 0)
        return false;
    if (syscall(SYS_pivot_root, ".", ".") == 0)
        return umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
    return chroot(".") == 0 && chdir("/") == 0;  // the root is an initramfs, which cannot be moved
}

std::optional<std::string> empty_root() {
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return failure_of("mount");
    for (const char* place : kPlaces)
        if (put_empty_root_on(place))
            return move_into(place) ? std::nullopt : std::optional(failure_of("pivot_root"));
    return failure_of("mount of an empty root");
}

}  // namespace

std::optional<std::string> enter_namespaces() {
    // Without a user namespace of its own only root can do this.
    if (unshare(CLONE_NEWUSER | kNamespaces) != 0 && unshare(kNamespaces) != 0)
        return failure_of("unshare");
    return empty_root();
}

void drop_capabilities() {
    __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
    syscall(SYS_capset, &head, none.data());
}

}  // namespace millrace::engine
