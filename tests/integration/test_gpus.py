"""GPUs as people and dashboards see them, with a library in the place of the driver's (tests/unit/gpu/fake_nvml.cpp)."""

import ctypes.util
import json
import os
import pathlib
import tempfile

from support.case import ClusterCase
from support.cluster import START_S, binary
from support.media import shared_media
from support.processes import run_to_end
from support.wait import eventually


class Gpus(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        """Each test makes what it needs."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        binaries = pathlib.Path(binary("transcoder")).resolve().parent
        os.symlink(binaries / "libfake_nvml.so", pathlib.Path(directory.name, "libnvidia-ml.so.1"))
        os.symlink(binaries / "fake_driver" / "libcuda.so.1", pathlib.Path(directory.name, "libcuda.so.1"))
        self.data_dir = pathlib.Path(directory.name, "data")
        self.environment = {"LD_LIBRARY_PATH": directory.name}
        self.decoding = {"LD_LIBRARY_PATH": f"{directory.name}:{binaries / 'fake_nvdec'}"}

    def test_devices_lists_every_gpu_and_says_that_it_is_not_used(self):
        done = run_to_end([binary("transcoder"), "devices", "--json"], environment=self.environment)
        self.assertEqual(done.returncode, 0, done)
        gpus = json.loads(done.stdout)["gpus"]
        self.assertEqual(gpus["driver"], "580.65.06")
        self.assertEqual([(g["index"], g["uuid"], g["used"]) for g in gpus["list"]],
                         [(0, "GPU-aaaa", False), (1, "GPU-bbbb", False)])
        self.assertTrue(all(g["reason"] for g in gpus["list"]))
        table = run_to_end([binary("transcoder"), "devices"], environment=self.environment).stdout
        self.assertIn("NVIDIA H100 80GB HBM3, GPU-bbbb", table)

    def test_devices_tells_each_stage_that_was_tried(self):
        done = run_to_end([binary("transcoder"), "devices", "--json"], environment=self.environment)
        stages = {(s["kind"], s["name"]): s for s in json.loads(done.stdout)["gpus"]["list"][0]["stages"]}
        self.assertTrue(stages["context", "cuda"]["works"])
        self.assertTrue(stages["transfer", "nv12"]["works"])
        self.assertIn("libnvcuvid.so.1", stages["decode", "h264"]["reason"])
        self.assertIn("libnvidia-encode.so.1", stages["encode", "h264_nvenc"]["reason"])

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
        done = self.transcode("gpu", "--nvidia", "GPU-bbbb")
        self.assertEqual(done.returncode, 0, done)
        result = json.loads(done.stdout)[0]
        self.assertEqual(result["stages"], {"decode": "gpu", "reason": "", "downloads": result["source"]["frames"]})
        alone = json.loads(self.transcode("cpu").stdout)[0]
        self.assertNotIn("stages", alone)
        self.assertEqual([r["sha256"] for r in result["renditions"]], [r["sha256"] for r in alone["renditions"]])

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
