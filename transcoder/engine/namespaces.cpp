#include "transcoder/engine/namespaces.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
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

// Until it is moved into, it may be written to where something is to be put there.
bool put_root_on(const char* place, std::size_t files) {
    const unsigned long write = files == 0 ? MS_RDONLY : 0;
    const std::string options =
        "size=4k,nr_inodes=" + std::to_string(files == 0 ? 1 : files + 2) + ",mode=0500";
    return mount("none", place, "tmpfs", write | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                 options.c_str()) == 0;
}

// Who makes a file has to have a name in the namespace: its old one, and nobody else has one. Without
// a user namespace there is nothing to name, and the files refuse.
void keep_name(uid_t user, gid_t group) {
    const auto put = [](const char* path, const std::string& text) {
        const int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
            return;
        [[maybe_unused]] const ssize_t written = write(fd, text.data(), text.size());
        close(fd);
    };
    const auto itself = [](auto id) {
        return std::to_string(id) + " " + std::to_string(id) + " 1";
    };
    put("/proc/self/setgroups", "deny");
    put("/proc/self/uid_map", itself(user));
    put("/proc/self/gid_map", itself(group));
}

// A device file keeps working where its own mount allows devices, whatever the directory's says.
bool put_files_into(const std::string& root, const std::vector<std::string>& files) {
    if (mkdir((root + "/dev").c_str(), 0500) != 0)
        return false;
    for (const std::string& file : files) {
        const std::string at = root + file;
        const int made = open(at.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0400);
        if (made < 0)
            return false;
        close(made);
        if (mount(file.c_str(), at.c_str(), nullptr, MS_BIND, nullptr) != 0)
            return false;
    }
    return mount(nullptr, root.c_str(), nullptr,
                 MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0;
}

// Both times ".": the old root lies below the new one and is let go (pivot_root(2)).
bool move_into(const char* place) {
    if (chdir(place) != 0)
        return false;
    if (syscall(SYS_pivot_root, ".", ".") == 0)
        return umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
    return chroot(".") == 0 && chdir("/") == 0;  // the root is an initramfs, which cannot be moved
}

}  // namespace

std::optional<std::string> enter_namespaces(bool named) {
    const uid_t user = geteuid();
    const gid_t group = getegid();
    // Without a user namespace of its own only root can do this.
    const bool own = unshare(CLONE_NEWUSER | kNamespaces) == 0;
    if (!own && unshare(kNamespaces) != 0)
        return failure_of("unshare");
    if (own && named)
        keep_name(user, group);
    return std::nullopt;
}

std::optional<std::string> empty_root(const std::vector<std::string>& files) {
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return failure_of("mount");
    for (const std::string place : kPlaces) {
        if (place == "/dev" && !files.empty())
            continue;  // it would cover them
        if (!put_root_on(place.c_str(), files.size()))
            continue;
        if (!files.empty() && !put_files_into(place, files))
            return failure_of("the driver's files in an empty root");
        return move_into(place.c_str()) ? std::nullopt : std::optional(failure_of("pivot_root"));
    }
    return failure_of("mount of an empty root");
}

void drop_capabilities() {
    __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
    syscall(SYS_capset, &head, none.data());
}

}  // namespace millrace::engine
