"""Wrong input, one row per mistake: its code, whether it is answered before the body was sent, and that nothing is left."""

import json

from support import http_client
from support.case import TINY, ClusterCase
from support.wait import eventually

MIB = 1024 * 1024
# The contract says 1 s; a sanitized binary on a busy machine may take longer to be seen.
GONE_S = 5

THREE_MISTAKES = [
    {"name": "a", "width": -5, "height": 90, "bitrate": 100000},
    {"name": "b", "width": 160, "height": 90, "bitrate": 100000, "encoder": "ProRes"},
    {"name": "c", "width": 160, "height": 90, "bitrate": 100000, "wdith": 3},
]


class WrongInput(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=2)

    def assert_nothing_left(self, stream):
        def clean():
            session = self.orchestrator.session(stream)
            return (self.orchestrator.metric("millrace_orchestrator_payload_buffered_bytes") == 0
                    and (session is None or session["in_flight"] == 0)
                    and self.transcoder.metric("millrace_transcoder_tasks_active") == 0)
        eventually(clean, GONE_S, f"nothing of {stream} is left")

    def attempts(self):
        return self.orchestrator.metric("millrace_orchestrator_attempts_total")

    def early(self, path, fields, body_bytes):
        """The answer to a head whose body never comes."""
        with http_client.connect(self.orchestrator.url) as connection:
            connection.sendall((f"PUT {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {body_bytes}\r\n"
                                + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n").encode())
            connection.settimeout(15)
            return http_client.read_answer(connection)

    def test_what_the_head_gives_away_is_refused_before_the_body(self):
        for path, fields, size, status, code in (
            ("/live/{}/abc.ts", {}, 1000, 400, "BadRequest"),  # no number
            ("/live/{}/.ts", {}, 1000, 400, "BadRequest"),
            ("/live/{}/18446744073709551616.ts", {}, 1000, 400, "BadRequest"),  # 2^64
            ("/live/{}/-.ts", {}, 1000, 400, "BadRequest"),
            ("/live/{}/7.avi", {}, 1000, 415, "UnsupportedMediaType"),
            ("/live/{}/7", {}, 1000, 415, "UnsupportedMediaType"),
            ("/live/{}/7.ts/", {}, 1000, 404, "NotFound"),
            ("/live/{}%20/7.ts", {}, 1000, 400, "BadRequest"),
            ("/live/{}/7.ts", {"Content-Duration": "soon"}, 1000, 400, "BadRequest"),
            ("/live/{}/7.ts", {"Content-Duration": "-1"}, 1000, 400, "BadRequest"),
            ("/live/{}/7.ts", {"Livepeer-Transcode-Configuration": "{"}, 1000, 400, "BadRequest"),
            ("/live/{}/7.ts", {"Livepeer-Transcode-Configuration": json.dumps({"profiles": THREE_MISTAKES})}, 1000, 400, "BadRequest"),
            ("/live/{}/7.ts", {"Livepeer-Transcode-Configuration": json.dumps({"profiles": TINY * 9})}, 1000, 400, "BadRequest"),
            ("/live/{}/7.ts", {}, 33 * MIB, 413, "SegmentTooLarge"),
            ("/live/{}/7.ts", {}, 2**63 - 1, 413, "SegmentTooLarge"),
            ("/live/{}/7.ts", {}, 0, 422, "BadSegment"),
        ):
            with self.subTest(path=path, fields=fields, size=size):
                stream, attempts = self.stream(), self.attempts()
                answer = self.early(path.format(stream), fields, size)
                self.assert_status(answer, status, code)
                problem = answer.json()
                self.assertEqual((problem["status"], problem["retryable"]), (status, False))
                self.assertTrue(problem["detail"])
                self.assertIsNone(self.orchestrator.session(stream), "a refused head opens no session")
                self.assertEqual(self.attempts(), attempts)
                self.assert_nothing_left(stream)

    def test_what_only_bytes_can_tell_is_refused_when_they_tell_it(self):
        good = self.clips[0]
        packet = (b"\x47\x1f\xff\x10" + b"\xff" * 184) * 5577  # 1 MiB of null packets
        for what, name, body, status, code in (
            ("text named .ts", "0.ts", b"#EXTM3U\nthis is no segment\n" * 50, 422, "BadSegment"),
            ("one byte", "0.ts", b"\x47", 422, "BadSegment"),
            ("zeros", "0.ts", bytes(200_000), 422, "BadSegment"),
            ("a page of HTML named .mp4", "0.mp4", b"<!DOCTYPE html><html></html>" * 20, 422, "BadSegment"),
            ("empty, by chunks", "0.ts", iter(()), 422, "BadSegment"),
            ("null packets only", "0.ts", packet, 422, "BadSegment"),
            ("cut within its first packets", "0.ts", good[:1000], 422, "BadSegment"),
            ("oversized, by chunks", "0.ts", (packet for _ in range(40)), 413, "SegmentTooLarge"),
        ):
            with self.subTest(what=what):
                stream = self.stream()
                answer = self.orchestrator.push(stream, name, body)
                self.assert_status(answer, status, code)
                self.assertFalse(answer.json()["retryable"])
                self.assert_nothing_left(stream)
                session = self.orchestrator.session(stream)
                if session:  # what looked like a segment opened one, which would keep its slot until it is idle
                    self.orchestrator.end_session(session["id"])

    def test_text_is_refused_while_the_rest_of_it_is_still_on_its_way(self):
        with http_client.connect(self.orchestrator.url) as connection:
            connection.sendall(f"PUT /live/{self.stream()}/0.ts HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n".encode()
                               + b"all work and no play\n" * 300)
            connection.settimeout(15)
            self.assert_status(http_client.read_answer(connection), 422, "BadSegment")

    def test_a_segment_cut_inside_is_answered_with_what_decodes(self):
        stream = self.stream()
        whole = self.clips[0]
        answer = self.orchestrator.push(stream, "0.ts", whole[:len(whole) * 2 // 3 + 50])
        self.assert_status(answer, 200)
        self.addCleanup(self.orchestrator.end_session, answer.json()["session_id"])
        self.assertTrue(answer.json()["warnings"], "the loss is told")
        self.assert_nothing_left(stream)

    def test_a_client_that_leaves_in_mid_upload_leaves_nothing(self):
        body = self.clips[0]
        for framing in (f"Content-Length: {len(body)}", "Transfer-Encoding: chunked"):
            with self.subTest(framing=framing):
                stream, attempts = self.stream(), self.attempts()
                with http_client.connect(self.orchestrator.url) as connection:
                    half = body[:len(body) // 2]
                    sent = half if framing.startswith("C") else b"%x\r\n%s" % (len(body), half)
                    connection.sendall(f"PUT /live/{stream}/0.ts HTTP/1.1\r\nHost: test\r\n{framing}\r\n"
                                       "Expect: 100-continue\r\n\r\n".encode())
                    self.assertEqual(connection.recv(25), b"HTTP/1.1 100 Continue\r\n\r\n", "the upload is let in")
                    connection.sendall(sent)
                self.assert_nothing_left(stream)
                self.assertIsNone(self.orchestrator.session(stream))
                self.assertEqual(self.attempts(), attempts)
                self.assert_status(self.orchestrator.push(stream, "0.ts", self.clips[1]), 200)
                self.orchestrator.end_session(self.orchestrator.session(stream)["id"])

    def test_a_ladder_with_three_mistakes_names_all_three_by_their_paths(self):
        configuration = json.dumps({"profiles": THREE_MISTAKES})
        answers = {
            "POST /sessions": self.orchestrator.open_session(self.stream(), THREE_MISTAKES),
            "header": self.orchestrator.push(self.stream(), "0.ts", self.clips[0],
                                             headers={"Livepeer-Transcode-Configuration": configuration}),
        }
        for where, answer in answers.items():
            with self.subTest(where=where):
                self.assert_status(answer, 400, "BadRequest")
                errors = answer.json()["errors"]
                self.assertEqual(len(errors), 3, errors)
                for place, field, error in zip(range(3), ("width", "encoder", "wdith"), errors):
                    self.assertIn(f"[{place}]", error["path"])
                    self.assertIn(field, error["path"] + error["detail"])
