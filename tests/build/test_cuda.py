"""CUDA is found, not required: a tree configures on a machine without nvcc, with one, and with one that is broken.

What the three say is checked, and that WITH_CUDA=ON is a demand. Only cmake/Cuda.cmake is configured, in a project of
its own, so that this costs seconds; that what was decided also builds is what every build shows.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

PROJECT = f"""cmake_minimum_required(VERSION 3.25)
project(three_machines LANGUAGES C CXX)
include({ROOT}/cmake/Cuda.cmake)
"""


def path_without(name):
    """PATH less the directories that have `name`."""
    return os.pathsep.join(d for d in os.environ["PATH"].split(os.pathsep)
                           if d and not os.path.exists(os.path.join(d, name)))


class Cuda(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.write("CMakeLists.txt", PROJECT)

    def write(self, name, text, mode=0o644):
        file = pathlib.Path(self.folder, name)
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def configure(self, path, *arguments):
        environment = {k: v for k, v in os.environ.items() if k not in ("CUDACXX", "CUDA_PATH", "CUDAHOSTCXX")}
        environment["PATH"] = path
        # Places that CMake looks into besides PATH: this machine's own nvcc is not one of the three's.
        hidden = "/usr/local/cuda/bin;/usr/local/bin"
        return subprocess.run(
            ["cmake", "-S", self.folder, "-B", self.folder + "/build", f"-DCMAKE_IGNORE_PATH={hidden}", *arguments],
            env=environment, capture_output=True, text=True, timeout=300)

    def test_without_nvcc_it_is_off_and_says_that_there_is_none(self):
        done = self.configure(path_without("nvcc"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("CUDA: OFF (no nvcc was found)", done.stdout)

    def test_a_broken_nvcc_turns_it_off_and_is_named(self):
        broken = self.write("bin/nvcc", '#!/bin/sh\nexec /nowhere/nvcc "$@"\n', 0o755)
        done = self.configure(f"{broken.parent}{os.pathsep}{path_without('nvcc')}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"CUDA: OFF ({broken} does not work)", done.stdout)

    def test_a_demand_that_cannot_be_met_ends_the_configuration_with_the_reason(self):
        done = self.configure(path_without("nvcc"), "-DWITH_CUDA=ON")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("WITH_CUDA=ON, but no nvcc was found", done.stderr)

    def test_it_can_be_switched_off(self):
        done = self.configure(os.environ["PATH"], "-DWITH_CUDA=OFF")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("CUDA: OFF (WITH_CUDA=OFF)", done.stdout)

    def test_a_working_nvcc_is_used_whether_there_is_a_driver_or_not(self):
        nvcc = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")
        if nvcc is None:
            self.skipTest("no nvcc on this machine")
        done = self.configure(os.environ["PATH"], f"-DMILLRACE_NVCC={nvcc}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"CUDA: ON \(nvcc \d+\.")


if __name__ == "__main__":
    unittest.main()
