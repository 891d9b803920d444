"""Clips to push, and what ffprobe says about what comes back."""

import fcntl
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def shared_media():
    """The directory of real clips beside the repository, or None on a machine that has none."""
    directory = pathlib.Path(os.environ.get("MILLRACE_MEDIA", ROOT.parent / "shared" / "media"))
    return directory if (directory / "bee_720p2997_hls").is_dir() else None


def ffmpeg(*arguments, within=120):
    """Runs ffmpeg; returns what it wrote to standard error at level `error`. Raises when it failed."""
    done = subprocess.run(
        ["ffmpeg", "-hide_banner", "-nostdin", "-v", "error", *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=within, check=False,
    )
    text = done.stderr.decode(errors="replace")
    if done.returncode != 0:
        raise AssertionError(f"ffmpeg {' '.join(map(str, arguments))}: exit {done.returncode}: {text[:1000]}")
    return text


def push_with_ffmpeg(clip, url, names, *options):
    """As a broadcaster would: the clip at its own pace, as HLS by PUT, its segments at `url`/`names`."""
    ffmpeg("-re", "-i", clip, "-c", "copy", "-f", "hls", *options, "-method", "PUT",
           "-hls_segment_filename", f"{url}/{names}", f"{url}/index.m3u8")


def ffprobe(source, *arguments):
    """ffprobe's JSON about a path or about bytes, and what it complained about."""
    from_bytes = isinstance(source, (bytes, bytearray))
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", *arguments, "-" if from_bytes else str(source)],
        input=source if from_bytes else b"", stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"ffprobe: exit {done.returncode}: {done.stderr.decode(errors='replace')[:500]}")
    return json.loads(done.stdout), done.stderr.decode(errors="replace")


class Probe:
    """What decoding a clip gave: `frames` decoded, `width`, `height`, `codec`, `audio` codec or None, `errors` text."""

    def __init__(self, source):
        found, self.errors = ffprobe(
            source, "-count_frames", "-show_entries",
            "stream=codec_type,codec_name,profile,width,height,nb_read_frames,avg_frame_rate")
        video = [s for s in found["streams"] if s["codec_type"] == "video"]
        audio = [s for s in found["streams"] if s["codec_type"] == "audio"]
        self.frames = int(video[0].get("nb_read_frames", 0)) if video else 0
        self.width = video[0].get("width", 0) if video else 0
        self.height = video[0].get("height", 0) if video else 0
        self.codec = video[0]["codec_name"] if video else None
        self.profile = video[0].get("profile") if video else None
        self.audio = audio[0]["codec_name"] if audio else None


def packet_times(source, stream="v:0"):
    """Presentation times of a stream's packets in seconds, sorted: [(pts, duration)]."""
    found, _ = ffprobe(source, "-select_streams", stream, "-show_entries", "packet=pts_time,duration_time")
    return sorted((float(p["pts_time"]), float(p.get("duration_time", 0))) for p in found["packets"] if "pts_time" in p)


def segment_copy(source, directory, seconds, segment_s, loop=True):
    """Cuts `source` (stream copy) at key frames about every `segment_s`; returns the segment files in order.

    A looped source keeps counting its timestamps up, as a live encoder's would.
    """
    directory.mkdir(parents=True, exist_ok=True)
    ffmpeg(*(["-stream_loop", "-1"] if loop else []), "-i", source, "-t", seconds, "-map", "0:v:0", "-map", "0:a:0?",
           "-c", "copy", "-f", "segment", "-segment_time", segment_s, "-segment_format", "mpegts",
           directory / "%04d.ts")
    return sorted(directory.glob("*.ts"))


def generate(path, seconds, size="320x180", rate=25, gop=25, sound=440):
    """A test picture with a tone, H.264 with B-frames and AAC in MPEG-TS, a key frame every `gop` frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}",
           "-f", "lavfi", "-i", f"sine=frequency={sound}:sample_rate=48000", "-t", seconds,
           "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", 2,
           "-g", gop, "-keyint_min", gop, "-sc_threshold", 0, "-c:a", "aac", "-ac", 2,
           "-f", "mpegts", path)
    return path


def test_segments(seconds_each=1, count=30):
    """Segments of a small generated clip with continuous timestamps, made once and kept for the next program.

    Several test programs may ask at once: the first makes them under a lock.
    """
    cache = pathlib.Path(os.environ.get("MILLRACE_TEST_CACHE", tempfile.gettempdir())) / (
        f"millrace-clips-{os.getuid()}-{seconds_each}s-{count}")
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = cache / "done"
        if not done.exists():
            clip = generate(cache / "clip.ts", seconds_each * count + 1, gop=25 * seconds_each)
            segment_copy(clip, cache / "segments", seconds_each * count + 1, seconds_each, loop=False)
            done.touch()
    return [p.read_bytes() for p in sorted((cache / "segments").glob("*.ts"))[:count]]
