"""Damaged clips: each is answered in time, with 422 or with what decodes; none ends a transcoder."""

import concurrent.futures

from support import media
from support.case import TINY, ClusterCase
from support.wait import eventually

# What contract.md says about each, where it says more than "422 or 200 with warnings".
ONLY_BAD = {"empty.ts", "error_page.ts", "no_moov.mp4", "media_without_init.m4s", "psi_only.ts", "video_pid_no_frames.ts", "missing_pps.ts"}
ONLY_OK_WITH_WARNINGS = {"trunc_midpacket.ts"}
ACCEPTED_NAMES = (".ts", ".mp4", ".m4s", ".webm")


class BrokenMedia(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, name="worker", slots=2)

    def broken(self):
        shared = media.shared_media()
        if shared is None:
            self.skipTest("the shared clips are not beside the repository")
        return sorted(p for p in (shared / "broken").iterdir() if p.suffix != ".md")

    def push(self, path):
        stream = self.stream()
        suffix = path.suffix if path.suffix in ACCEPTED_NAMES else ".ts"
        answer = self.orchestrator.push(stream, f"0{suffix}", path.read_bytes(), headers={
            "Livepeer-Transcode-Configuration": '{"profiles":[{"name":"small","width":160,"height":90,"bitrate":100000,"fps":0}]}'})
        opened = self.orchestrator.session(stream)  # a bad first segment leaves its session, idle, in a slot
        if opened:
            self.orchestrator.end_session(opened["id"])
        return answer

    def test_every_broken_clip_is_answered_and_the_transcoder_lives(self):
        paths = self.broken()
        incarnation = self.transcoder.metric("process_start_time_seconds")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(self.push, paths))
        for path, answer in zip(paths, answers):
            with self.subTest(clip=path.name):
                self.assertLess(answer.seconds, 10)
                if path.name in ONLY_BAD:
                    self.assert_status(answer, 422, "BadSegment")
                    self.assertTrue(answer.json()["detail"])
                elif path.name in ONLY_OK_WITH_WARNINGS:
                    self.assertEqual(answer.status, 200, answer)
                    self.assertTrue(answer.json()["warnings"], "a cut segment is told of")
                else:
                    self.assertIn(answer.status, (200, 422), answer)
        self.assertEqual(self.transcoder.metric("process_start_time_seconds"), incarnation)
        self.assertTrue(self.orchestrator.transcoder_is("worker", "ready"))
        opened = self.session(self.orchestrator, TINY)
        self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)

    def test_a_bad_segment_in_the_middle_does_not_disturb_its_session(self):
        opened = self.session(self.orchestrator, TINY)
        self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        garbled = b"".join(packet if at % 7 else b"\x47" + bytes(187) for at, packet in enumerate(
            self.clips[1][i:i + 188] for i in range(0, len(self.clips[1]), 188)))
        answer = self.orchestrator.push(opened["stream"], "1.ts", garbled)
        self.assertIn(answer.status, (200, 422), answer)
        self.assert_status(self.orchestrator.push(opened["stream"], "2.ts", self.clips[2]), 200)

    def test_a_bad_segment_is_tried_once(self):
        before = self.orchestrator.metrics()
        path = next(p for p in self.broken() if p.name == "missing_pps.ts")
        self.assert_status(self.push(path), 422, "BadSegment")
        after = self.orchestrator.metrics()
        name = "millrace_orchestrator_attempts_total"
        self.assertLessEqual(after.value(name) - before.value(name), 1)
        eventually(lambda: self.orchestrator.metric("millrace_orchestrator_segments_total", outcome="bad_input") >= 1, 2, "counted")
