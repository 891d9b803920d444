"""Every refusal this version can give, with the code of the contract (section 4)."""

import concurrent.futures
import signal
import time
import unittest

from support import http_client, media
from support.case import TINY, ClusterCase
from support.wait import eventually

MIB = 1024 * 1024


class WrongInput(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=2)

    def test_names_and_bodies_that_are_no_segments(self):
        good = self.clips[0]
        slots = self.orchestrator.status()["capacity"]["sessions_active"]
        for name, body, status, code in (
            ("abc.ts", good, 400, "BadRequest"),
            (".ts", good, 400, "BadRequest"),
            ("99999999999999999999999999.ts", good, 400, "BadRequest"),
            ("7.avi", good, 415, "UnsupportedMediaType"),
            ("7", good, 415, "UnsupportedMediaType"),
            ("7.ts.exe", good, 415, "UnsupportedMediaType"),
            ("7.ts", b"", 422, "BadSegment"),
            ("8.ts", b"<html><body>502 Bad Gateway</body></html>", 422, "BadSegment"),
            ("9.ts", b"{}", 422, "BadSegment"),
            ("10.ts", bytes(100_000), 422, "BadSegment"),
            ("11.ts", b"#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1/x.ts\n", 422, "BadSegment"),
            ("12.mp4", b"#!/bin/sh\necho\n" * 100, 422, "BadSegment"),
        ):
            with self.subTest(name=name, size=len(body)):
                answer = self.orchestrator.push(self.stream(), name, body)
                self.assert_status(answer, status, code)
                problem = answer.json()
                self.assertEqual(problem["status"], status)
                self.assertFalse(problem["retryable"])
                self.assertTrue(problem["detail"])
        self.assertLessEqual(self.orchestrator.status()["capacity"]["sessions_active"], slots, "a refusal takes no slot")

    def test_stream_names_are_judged(self):
        known = {s["id"] for s in self.orchestrator.status()["sessions"]}
        for name in ("%2e%2e", "..", ".", "a%20b", "a%00b", "x" * 129, "a%2fb", "%ff", "a%c3%a9"):
            with self.subTest(name=name[:20]):
                answer = self.orchestrator.push(name, "0.ts", self.clips[0])
                self.assertIn((answer.status, answer.code), [(400, "BadRequest"), (404, "NotFound")])
        self.assertLessEqual({s["id"] for s in self.orchestrator.status()["sessions"]}, known)

    def test_unknown_places_and_methods(self):
        for method, path, status in (
            ("GET", "/", 404), ("GET", "/nonsense", 404), ("PUT", "/live", 404), ("GET", "/live/x/0.ts", 405),
            ("DELETE", "/sessions", 405), ("PATCH", "/sessions", 405), ("GET", "/stream/unknown.m3u8", 404),
            ("GET", "/stream/unknown/small.m3u8", 404), ("GET", "/stream/../../etc/passwd", 404),
            ("GET", "/stream/%2e%2e/%2e%2e/etc/passwd", 404), ("GET", "/metrics", 404), ("GET", "/status", 404),
        ):
            with self.subTest(method=method, path=path):
                answer = http_client.request(method, self.orchestrator.url + path)
                accepted = {404: [(404, "NotFound")], 405: [(405, "MethodNotAllowed"), (404, "NotFound")]}[status]
                self.assertIn((answer.status, answer.code), accepted)

    def test_a_first_segment_without_video_is_bad_but_a_later_one_is_sound_only(self):
        shared = media.shared_media()
        if shared is None:
            self.skipTest("the shared clips are not beside the repository")
        sound_only = (shared / "bee_audioonly.ts").read_bytes()
        silent = self.stream()
        for seq in range(3):  # a stream without video has no first segment
            self.assert_status(self.orchestrator.push(silent, f"{seq}.ts", sound_only), 422, "BadSegment")
        opened = self.session(self.orchestrator, TINY)
        self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        later = self.orchestrator.push(opened["stream"], "1.ts", sound_only, multipart=True)
        self.assert_status(later, 200)
        probe = media.Probe(later.renditions()["small"])
        self.assertEqual((probe.codec, probe.audio), (None, "aac"))

    def test_a_body_above_the_limit_is_refused_by_its_length_before_it_is_read(self):
        with http_client.connect(self.orchestrator.url) as connection:
            started = time.monotonic()
            connection.sendall(f"PUT /live/{self.stream()}/0.ts HTTP/1.1\r\nHost: test\r\n"
                               f"Content-Length: {33 * MIB}\r\n\r\n".encode())
            answer = http_client.read_answer(connection)
            self.assert_status(answer, 413, "SegmentTooLarge")
            self.assertLess(time.monotonic() - started, 1.0)

    def test_a_body_above_the_limit_is_refused_when_its_chunks_pass_it(self):
        packet = (b"\x47\x1f\xff\x10" + b"\xff" * 184) * 5577  # 1 MiB of null packets
        answer = self.orchestrator.push(self.stream(), "0.ts", (packet for _ in range(40)))
        self.assert_status(answer, 413, "SegmentTooLarge")
        eventually(lambda: self.orchestrator.metric("millrace_orchestrator_payload_buffered_bytes") == 0, 5, "bytes are freed")

    def test_what_headers_decide_is_answered_before_the_body(self):
        with http_client.connect(self.orchestrator.url) as connection:
            started = time.monotonic()
            connection.sendall(b"PUT /live/x/7.avi HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n")
            self.assert_status(http_client.read_answer(connection), 415, "UnsupportedMediaType")
            self.assertLess(time.monotonic() - started, 1.0)

    def test_text_is_turned_away_at_the_door(self):
        before = self.orchestrator.metric("millrace_orchestrator_attempts_total")
        self.assert_status(self.orchestrator.push(self.stream(), "0.ts", b"not a segment\n" * 1000), 422, "BadSegment")
        self.assertEqual(self.orchestrator.metric("millrace_orchestrator_attempts_total"), before)

    def test_protocol_nonsense_is_refused_or_cut_and_the_server_lives(self):
        for request in (b"\x00\x01\x02\x03\r\n\r\n", b"GET\r\n\r\n", b"PUT /live/x/0.ts HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                        b"PUT /live/x/0.ts HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
                        b"PUT /live/x/0.ts HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzz\r\n",
                        b"PUT /live/x/0.ts HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
                        b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n"):
            with self.subTest(request=request[:60]):
                with http_client.connect(self.orchestrator.url) as connection:
                    connection.sendall(request)
                    connection.settimeout(8)
                    try:
                        first = connection.recv(64)
                    except ConnectionResetError:
                        first = b""
                self.assertTrue(first == b"" or first.split()[1][:1] == b"4", first)
        self.assertEqual(http_client.get(f"{self.orchestrator.url}/healthz").status, 200)

    def test_a_client_that_dawdles_is_timed_out(self):
        def slow_headers():
            with http_client.connect(self.orchestrator.url) as connection:
                connection.sendall(b"PUT /live/x/0.ts HTTP/1.1\r\nHost: te")
                connection.settimeout(12)
                return connection.recv(64)

        def paused_body():
            with http_client.connect(self.orchestrator.url) as connection:
                connection.sendall(b"PUT /live/paused/0.ts HTTP/1.1\r\nHost: test\r\nContent-Length: 376000\r\n\r\n" + self.clips[0][:1880])
                connection.settimeout(18)
                return connection.recv(64)

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = [pool.submit(slow_headers), pool.submit(paused_body)]
            for answer in answers:
                line = answer.result()
                self.assertTrue(line == b"" or b" 408 " in line, line)
        self.assertIn(b" 408 ", answers[1].result())


class NoRoom(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        """Each test makes what it needs."""

    def test_without_transcoders_a_segment_is_refused_at_once(self):
        orchestrator = self.new_cluster().orchestrator()
        answer = orchestrator.push(self.stream(), "0.ts", self.clips[0])
        self.assert_status(answer, 503, "NoTranscoders")
        self.assert_retry_after(answer)
        self.assertTrue(answer.json()["retryable"])
        self.assertGreaterEqual(orchestrator.metric("millrace_orchestrator_sessions_refused_total", code="NoTranscoders"), 1)

    def test_the_operators_limit_and_the_transcoders_slots_cap_sessions_and_say_so(self):
        cluster = self.new_cluster()
        by_operator = cluster.orchestrator("--max-sessions", "1")
        none_at_all = cluster.orchestrator("--max-sessions", "0")
        by_slots = cluster.orchestrator()
        for orchestrator, slots in ((by_operator, 3), (none_at_all, 1), (by_slots, 1)):
            cluster.transcoder(orchestrator, slots=slots)
        for orchestrator, room, binding in ((by_operator, 1, "operator"), (none_at_all, 0, "operator"), (by_slots, 1, "transcoders")):
            with self.subTest(binding=binding, room=room):
                for _ in range(room):
                    opened = self.session(orchestrator, TINY)
                    self.assert_status(orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
                answer = orchestrator.push(self.stream(), "0.ts", self.clips[0])
                self.assert_status(answer, 503, "OrchestratorCapped")
                self.assertIn(binding, answer.json()["detail"])
                self.assert_retry_after(answer)
                self.assertEqual(orchestrator.status()["capacity"]["binding"], binding)
                if room:  # the session that has its slot is not disturbed
                    self.assert_status(orchestrator.push(opened["stream"], "1.ts", self.clips[1]), 200)

    def test_a_session_whose_first_segment_is_refused_gives_its_slot_to_the_next_at_once(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        cluster.transcoder(orchestrator, slots=1)
        opened = self.session(orchestrator, TINY)
        # The grid of a transport stream and nothing in it: only an engine can tell.
        hollow = b"".join(b"\x47\x1f\xff" + bytes([0x10 | n % 16]) + b"\xff" * 184 for n in range(500))
        self.assert_status(orchestrator.push(opened["stream"], "0.ts", hollow), 422, "BadSegment")
        self.assertGreaterEqual(orchestrator.metric("millrace_orchestrator_attempts_total", outcome="failed"), 1, "an engine judged it")
        self.assertEqual(orchestrator.status()["capacity"]["sessions_active"], 0)
        other = self.session(orchestrator, TINY)
        self.assert_status(orchestrator.push(other["stream"], "0.ts", self.clips[0]), 200)
        # The refused session is still there, with its token; the one slot is taken now.
        again = orchestrator.push(opened["stream"], "1.ts", self.clips[1], headers={"Authorization": f"Bearer {opened['token']}"})
        self.assert_status(again, 503, "OrchestratorCapped")

    def test_a_stopped_transcoder_makes_a_session_busy_then_late_then_served_elsewhere(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        stuck = cluster.transcoder(orchestrator, slots=1)
        opened = self.session(orchestrator, TINY)
        self.assert_status(orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        stuck.process.signal(signal.SIGSTOP)
        self.addCleanup(stuck.process.signal, signal.SIGCONT)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            started = time.monotonic()
            waiting = [pool.submit(orchestrator.push, opened["stream"], f"{seq}.ts", self.clips[seq]) for seq in range(1, 5)]
            eventually(lambda: orchestrator.session(opened["stream"])["in_flight"] == 4, 2, "four segments in flight")
            fifth = orchestrator.push(opened["stream"], "5.ts", self.clips[5])
            self.assert_status(fifth, 503, "OrchestratorBusy")
            self.assert_retry_after(fifth)
            answers = [w.result() for w in waiting]
            took = time.monotonic() - started
        # Segments of one second have the shortest deadline there is, 4 s.
        for answer in answers:
            self.assertEqual(answer.status, 504, answer)
            self.assertEqual(answer.code, "DeadlineExceeded")
        self.assertLess(took, 8)
        cluster.transcoder(orchestrator, slots=1)
        self.assert_status(orchestrator.push(opened["stream"], "6.ts", self.clips[6]), 200)

    def test_while_it_shuts_down_it_finishes_what_it_took_and_takes_no_more(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        slow = cluster.transcoder(orchestrator, slots=1)
        opened = self.session(orchestrator, TINY)
        self.assert_status(orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        slow.process.signal(signal.SIGSTOP)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            running = pool.submit(orchestrator.push, opened["stream"], "1.ts", self.clips[1])
            eventually(lambda: orchestrator.session(opened["stream"])["in_flight"] == 1, 2, "a segment in flight")
            orchestrator.process.signal(signal.SIGTERM)
            eventually(lambda: self.stops(orchestrator), 2, "the signal is heard")
            refused = orchestrator.push(opened["stream"], "2.ts", self.clips[2])
            self.assert_status(refused, 503, "ShuttingDown")
            self.assert_retry_after(refused)
            slow.process.signal(signal.SIGCONT)
            self.assert_status(running.result(), 200)
        self.assertEqual(orchestrator.process.exit_code(15), 0)

    def stops(self, orchestrator):
        # Not by a push: one that came before the signal would be let in, and wait for the stopped transcoder.
        return "stopping" in orchestrator.log.read_text(errors="replace")


if __name__ == "__main__":
    unittest.main()
