"""GPUs as people and dashboards see them, with a library in the place of the driver's (tests/unit/gpu/fake_nvml.cpp)."""

import ctypes.util
import json
import os
import pathlib
import tempfile
import unittest

from support.case import LADDER, ClusterCase
from support.cluster import START_S, binary
from support.media import ffmpeg, shared_media
from support.processes import run_to_end
from support.wait import eventually


def fake_driver(directory):
    """The environment in which the driver's libraries are those of the tests; without the last directory it has no decoders."""
    binaries = pathlib.Path(binary("transcoder")).resolve().parent
    os.symlink(binaries / "libfake_nvml.so", pathlib.Path(directory, "libnvidia-ml.so.1"))
    os.symlink(binaries / "fake_driver" / "libcuda.so.1", pathlib.Path(directory, "libcuda.so.1"))
    return {"LD_LIBRARY_PATH": f"{directory}:{binaries / 'fake_nvdec'}"}


def with_encoder(environment):
    """The same with an encoder unit; None where this build has none (it takes NVENC's headers)."""
    unit = pathlib.Path(binary("transcoder")).resolve().parent / "fake_nvenc"
    return environment | {"LD_LIBRARY_PATH": f"{environment['LD_LIBRARY_PATH']}:{unit}"} if unit.is_dir() else None


class Gpus(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        """Each test makes what it needs."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.data_dir = pathlib.Path(directory.name, "data")
        self.decoding = fake_driver(directory.name)
        self.environment = {"LD_LIBRARY_PATH": directory.name}

    def test_devices_lists_every_gpu_and_why_it_is_not_used(self):
        done = run_to_end([binary("transcoder"), "devices", "--json"], environment=self.environment)
        self.assertEqual(done.returncode, 0, done)
        gpus = json.loads(done.stdout)["gpus"]
        self.assertEqual(gpus["driver"], "580.65.06")
        self.assertEqual([(g["index"], g["uuid"], g["used"]) for g in gpus["list"]],
                         [(0, "GPU-aaaa", False), (1, "GPU-bbbb", False)])
        self.assertTrue(all(g["reason"] for g in gpus["list"]))
        table = run_to_end([binary("transcoder"), "devices"], environment=self.environment).stdout
        self.assertIn("NVIDIA H100 80GB HBM3, GPU-bbbb", table)

    def stages_of(self, environment):
        done = run_to_end([binary("transcoder"), "devices", "--json"], environment=environment)
        return {(s["kind"], s["name"]): s for s in json.loads(done.stdout)["gpus"]["list"][0]["stages"]}

    def test_devices_tells_each_stage_that_was_tried(self):
        stages = self.stages_of(self.environment)
        self.assertTrue(stages["context", "cuda"]["works"])
        self.assertTrue(stages["transfer", "nv12"]["works"])
        self.assertIn("libnvcuvid.so.1", stages["decode", "h264"]["reason"])
        self.assertIn("libnvidia-encode.so.1", stages["encode", "h264_nvenc"]["reason"])

    def test_a_self_test_without_a_gpu_says_so_and_fails(self):
        if ctypes.util.find_library("nvidia-ml") is not None:
            self.skipTest("this machine has NVIDIA's driver")
        done = run_to_end([binary("transcoder"), "devices", "--self-test"], environment={})
        self.assertEqual(done.returncode, 75, done)
        self.assertIn("self-test: no GPU: NVIDIA's driver is not installed", done.stdout)

    def test_a_self_test_compares_whole_segments_and_tells_a_fault_from_what_a_card_lacks(self):
        done = run_to_end([binary("transcoder"), "devices", "--self-test", "--json"], environment=self.decoding, within=120)
        self.assertEqual(done.returncode, 0, done)
        report = json.loads(done.stdout)
        stages = {(s["kind"], s["name"]): s for s in report["gpus"][0]["stages"]}
        self.assertTrue(stages["pipeline", "vp9"]["works"], stages)
        self.assertEqual(stages["pipeline", "h264"]["reason"], "not tried: no decoder")  # of the fake
        self.assertIn(("kernel", "nv12"), stages)
        done = run_to_end([binary("transcoder"), "devices", "--self-test"], environment=self.decoding | {"CUDA_FAKE": "dies@GPU-bbbb"},
                          within=120)
        self.assertEqual(done.returncode, 75, done)
        self.assertRegex(done.stdout, r"self-test: GPU 0 .*: holds")
        self.assertRegex(done.stdout, r"self-test: GPU 1 .*: FAILS: pipeline vp9: .*decoding on the GPU")

    def refused(self, selection, environment):
        done = run_to_end([binary("transcoder"), "--orch-addr", "127.0.0.1:1", "--data-dir", self.data_dir, "--nvidia", selection],
                          environment=environment)
        self.assertEqual(done.returncode, 75, done)
        return done.stderr

    def test_gpus_that_cannot_be_used_end_it_with_what_is_missing(self):
        if ctypes.util.find_library("nvidia-ml") is None:  # else this machine's own GPUs would be tried
            self.assertIn("--nvidia 0: NVIDIA's driver is not installed", self.refused("0", {}))
        self.assertIn("there is no GPU 5", self.refused("5", self.environment))
        self.assertIn("libnvcuvid.so.1", self.refused("all", self.environment))
        self.assertIn("CUDA_ERROR_NO_DEVICE", self.refused("1", self.environment | {"CUDA_FAKE": "none"}))
        self.assertIn("crashed with signal 11", self.refused("GPU-aaaa", self.environment | {"CUDA_FAKE": "crash"}))

    def transcode(self, out, *arguments, faults=""):
        if shared_media() is None:
            self.skipTest("the shared clips are not beside the repository")
        clip = shared_media() / "talk_vp9_720p25.webm"
        return run_to_end([binary("transcoder"), "transcode", clip, "--out-dir", self.data_dir / out, "--json", "--ladder", "P144p30fps16x9",
                           *arguments], environment=self.decoding | {"CUDA_FAKE": faults}, within=120)

    def test_transcode_decodes_on_the_gpu_what_it_can_and_makes_the_same_of_it(self):
        done = self.transcode("gpu", "--nvidia", "GPU-bbbb", "--gpu-stages", "decode")
        self.assertEqual(done.returncode, 0, done)
        result = json.loads(done.stdout)[0]
        frames = result["source"]["frames"]
        self.assertEqual(result["stages"], {"decode": "gpu", "reason": "", "scaled": 0, "scale_reason": "", "encoded": ["codec"],
                                            "encode_reason": result["stages"]["encode_reason"], "downloads": frames, "uploads": 0})
        alone = json.loads(self.transcode("cpu").stdout)[0]
        self.assertNotIn("stages", alone)
        self.assertEqual([r["sha256"] for r in result["renditions"]], [r["sha256"] for r in alone["renditions"]])

    def test_transcode_scales_on_the_gpu_where_the_build_has_a_kernel(self):
        stages = self.stages_of(self.decoding)
        done = self.transcode("scaled", "--nvidia", "GPU-bbbb", "--gpu-stages", "decode,scale")
        self.assertEqual(done.returncode, 0, done)
        result = json.loads(done.stdout)[0]
        frames = result["source"]["frames"]
        self.assertEqual(result["stages"]["scaled"], frames if stages["scale", "kernel"]["works"] else 0)
        self.assertEqual(result["stages"]["downloads"], frames)
        alone = json.loads(self.transcode("alone").stdout)[0]
        self.assertEqual([r["frames"] for r in result["renditions"]], [r["frames"] for r in alone["renditions"]])

    def test_a_gpu_with_a_decoder_is_ready_and_told(self):
        cluster = self.new_cluster()
        transcoder = cluster.transcoder(cluster.orchestrator(), flags=["--nvidia", "1"], environment=self.decoding)
        eventually(lambda: len(transcoder.status()["gpus"]) == 2, START_S, "the GPUs are read")
        ours = transcoder.status()["gpus"][1]
        self.assertEqual((ours["state"], ours["reason"]), ("ready", None))
        self.assertNotIn("state", transcoder.status()["gpus"][0])
        self.assertEqual(transcoder.metric("millrace_transcoder_gpu_state", gpu="1", state="ready"), 1)
        self.assertEqual(transcoder.metric("millrace_transcoder_gpu_state", gpu="1", state="unusable"), 0)
        self.assertIsNone(transcoder.metric("millrace_transcoder_gpu_state", gpu="0", state="ready"))

    def test_a_transcoder_tells_them_in_its_metrics_and_status(self):
        cluster = self.new_cluster()
        transcoder = cluster.transcoder(cluster.orchestrator(), environment=self.environment)
        eventually(lambda: len(transcoder.status()["gpus"]) == 2, START_S, "the GPUs are read")
        self.assertEqual(transcoder.status()["gpus"][1]["xid"], 79)
        self.assertEqual(transcoder.metric("millrace_transcoder_gpu_encoder_sessions", gpu="0"), 3)
        self.assertEqual(transcoder.metric("millrace_transcoder_gpu_utilization_ratio", gpu="1", engine="decoder"), 0.25)
        self.assertIsNone(transcoder.metric("millrace_transcoder_gpu_encoder_sessions", gpu="1"))


def webm_segments(directory, codec, count):
    """Segments of one second with continuous timestamps that the fake unit decodes, as bytes."""
    segments = []
    for n in range(count):
        path = pathlib.Path(directory, f"{codec}{n}.webm")
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=25,trim=start_frame={25 * n}:end_frame={25 * (n + 1)}", "-c:v", codec,
               "-deadline", "realtime", "-cpu-used", 8, "-b:v", "400k", "-lag-in-frames", 0, "-auto-alt-ref", 0, "-copyts", "-f", "webm",
               path)
        segments.append(path.read_bytes())
    return segments


class SessionsOnGpus(ClusterCase):
    """What the CPU makes of some segments, to compare with."""

    SUFFIX = "ts"

    @classmethod
    def make_segments(cls):
        return cls.clips[:5]

    @classmethod
    def set_up_cluster(cls, cluster):
        cls.segments = cls.make_segments()
        orchestrator = cluster.orchestrator()
        cluster.transcoder(orchestrator)
        cls.of_the_cpu = [answer for answer, _ in cls.pushed(orchestrator, "of-the-cpu")]

    @classmethod
    def pushed(cls, orchestrator, stream, segments=None):
        """Pushes one after the other: [(renditions by name, status)]."""
        orchestrator.open_session(stream, LADDER)
        got = []
        for n, body in enumerate(segments or cls.segments):
            answer = orchestrator.push(stream, f"{n}.{cls.SUFFIX}", body, multipart=True)
            got.append((answer.renditions() if answer.status == 200 else answer, answer.status))
        return got

    def assert_as_by_the_cpu(self, pushed):
        self.assertEqual([status for _, status in pushed], [200] * len(pushed), pushed)
        for n, (renditions, _) in enumerate(pushed):
            self.assertEqual(renditions.keys(), self.of_the_cpu[n].keys())
            for name, body in renditions.items():
                self.assertTrue(body == self.of_the_cpu[n][name], f"segment {n}, {name}: other bytes than the CPU's")

    def decoded(self, transcoder):
        return {by: count for by, count in transcoder.status()["decoding"]["segments"].items() if count}


class Sessions(SessionsOnGpus):
    """Sessions of the daemon on GPUs whose driver is played by libraries of the tests. No card is needed, and none was seen."""

    SEGMENTS = 5
    SUFFIX = "webm"

    @classmethod
    def make_segments(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.fakes = fake_driver(directory.name)
        return webm_segments(directory.name, "libvpx-vp9", cls.SEGMENTS)

    def on_gpus(self, flags, fault="", slots=2, stages="decode", fakes=None):
        """(orchestrator, transcoder) of a cluster of its own. What is only decoded on a GPU is the CPU's byte for byte."""
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        transcoder = cluster.transcoder(orchestrator, slots=slots, flags=["--nvidia", flags, "--gpu-stages", stages],
                                        environment=(fakes or self.fakes) | {"CUDA_FAKE": fault})
        return orchestrator, transcoder

    def state(self, transcoder, index):
        return next((g.get("state") for g in transcoder.status()["gpus"] if g["index"] == index), None)

    def test_a_stream_decoded_on_a_gpu_is_that_of_the_cpu_byte_for_byte(self):
        orchestrator, transcoder = self.on_gpus("1")
        self.assert_as_by_the_cpu(self.pushed(orchestrator, self.stream()))
        self.assertEqual(self.decoded(transcoder), {"gpu": self.SEGMENTS})
        self.assertEqual(transcoder.status()["decoding"]["downloads"], 25 * self.SEGMENTS)
        self.assertEqual(transcoder.metric("millrace_transcoder_gpu_segments_total", decoded="gpu"), self.SEGMENTS)
        self.assertEqual(transcoder.metric("millrace_transcoder_gpu_downloads_total"), 25 * self.SEGMENTS)
        self.assertTrue(transcoder.status()["walls"]["driver"])
        self.assertTrue(transcoder.status()["walls"]["system_calls"])

    def test_a_stream_is_scaled_on_the_gpu_behind_the_walls(self):
        orchestrator, transcoder = self.on_gpus("1", stages="decode,scale")
        kernel = next(s for s in transcoder.status()["gpus"][1]["stages"] if (s["kind"], s["name"]) == ("scale", "kernel"))
        if not kernel["works"]:
            self.skipTest(f"no kernel: {kernel['reason']}")
        pushed = self.pushed(orchestrator, self.stream())
        self.assertEqual([status for _, status in pushed], [200] * self.SEGMENTS)
        self.assertEqual(self.decoded(transcoder), {"gpu": self.SEGMENTS})
        self.assertEqual(transcoder.status()["scaling"], {"pictures": 25 * self.SEGMENTS, "last_reason": None})
        self.assertEqual(transcoder.metric("millrace_transcoder_gpu_scaled_total"), 25 * self.SEGMENTS)
        self.assertEqual(transcoder.metric("millrace_transcoder_engine_restarts_total", reason="forbidden_call"), 0)

    def encoding(self, transcoder):
        return {by: count for by, count in transcoder.status()["encoding"]["renditions"].items() if count}

    def test_a_stream_goes_from_nvdec_to_nvenc_and_encoders_that_are_taken_cost_nothing(self):
        fakes = with_encoder(self.fakes)
        if fakes is None:
            self.skipTest("this build has no stand-in for NVENC")
        for fault, by in (("", "gpu"), ("taken-later", "refused")):
            with self.subTest(by):
                orchestrator, transcoder = self.on_gpus("1", fault, stages="decode,scale,encode", fakes=fakes)
                pushed = self.pushed(orchestrator, self.stream())
                self.assertEqual([status for _, status in pushed], [200] * self.SEGMENTS)
                count = self.SEGMENTS * len(self.of_the_cpu[0])
                self.assertEqual(self.encoding(transcoder), {by: count})
                self.assertEqual(self.decoded(transcoder), {"gpu": self.SEGMENTS})
                self.assertEqual(transcoder.metric("millrace_transcoder_gpu_renditions_total", encoded=by), count)
                self.assertEqual(transcoder.metric("millrace_transcoder_engine_restarts_total", reason="forbidden_call"), 0)

    def test_an_encoder_that_fails_costs_no_segment(self):
        fakes = with_encoder(self.fakes)
        if fakes is None:
            self.skipTest("this build has no stand-in for NVENC")
        orchestrator, transcoder = self.on_gpus("all", "jams@GPU-aaaa", stages="decode,scale,encode", fakes=fakes)
        pushed = self.pushed(orchestrator, self.stream())
        self.assertEqual([status for _, status in pushed], [200] * self.SEGMENTS)
        self.assertEqual(self.decoded(transcoder), {"failed": 1, "gpu": self.SEGMENTS - 1})
        self.assertEqual(orchestrator.metric("millrace_orchestrator_attempts_total", outcome="failed"), 0)

    def test_what_the_card_does_not_decode_the_cpu_does_with_a_reason_that_is_counted(self):
        orchestrator, transcoder = self.on_gpus("1")
        opened = self.session(orchestrator)
        for n, clip in enumerate(self.clips[:2]):  # H.264
            self.assert_status(orchestrator.push(opened["stream"], f"{n}.ts", clip), 200)
        self.assertEqual(self.decoded(transcoder), {"codec": 2})
        self.assertIn("h264", transcoder.status()["decoding"]["last_reason"])
        self.assertEqual(transcoder.metric("millrace_transcoder_gpu_segments_total", decoded="codec"), 2)

    def test_a_gpu_that_fails_three_times_is_quarantined_and_no_segment_is_lost(self):
        orchestrator, transcoder = self.on_gpus("1", fault="dies")
        self.assert_as_by_the_cpu(self.pushed(orchestrator, self.stream()))
        self.assertEqual(self.decoded(transcoder), {"failed": 3, "no_gpu": 2})
        gpu = next(g for g in transcoder.status()["gpus"] if g["index"] == 1)
        self.assertEqual((gpu["state"], gpu["failures"]), ("quarantined", 3))
        self.assertIn("3 failures within 60 s", gpu["reason"])
        self.assertEqual(transcoder.metric("millrace_transcoder_gpu_state", gpu="1", state="quarantined"), 1)
        self.assertEqual(transcoder.metric("millrace_transcoder_gpu_failures_total", gpu="1"), 3)
        self.assertEqual(transcoder.status()["slots"], 0)
        # Nobody else heard of it: no attempt was lost, and the transcoder is the same process.
        self.assertEqual(orchestrator.metric("millrace_orchestrator_attempts_total", outcome="failed"), 0)
        self.assertTrue(transcoder.process.running())
        # Its capacity is withdrawn: a new session finds no room, and nobody is shown a slot that is none.
        refused = orchestrator.push(self.stream(), "0.webm", self.segments[0])
        self.assert_status(refused, 503, "OrchestratorCapped")
        eventually(lambda: orchestrator.transcoder(transcoder.name)["capacity"] == 0, START_S, "the orchestrator knows")

    def test_a_session_goes_on_on_the_other_gpu_when_its_own_dies(self):
        orchestrator, transcoder = self.on_gpus("all", fault="dies@GPU-aaaa")
        self.assert_as_by_the_cpu(self.pushed(orchestrator, self.stream()))
        self.assertEqual(self.decoded(transcoder), {"failed": 1, "gpu": self.SEGMENTS - 1})
        self.assertEqual((self.state(transcoder, 0), self.state(transcoder, 1)), ("ready", "ready"))

    def test_a_driver_that_hangs_or_crashes_costs_no_segment_and_poisons_none(self):
        for fault in ("stalls@GPU-aaaa", "falls@GPU-aaaa"):
            with self.subTest(fault):
                orchestrator, transcoder = self.on_gpus("all", fault=fault)
                self.assert_as_by_the_cpu(self.pushed(orchestrator, self.stream()))
                self.assertEqual(self.decoded(transcoder), {"failed": 1, "gpu": self.SEGMENTS - 1})
                self.assertEqual(transcoder.metric("millrace_transcoder_gpu_failures_total", gpu="0"), 1)

    def test_engines_that_cannot_open_their_gpu_end_in_its_quarantine_and_not_in_a_dead_transcoder(self):
        _, transcoder = self.on_gpus("1", fault="gone")
        eventually(lambda: self.state(transcoder, 1) == "quarantined", START_S, "the GPU is in quarantine")
        self.assertIn("cannot open its GPU", transcoder.status()["gpus"][1]["reason"])
        self.assertTrue(transcoder.process.running())

    def test_limits_of_gpus_bind(self):
        orchestrator, transcoder = self.on_gpus("0:1,1:2", slots=5)
        self.assertEqual(transcoder.status()["slots"], 3)
        devices = orchestrator.transcoder(transcoder.name)["devices"]
        self.assertEqual([(d["kind"], d["slots"]) for d in devices], [("cpu", 3), ("cuda", 1), ("cuda", 2)])
        streams = [self.stream() for _ in range(3)]
        for stream in streams:
            self.pushed(orchestrator, stream, self.segments[:1])
        self.assertEqual([g["sessions"] for g in transcoder.status()["gpus"]], [1, 2])

        # Who looks at the orchestrator sees them, too, a heartbeat later.
        def told():
            return [(g["index"], g["sessions"], g["failures"], g["quarantine"]) for g in orchestrator.transcoder(transcoder.name)["gpus"]]
        eventually(lambda: told() == [(0, 1, 0, None), (1, 2, 0, None)], START_S, "heartbeats tell of the GPUs")
        readings = orchestrator.transcoder(transcoder.name)["gpus"]
        self.assertEqual(readings[1]["utilization"]["decoder"], 0.25)
        self.assertIsNone(readings[1]["utilization"]["encoder"])


@unittest.skipUnless(os.environ.get("MILLRACE_GPU"), "MILLRACE_GPU names no GPU of this machine")
class OnACard(SessionsOnGpus):
    """The same on a real card (tests/gpu/run-on-device), whose driver is behind an engine's walls for the first time."""

    def test_a_stream_decoded_on_the_card_is_that_of_the_cpu_byte_for_byte(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        transcoder = cluster.transcoder(orchestrator, flags=["--nvidia", os.environ["MILLRACE_GPU"], "--gpu-stages", "decode"])
        pushed = self.pushed(orchestrator, self.stream())
        status = transcoder.status()
        print("walls:", json.dumps(status["walls"]), "decoding:", json.dumps(status["decoding"]))
        self.assert_as_by_the_cpu(pushed)
        self.assertEqual(self.decoded(transcoder), {"gpu": len(self.segments)}, status["decoding"])
        self.assertEqual(transcoder.metric("millrace_transcoder_engine_restarts_total", reason="forbidden_call"), 0)
        self.assertEqual(transcoder.metric("millrace_transcoder_engine_restarts_total", reason="device"), 0)

    def test_with_all_that_the_card_does_every_segment_is_answered(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        transcoder = cluster.transcoder(orchestrator, flags=["--nvidia", os.environ["MILLRACE_GPU"]])
        pushed = self.pushed(orchestrator, self.stream())
        status = transcoder.status()
        print("scaling:", json.dumps(status["scaling"]), "encoding:", json.dumps(status["encoding"]))
        self.assertEqual([code for _, code in pushed], [200] * len(self.segments))
        self.assertEqual(self.decoded(transcoder), {"gpu": len(self.segments)}, status["decoding"])
        self.assertEqual(transcoder.metric("millrace_transcoder_engine_restarts_total", reason="forbidden_call"), 0)
        self.assertEqual(transcoder.metric("millrace_transcoder_engine_restarts_total", reason="device"), 0)


if __name__ == "__main__":
    unittest.main()
