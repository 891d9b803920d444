"""What a machine carries with its GPUs: `transcoder bench` and `--max-sessions auto`, with the driver's libraries played by the tests'."""

import ctypes.util
import json
import pathlib
import tempfile
import unittest

from integration.test_gpus import fake_driver, webm_segments
from support.cluster import binary
from support.processes import run_to_end


class Measured(unittest.TestCase):
    """`transcoder bench` and `--max-sessions auto` with GPUs, played by libraries of the tests."""

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.directory = pathlib.Path(directory.name)
        cls.fakes = fake_driver(directory.name)
        cls.inputs = []
        for n, segment in enumerate(webm_segments(directory.name, "libvpx-vp9", 2)):
            path = cls.directory / f"measured{n}.webm"
            path.write_bytes(segment)
            cls.inputs += ["--input", path]

    def bench(self, gpus, *arguments, fault="", code=0):
        # The library makes what a kernel would on the CPU: it scales slowly.
        done = run_to_end([binary("transcoder"), "bench", "--ladder", "P144p30fps16x9", *self.inputs, "--nvidia", gpus, "--gpu-stages", "decode",
                           *arguments], environment=self.fakes | {"CUDA_FAKE": fault}, within=120)
        self.assertEqual(done.returncode, code, done)
        return done

    def test_sessions_are_seated_and_decoded_on_the_gpus_and_their_limits_bind(self):
        found = json.loads(self.bench("0:1,1:2", "--json").stdout)
        self.assertTrue(all(step["sessions"] <= 3 for step in found["steps"]))
        full = found["steps"][0]  # so little work that as many as may be are tried first
        self.assertEqual([(gpu["index"], gpu["sessions"]) for gpu in full["gpus"]], [(0, 1), (1, 2)])
        decoded = {by: segments for by, segments in full["decoded"].items() if segments}
        self.assertEqual(decoded.keys(), {"gpu"})
        # As the library tells; the second has no encoders.
        self.assertEqual([gpu["decoder"] for gpu in full["gpus"]], [0.25, 0.25])
        self.assertAlmostEqual(full["gpus"][0]["encoder"], 0.4)
        self.assertIsNone(full["gpus"][1]["encoder"])
        if not full["holds"]:
            self.skipTest("this machine is too busy for three small sessions now: only where they sit was tested")
        self.assertEqual((found["sessions"], found["bound"], found["bound_gpu"]), (3, "gpu_limit", None))
        self.assertEqual(decoded, {"gpu": 8 * 3})  # 2 to warm up and 6 that count, each

    def test_the_picture_shows_the_gpus_and_names_the_limit(self):
        done = self.bench("0:1")
        self.assertIn("1 session in real time, bound by the limits of --nvidia", done.stdout)
        self.assertIn("GPU 0: 1 session, NVDEC 25 %", done.stdout)
        self.assertIn("segments decoded by: gpu 8", done.stdout)

    def test_a_gpu_that_falls_away_is_an_error_and_no_number(self):
        for fault, words in (("dies", "decoding on the GPU"), ("gone", "cannot open its GPU"), ("stalls", "an engine with it hangs"),
                             ("falls", "crashed")):
            with self.subTest(fault):
                done = self.bench("0", fault=fault, code=75)
                self.assertIn("GPU 0 (NVIDIA GeForce RTX 4090)", done.stderr)
                self.assertIn(words, done.stderr)
                self.assertNotIn("in real time", done.stdout)

    def test_without_a_gpu_it_says_so(self):
        if ctypes.util.find_library("nvidia-ml") is not None:
            self.skipTest("this machine has NVIDIA's driver")
        done = run_to_end([binary("transcoder"), "bench", *self.inputs, "--nvidia", "0"], environment={})
        self.assertEqual(done.returncode, 75, done)
        self.assertIn("bench: --nvidia 0: NVIDIA's driver is not installed", done.stderr)

    def test_auto_measures_with_the_gpus_and_ends_when_one_falls_away(self):
        done = run_to_end([binary("transcoder"), "--orch-addr", "127.0.0.1:1", "--data-dir", self.directory / "data", "--nvidia", "0"],
                          environment=self.fakes | {"CUDA_FAKE": "gone"}, within=120)
        self.assertEqual(done.returncode, 75, done)
        self.assertIn("--nvidia 0: while it was measured", done.stderr)
        self.assertIn("cannot open its GPU", done.stderr)
        self.assertFalse((self.directory / "data" / "bench.json").exists())


if __name__ == "__main__":
    unittest.main()
