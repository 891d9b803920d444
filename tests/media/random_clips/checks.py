"""What must hold for renditions of a segment, told from ffmpeg's view of the segment and of each rendition.

Each check yields sentences about what does not hold; none is good.
"""

import bisect
import math

from media.random_clips.oracle import BESIDE, WRAP_S, after, apart, psnr

SMALL = 32  # pixels of the longer side at which pictures are compared
SAMPLED = 40  # pictures of a rendition that are compared
FORMATS = {(8, 0): "yuv420p", (8, 1): "yuv422p", (8, 2): "yuv444p", (10, 0): "yuv420p10le", (10, 1): "yuv422p10le", (10, 2): "yuv444p10le"}
CODECS = {"H.264": "h264", "HEVC": "hevc", "VP9": "vp9", "AV1": "av1"}
# What each container can carry of the codecs that are drawn.
CARRIED = {"mpegts": {"aac", "ac3", "mp2", "mp3", "opus"}, "mp4": {"aac", "ac3", "mp3", "opus"}}


def expected_frames(source, marks):
    """ffmpeg's pictures of the segment, less those that only its MPEG-2 decoder shows: on a grey ground, before the first key frame."""
    frames = source.frames
    packets = source.packets("video")
    if "mpeg2" in marks and packets and not packets[0].key:
        first = next((n for n, frame in enumerate(frames) if frame.key), len(frames))
        return frames[first:]
    return frames


def check_failure(source, marks, error):
    """A segment that was refused: ffmpeg must not get anything out of it either."""
    if error["kind"] != "bad_input":
        yield f"failed with {error['kind']}: {error['detail']}"
    frames = expected_frames(source, marks)
    if frames:
        yield f"refused ({error['detail']}), but ffmpeg decodes {len(frames)} pictures"


def check_source(source, marks, report):
    frames = expected_frames(source, marks)
    said = report["source"]
    if said["frames"] != len(frames):
        yield f"{said['frames']} pictures of the source, ffmpeg decodes {len(frames)}"
        return
    if said["pixels"] != sum(f.width * f.height for f in frames):
        yield f"{said['pixels']} pixels of the source, ffmpeg decodes {sum(f.width * f.height for f in frames)}"
    if not frames or "jump" in marks:
        return
    if apart(said["start_us"] / 1e6, frames[0].time) > BESIDE:
        yield f"starts at {said['start_us'] / 1e6}, its first picture is shown at {frames[0].time}"
    length = after(frames[-1].time, frames[0].time)
    longest = max([after(b.time, a.time) for a, b in zip(frames, frames[1:])], default=1.0)
    longest = max([longest, *(packet.duration for packet in source.packets("video"))])  # an MP4 says how long each is shown
    if not length - BESIDE <= said["duration_ms"] / 1000 <= length + max(longest, 0.05) + 0.002:
        yield f"lasts {said['duration_ms']} ms, its pictures {length:.4f} s and the last one's time (others up to {longest:.4f} s)"
    for want, have in zip(source.displayed, (said["width"], said["height"])):
        if abs(want - have) > 1:
            yield f"is {said['width']}x{said['height']}, should be shown as {source.displayed}"


def check_by_itself(spec, made, file):
    """Of a rendition whose source nobody can vouch for: it is what its report says, and plays."""
    if made["frames"] == 0:
        return
    yield from _check_count(made, file)
    if file.stream("video") is None or file.stream("video")["codec_name"] != CODECS[spec["encoder"]]:
        yield f"has no video in {spec['encoder']}"
    yield from _check_order(file)


def _check_count(made, file):
    if len(file.frames) != made["frames"]:
        yield f"{made['frames']} frames reported, ffmpeg decodes {len(file.frames)}"


def _check_order(file):
    times = [frame.time for frame in file.frames]
    if any(after(b, a) <= 0 for a, b in zip(times, times[1:])):
        yield "pictures do not follow one another in time"
    decoded = [packet.decoded for packet in file.packets("video")]
    if any(after(b, a) <= 0 for a, b in zip(decoded, decoded[1:])):
        yield "decoding times do not rise"


def check_rendition(source, marks, report, spec, made, file):
    """All of one rendition of one segment. `made`: its entry of the report. `file`: what was written."""
    if made["frames"] == 0 and spec["fps"]:
        return  # shorter than a frame of that rate, and no frame's time lies in it
    frames = expected_frames(source, marks)
    # An MP4 does not begin before 0: then all is moved.
    if spec["container"] == "mp4" and frames and frames[0].time < 0 and source_is_unsigned(report):
        file.moved = -frames[0].time
    yield from _check_format(source, marks, spec, made, file)
    if not file.frames:
        return
    yield from _check_order(file)
    yield from _check_times(frames, marks, report, spec, file)
    yield from _check_keys(frames[0].time if frames else 0.0, marks, spec, made, file)
    yield from _check_pictures(source, frames, marks, spec, made, file)


def _check_format(source, marks, spec, made, file):
    video = file.stream("video")
    if made["bytes"] != file.path.stat().st_size:
        yield f"{made['bytes']} bytes reported, the file has {file.path.stat().st_size}"
    if video is None:
        yield "no video stream"
        return
    yield from _check_count(made, file)
    size = (made["width"], made["height"])
    if any((f.width, f.height) != size for f in file.frames) and not made["copied"]:
        yield f"pictures of {({(f.width, f.height) for f in file.frames})}, reported {size}"
    if made["pixels"] != (0 if made["copied"] else made["frames"] * size[0] * size[1]):
        yield f"{made['pixels']} pixels of {made['frames']} pictures of {size}"
    if video["codec_name"] != CODECS[spec["encoder"]]:
        yield f"is {video['codec_name']}, not {spec['encoder']}"
    wanted = FORMATS[spec.get("colorDepth", 8), spec.get("chromaFormat", 0)]
    if video.get("pix_fmt") != wanted and not (made["copied"] and video.get("pix_fmt") == wanted.replace("yuv", "yuvj")):
        yield f"pixels are {video.get('pix_fmt')}, not {wanted}"
    if not made["copied"]:
        yield from _check_size(source.displayed, spec, size)
        if "glued" not in marks:  # what ffprobe says of the stream may be its second piece's
            yield from _check_colours(source.stream("video"), spec, video)


def _check_size(shown, spec, size):
    if size[0] % 2 or size[1] % 2:
        yield f"{size[0]}x{size[1]} is odd"
    shape = shown[0] / shown[1]
    # A side of few pixels is rounded by much; the other one was what the box gave.
    if abs(size[0] - size[1] * shape) > 2 * max(1, shape) and abs(size[1] - size[0] / shape) > 2 * max(1, 1 / shape):
        yield f"{size[0]}x{size[1]} has another shape than {shown[0]:.1f}x{shown[1]:.1f}"
    box = sorted((spec["width"], spec["height"]))
    if box[0] > 0 and (min(size) > box[0] + 1 or max(size) > box[1] + 1):
        yield f"{size[0]}x{size[1]} does not fit into {box}"
    if spec.get("upscale") == "never" and (size[0] > shown[0] + 2 or size[1] > shown[1] + 2):
        yield f"{size[0]}x{size[1]} is larger than the source's {shown}"


def _check_colours(source, spec, made):
    """Tags are kept; an HDR source becomes BT.709 in 8 bits. Nothing may be left open."""
    deep = spec.get("colorDepth", 8) > 8
    wide = "bt2020" in source.get("color_primaries", "") or source.get("color_transfer") in ("smpte2084", "arib-std-b67") or \
        "bt2020" in source.get("color_space", "")
    for name in ("color_space", "color_primaries", "color_transfer"):
        want = "bt709" if wide and not deep else source.get(name)
        # AV1 and H.264 have two names for the same numbers.
        same = {"smpte170m", "bt470bg"} if name == "color_space" else {"bt709", "smpte170m"} if name == "color_transfer" else set()
        if spec["encoder"] == "VP9":
            continue  # its header has a word for all three together
        if made.get(name) in (None, "unknown") or (want and want not in ("unknown", "gbr") and made[name] != want and not {made[name], want} <= same):
            yield f"{name} is {made.get(name)}, the source's {source.get(name)}"
    if made.get("color_range") == "pc":
        yield "is of full range"


def _check_times(frames, marks, report, spec, file):
    times = [frame.time for frame in file.frames]
    if "jump" in marks:
        return
    if spec["fps"] == 0:
        if len(times) != len(frames):
            yield f"{len(times)} pictures, ffmpeg decodes {len(frames)} of the segment"
            return
        for n, (a, b) in enumerate(zip(times, frames)):
            if apart(a, b.time) > BESIDE:
                yield f"picture {n} is shown at {a}, that of the source at {b.time}"
                return
        return
    rate = spec["fps"] / spec["fpsDen"]
    length = report["source"]["duration_ms"] / 1000
    if abs(len(times) - length * rate) > 1.01:
        yield f"{len(times)} pictures at {rate:.3f}/s of {length} s"
    for n, (a, b) in enumerate(zip(times, times[1:])):
        if abs(after(b, a) - 1 / rate) > 2.5 / 90000:
            yield f"pictures {n} and {n + 1} are {after(b, a):.5f} s apart at {rate:.3f}/s"
            return
    if abs(after(times[0], frames[0].time)) > 1 / rate + BESIDE:
        yield f"begins at {times[0]}, the source at {frames[0].time}"


def source_is_unsigned(report):
    return report["source"]["container"] != "mpegts"


def _check_keys(start, marks, spec, made, file):
    packets = sorted(file.packets("video"), key=lambda p: after(p.time, file.frames[0].time))
    if not packets:
        yield "no packets"
        return
    if not packets[0].key or not file.packets("video")[0].key:
        yield "does not begin with a key frame"
    if made["copied"] or "wrap" in marks or "jump" in marks:
        return
    gop, before = spec.get("gop", "0"), 0
    for n, packet in enumerate(packets):
        if gop == "intra":
            want = True
        else:
            length = float(gop) or 2.0
            # Counted from the segment's start; a frame of a rendition's own rate may stand a little before it.
            at = (packet.time if float(gop) else max(packet.time, start) - start) + 0.002
            want = n == 0 or math.floor(at / length) > before
            before = math.floor(at / length)
            # Where rounding decides: the grid counts in ticks, ffprobe prints microseconds.
            if abs(at / length - round(at / length)) * length < 1e-4:
                want = packet.key
        if packet.key != want:
            yield f"picture {n} at {packet.time} is {'a' if packet.key else 'no'} key frame, gop {gop}"
            return


def _check_pictures(source, frames, marks, spec, made, file):
    """Every picture shows what the source shows then: not another one, not in other colours, not another way up."""
    first = source.frames[0]
    size = (made["width"], made["height"])
    scale = min(1.0, SMALL / max(size))
    small = tuple(max(2, int(side * scale) // 2 * 2) for side in size)
    ours, complaints = file.small_pictures(small)
    if complaints:
        yield "ffmpeg complains: " + complaints.splitlines()[0]
    hdr = "hdr" in marks
    odd = source.turned and any(f.interlaced for f in frames)  # the command line turns before it weaves fields
    # What is made up where references are missing depends on the number of the decoder's threads.
    packets = source.packets("video")
    begun = "keyless" in marks and packets and not packets[0].key
    if "jump" in marks or hdr or odd or begun or len(frames) > 400:
        return
    weave = "bwdif=mode=send_frame:parity=auto:deint=interlaced," if any(f.interlaced for f in source.frames) else ""
    theirs, _ = source.small_pictures(small, weave)
    if len(theirs) != len(source.frames) or len(ours) != len(file.frames):
        return  # counted elsewhere; the command line drops what its filters cannot take
    theirs = theirs[len(theirs) - len(frames):]
    starts = [after(f.time, frames[0].time) for f in frames]
    floor = 22.0 if spec.get("quality") and "bitrate" not in spec else 13.0 if spec.get("bitrate", 0) > 200_000 else 9.0
    if "glued" in marks or min(size) < 48 or first.width < 48 or first.height < 48 or made["width"] * made["height"] > 4 * first.width * first.height:
        floor = 13.0
    step = max(1, len(ours) // SAMPLED)
    worst = None
    for n in range(0, len(ours), step):
        at = after(file.frames[n].time, frames[0].time)
        if spec["fps"]:
            at += 0.125 * spec["fpsDen"] / spec["fps"]
        shown = n if not spec["fps"] else max(0, bisect.bisect_right(starts, at + 1e-6) - 1)
        near = max(psnr(ours[n], theirs[k]) for k in {shown} | ({shown - 1, shown + 1} & set(range(len(theirs))) if spec["fps"] else set()))
        if worst is None or near < worst[0]:
            worst = (near, n, shown)
        around = [(psnr(ours[n], theirs[k]), k) for k in range(max(0, shown - 2), min(len(theirs), shown + 3))]
        best = max(around)
        if best[0] > near + 3 and near < 30:
            yield f"picture {n} looks like {best[1]} of the source ({best[0]:.1f} dB), not like {shown} ({near:.1f} dB)"
            return
    if worst and worst[0] < floor:
        yield f"picture {worst[1]} has {worst[0]:.1f} dB against picture {worst[2]} of the source"


def check_sound(source, marks, report, spec, made, file):
    theirs, ours = source.stream("audio"), file.stream("audio")
    wish = spec["audio"] if isinstance(spec["audio"], dict) else {"codec": spec["audio"]}
    packets = [p for p in source.packets("audio") if not math.isnan(p.time)] if theirs else []
    if wish["codec"] == "none" or not packets:
        if ours is not None and file.packets("audio"):
            yield "has sound that nobody asked for"
        return
    if "jump" in marks or any("audio packets" in w for w in report["warnings"]):
        return
    if ours is None:
        yield f"has no sound, the source has {theirs['codec_name']}"
        return
    heard = file.packets("audio")
    copied = theirs["codec_name"] in CARRIED[spec["container"]] and (wish["codec"] == "copy" or wish == {"codec": theirs["codec_name"]})
    codec = theirs["codec_name"] if copied else "aac" if wish["codec"] == "copy" else wish["codec"]
    if ours["codec_name"] != codec:
        yield f"sound is {ours['codec_name']}, not {codec}"
        return
    for key, name in (("rate", "sample_rate"), ("channels", "channels")):
        if wish.get(key) and int(ours[name]) != wish[key]:
            yield f"{name} is {ours[name]}, not {wish[key]}"
    if copied:
        yield from _check_copied_sound(source, packets, spec, report, heard)
    else:
        # What an edit list hides is not decoded.
        yield from _check_encoded_sound([p for p in packets if not p.discarded], ours, heard, spec)
    rising = [after(b.time, a.time) > -1e-6 for a, b in zip(heard, heard[1:])]
    if not all(rising):
        yield "sound does not go on in time"


def _check_copied_sound(source, packets, spec, report, heard):
    if spec["container"] == "mp4" and source.frames:  # nothing is before the clock's zero there
        first = source.frames[0].time
        zero = first - first % WRAP_S if report["source"]["container"] == "mpegts" else min(first, 0.0)
        packets = [p for p in packets if after(p.time, first) >= zero - first - BESIDE]
    if len(packets) != len(heard):
        yield f"{len(heard)} packets of sound, the source has {len(packets)}"
        return
    for n, (a, b) in enumerate(zip(heard, packets)):
        if apart(a.time, b.time) > BESIDE:
            yield f"sound packet {n} is at {a.time}, that of the source at {b.time}"
            return


def _check_encoded_sound(packets, ours, heard, spec):
    if not heard or not packets:
        if not heard and sum(p.duration for p in packets) > 0.3:
            yield "has no sound at all"
        return
    frame = {"aac": 1024, "opus": 960}[ours["codec_name"]] / int(ours["sample_rate"])
    slack = 3 * frame + 0.06
    for name, a, b in (("begins", heard[0].time, packets[0].time),
                       ("ends", heard[-1].time + heard[-1].duration, packets[-1].time + packets[-1].duration)):
        if apart(a, b) > slack and not (spec["container"] == "mp4" and b < 0):
            yield f"sound {name} at {a:.4f}, that of the source at {b:.4f}"


def check_joins(marks, sources, specs, results, files):
    """Segments that follow each other give renditions that do. `files[n]` by name of rendition."""
    if {"vfr", "keyless", "wrap"} & marks:
        return
    for a, b in zip(range(len(sources)), range(1, len(sources))):
        before, behind = sources[a].frames, sources[b].frames
        if len(before) < 2 or not behind:
            continue
        seam = after(behind[0].time, before[-1].time)
        steps = [after(y.time, x.time) for x, y in zip(before, before[1:])]
        if not min(steps) - BESIDE <= seam <= max(steps) + BESIDE:
            continue  # leading pictures of an open GOP were left out: nothing joins there
        for spec in specs:
            pair = [files[n].get(spec["name"]) for n in (a, b)]
            if None in pair or not all(f.frames for f in pair):
                continue
            step = spec["fpsDen"] / spec["fps"] if spec["fps"] else seam
            gap = after(pair[1].frames[0].time, pair[0].frames[-1].time)
            if abs(gap - step) > BESIDE:
                yield f"{spec['name']}: segment {b} begins {gap:.5f} s after the last picture of {a}, should be {step:.5f}"
            sets = [next(r["parameter_sets"] for r in results[n]["renditions"] if r["name"] == spec["name"]) for n in (a, b)]
            alike = (pair[0].stream("audio") is None) == (pair[1].stream("audio") is None)  # sound may begin later
            if sets[0] != sets[1] and alike:
                yield f"{spec['name']}: segment {b} has other parameter sets than {a}"
            yield from _check_sound_joins(spec, a, b, sources, pair)


def _check_sound_joins(spec, a, b, sources, pair):
    heard = [f.packets("audio") for f in pair]
    told = [s.packets("audio") for s in (sources[a], sources[b])]
    if not all(heard) or not all(told):
        return
    if apart(told[1][0].time, told[0][-1].time + told[0][-1].duration) > 0.002:
        return  # the source's own sound does not join
    if len(heard[0]) < 2:
        return
    # Not its duration: ffprobe knows none of Opus in MPEG-TS.
    step = after(heard[0][-1].time, heard[0][-2].time)
    gap = after(heard[1][0].time, heard[0][-1].time)
    if abs(gap - step) > 0.002:
        yield f"{spec['name']}: sound of segment {b} begins {gap:.5f} s after the last packet of {a}, those are {step:.5f} apart"
