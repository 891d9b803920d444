"""A segment goes on to its transcoder while it still arrives."""

import unittest

from support import http_client
from support.case import STEADY, ClusterCase
from support.wait import eventually


class Paced:
    """A body whose second half is held back until told."""

    def __init__(self, orchestrator, stream, name, body):
        self.connection = http_client.connect(orchestrator.url)
        self.rest = body[len(body) // 2:]
        head = (f"PUT /live/{stream}/{name} HTTP/1.1\r\nHost: x\r\nAccept: multipart/mixed\r\n"
                f"Content-Length: {len(body)}\r\n\r\n")
        self.connection.sendall(head.encode() + body[:len(body) // 2])

    def finish(self):
        with self.connection:
            self.connection.sendall(self.rest)
            return http_client.read_answer(self.connection)

    def cut(self):
        self.connection.close()


class CutThrough(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=2)

    def at_work(self):
        return self.transcoder.metric("millrace_transcoder_tasks_active")

    def begin(self):
        """A session with a slot, and its second segment half uploaded and at work."""
        opened = self.session(self.orchestrator, STEADY)
        self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        eventually(lambda: self.at_work() == 0, 10, "the first segment is done")
        paced = Paced(self.orchestrator, opened["stream"], "1.ts", self.clips[1])
        eventually(lambda: self.at_work() == 1, 10, "an engine works on half a segment")
        return opened, paced

    def test_it_is_at_work_before_it_is_complete_and_comes_out_the_same(self):
        _, paced = self.begin()
        answer = paced.finish()
        self.assert_status(answer, 200)
        whole = self.session(self.orchestrator, STEADY)
        self.assert_status(self.orchestrator.push(whole["stream"], "0.ts", self.clips[0]), 200)
        again = self.orchestrator.push(whole["stream"], "1.ts", self.clips[1], multipart=True)
        self.assert_status(again, 200)
        self.assertEqual(answer.renditions(), again.renditions())

    def test_a_body_cut_short_is_undone(self):
        opened, paced = self.begin()
        booked = self.orchestrator.metric("millrace_orchestrator_segments_total", outcome="ok")
        paced.cut()
        eventually(lambda: self.at_work() == 0, 5, "the engine is free again")
        self.assertNotIn("_1.ts", self.orchestrator.playlist(f"{opened['stream']}/mid.m3u8").body.decode())
        self.assertEqual(self.orchestrator.metric("millrace_orchestrator_segments_total", outcome="ok"), booked)
        self.assert_status(self.orchestrator.push(opened["stream"], "1.ts", self.clips[1]), 200)

    def test_a_repeat_is_never_begun_early(self):
        opened, paced = self.begin()
        self.assert_status(paced.finish(), 200)
        attempts = self.orchestrator.metric("millrace_orchestrator_attempts_total")
        again = Paced(self.orchestrator, opened["stream"], "1.ts", self.clips[1])
        self.assert_status(again.finish(), 200)
        self.assertEqual(self.orchestrator.metric("millrace_orchestrator_attempts_total"), attempts)

    def test_a_transcoder_killed_meanwhile_costs_the_segment_nothing(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        first = cluster.transcoder(orchestrator, slots=1)
        opened = self.session(orchestrator, STEADY)
        self.assert_status(orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        paced = Paced(orchestrator, opened["stream"], "1.ts", self.clips[1])
        eventually(lambda: first.metric("millrace_transcoder_tasks_active") == 1, 10, "at work on half a segment")
        cluster.transcoder(orchestrator, slots=1)
        first.kill()
        answer = paced.finish()
        self.assert_status(answer, 200)
        self.assertEqual(len(answer.renditions()), len(STEADY))

    def test_switched_off_it_waits_for_the_whole(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator("--cut-through", "off")
        transcoder = cluster.transcoder(orchestrator, slots=1)
        opened = self.session(orchestrator, STEADY)
        self.assert_status(orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        paced = Paced(orchestrator, opened["stream"], "1.ts", self.clips[1])
        eventually(lambda: orchestrator.metric("millrace_orchestrator_payload_buffered_bytes") > 0, 10, "half of it is here")
        self.assertEqual(transcoder.metric("millrace_transcoder_tasks_active"), 0)
        self.assert_status(paced.finish(), 200)


if __name__ == "__main__":
    unittest.main()
