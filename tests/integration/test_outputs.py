"""What a ladder may ask of the output, through the orchestrator: codecs, containers, audio, copies."""

import json
import os
import pathlib
import tempfile
import unittest

from support import media
from support.case import STEADY, ClusterCase
from support.cluster import binary
from support.processes import run_to_end

LADDER = [
    {"name": "hevc", "width": 128, "height": 72, "quality": 35, "bitrate": 200000, "encoder": "HEVC", "container": "mp4",
     "preset": "ultrafast", "audio": "opus"},
    {"name": "copy", "width": 320, "height": 180, "bitrate": 8000000, "bypass": "if-fits", "audio": "none"},
]


class Outputs(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=2)

    def test_hevc_and_opus_in_mp4_and_a_copy_of_the_source(self):
        opened = self.session(self.orchestrator, LADDER)
        source = media.Probe(self.clips[0])
        whole, frames = b"", 0
        for seq in range(2):
            answer = self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq], multipart=True)
            self.assert_status(answer, 200)
            parts = answer.parts()
            self.assertEqual([p.get_filename() for p in parts], [f"hevc_{seq}.mp4", f"copy_{seq}.ts"])
            self.assertEqual([p.get_content_type() for p in parts], ["video/mp4", "video/mp2t"])
            renditions = answer.renditions()
            hevc, copy = media.Probe(renditions["hevc"]), media.Probe(renditions["copy"])
            self.assertEqual((hevc.codec, hevc.audio, hevc.errors), ("hevc", "opus", ""))
            self.assertEqual((hevc.width, hevc.height, hevc.frames), (128, 72, source.frames))
            self.assertEqual((copy.codec, copy.audio, copy.errors), ("h264", None, ""))
            self.assertEqual((copy.width, copy.height, copy.frames), (320, 180, source.frames))
            body = renditions["hevc"]
            whole += body if not whole else body[body.index(b"moof") - 4:]
            frames += hevc.frames
        joined = media.Probe(whole)
        self.assertEqual((joined.frames, joined.errors), (frames, ""))

    def test_nothing_depends_on_what_memory_held_before(self):
        """Memory that malloc hands out is filled with another byte each time (by glibc, or by AddressSanitizer)."""
        made = []
        for byte in (1, 85, 165):
            with tempfile.TemporaryDirectory() as directory:
                place = pathlib.Path(directory)
                sources = [place / f"{seq}.ts" for seq in range(3)]
                for source, clip in zip(sources, self.clips):
                    source.write_bytes(clip)
                (place / "ladder.json").write_text(json.dumps([*STEADY, *LADDER]))
                sanitizer = f"{os.environ.get('ASAN_OPTIONS', '')}:max_malloc_fill_size=1000000000:malloc_fill_byte={byte}"
                done = run_to_end([binary("transcoder"), "transcode", *sources, "--ladder", place / "ladder.json", "--out-dir", place / "out"],
                                  within=120, environment={"MALLOC_PERTURB_": str(byte), "ASAN_OPTIONS": sanitizer})
                self.assertEqual(done.returncode, 0, done)
                made.append({path.relative_to(place): path.read_bytes() for path in sorted(place.glob("out/*/*"))})
        self.assertEqual(len(made[0]), 12)
        for other in made[1:]:
            self.assertEqual([str(path) for path in made[0] if made[0][path] != other[path]], [])

    def test_a_copy_counts_no_pixels(self):
        opened = self.session(self.orchestrator, LADDER)
        answer = self.orchestrator.push(opened["stream"], "0.ts", self.clips[0])
        self.assert_status(answer, 200)
        pixels = {r["name"]: r["pixels"] for r in answer.json()["renditions"]}
        self.assertEqual(pixels["copy"], 0)
        self.assertEqual(pixels["hevc"], 128 * 72 * media.Probe(self.clips[0]).frames)


if __name__ == "__main__":
    unittest.main()
