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


class BrokenDisk:
    """`environment` for a program whose fsync fails with EIO while the disk is broken."""

    def __init__(self, directory, program):
        self._flag = pathlib.Path(directory) / "broken"
        library = pathlib.Path(directory) / "broken_fsync.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-x", "c", "-o", str(library), "-"],
                       input=_BREAKING_FSYNC.encode(), check=True)
        # A sanitized program insists on its runtime being loaded first.
        linked = subprocess.run(["ldd", str(program)], stdout=subprocess.PIPE, check=True).stdout.decode()
        runtime = [word for line in linked.splitlines() if "libasan" in line for word in line.split() if word.startswith("/")]
        self.environment = {"LD_PRELOAD": " ".join([*runtime, str(library)]), "TEST_BROKEN_DISK": str(self._flag)}

    def break_now(self):
        self._flag.touch()

    def repair(self):
        self._flag.unlink()
