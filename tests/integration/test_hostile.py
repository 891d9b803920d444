"""What strangers send: too many connections, requests that are not what they claim, names that want out.

Counts are scaled for a continuous run. MILLRACE_FULL_SIZE=1 runs them as the acceptance battery has them (1,000 slow
connections, 100,000 stream names) and prints what was measured: see README.md here.
"""

import concurrent.futures
import http.client
import json
import os
import pathlib
import select
import threading
import time
from urllib.parse import unquote, urlsplit

from support import http_client
from support.case import ClusterCase
from support.cluster import binary
from support.wait import eventually

FULL = bool(os.environ.get("MILLRACE_FULL_SIZE"))
SLOW_CONNECTIONS = 1000 if FULL else 250
STREAM_NAMES = 100_000 if FULL else 1500
HEALTHY_REQUESTS = 1000 if FULL else 100
MIB = 1024 * 1024
# A sanitized binary keeps what was freed for a while and pads everything.
MEMORY_MAX = 64 * MIB
SANITIZED_MEMORY_MAX = 256 * MIB
SERIES_MAX = 2000


def sanitized():
    return b"__asan_init" in binary("orchestrator").read_bytes()


def resident(pid):
    fields = pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


class Peak:
    """The most memory a process holds while this is open, above what it held before."""

    def __init__(self, pid):
        self.pid, self.before, self.most = pid, resident(pid), 0
        self._stop = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self._stop.wait(0.05):
            self.most = max(self.most, resident(self.pid) - self.before)

    def __enter__(self):
        self._watch.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._watch.join()


class HostileCase(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        quarantine = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=4"]))
        cls.orchestrator = cluster.orchestrator(
            "--log-level", "debug", environment={"ASAN_OPTIONS": quarantine} if sanitized() else None)
        cls.transcoder = cluster.transcoder(cls.orchestrator)

    def report(self, text):
        if FULL:
            print(f"\n  {text}", flush=True)

    def assert_memory(self, peak, what):
        self.report(f"{what}: memory +{peak.most / MIB:.1f} MiB at most")
        self.assertLessEqual(peak.most, SANITIZED_MEMORY_MAX if sanitized() else MEMORY_MAX, what)

    def healthy(self):
        """Sorted seconds of requests by a client that does nothing wrong, one after the other, each on a new connection."""
        seconds = []
        for _ in range(HEALTHY_REQUESTS):
            begun = time.monotonic()
            self.assertEqual(http_client.get(f"{self.orchestrator.url}/healthz").status, 200)
            seconds.append(time.monotonic() - begun)
        return sorted(seconds)

    def refused_or_cut(self, request, more=(), within=10):
        """Sends bytes; the first bytes of the answer, b"" when the server closed without one."""
        with http_client.connect(self.orchestrator.url) as connection:
            connection.settimeout(within)
            try:
                connection.sendall(request)
                for piece in more:
                    connection.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                pass
            try:
                return connection.recv(4096)
            except ConnectionResetError:
                return b""


class Http(HostileCase):
    def test_a_thousand_slow_clients_cost_the_others_nothing(self):
        quiet = self.healthy()
        held = []
        try:
            with Peak(self.orchestrator.process.pid) as peak:
                for number in range(SLOW_CONNECTIONS):
                    connection = http_client.connect(self.orchestrator.url)
                    held.append(connection)
                    connection.sendall(b"PUT /live/slow-%d/0.ts HTTP/1.1\r\nHost: te" % number)
                crowded = self.healthy()
                opened = self.session(self.orchestrator)
                self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
            self.assert_memory(peak, f"{SLOW_CONNECTIONS} slow connections")
            p99 = (crowded[int(len(crowded) * 0.99) - 1], quiet[int(len(quiet) * 0.99) - 1])
            self.report(f"a healthy client's p99: {p99[0] * 1000:.2f} ms among them, {p99[1] * 1000:.2f} ms alone, ratio {p99[0] / p99[1]:.2f}")
            # The header's time has to cut each of them, however slowly the server gets round to it.
            open_ones = {connection.fileno(): connection for connection in held}
            poll = select.poll()
            for number in open_ones:
                poll.register(number, select.POLLIN)

            def all_cut():
                for number, _ in poll.poll(100):
                    self.assertIn(open_ones.pop(number).recv(12), (b"", b"HTTP/1.1 408"))
                    poll.unregister(number)
                return not open_ones
            eventually(all_cut, 40, "every slow client is cut off")
        finally:
            for connection in held:
                connection.close()

    def test_bodies_that_drip_hold_no_memory(self):
        """Bodies that are read and dropped, each a byte at a time."""
        held = []
        try:
            with Peak(self.orchestrator.process.pid) as peak:
                for _ in range(SLOW_CONNECTIONS):
                    connection = http_client.connect(self.orchestrator.url)
                    held.append(connection)
                    connection.sendall(b"PUT /live/drip/index.m3u8 HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\nx")
                self.assertEqual(http_client.get(f"{self.orchestrator.url}/healthz").status, 200)
            self.assert_memory(peak, f"{SLOW_CONNECTIONS} dripping bodies")
        finally:
            for connection in held:
                connection.close()

    def test_requests_that_can_be_read_in_two_ways_are_refused_or_cut(self):
        put, chunked = b"PUT /live/x/0.ts HTTP/1.1\r\nHost: test\r\n", b"Transfer-Encoding: chunked\r\n"
        smuggled = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"
        requests = [
            put + chunked + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + smuggled,
            put + b"Content-Length: 5\r\n" + chunked + b"\r\n0\r\n\r\n" + smuggled,
            put + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde" + smuggled,
            put + b"Content-Length: 5, 6\r\n\r\nabcde" + smuggled,
            put + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + smuggled,
            put + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + smuggled,
            put + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled,
            put + chunked + chunked + b"\r\n0\r\n\r\n" + smuggled,
            put + b"Content-Length: -1\r\n\r\n" + smuggled,
            put + b"Content-Length: +1\r\n\r\n" + smuggled,
            put + b"Content-Length: 0x10\r\n\r\n" + smuggled,
            put + b"Content-Length: 18446744073709551616\r\n\r\n" + smuggled,
            put + b"Content-Length: 9223372036854775807\r\n\r\n" + smuggled,
            b"PUT /live/x/0.ts HTTP/1.1\r\n\r\n" + smuggled,
            b"PUT /live/x/0.ts HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + smuggled,
            b"PUT /live/x/0.ts HTTP/1.1\r\nHost: test\r\nX: a\r\n folded: 1\r\n\tContent-Length: 5\r\n\r\n" + smuggled,
        ]
        for request in requests:
            with self.subTest(request=request[40:100]):
                first = self.refused_or_cut(request)
                self.assertTrue(first == b"" or first.startswith(b"HTTP/1.1 4"), first[:80])
                self.assertNotIn(b"HTTP/1.1 200", first)

    def test_sizes_that_lie_are_refused_or_cut_and_hold_no_memory(self):
        put = b"PUT /sessions HTTP/1.1\r\nHost: test\r\n"
        chunked = b"PUT /live/lie/index.m3u8 HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        with Peak(self.orchestrator.process.pid) as peak:
            cases = [
                (put, [b"A: b\r\n" * 100_000, b"\r\n"]),
                (put, [b"A" * MIB, b": b\r\n\r\n"]),
                (b"GET /" + b"a" * MIB, [b" HTTP/1.1\r\nHost: test\r\n\r\n"]),
                (chunked + b"1;", [b"x" * 4 * MIB]),
                (chunked, [b"1;name=value\r\nx\r\n"] * 20_000),
                (chunked + b"fffffffffffffff\r\n", [bytes(2 * MIB)]),
                (chunked + b"ffffffffffffffff\r\n", []),
                (chunked + b"1000000000000000000001\r\n", []),
                (chunked + b"-1\r\n", []),
                (chunked + b"1\r\nxxx", []),
                (chunked + b"0\r\n", [b"Trailer: x\r\n" * 100_000]),
                (b"POST /sessions HTTP/1.1\r\nHost: test\r\nContent-Length: 100000000\r\n\r\n", []),
            ]
            for head, more in cases:
                with self.subTest(head=head[:60], more=sum(map(len, more))):
                    first = self.refused_or_cut(head, more)
                    self.assertTrue(first == b"" or first.startswith(b"HTTP/1.1 4"), first[:80])
        self.assert_memory(peak, "lying sizes")

    def test_pipelined_requests_are_answered_in_order_one_at_a_time(self):
        count = 20_000 if FULL else 2000
        paths = (b"/healthz", b"/stream/nobody.m3u8", b"/nonsense")
        request = b"".join(b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n" % path for path in paths)
        with Peak(self.orchestrator.process.pid) as peak, http_client.connect(self.orchestrator.url) as connection:
            # Nobody reads the answers until all is sent: whoever queued them would grow.
            sending = threading.Thread(target=connection.sendall, args=(request * (count // len(paths)),), daemon=True)
            sending.start()
            stream, statuses = connection.makefile("rb"), []
            for _ in range(count // len(paths) * len(paths)):
                statuses.append(int(stream.readline().split()[1]))
                length = 0
                while (line := stream.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                stream.read(length)
            sending.join(20)
        self.assertEqual(statuses, [200, 404, 404] * (count // len(paths)))
        self.assert_memory(peak, f"{count} pipelined requests")


# Ways out of a directory, as people have tried them.
def traversals():
    ups = ["..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "..%00", "..%2f", "..%5c", "..\\", "%c0%ae%c0%ae", "%252e%252e", "..;", "....//",
           "%uff0e%uff0e", "\u2025", "\uff0e\uff0e", "%e2%80%ae..", ".. ", " ..", "..%20", "..%09", "..%0a", "..%0d%0a", "~root", "file:"]
    targets = ["etc/passwd", "orchestrator.db", "mrtraversal.ts", "1.ts", "index.m3u8"]
    found = []
    for up in ups:
        for target in targets:
            found.append(f"{up}/{target}")
            found.append(f"{up}%2f{up}%2f{target}")
    found += ["a" * 300, "a" * 5000, "%00", "%00.ts", "1%00.ts", "\u0000", ".", "%2e", "%2f", "%5c", "//etc/passwd", "/etc/passwd", "C:%5cx.ts",
              "mrtraversal/" * 50, "%2e%2e%2f" * 100, "\u202e1.ts", "\U0001f480.ts", "%ff%fe.ts", "%e0%80%af1.ts"]
    return found


class Names(HostileCase):
    def send(self, method, path):
        target = path.encode("utf-8", "surrogateescape")
        # A target with a blank in it is no target: that is the server's to find out.
        return self.refused_or_cut(b"%s %s HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntext" % (method.encode(), target))

    def test_no_name_leads_out_of_anywhere(self):
        names = traversals()
        self.assertGreaterEqual(len(names), 200)
        outside = self.outside()
        forms = (("PUT", "/live/{}/0.ts"), ("PUT", "/live/mrt/{}"), ("GET", "/stream/{}"), ("GET", "/stream/mrt/small/{}"),
                 ("DELETE", "/sessions/{}"), ("DELETE", "/live/mrt/{}"))
        wrong = []
        for method, form in forms:
            for name in names if FULL else names[::2] + names[-19:]:
                first = self.send(method, form.format(name))
                # Odd, but a name like any other: ffmpeg may delete what we never stored.
                odd = method == "DELETE" and not set(unquote(name)) & set("/\\\0")
                if not (first == b"" or first.startswith(b"HTTP/1.1 4")) and not odd:
                    wrong.append((method, form.format(name)[:80], first[:60]))
        for name in names[:60]:
            answer = self.orchestrator.open_session(name)
            if answer.status != 400:
                wrong.append(("POST", name, answer))
        self.assertEqual(wrong, [])
        self.assertEqual(self.outside(), outside)
        self.assertEqual(http_client.get(f"{self.orchestrator.url}/healthz").status, 200)

    def outside(self):
        """Every file that is not in the data directory of a daemon, where a name could have led."""
        data = [daemon.data_dir for daemon in self.cluster.daemons]
        found = {str(path) for path in self.cluster.directory.rglob("*") if not any(path.is_relative_to(d) for d in data)}
        for place in (self.cluster.directory.parent, pathlib.Path.cwd(), pathlib.Path.home(), pathlib.Path("/")):
            found |= {str(path) for path in place.iterdir() if "mrt" in path.name}
        inside = {str(p) for d in data for p in d.rglob("*") if "mrt" in p.name or p.name in ("passwd", "1.ts", "0.ts", "index.m3u8")}
        return found | inside

    def test_stream_names_make_no_metric_series(self):
        host = urlsplit(self.orchestrator.url)
        before = self.orchestrator.metrics()
        connection = http.client.HTTPConnection(host.hostname, host.port, timeout=60)
        opened = []
        with Peak(self.orchestrator.process.pid) as peak:
            for number in range(STREAM_NAMES):
                name = f"mrname-{number}"
                if number % 50 == 0:  # a session that is open, too
                    connection.request("POST", "/sessions", body=json.dumps({"stream": name}))
                    answer = connection.getresponse()
                    opened.append(json.loads(answer.read())["session_id"])
                    self.assertEqual(answer.status, 201)
                elif number % 5 == 0:
                    connection.request("GET", f"/stream/{name}.m3u8")
                    answer = connection.getresponse()
                    self.assertEqual((answer.status, answer.read() and 404), (404, 404))
                else:
                    connection.request("PUT", f"/live/{name}/0.ts", body=b"no segment\n")
                    answer = connection.getresponse()
                    self.assertEqual((answer.status, answer.read() and 422), (422, 422))
                    if answer.headers.get("Connection") == "close":
                        connection.close()
            page = http_client.get(f"{self.orchestrator.admin}/metrics").body.decode()
            after = http_client.Metrics(page)
            for number, session in enumerate(opened):
                if number % 2 == 0:
                    connection.request("DELETE", f"/sessions/{session}")
                    connection.getresponse().read()
        connection.close()
        self.report(f"{STREAM_NAMES} stream names: {len(before.samples)} series before, {len(after.samples)} after, memory +{peak.most / MIB:.1f} MiB")
        self.assertLessEqual(len(after.samples), SERIES_MAX)
        self.assertEqual(len(after.samples), len(before.samples))
        self.assertNotIn("mrname", page)

    def test_control_characters_never_reach_the_log(self):
        nasty = "%1b%5b31mred%0d%0a2026-01-01T00:00:00.000Z info fake: line%00%07"
        for method, path in (("PUT", f"/live/{nasty}/0.ts"), ("PUT", f"/live/ok/{nasty}0.ts"), ("GET", f"/stream/{nasty}.m3u8"),
                             ("DELETE", f"/sessions/{nasty}"), ("PUT", f"/live/ok/0.ts?token={nasty}"), (f"{nasty}", "/")):
            self.refused_or_cut(f"{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntext".encode())
        raw = "\x1b[31mred\x07"
        for headers in ({"Content-Duration": raw}, {"Livepeer-Transcode-Configuration": raw}, {"Authorization": f"Bearer {raw}"},
                        {"User-Agent": raw}, {"Content-Resolution": raw}):
            self.orchestrator.push(self.stream(), "0.ts", self.clips[0], headers=headers)
        self.orchestrator.open_session("a\x1b[31m\r\nb")
        self.orchestrator.open_session(self.stream(), [{"name": "a\x1b[31m\r\nb", "width": 160, "height": 90, "bitrate": 100000}])
        written = self.orchestrator.log.read_bytes()
        self.assertEqual([line[:200] for line in written.split(b"\n") if any(byte < 32 or byte == 127 for byte in line)], [])
        self.assertNotIn(b"\n2026-01-01T00:00:00.000Z info fake", written)
