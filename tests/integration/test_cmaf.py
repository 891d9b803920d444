"""Fragments whose initialisation part came apart from them (CMAF, HLS with fMP4)."""

import concurrent.futures
import pathlib

from integration.test_cut_through import Paced
from support import media
from support.case import STEADY, TINY, ClusterCase
from support.wait import eventually


def fragments(clip, directory, seconds=1):
    """The clip as an initialisation part and fragments, as a packager makes them: (init, [fragment, …])."""
    directory.mkdir(parents=True, exist_ok=True)
    media.ffmpeg("-i", clip, "-c", "copy", "-f", "hls", "-hls_time", seconds, "-hls_list_size", 0,
                 "-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4",
                 "-hls_segment_filename", directory / "%04d.m4s", directory / "index.m3u8")
    return (directory / "init.mp4").read_bytes(), [p.read_bytes() for p in sorted(directory.glob("*.m4s"))]


class Cmaf(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=3)
        directory = pathlib.Path(cluster.directory)
        cls.clip = directory / "clip.mp4"
        (directory / "clip.ts").write_bytes(b"".join(cls.clips[:4]))
        media.ffmpeg("-i", directory / "clip.ts", "-c", "copy", cls.clip)
        cls.init, cls.fragments = fragments(cls.clip, directory / "clip")
        media.ffmpeg("-f", "lavfi", "-i", "testsrc=size=256x144:rate=30", "-t", "2", "-c:v", "libx264", "-g", "30",
                     "-preset", "veryfast", "-pix_fmt", "yuv420p", "-f", "mpegts", directory / "other.ts")
        cls.other_init, cls.other_fragments = fragments(directory / "other.ts", directory / "other")

    def push(self, stream, name, body, **more):
        return self.orchestrator.push(stream, name, body, **more)

    def assert_frames(self, answer, whole):
        self.assert_status(answer, 200)
        source = media.Probe(whole)
        self.assertGreater(source.frames, 0)
        for content in answer.renditions().values():
            probe = media.Probe(content)
            self.assertEqual((probe.frames, probe.errors), (source.frames, ""))

    def test_fragments_are_put_behind_the_part_that_was_pushed_before_the_session_was(self):
        stream = self.stream()
        told = self.push(stream, "init.mp4", self.init)
        self.assert_status(told, 200)
        self.assertEqual(told.json(), {"stream": stream, "init_bytes": len(self.init)})
        self.assertIsNone(self.orchestrator.session(stream))
        opened = self.session(self.orchestrator, STEADY, stream)
        for seq, body in enumerate(self.fragments):
            self.assert_frames(self.push(stream, f"{seq}.m4s", body, multipart=True), self.init + body)
        self.assertEqual(self.orchestrator.session(stream)["segments_ok"], len(self.fragments))
        self.assertEqual(opened["stream"], stream)

    def test_a_fragment_behind_its_part_comes_out_as_if_it_had_come_whole(self):
        apart, whole = self.session(self.orchestrator, STEADY), self.session(self.orchestrator, STEADY)
        self.assert_status(self.push(apart["stream"], "init.mp4", self.init), 200)
        first = self.push(apart["stream"], "0.m4s", self.fragments[0], multipart=True)
        second = self.push(whole["stream"], "0.mp4", self.init + self.fragments[0], multipart=True)
        self.assert_status(first, 200)
        self.assertEqual(first.renditions(), second.renditions())
        # The whole one left its part behind.
        self.assert_frames(self.push(whole["stream"], "1.m4s", self.fragments[1], multipart=True),
                           self.init + self.fragments[1])

    def test_the_same_fragment_again_is_a_replay_with_or_without_its_part(self):
        opened = self.session(self.orchestrator, STEADY)
        self.assert_status(self.push(opened["stream"], "init.mp4", self.init), 200)
        first = self.push(opened["stream"], "0.m4s", self.fragments[0], multipart=True)
        self.assert_status(first, 200)
        before = self.orchestrator.metric("millrace_orchestrator_attempts_total")
        for body in (self.fragments[0], self.init + self.fragments[0]):
            again = self.push(opened["stream"], "0.m4s", body, multipart=True)
            self.assertEqual(again.renditions(), first.renditions())
        self.assertEqual(self.orchestrator.metric("millrace_orchestrator_attempts_total"), before)

    def test_the_source_restarts_with_another_part(self):
        opened = self.session(self.orchestrator, STEADY)
        self.assert_status(self.push(opened["stream"], "init.mp4", self.init), 200)
        self.assert_status(self.push(opened["stream"], "20.m4s", self.fragments[0]), 200)
        self.assert_status(self.push(opened["stream"], "init.mp4", self.other_init), 200)
        answer = self.push(opened["stream"], "0.m4s", self.other_fragments[0])
        self.assert_status(answer, 200)
        self.assertEqual(answer.json()["run"], 1)
        self.assert_frames(self.push(opened["stream"], "1.m4s", self.other_fragments[1], multipart=True),
                           self.other_init + self.other_fragments[1])

    def test_it_is_at_work_before_the_fragment_is_complete(self):
        opened = self.session(self.orchestrator, STEADY)
        self.assert_status(self.push(opened["stream"], "init.mp4", self.init), 200)
        self.assert_status(self.push(opened["stream"], "0.m4s", self.fragments[0]), 200)
        eventually(lambda: self.transcoder.metric("millrace_transcoder_tasks_active") == 0, 10, "the first is done")
        paced = Paced(self.orchestrator, opened["stream"], "1.m4s", self.fragments[1])
        eventually(lambda: self.transcoder.metric("millrace_transcoder_tasks_active") == 1, 10, "half of it is at work")
        self.assert_frames(paced.finish(), self.init + self.fragments[1])

    def test_several_connections_push_one_stream(self):
        opened = self.session(self.orchestrator, TINY)
        self.assert_status(self.push(opened["stream"], "init.mp4", self.init), 200)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda seq: self.push(opened["stream"], f"{seq}.m4s", self.fragments[seq]), range(4)))
        self.assertEqual([a.status for a in answers], [200] * 4)

    def test_a_fragment_whose_part_nobody_sent_is_refused_and_the_stream_goes_on_once_it_came(self):
        opened = self.session(self.orchestrator, STEADY)
        refused = self.push(opened["stream"], "0.m4s", self.fragments[0])
        self.assert_status(refused, 422, "BadSegment")
        self.assertIn("(init.mp4)", refused.json()["detail"])
        self.assert_status(self.push(opened["stream"], "init.mp4", self.init), 200)
        self.assert_status(self.push(opened["stream"], "0.m4s", self.fragments[0]), 200)

    def test_its_part_outlives_the_orchestrator(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        transcoder = cluster.transcoder(orchestrator, slots=2)
        pushed_apart, pushed_whole = self.session(orchestrator, STEADY), self.session(orchestrator, STEADY)
        self.assert_status(orchestrator.push(pushed_apart["stream"], "init.mp4", self.init), 200)
        self.assert_status(orchestrator.push(pushed_whole["stream"], "0.mp4", self.init + self.fragments[0]), 200)
        for seq in (1, 2):
            self.assert_status(orchestrator.push(pushed_whole["stream"], f"{seq}.m4s", self.fragments[seq]), 200)
        orchestrator.kill()
        orchestrator.start()
        eventually(lambda: orchestrator.transcoder_is(transcoder.name, "ready"), 10, "the transcoder is back")
        for opened in (pushed_apart, pushed_whole):
            headers = {"Authorization": f"Bearer {opened['token']}"}
            answer = orchestrator.push(opened["stream"], "3.m4s", self.fragments[3], headers=headers, multipart=True)
            self.assert_frames(answer, self.init + self.fragments[3])

    def test_what_is_no_initialisation_part_still_needs_a_number(self):
        for body in (self.clips[0], self.fragments[0], self.init + self.fragments[0], b"text", self.init[:100]):
            self.assert_status(self.push(self.stream(), "init.mp4", body), 400, "BadRequest")
        self.assert_status(self.push(self.stream(), "init.ts", self.init), 400, "BadRequest")

    def test_ffmpeg_pushes_fragmented_hls_with_put(self):
        for persistent in (0, 1):
            with self.subTest(persistent=persistent):
                stream = self.stream()
                base = f"{self.orchestrator.url}/live/{stream}"
                media.push_with_ffmpeg(self.clip, base, "%d.m4s", "-hls_time", "1", "-hls_segment_type", "fmp4",
                                       "-http_persistent", persistent)
                found = eventually(lambda s=stream: self.orchestrator.session(s), 5, "a session")
                self.addCleanup(self.orchestrator.end_session, found["id"])
                eventually(lambda s=stream: self.orchestrator.session(s)["segments_ok"] == len(self.fragments), 20,
                           "every fragment is answered")
                self.assertEqual(self.orchestrator.session(stream)["segments_failed"], 0)


class RealClips(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.media = cls.need_shared_clips(cluster)
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=3)

    def test_clips_of_other_packagers_keep_every_frame(self):
        for name in ("tos_1080p2997_cmaf", "train_360p30_cmaf", "bbb_hevc_360p24_ac3_cmaf"):
            with self.subTest(clip=name):
                opened = self.session(self.orchestrator, TINY)
                init = (self.media / name / "v_init.mp4").read_bytes()
                self.assert_status(self.orchestrator.push(opened["stream"], "v_init.mp4", init), 200)
                for path in sorted((self.media / name).glob("v_*.m4s"))[:2]:
                    body = path.read_bytes()
                    answer = self.orchestrator.push(opened["stream"], path.name, body, multipart=True)
                    self.assert_status(answer, 200)
                    probe = media.Probe(answer.renditions()["small"])
                    self.assertEqual((probe.frames, probe.errors), (media.Probe(init + body).frames, ""))

    def test_a_fragment_alone_is_a_bad_segment(self):
        body = (self.media / "broken" / "media_without_init.m4s").read_bytes()
        self.assert_status(self.orchestrator.push(self.stream(), "0.m4s", body), 422, "BadSegment")
