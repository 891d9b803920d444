"""What the demo pushes: two live sources, each cut into GOP-aligned segments with timestamps that keep counting up."""

import csv
import sys

from support import media

NAMES = ("mill", "race")
REPEATS = 5000
SEGMENTS = 24  # per stream; issue: at least 20
SEGMENT_S = 1.9  # cut at the first key frame after this; real clips have one each 1.92 s or 2 s
LENGTH_S = SEGMENTS * 2.2 + 4


class Source:
    """A stream: its name, its segment files in order, their durations in seconds, and the clip it loops."""

    def __init__(self, name, origin, clip, segments, durations):
        self.name, self.origin, self.clip, self.segments, self.durations = name, origin, clip, segments, durations


def endless(clip, work):
    """ffmpeg's input arguments for `clip` again and again with a clock that goes on.

    Not -stream_loop: it seeks back, and in MPEG-TS that lands behind the first key frame.
    """
    work.mkdir(parents=True, exist_ok=True)
    listing = work / "endless.txt"
    quoted = str(clip.resolve()).replace("'", r"'\''")
    listing.write_text(f"file '{quoted}'\n" * REPEATS, encoding="utf-8")
    return ["-f", "concat", "-safe", "0", "-i", listing]


def _cut(names, origin, clip, work):
    """A source for each name: stream copy where the clip's key frames allow it, else encoded anew with one every 2 s."""
    copied = _segments(clip, work / "copy")
    if len(copied[0]) < SEGMENTS:
        print(f"  {origin}: too few key frames to cut, or not H.264: encoding it first", flush=True)
        encoded = work / "encoded.ts"
        media.ffmpeg(*endless(clip, work), "-t", LENGTH_S, "-map", "0:v:0", "-map", "0:a:0?", "-c:v", "libx264",
                     "-preset", "veryfast", "-pix_fmt", "yuv420p", "-force_key_frames", "expr:gte(t,n_forced*2)",
                     "-c:a", "aac", "-ac", 2, "-f", "mpegts", encoded, within=600)
        clip, copied = encoded, _segments(encoded, work / "segments")
    if len(copied[0]) < SEGMENTS:
        sys.exit(f"demo: {origin} could not be cut into {SEGMENTS} segments")
    return [Source(name, origin, clip, *copied) for name in names]


def _segments(clip, directory):
    if not _copyable(clip):
        return [], []
    table = directory / "list.csv"
    media.ffmpeg(*endless(clip, directory), "-t", LENGTH_S, "-map", "0:v:0", "-map", "0:a:0?", "-c", "copy",
                 "-f", "segment", "-segment_time", SEGMENT_S, "-segment_format", "mpegts", "-segment_list", table,
                 directory / "%04d.ts")
    with open(table, encoding="utf-8", newline="") as rows:
        found = [(directory / file, float(end) - float(start)) for file, start, end in csv.reader(rows)]
    found = found[:-1][:SEGMENTS]  # the last one was cut by the clock, not by a key frame
    return [file for file, _ in found], [seconds for _, seconds in found]


def _copyable(clip):
    found, _ = media.ffprobe(clip, "-show_entries", "stream=codec_type,codec_name")
    codecs = {stream["codec_type"]: stream.get("codec_name") for stream in reversed(found["streams"])}
    return codecs.get("video") == "h264" and codecs.get("audio", "aac") == "aac"


def _joined(directory, pattern, target):
    """Clips that come as segments are one stream when joined byte by byte."""
    with open(target, "wb") as out:
        for piece in sorted(directory.glob(pattern)):
            out.write(piece.read_bytes())
    return target


def prepare(given, work):
    """Two sources: the given file twice, else two real clips, else two generated ones."""
    shared = media.shared_media()
    if given is not None:
        if not media.Probe(given).codec:
            sys.exit(f"demo: {given} has no video")
        return _cut(NAMES, given.name, given, work / "given")
    if shared is not None:
        clips = [("Big Buck Bunny 1080p25", _joined(shared / "bbb_1080p25_hls", "seg_*.ts", work / "bbb.ts")),
                 ("bee 720p29.97", _joined(shared / "bee_720p2997_hls", "bee?.ts", work / "bee.ts"))]
    else:
        clips = [("test picture 720p25", media.generate(work / "one.ts", LENGTH_S, "1280x720", 25, 50)),
                 ("test picture 480p30", media.generate(work / "two.ts", LENGTH_S, "854x480", 30, 60, sound=660))]
    return [source for name, (origin, clip) in zip(NAMES, clips) for source in _cut([name], origin, clip, work / name)]
