"""What an operator installs: the units of deploy/systemd, and binaries without a switch that looks away.

The units are judged, not run: a test has no service manager of its own.
"""

import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from support.case import ClusterCase
from support.cluster import binary
from support.media import ROOT
from support.processes import run_to_end

UNITS = ROOT / "deploy" / "systemd"
PROGRAMS = ("orchestrator", "transcoder")
# How much of the machine a service may reach, as systemd counts it (0 best, 10 worst).
EXPOSURE_MAX = {"orchestrator": 2.0, "transcoder": 4.0}
# What programs call the flag or variable that makes them accept anybody; "verify_none" is a word of the TLS libraries.
_ALTER = ("skip", "no", "disable", "without", "ignore")
LOOKS_AWAY = [b"insecure", b"trust-all", b"trust_all", b"allow-any", b"allow_any", b"allow-self", b"allow_self",
              *(f"{word}{joint}{what}".encode() for word in _ALTER for joint in "-_" for what in ("verif", "tls-verif", "cert-check"))]


@unittest.skipUnless(shutil.which("systemd-analyze"), "NO systemd-analyze: the units of deploy/systemd were not judged")
class Units(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.units = pathlib.Path(directory.name)
        for unit in UNITS.iterdir():
            text = unit.read_text()
            for program in PROGRAMS:  # as installed, but not installed here
                text = text.replace(f"/usr/bin/millrace-{program}", str(binary(program)))
            (self.units / unit.name).write_text(text)

    def test_systemd_understands_every_line(self):
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *sorted(self.units.iterdir())], capture_output=True, text=True,
                              timeout=60)
        ours = [line for line in (done.stdout + done.stderr).splitlines() if "millrace" in line]
        self.assertEqual((done.returncode, ours), (0, []), done)

    def test_services_reach_little_of_the_machine(self):
        for program, exposure_max in EXPOSURE_MAX.items():
            with self.subTest(program=program):
                done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={int(exposure_max * 10)}",
                                       self.units / f"millrace-{program}.service"], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stdout[-300:] + done.stderr)
                self.assertRegex(done.stdout, r"Overall exposure level for \S+: \d")

    def test_an_engine_may_make_its_walls(self):
        """What transcoder/engine/walls.cpp calls stands in the filter of system calls, and its namespaces are allowed."""
        unit = (UNITS / "millrace-transcoder.service").read_text()
        allowed = set()
        for group in re.search(r"^SystemCallFilter=(.+)$", unit, re.M).group(1).split():
            allowed |= self.calls_of(group)
        needed = {"unshare", "mount", "umount2", "pivot_root", "chroot", "chdir", "capset", "prctl", "seccomp", "setrlimit", "close_range",
                  "socketpair", "pidfd_open", "pidfd_send_signal", "execve", "clone", "clone3"}
        self.assertEqual(needed - allowed, set())
        namespaces = set(re.search(r"^RestrictNamespaces=(.+)$", unit, re.M).group(1).split())
        self.assertEqual(namespaces, {"user", "mnt", "net", "ipc", "uts", "cgroup"})

    def calls_of(self, group):
        if not group.startswith("@"):
            return {group}
        listed = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", group], capture_output=True, text=True, timeout=60, check=True)
        names = [line.strip() for line in listed.stdout.splitlines()[1:]]
        return set().union(*(self.calls_of(name) for name in names if name and not name.startswith("#")))


class Manager:
    """The socket a service manager listens on; `told` is what a service said so far."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(20)

    def hears(self):
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())


class Notified(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        """Each test starts its own."""

    def assert_tells(self, manager, start, where):
        process = start()
        said = manager.hears()
        self.assertEqual(said["READY"], "1")
        self.assertIn(where(process), said["STATUS"])
        process.process.signal(signal.SIGTERM)
        self.assertEqual(manager.hears()["STOPPING"], "1")
        self.assertEqual(process.process.exit_code(20), 0)

    def test_both_services_say_when_they_serve_and_when_they_stop(self):
        cluster = self.new_cluster()
        directory = pathlib.Path(cluster.directory)
        orchestrator = cluster.orchestrator()
        for name in (str(directory / "notify"), f"@{directory}/notify"):
            with self.subTest(socket=name):
                manager = Manager(name)
                self.addCleanup(manager.socket.close)
                environment = {"NOTIFY_SOCKET": name}
                self.assert_tells(manager, lambda: cluster.transcoder(orchestrator, slots=1, environment=environment),
                                  lambda transcoder: transcoder.endpoints["admin"])
                self.assert_tells(manager, lambda: self.new_cluster().orchestrator("--local-transcoder", "1", environment=environment),
                                  lambda served: served.url.removeprefix("http://"))

    def test_a_manager_that_is_not_there_is_no_matter(self):
        self.assertTrue(self.new_cluster().orchestrator(environment={"NOTIFY_SOCKET": "/nonexistent/notify"}).process.running())


class NoWayAround(unittest.TestCase):
    def test_no_program_has_a_switch_that_accepts_anybody(self):
        for program in PROGRAMS:
            with self.subTest(program=program):
                listed = run_to_end([binary(program), "--help"], 20).stdout.encode()
                self.assertIn(b"--admin-addr", listed)
                for place in (listed, binary(program).read_bytes()):
                    lower = place.lower()
                    self.assertEqual([word for word in LOOKS_AWAY if word in lower], [])

    def test_handed_sockets_bear_the_names_that_the_units_give_them(self):
        named = {re.search(r"^FileDescriptorName=(.+)$", unit.read_text(), re.M).group(1): unit.name
                 for unit in UNITS.glob("*.socket")}
        self.assertEqual(named, {lane: f"millrace-orchestrator-{lane}.socket" for lane in ("service", "link", "payload")})
        source = (ROOT / "orchestrator" / "main.cpp").read_text()
        for lane in named:
            self.assertIn(f'"{lane}"', source)
