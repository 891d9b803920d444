"""Disks that are full or broken, without touching the machine's own."""

import contextlib
import ctypes
import os
import pathlib
import subprocess

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_libc = ctypes.CDLL(None, use_errno=True)


def _unshare(flags):
    if _libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def own_mounts():
    """From here on this process and its children mount what they like and nobody else sees it.

    Raises OSError where the machine does not allow that. Only before the process has started a second thread.
    """
    uid, gid = os.geteuid(), os.getegid()
    try:
        _unshare(_CLONE_NEWNS)
    except PermissionError:
        _unshare(_CLONE_NEWUSER | _CLONE_NEWNS)
        pathlib.Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        pathlib.Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")
        pathlib.Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")
    for command in (["mount", "--make-rprivate", "/"],):
        if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode != 0:
            raise OSError("mounts cannot be made private")


class SmallDisk:
    """A tmpfs of its own at `path`; needs own_mounts()."""

    def __init__(self, path, size):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(self.path)],
                              stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise OSError(done.stderr.decode(errors="replace"))

    @property
    def _ballast(self):
        return self.path / "ballast"

    def fill(self):
        with open(self._ballast, "ab", buffering=0) as file:
            for block in (1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * block)

    def make_room(self):
        self._ballast.unlink()

    def close(self):
        subprocess.run(["umount", "-l", str(self.path)], stderr=subprocess.DEVNULL, check=False)


_BREAKING_FSYNC = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static int broken(void) {
    const char *file = getenv("TEST_BROKEN_DISK");
    return file && access(file, F_OK) == 0;
}
int fdatasync(int fd) {
    if (broken()) { errno = EIO; return -1; }
    return (int)syscall(SYS_fdatasync, fd);
}
int fsync(int fd) {
    if (broken()) { errno = EIO; return -1; }
    return (int)syscall(SYS_fsync, fd);
}
"""


def _preloaded(directory, name, source, program):
    """What LD_PRELOAD has to be for `program` to run with the library made of `source`."""
    library = pathlib.Path(directory) / f"{name}.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-x", "c", "-o", str(library), "-"], input=source.encode(), check=True)
    # A sanitized program insists on its runtime being loaded first.
    linked = subprocess.run(["ldd", str(program)], stdout=subprocess.PIPE, check=True).stdout.decode()
    runtime = [word for line in linked.splitlines() if "libasan" in line for word in line.split() if word.startswith("/")]
    return " ".join([*runtime, str(library)])


class BrokenDisk:
    """`environment` for a program whose fsync fails with EIO while the disk is broken."""

    def __init__(self, directory, program):
        self._flag = pathlib.Path(directory) / "broken"
        self.environment = {"LD_PRELOAD": _preloaded(directory, "broken_fsync", _BREAKING_FSYNC, program),
                            "TEST_BROKEN_DISK": str(self._flag)}

    def break_now(self):
        self._flag.touch()

    def repair(self):
        self._flag.unlink()


_DYING_IN_A_COMMIT = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long calls = 0;
static int log_of_the_database(int fd) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name);
    return n > 4 && memcmp(name + n - 4, "-wal", 4) == 0;
}
/* Whether this call, of the kind `here`, is the one to die in: the file says the kind and which call of it. */
static int is_the_one(const char *here, int fd) {
    const char *file = getenv("TEST_DYING_DISK");
    if (!file || !log_of_the_database(fd)) return 0;
    char said[64] = {0}, kind[32];
    long number = 0;
    int in = open(file, O_RDONLY | O_CLOEXEC);
    if (in < 0) return 0;
    ssize_t n = read(in, said, sizeof said - 1);
    close(in);
    if (n <= 0 || sscanf(said, "%31s %ld", kind, &number) != 2 || strcmp(kind, here) != 0) return 0;
    pthread_mutex_lock(&lock);
    const int the_one = ++calls == number;
    pthread_mutex_unlock(&lock);
    return the_one;
}
static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) {
    if (is_the_one("before-write", fd)) die();
    if (is_the_one("half-write", fd)) { syscall(SYS_pwrite64, fd, bytes, count / 2, offset); die(); }
    return syscall(SYS_pwrite64, fd, bytes, count, offset);
}
int fdatasync(int fd) {
    if (is_the_one("before-sync", fd)) die();
    const int done = (int)syscall(SYS_fdatasync, fd);
    if (is_the_one("after-sync", fd)) die();
    return done;
}
"""


class DyingDisk:
    """`environment` for a program that is killed inside a write to its database's log, at the place that is chosen.

    `half-write` leaves half of a page there, `before-sync` a whole transaction that was not synchronised, `after-sync`
    one that is durable and that nobody was told of.
    """

    PLACES = ("before-write", "half-write", "before-sync", "after-sync")

    def __init__(self, directory, program):
        self._orders = pathlib.Path(directory) / "die-in"
        self.environment = {"LD_PRELOAD": _preloaded(directory, "dying_disk", _DYING_IN_A_COMMIT, program),
                            "TEST_DYING_DISK": str(self._orders)}

    def die_in(self, place, nth):
        """From now on: in the nth call at this place. Once for each start of the program."""
        assert place in self.PLACES, place
        fresh = self._orders.with_suffix(".new")
        fresh.write_text(f"{place} {nth}", encoding="ascii")
        fresh.rename(self._orders)

    def live(self):
        self._orders.unlink(missing_ok=True)
