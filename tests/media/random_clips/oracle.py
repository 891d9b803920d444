"""What ffmpeg's command line says of a file, decoding it alone: streams, pictures, packets, sound."""

import dataclasses
import functools
import json
import math
import os
import pathlib
import re
import signal
import subprocess

WITHIN_S = 60
WRAP_S = 2 ** 33 / 90000
BESIDE = 1.1e-3  # Matroska counts in thousandths of a second


def run(*argv, place=None):
    """(exit status, standard output as bytes, standard error as text); TimeoutError after WITHIN_S, and nothing of it is left then."""
    with subprocess.Popen([str(a) for a in argv], cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          start_new_session=True) as child:
        try:
            out, said = child.communicate(timeout=WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            raise TimeoutError(f"{argv[0]} hangs") from None
    return child.returncode, out, said.decode(errors="replace")


def apart(a, b):
    """Seconds between two times of a clock that may have begun again."""
    off = (a - b) % WRAP_S
    return min(off, WRAP_S - off)


def after(a, b):
    """How long `a` comes after `b`, on such a clock; negative if before."""
    return (a - b + WRAP_S / 2) % WRAP_S - WRAP_S / 2


@dataclasses.dataclass
class Frame:
    time: float
    width: int
    height: int
    key: bool
    interlaced: bool
    pixels: str


@dataclasses.dataclass
class Packet:
    time: float
    decoded: float
    duration: float
    key: bool
    discarded: bool


class File:
    """A segment, or with `made` a rendition, which has one stream of each kind at most."""

    def __init__(self, path, made=False):
        self.path, self.made = pathlib.Path(path), made
        self.moved = 0.0  # seconds that its clock runs ahead of its source's

    @functools.cached_property
    def _probed(self):
        # All in one run: starting ffprobe takes longer than what it does here.
        _, out, _ = run("ffprobe", "-v", "quiet", "-of", "json", "-show_entries",
                        "stream=index,codec_type,codec_name,width,height,pix_fmt,sample_aspect_ratio,color_range,color_space,color_transfer,"
                        "color_primaries,sample_rate,channels:stream_side_data=rotation:packet=stream_index,pts_time,dts_time,duration_time,flags:"
                        "frame=stream_index,best_effort_timestamp_time,width,height,key_frame,interlaced_frame,pix_fmt", self.path)
        return json.loads(out or b"{}")

    @functools.cached_property
    def chosen(self):
        """Indices of the streams that the command line takes by itself: {"video": 0, "audio": 1}."""
        if self.made:
            return {s["codec_type"]: s["index"] for s in self._probed.get("streams", [])}
        _, _, said = run("ffmpeg", "-hide_banner", "-nostdin", "-i", self.path, "-sn", "-dn", "-t", "0", "-f", "null", "-")
        taken = [int(index) for index in re.findall(r"Stream #0:(\d+) -> #0:", said)]
        return {s["codec_type"]: s["index"] for s in self._probed.get("streams", []) if s["index"] in taken}

    def stream(self, kind):
        """ffprobe's entry for the chosen stream; None where there is none."""
        index = self.chosen.get(kind)
        return next((s for s in self._probed.get("streams", []) if s["index"] == index), None)

    def _entries(self, type_, kind):
        both = self._probed.get("packets_and_frames", [])
        return [e for e in both if e["type"] == type_ and kind in self.chosen and e["stream_index"] == self.chosen[kind]]

    @functools.cached_property
    def frames(self):
        return [Frame(float(f.get("best_effort_timestamp_time", "nan")) - self.moved, f["width"], f["height"], bool(f["key_frame"]), bool(f["interlaced_frame"]),
                      f["pix_fmt"]) for f in self._entries("frame", "video")]

    def packets(self, kind):
        return [Packet(float(p.get("pts_time", "nan")) - self.moved, float(p.get("dts_time", "nan")) - self.moved, float(p.get("duration_time", 0)), "K" in p["flags"],
                       "D" in p["flags"]) for p in self._entries("packet", kind)]

    @functools.cached_property
    def turned(self):
        for side in (self.stream("video") or {}).get("side_data_list", []):
            if "rotation" in side:
                return int(side["rotation"]) % 360
        return 0

    @functools.cached_property
    def displayed(self):
        """(width, height) in square pixels, turned as a player would."""
        first = self.frames[0]
        width, height = float(first.width), float(first.height)
        shape = (self.stream("video").get("sample_aspect_ratio") or "0:1").split(":")
        if int(shape[0]) > 0 and int(shape[1]) > 0:
            width = width * int(shape[0]) / int(shape[1])
        return (height, width) if self.turned % 180 == 90 else (width, height)

    def small_pictures(self, size, filters=""):
        """Every picture scaled to `size` as bytes of limited range YUV 4:2:0, and what ffmpeg says while it decodes (the sound, too)."""
        graph = f"{filters}scale={size[0]}:{size[1]}:flags=area+accurate_rnd:out_range=tv,format=yuv420p"
        sound = ["-map", "0:a?", "-f", "null", "-"] if self.made and self.packets("audio") else []
        _, out, said = run("ffmpeg", "-nostdin", "-v", "error", "-i", self.path, "-map", f"0:{self.chosen['video']}", "-vf", graph,
                           "-vsync", "passthrough", "-enc_time_base", "-1", "-f", "rawvideo", "-", *sound)
        # Its muxers count in coarser steps than the file; times are checked elsewhere.
        said = "\n".join(line for line in said.splitlines() if not re.search("non monotonically increasing dts to muxer|Last message repeated", line))
        each = size[0] * size[1] * 3 // 2
        return [out[at:at + each] for at in range(0, len(out) - each + 1, each)], said.strip()


def psnr(a, b):
    error = sum((x - y) * (x - y) for x, y in zip(a, b)) / len(a)
    return 99.0 if error == 0 else 10 * math.log10(255 * 255 / error)
