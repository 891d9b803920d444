"""Orchestrators and transcoders of the real binaries on loopback.

Every address is asked for with port 0 and read back from <data-dir>/endpoints.json, so any number of clusters run beside
each other. A restart asks for the ports it had, so that the others find it again.
"""

import json
import os
import pathlib
import re
import shutil
import tempfile
import time

from support import http_client
from support.media import ROOT
from support.processes import Process, run_to_end
from support.wait import eventually

START_S = 20  # a sanitized binary on a busy machine
STOP_S = 20

# What must never stand in a daemon's output.
_REPORTS = re.compile(r"ERROR: \w+Sanitizer|runtime error:|WARNING: ThreadSanitizer|MR_CHECK|terminate called|check failed", re.I)


def binary(name):
    directory = os.environ.get("MILLRACE_BIN", ROOT / "build" / "dev" / "bin")
    found = pathlib.Path(directory).resolve() / name
    if not found.exists():
        raise AssertionError(f"no {found}: build it, or say with MILLRACE_BIN where the programs are")
    return found


class _Daemon:
    """What an orchestrator and a transcoder have in common."""

    def __init__(self, name, directory, environment=None):
        self.name = name
        self.data_dir = directory / name
        self.log = directory / f"{name}.log"
        self.environment = environment
        self.process = None
        self.endpoints = {}

    def _launch(self, argv):
        (self.data_dir / "endpoints.json").unlink(missing_ok=True)
        self.process = Process(argv, self.log, self.environment)

    def _read_endpoints(self):
        path = self.data_dir / "endpoints.json"

        def read():
            if not self.process.running():
                raise AssertionError(f"{self.name} ended with {self.process.exit_code(1)}:\n{self.process.text()[-3000:]}")
            return json.loads(path.read_text()) if path.exists() else None

        self.endpoints = eventually(read, START_S, f"{path}")

    @property
    def admin(self):
        return f"http://{self.endpoints['admin']}"

    def metrics(self):
        answer = http_client.get(f"{self.admin}/metrics")
        assert answer.status == 200, answer
        return http_client.Metrics(answer.body.decode())

    def metric(self, name, **labels):
        return self.metrics().value(name, **labels)

    def status(self):
        answer = http_client.get(f"{self.admin}/status")
        assert answer.status == 200, answer
        return answer.json()

    def ready(self):
        return http_client.get(f"{self.admin}/readyz").status == 200

    def kill(self):
        self.process.kill()

    def terminate(self, within=STOP_S):
        return self.process.terminate(within)

    def reports(self):
        """Lines of the log that mean a bug: sanitizer reports, failed contracts."""
        if not self.log.exists():
            return []
        return [line for line in self.log.read_text(errors="replace").splitlines() if _REPORTS.search(line)]


class Orchestrator(_Daemon):
    def __init__(self, name, directory, flags=(), environment=None):
        super().__init__(name, directory, environment)
        self.flags = list(flags)
        self.handed = {}  # {"service": a listening socket, ...}: bound by us, served by it (socket activation)

    def _launch(self, argv):
        if self.handed:
            self.environment = {**(self.environment or {}), "LISTEN_FDNAMES": ":".join(self.handed),
                                "LISTEN_FDS": str(len(self.handed))}
        (self.data_dir / "endpoints.json").unlink(missing_ok=True)
        self.process = Process(argv, self.log, self.environment, hand_over=[s.fileno() for s in self.handed.values()])

    def argv(self):
        """The command line; the addresses are those it had before, or any."""
        given = {str(f).split("=")[0] for f in self.flags}
        addresses = []
        for lane in ("service", "link", "payload", "admin"):
            if f"--{lane}-addr" not in given:
                addresses += [f"--{lane}-addr", self.endpoints.get(lane, "127.0.0.1:0")]
        return [binary("orchestrator"), *addresses, "--data-dir", self.data_dir, *self.flags]

    def _bound(self):
        """It runs; not when somebody got one of its ports while it was down, as any connection of the machine may."""
        self._launch(self.argv())
        try:
            self._read_endpoints()
        except AssertionError as failure:
            if not self.endpoints or "Address already in use" not in str(failure):
                raise
            return False
        return True

    def start(self):
        eventually(self._bound, START_S, f"{self.name} has its ports")
        eventually(lambda: http_client.get(f"{self.url}/healthz").status == 200, START_S, f"{self.name} serves")
        return self

    @property
    def url(self):
        return f"{'https' if '--tls-cert' in self.flags else 'http'}://{self.endpoints['service']}"

    @property
    def link(self):
        return self.endpoints["link"]

    def command(self, *arguments, within=20):
        """A subcommand that talks to this orchestrator: CompletedProcess."""
        return run_to_end([binary("orchestrator"), *arguments, "--admin-addr", self.endpoints["admin"],
                           "--data-dir", self.data_dir], within, self.environment)

    def join_token(self, *arguments):
        done = self.command("join-token", "--json", *arguments)
        assert done.returncode == 0, done
        return json.loads(done.stdout)["token"]

    # ---- as a broadcaster ----

    def push(self, stream, name, body, multipart=False, method="PUT", headers=None, query=""):
        all_headers = dict(headers or {})
        if multipart:
            all_headers["Accept"] = "multipart/mixed"
        return http_client.request(method, f"{self.url}/live/{stream}/{name}{query}", body=body, headers=all_headers)

    def open_session(self, stream, ladder=None, headers=None):
        wanted = {"stream": stream}
        if ladder is not None:
            wanted["ladder"] = ladder
        return http_client.request("POST", f"{self.url}/sessions", body=json.dumps(wanted).encode(),
                                   headers={"Content-Type": "application/json", **(headers or {})})

    def end_session(self, session_id, headers=None):
        return http_client.request("DELETE", f"{self.url}/sessions/{session_id}", headers=headers)

    def playlist(self, path):
        return http_client.get(f"{self.url}/stream/{path}")

    # ---- as an operator ----

    def transcoder(self, name):
        """The record of a transcoder in /status, or None."""
        return next((t for t in self.status()["transcoders"] if t["name"] == name), None)

    def session(self, stream):
        return next((s for s in self.status()["sessions"] if s["stream"] == stream), None)

    def transcoder_is(self, name, state):
        found = self.transcoder(name)
        return found is not None and found["state"] == state


class Transcoder(_Daemon):
    def __init__(self, name, directory, orchestrators, tokens, slots=2, flags=(), environment=None):
        super().__init__(name, directory, environment)
        self.orchestrators = orchestrators
        self.tokens = tokens
        self.slots = slots
        self.flags = list(flags)

    def argv(self):
        tokens = [part for token in self.tokens for part in ("--join-token", token)]
        admin = [] if "--admin-addr" in self.flags else ["--admin-addr", "127.0.0.1:0"]
        return [binary("transcoder"), "--orch-addr", ",".join(o.link for o in self.orchestrators), *tokens, *admin,
                "--data-dir", self.data_dir, "--name", self.name, "--max-sessions", self.slots, *self.flags]

    def launch(self):
        """Starts it without waiting for anything."""
        self._launch(self.argv())
        return self

    def start(self):
        self.launch()
        self._read_endpoints()
        for orchestrator in self.orchestrators:
            eventually(lambda o=orchestrator: o.transcoder_is(self.name, "ready"), START_S,
                       f"{self.name} ready at {orchestrator.name}")
        return self


class Cluster:
    """A directory and the daemons that live in it; `close()` ends them and returns what their logs complain about."""

    def __init__(self, prefix="millrace-test-", directory=None):
        self._own_directory = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix=prefix))
        self.daemons = []

    def orchestrator(self, *flags, name=None, environment=None, start=True):
        name = name or f"orchestrator{sum(isinstance(d, Orchestrator) for d in self.daemons) + 1}"
        made = Orchestrator(name, self.directory, flags, environment)
        self.daemons.append(made)
        return made.start() if start else made

    def transcoder(self, *orchestrators, name=None, slots=2, flags=(), tokens=None, environment=None, start=True):
        name = name or f"transcoder{sum(isinstance(d, Transcoder) for d in self.daemons) + 1}"
        if tokens is None:
            tokens = [o.join_token() for o in orchestrators]
        made = Transcoder(name, self.directory, orchestrators, tokens, slots, flags, environment)
        self.daemons.append(made)
        return made.start() if start else made

    def logs(self, lines=60):
        """The end of every log, for a failed test's output."""
        told = []
        for daemon in self.daemons:
            if daemon.log.exists():
                text = daemon.log.read_text(errors="replace").splitlines()
                told.append(f"---- {daemon.name} (last {min(lines, len(text))} of {len(text)} lines)")
                told += text[-lines:]
        return "\n".join(told)

    def close(self, keep=False):
        for daemon in reversed(self.daemons):
            if daemon.process is not None:
                daemon.process.destroy()
        found = [f"{d.name}: {line}" for d in self.daemons for line in d.reports()]
        if self._own_directory and not keep:
            # Engines end on their own when their transcoder does; one may still hold a file for a moment.
            for _ in range(10):
                shutil.rmtree(self.directory, ignore_errors=True)
                if not self.directory.exists():
                    break
                time.sleep(0.1)
        return found
