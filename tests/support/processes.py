"""A daemon as a child process: it cannot outlive us, its output is kept, its exit code is known.

The child dies with the thread that started it (PR_SET_PDEATHSIG), so start processes from a thread that stays: the
main one. It gets a process group of its own, so a Ctrl-C in the terminal reaches it only through us.
"""

import os
import signal
import subprocess

from support.wait import eventually

# The daemons read MILLRACE_* as flags: what steers tests must not reach them.
def daemon_environment(extra=None):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MILLRACE_") and k != "STATE_DIRECTORY"}
    kept.update(extra or {})
    return kept


# Only the process itself knows its id: it moves the descriptors and becomes the program.
_HAND_OVER = """
import fcntl, os, sys
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD_CLOEXEC, 100) for fd in sys.argv[1].split(",")]
for at, fd in enumerate(high):
    os.dup2(fd, 3 + at, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class Process:
    """A running child; `log` is the file with its standard output and error."""

    def __init__(self, argv, log, environment=None, hand_over=()):
        """`hand_over`: descriptors that it finds as 3, 4, ... with LISTEN_PID set, as systemd would do it."""
        self.argv = [str(a) for a in argv]
        launcher = ["/usr/bin/python3", "-c", _HAND_OVER, ",".join(map(str, hand_over))] if hand_over else []
        self.log = log
        with open(log, "ab") as output:
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *launcher, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=hand_over,
                env=daemon_environment(environment),
            )
        self.pid = self._child.pid

    def running(self):
        return self._child.poll() is None

    def exit_code(self, within):
        """Waits for the end; a death by signal is a negative number."""
        eventually(lambda: not self.running(), within, f"end of {self.argv[0]} (pid {self.pid})")
        return self._child.returncode

    def signal(self, number):
        """To the process itself, not to its children; nothing if it has ended."""
        if self.running():
            os.kill(self.pid, number)

    def kill(self):
        """kill -9, as a power cut would; its children are left to notice by themselves."""
        self.signal(signal.SIGKILL)
        self._child.wait()

    def terminate(self, within):
        self.signal(signal.SIGTERM)
        return self.exit_code(within)

    def destroy(self):
        """Ends it and everything it started; for cleaning up."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._child.wait()

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as output:
            return output.read()


def run_to_end(argv, within=30, environment=None, stdin=None):
    """Runs a program that ends by itself: CompletedProcess with text output."""
    return subprocess.run(
        [str(a) for a in argv],
        stdin=subprocess.DEVNULL if stdin is None else None,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=within,
        env=daemon_environment(environment),
        check=False,
    )


def children(pid):
    """Process ids of everything that `pid` started and that still runs, directly or not."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as listed:
                found += [int(child) for child in listed.read().split()]
    except FileNotFoundError:
        pass  # it ended meanwhile
    return found + [grandchild for child in found for grandchild in children(child)]


def alive(pid):
    """False for a process that is gone or only waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
