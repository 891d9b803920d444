"""A segment goes in, renditions come out: answers, replay, runs."""

import concurrent.futures
import pathlib

from support import http_client, media
from support.case import LADDER, SIZES, STEADY, TINY, ClusterCase
from support.wait import eventually


class Push(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=3)

    def attempts(self):
        return self.orchestrator.metric("millrace_orchestrator_attempts_total")

    def test_json_answer_names_every_rendition_with_its_numbers(self):
        opened = self.session(self.orchestrator)
        answer = self.orchestrator.push(opened["stream"], "0.ts", self.clips[0])
        self.assert_status(answer, 200)
        told = answer.json()
        self.assertEqual(told["session_id"], opened["session_id"])
        self.assertEqual((told["run"], told["seq"], told["skipped"], told["warnings"]), (0, 0, [], []))
        self.assertIn("timings", told)
        self.assertEqual([r["name"] for r in told["renditions"]], ["mid", "small"])
        source = media.Probe(self.clips[0])
        for rendition in told["renditions"]:
            size = SIZES[rendition["name"]]
            self.assertEqual((rendition["width"], rendition["height"]), size)
            self.assertEqual(rendition["frames"], source.frames)
            self.assertEqual(rendition["pixels"], source.frames * size[0] * size[1])
            fetched = http_client.get(rendition["url"])
            self.assert_status(fetched, 200)
            self.assertEqual(len(fetched.body), rendition["bytes"])
            self.assertEqual(media.Probe(fetched.body).frames, source.frames)

    def test_multipart_answer_has_one_part_per_rendition_in_ladder_order(self):
        opened = self.session(self.orchestrator)
        answer = self.orchestrator.push(opened["stream"], "idx00007.ts", self.clips[1], multipart=True, method="POST")
        self.assert_status(answer, 200)
        self.assertRegex(answer.headers["Content-Type"], r"^multipart/mixed;.*boundary=[^;]+$")
        parts = answer.parts()
        self.assertEqual([p["Rendition-Name"] for p in parts], ["mid", "small"])
        for part in parts:
            self.assertEqual(part.get_content_type(), "video/mp2t")
            self.assertEqual(part.get_content_disposition(), "attachment")
            self.assertEqual(part.get_filename(), f"{part['Rendition-Name']}_7.ts")
        source = media.Probe(self.clips[1])
        for name, content in answer.renditions().items():
            probe = media.Probe(content)
            self.assertEqual((probe.codec, probe.audio, probe.errors), ("h264", "aac", ""))
            self.assertEqual((probe.width, probe.height, probe.frames), (*SIZES[name], source.frames))

    def test_output_times_are_source_times(self):
        opened = self.session(self.orchestrator, TINY)
        joined = b""
        for seq in range(3):
            answer = self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq], multipart=True)
            self.assert_status(answer, 200)
            joined += answer.renditions()["small"]
        source = [round(pts, 3) for pts, _ in media.packet_times(b"".join(self.clips[:3]))]
        self.assertEqual([round(pts, 3) for pts, _ in media.packet_times(joined)], source)

    def test_without_a_bitrate_a_rendition_does_not_depend_on_what_came_before(self):
        alone, after = self.session(self.orchestrator, STEADY), self.session(self.orchestrator, STEADY)
        self.assert_status(self.orchestrator.push(after["stream"], "0.ts", self.clips[0], multipart=True), 200)
        first = self.orchestrator.push(alone["stream"], "1.ts", self.clips[1], multipart=True)
        second = self.orchestrator.push(after["stream"], "1.ts", self.clips[1], multipart=True)
        self.assertEqual(first.renditions(), second.renditions())

    def test_chunked_bodies_and_expect_continue_are_taken(self):
        opened = self.session(self.orchestrator, TINY)
        body = self.clips[0]
        pieces = (body[at:at + 5000] for at in range(0, len(body), 5000))
        self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", pieces), 200)
        with http_client.connect(self.orchestrator.url) as connection:
            connection.sendall(
                f"PUT /live/{opened['stream']}/1.ts HTTP/1.1\r\nHost: test\r\nContent-Length: {len(self.clips[1])}\r\n"
                "Expect: 100-continue\r\nConnection: close\r\n\r\n".encode())
            self.assertEqual(connection.recv(25, 0), b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(self.clips[1])
            self.assert_status(http_client.read_answer(connection), 200)

    def test_one_connection_carries_many_segments(self):
        opened = self.session(self.orchestrator, TINY)
        with http_client.connect(self.orchestrator.url) as connection:
            for seq in range(3):
                body = self.clips[seq]
                connection.sendall(f"PUT /live/{opened['stream']}/{seq}.ts HTTP/1.1\r\nHost: test\r\n"
                                   f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
                answer = http_client.read_answer(connection)
                self.assert_status(answer, 200)
                self.assertEqual(answer.json()["seq"], seq)

    def test_the_same_bytes_again_get_the_same_answer_without_new_work(self):
        opened = self.session(self.orchestrator)
        first = self.orchestrator.push(opened["stream"], "0.ts", self.clips[0], multipart=True)
        self.assert_status(first, 200)
        before = self.attempts()
        again = self.orchestrator.push(opened["stream"], "0.ts", self.clips[0], multipart=True)
        self.assert_status(again, 200)
        self.assertEqual(again.renditions(), first.renditions())
        self.assertEqual(self.attempts(), before)

    def test_two_equal_uploads_at_once_get_one_task_and_one_answer(self):
        opened = self.session(self.orchestrator)
        before = self.attempts()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(
                lambda _: self.orchestrator.push(opened["stream"], "0.ts", self.clips[0], multipart=True), range(2)))
        for answer in answers:
            self.assert_status(answer, 200)
        self.assertEqual(answers[0].renditions(), answers[1].renditions())
        self.assertEqual(self.attempts(), before + 1)

    def test_other_bytes_under_an_answered_number_are_a_conflict_for_a_while(self):
        opened = self.session(self.orchestrator, TINY)
        self.assert_status(self.orchestrator.push(opened["stream"], "5.ts", self.clips[0]), 200)
        self.assert_status(self.orchestrator.push(opened["stream"], "5.ts", self.clips[1]), 409, "Conflict")

    def test_numbers_that_fall_back_far_are_a_new_run(self):
        opened = self.session(self.orchestrator, TINY)
        first = self.orchestrator.push(opened["stream"], "20.ts", self.clips[0])
        self.assert_status(first, 200)
        self.assertEqual(first.json()["run"], 0)
        restarted = self.orchestrator.push(opened["stream"], "1.ts", self.clips[1])
        self.assert_status(restarted, 200)
        self.assertEqual(restarted.json()["run"], 1)
        near = self.orchestrator.push(opened["stream"], "2.ts", self.clips[2])
        self.assertEqual((near.status, near.json()["run"]), (200, 1))

    def test_a_push_without_a_session_opens_one_with_the_default_ladder(self):
        stream = self.stream()
        answer = self.orchestrator.push(stream, "0.ts", self.clips[0])
        self.assert_status(answer, 200)
        told = answer.json()
        self.addCleanup(self.orchestrator.end_session, told["session_id"])
        # The clip is 320x180 and both presets are larger: they fall away and are named.
        self.assertEqual(len(told["renditions"]) + len(told["skipped"]), 2, told)
        again = self.orchestrator.push(stream, "1.ts", self.clips[1])
        self.assertEqual(again.json()["session_id"], told["session_id"])

    def test_a_header_may_bring_the_ladder_of_a_new_session(self):
        stream = self.stream()
        profile = ('{"profiles":[{"name":"custom","width":160,"height":90,"bitrate":100000,"fps":0,'
                   '"profile":"H264Baseline","gop":"0.5"}]}')
        answer = self.orchestrator.push(stream, "0.ts", self.clips[0], multipart=True,
                                        headers={"Livepeer-Transcode-Configuration": profile, "Content-Duration": "1000",
                                                 "Content-Resolution": "320x180"})
        self.assert_status(answer, 200)
        self.addCleanup(lambda: self.orchestrator.end_session(self.orchestrator.session(stream)["id"]))
        self.assertEqual(list(answer.renditions()), ["custom"])
        self.assertIn("Baseline", media.Probe(answer.renditions()["custom"]).profile)

    def test_fps_of_the_ladder_is_kept_on_the_grid(self):
        half = [{"name": "half", "width": 160, "height": 90, "bitrate": 100000, "fps": 25, "fpsDen": 2}]
        opened = self.session(self.orchestrator, half)
        frames = 0
        for seq in range(2):
            answer = self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq], multipart=True)
            self.assert_status(answer, 200)
            frames += media.Probe(answer.renditions()["half"]).frames
        source = sum(media.Probe(c).frames for c in self.clips[:2])
        self.assertAlmostEqual(frames, source / 2, delta=1)

    def test_a_complete_body_is_carried_through_when_the_client_has_gone(self):
        opened = self.session(self.orchestrator, TINY)
        body = self.clips[0]
        with http_client.connect(self.orchestrator.url) as connection:
            connection.sendall(f"PUT /live/{opened['stream']}/0.ts HTTP/1.1\r\nHost: test\r\n"
                               f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        eventually(lambda: self.orchestrator.session(opened["stream"])["segments_ok"] == 1, 10, "the segment is answered")

    def test_a_body_cut_short_leaves_nothing_behind(self):
        opened = self.session(self.orchestrator, TINY)
        body = self.clips[0]
        with http_client.connect(self.orchestrator.url) as connection:
            connection.sendall(f"PUT /live/{opened['stream']}/0.ts HTTP/1.1\r\nHost: test\r\n"
                               f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:len(body) // 2])
            eventually(lambda: self.orchestrator.session(opened["stream"])["in_flight"] == 1, 5, "the upload is known")
        eventually(lambda: self.orchestrator.session(opened["stream"])["in_flight"] == 0, 1.5, "the upload is forgotten")
        self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[1]), 200)

    def test_four_segments_of_a_session_may_be_in_flight(self):
        opened = self.session(self.orchestrator, TINY)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(
                lambda seq: self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq], multipart=True), range(4)))
        self.assertEqual([a.status for a in answers], [200] * 4)


class RealClips(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.media = cls.need_shared_clips(cluster)
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=2)

    LADDER = [
        {"name": "360p", "width": 640, "height": 360, "bitrate": 800000, "fps": 0},
        {"name": "240p", "width": 426, "height": 240, "bitrate": 400000, "fps": 0},
    ]

    def push_all(self, files, ladder):
        opened = self.session(self.orchestrator, ladder)
        for seq, path in enumerate(files):
            content = pathlib.Path(path).read_bytes()
            answer = self.orchestrator.push(opened["stream"], f"{seq}.ts", content, multipart=True)
            self.assert_status(answer, 200)
            yield media.Probe(content), answer.renditions()

    def test_720p_hls_segments_keep_every_frame_even_a_runt_of_one(self):
        files = sorted((self.media / "bee_720p2997_hls").glob("*.ts"))
        for source, renditions in self.push_all(files, self.LADDER):
            for name, size in (("360p", (640, 360)), ("240p", (426, 240))):
                probe = media.Probe(renditions[name])
                self.assertEqual((probe.width, probe.height, probe.frames, probe.errors), (*size, source.frames, ""))

    def test_1080p_segments_with_51_sound_pass_their_sound_through(self):
        files = sorted((self.media / "bbb_1080p25_hls").glob("*.ts"))[:2]
        for source, renditions in self.push_all(files, self.LADDER[1:]):
            probe = media.Probe(renditions["240p"])
            self.assertEqual((probe.frames, probe.audio, probe.errors), (source.frames, source.audio, ""))

    def test_default_presets_answer_to_go_livepeers_names(self):
        files = sorted((self.media / "bee_720p2997_hls").glob("*.ts"))[:1]
        stream = self.stream()
        answer = self.orchestrator.push(stream, "0.ts", files[0].read_bytes(), multipart=True)
        self.assert_status(answer, 200)
        self.addCleanup(lambda: self.orchestrator.end_session(self.orchestrator.session(stream)["id"]))
        self.assertEqual(list(answer.renditions()), ["P240p30fps16x9", "P360p30fps16x9"])
        probe = media.Probe(answer.renditions()["P240p30fps16x9"])
        self.assertEqual((probe.width, probe.height, probe.errors), (426, 240, ""))

    def test_a_clock_that_wraps_inside_a_segment_is_no_break(self):
        files = [self.media / "derived_ptswrap_720p.ts"]
        for source, renditions in self.push_all(files, self.LADDER[1:]):
            probe = media.Probe(renditions["240p"])
            self.assertEqual((probe.frames, probe.errors), (source.frames, ""))
