"""What must be true of everything that came back, asked of ffprobe and ffmpeg and not of Millrace."""

import concurrent.futures

from support import media

TICK_S = 0.002  # rounding of timestamps on the way through ffprobe's text


class Checks:
    """Counts what held and keeps what did not."""

    def __init__(self):
        self.held = 0
        self.broken = []

    def expect(self, holds, what):
        if holds:
            self.held += 1
        else:
            self.broken.append(what)

    def attempt(self, what, action):
        """`action` returns None, or what is wrong; an exception is wrong too."""
        try:
            wrong = action()
        except AssertionError as error:
            wrong = str(error)
        self.expect(wrong is None, f"{what}: {wrong}")


def fits(box, source, got):
    """The ladder's rule: the source's shape kept inside the box, even sides, the box's longer side to the longer side."""
    width, height = box
    if (source.width > source.height) != (width > height):
        width, height = height, width
    shape = source.width / source.height
    return (got.width <= width and got.height <= height and got.width % 2 == 0 and got.height % 2 == 0
            and abs(got.width - got.height * shape) <= max(2.0, 2 * shape)
            and (got.width >= width - 2 or got.height >= height - 2))


def largest_gap(source_times, times):
    """The largest step between two pictures (or sounds) beyond what the source itself has at that place, in seconds."""
    if len(times) != len(source_times):
        return float("inf")
    steps = [b[0] - a[0] for a, b in zip(times, times[1:])]
    expected = [b[0] - a[0] for a, b in zip(source_times, source_times[1:])]
    return max((abs(s - e) for s, e in zip(steps, expected)), default=0.0)


def check_stream(checks, broadcaster, ladder, work):
    """Fills {rendition: frames} and checks answers, frames, sizes and seams of one stream."""
    source = broadcaster.source
    frames = {spec["name"]: 0 for spec in ladder}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        probes = list(pool.map(media.Probe, source.segments))
        for spec in ladder:
            name = spec["name"]
            answered = [p for p in broadcaster.pushed if name in p.files]
            for pushed, probe in zip(answered, pool.map(media.Probe, [p.files[name] for p in answered])):
                where = f"{source.name}/{name}/{pushed.seq}"
                original = probes[pushed.seq]
                frames[name] += probe.frames
                checks.expect(probe.errors == "", f"{where}: does not decode cleanly: {probe.errors[:200]}")
                checks.expect(probe.frames == original.frames, f"{where}: {probe.frames} frames, source {original.frames}")
                checks.expect(fits((spec["width"], spec["height"]), original, probe), f"{where}: {probe.width}x{probe.height}")
    for pushed in broadcaster.pushed:
        checks.expect(pushed.status == 200, f"{source.name}/{pushed.seq}: answered {pushed.status} {pushed.problem[:200]}")
        checks.expect(set(pushed.files) == set(frames), f"{source.name}/{pushed.seq}: renditions {sorted(pushed.files)}")
    checks.expect(len(broadcaster.pushed) == broadcaster.total, f"{source.name}: {len(broadcaster.pushed)} of {broadcaster.total} answered")
    for name in frames:
        _check_seams(checks, broadcaster, name, work)
    return frames


def _check_seams(checks, broadcaster, name, work):
    """The joined output against the joined source: at no place a gap that the source has not."""
    source = broadcaster.source
    original = _join(source.segments, work / f"{source.name}-source.ts")
    joined = _join([p.files[name] for p in broadcaster.pushed if name in p.files], work / f"{source.name}-{name}.ts")
    for stream, what in (("v:0", "picture"), ("a:0", "sound")):
        def gaps(stream=stream):
            expected = media.packet_times(original, stream)
            if not expected:
                return None
            got = media.packet_times(joined, stream)
            if len(got) != len(expected):
                return f"{len(got)} packets, source {len(expected)}"
            gap = largest_gap(expected, got)
            return None if gap <= TICK_S else f"a step differs from the source's by {gap * 1000:.1f} ms"
        checks.attempt(f"{source.name}/{name}: {what} across all seams", gaps)
    checks.attempt(f"{source.name}/{name}: joined output decodes",
                   lambda: media.ffmpeg("-i", joined, "-map", "0:v:0", "-f", "null", "-") or None)


def _join(files, target):
    with open(target, "wb") as out:
        for file in files:
            out.write(file.read_bytes())
    return target


def check_playback(checks, url, expected_frames, work):
    """An ended stream plays from its playlist to its end, in each rendition."""
    def plays():
        played = work / "played.ts"
        complaints = media.ffmpeg("-y", "-i", url, "-map", "0:v:0", "-map", "0:a:0?", "-c", "copy", "-f", "mpegts", played)
        if complaints:
            return complaints[:200]
        got = media.Probe(played).frames
        return None if got == expected_frames else f"{got} frames played, {expected_frames} listed"
    checks.attempt(f"HLS {url}", plays)
