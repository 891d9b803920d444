"""PSNR and SSIM of renditions beside those of ffmpeg's command line with the same settings, on real clips."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from support import media
from support.cluster import binary

CLIPS = ("bee_720p2997_hls/bee1.ts", "bbb_1080p25_hls/seg_004.ts")
SCALE = "scale=426:240:flags=bicubic"
# Ours, and the same said to ffmpeg.
ENCODERS = {
    "h264": ({"encoder": "H.264"}, "-c:v libx264 -preset veryfast -crf 26 -maxrate 600k -bufsize 1200k -g 999999 -keyint_min 500000"),
    "hevc": ({"encoder": "HEVC"}, "-c:v libx265 -preset veryfast -crf 26 -maxrate 600k -bufsize 1200k "
                                  "-x265-params log-level=none:open-gop=0:keyint=-1"),
    "vp9": ({"encoder": "VP9", "container": "mp4"},
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 6 -crf 26 -b:v 600k -g 99999 -row-mt 0"),
    "av1": ({"encoder": "AV1", "container": "mp4"},
            "-c:v libaom-av1 -usage realtime -cpu-used 7 -crf 26 -b:v 600k -g 99999 -row-mt 0"),
}


def quality(made, source, scale=SCALE):
    """PSNR in dB and SSIM of `made` against the source scaled by ffmpeg."""
    graph = (f"[1:v]{scale},setpts=PTS-STARTPTS,split[a][b];[0:v]setpts=PTS-STARTPTS,split[c][d];[c][a]psnr;[d][b]ssim")
    said = subprocess.run(["ffmpeg", "-nostdin", "-i", str(made), "-i", str(source), "-lavfi", graph, "-f", "null", "-"],
                          capture_output=True, text=True, timeout=120, check=True).stderr
    return (float(re.search(r"PSNR.*average:([0-9.]+)", said)[1]), float(re.search(r"SSIM.*All:([0-9.]+)", said)[1]))


class Quality(unittest.TestCase):
    def test_renditions_are_as_good_as_those_of_ffmpeg(self):
        clips = media.shared_media()
        if clips is None:
            print("\n*** SKIPPED: no clips to compare on ***", file=sys.stderr)
            self.skipTest("the folder of real clips is missing")
        with tempfile.TemporaryDirectory(prefix="millrace-quality-") as place:
            place = pathlib.Path(place)
            ladder = [{"name": name, "width": 426, "height": 240, "quality": 26, "bitrate": 600000, "audio": "none", **spec}
                      for name, (spec, _) in ENCODERS.items()]
            (place / "ladder.json").write_text(json.dumps(ladder))
            for clip in CLIPS:
                source = pathlib.Path(clips) / clip
                subprocess.run([binary("transcoder"), "transcode", str(source), "--ladder", str(place / "ladder.json"),
                                "--out-dir", str(place / "ours")], capture_output=True, timeout=300, check=True)
                for name, (spec, said) in ENCODERS.items():
                    with self.subTest(clip=clip, encoder=name):
                        suffix = "mp4" if "container" in spec else "ts"
                        reference = place / f"reference.{suffix}"
                        media.ffmpeg("-y", "-i", str(source), "-an", "-vf", SCALE, *said.split(), "-threads", "1",
                                     str(reference))
                        psnr, ssim = quality(place / "ours" / name / f"0.{suffix}", source)
                        psnr_of_ffmpeg, ssim_of_ffmpeg = quality(reference, source)
                        self.assertGreater(psnr, psnr_of_ffmpeg - 0.1)
                        self.assertGreater(ssim, ssim_of_ffmpeg - 0.002)

    def test_cascaded_scaling_costs_less_and_is_a_little_softer(self):
        clips = media.shared_media()
        if clips is None:
            self.skipTest("the folder of real clips is missing")
        source = pathlib.Path(clips) / "bbb_1080p25_hls/seg_004.ts"
        sizes = {"720p": (1280, 720), "360p": (640, 360), "240p": (426, 240)}
        cpu, db = {}, {}
        with tempfile.TemporaryDirectory(prefix="millrace-quality-") as place:
            for scaling in ("direct", "cascaded"):
                ladder = [{"name": name, "width": width, "height": height, "quality": 20, "preset": "ultrafast", "audio": "none",
                           "scaling": scaling} for name, (width, height) in sizes.items()]
                out = pathlib.Path(place) / scaling
                done = subprocess.run([binary("transcoder"), "transcode", "--json", str(source), "--ladder", json.dumps(ladder),
                                       "--out-dir", str(out)], capture_output=True, timeout=300, check=True)
                (result,) = json.loads(done.stdout)
                cpu[scaling] = result["times_us"]["scale"]
                for name, (width, height) in sizes.items():
                    db[scaling, name] = quality(out / name / "0.ts", source, f"scale={width}:{height}:flags=bicubic")[0]
        print(f"\nscaling 1080p to 720p, 360p, 240p: cascaded takes {cpu['cascaded'] / cpu['direct']:.2f} of the CPU; dB direct, cascaded: " +
              ", ".join(f"{name} {db['direct', name]:.1f} {db['cascaded', name]:.1f}" for name in sizes))
        self.assertEqual(db["direct", "720p"], db["cascaded", "720p"])
        for name in ("360p", "240p"):
            self.assertNotEqual(db["direct", name], db["cascaded", name])
            self.assertGreater(db["cascaded", name], db["direct", name] - 3)


if __name__ == "__main__":
    unittest.main()
