"""Draws segments out of real clips, copied as they are: other containers, other cuts, other clocks, sound as it was or encoded anew.

What no encoder here makes (fields of PAFF, cameras' own timing, other people's muxers) comes only this way.
"""

import shlex

from media.random_clips.source import FORMAT_OF, SUFFIX_OF, Source

# name, codec, seconds, sound, marks
CLIPS = [
    ("av1_1080x720_aac.mp4", "av1", 1.0, "aac", ""),
    ("bbb_1080p60_2s.mp4", "h264", 2.0, "aac", ""),
    ("bbb_sar64x45_bpyramid.mp4", "h264", 4.0, "", "sar"),
    ("dog_720p2997_aac.mp4", "h264", 9.6, "aac", ""),
    ("fire_vfr_rot180_720p.mp4", "h264", 2.3, "aac", "vfr turned"),
    ("juggle_720p24_videoonly.mp4", "h264", 10.2, "", ""),
    ("nasa_2video_2audio_2subs.mp4", "h264", 13.0, "aac", "tracks"),
    ("phone_hevc10_hlg_rot90.mp4", "hevc", 0.29, "aac", "hdr turned vfr"),
    ("rooftops_240p60_aac.mp4", "h264", 5.0, "aac", "vfr"),
    ("testsrc_h264_high10.mp4", "h264", 1.0, "", ""),
    ("bbb_vp8_720p24_vorbis.webm", "vp8", 9.0, "vorbis", ""),
    ("bear_vp9_161x121_odd.webm", "vp9", 2.7, "", ""),
    ("roadtrip_vp9_10bit.webm", "vp9", 10.0, "", ""),
    ("talk_vp9_720p25.webm", "vp9", 37.0, "", "vfr"),
    ("keyboard_rot90.mov", "h264", 0.1, "", "turned"),
    ("bbb_360p25.flv", "h264", 10.0, "aac", ""),
    ("derived_576i25_tff_opengop_mp2.ts", "h264", 6.0, "mp2", "interlaced"),
    ("derived_ptswrap_720p.ts", "h264", 4.0, "aac", "wrap"),
    ("rollover_33bit_1fps.ts", "h264", 20.0, "", "wrap"),
    ("train_360p30_cmaf", "h264", 10.0, "", ""),
    ("bbb_hevc_360p24_ac3_cmaf", "hevc", 8.0, "", ""),
    ("bee_720p2997_hls", "h264", 10.0, "aac", ""),
]
CONTAINERS_OF = {
    "h264": ["ts", "ts", "ts", "mp4", "fmp4", "mov", "mkv"],
    "hevc": ["ts", "ts", "mp4", "fmp4", "mov", "mkv"],
    "vp8": ["mkv", "webm"],
    "vp9": ["mp4", "fmp4", "mkv", "webm", "webm"],
    "av1": ["mp4", "fmp4", "mkv", "webm"],
}
SOUND_OF = {
    "ts": {"aac", "mp2"},
    "mp4": {"aac", "mp2"},
    "fmp4": {"aac"},
    "mov": {"aac"},
    "mkv": {"aac", "mp2", "vorbis"},
    "webm": {"vorbis"},
}
ENCODED_IN = {"ts": ["aac", "ac3 -b:a 96k"], "mp4": ["aac"], "fmp4": ["aac"], "mov": ["aac"], "mkv": ["libvorbis", "aac"], "webm": ["libopus"]}


def draw_found(rng, clips):
    """`clips`: the directory of the real ones."""
    name, codec, seconds, sound, marks = rng.choice(CLIPS)
    container = rng.choice(CONTAINERS_OF[codec])
    suffix = SUFFIX_OF[container]
    drawn = {*marks.split(), container, codec, name}
    lines, source = _opened(clips / name)
    begin = round(rng.uniform(0, max(0.0, seconds - 0.6)), 3) if rng.random() < 0.6 else 0
    length = round(rng.uniform(0.2, 3.0), 3)
    if "1fps" in name:
        length *= 4
    options = ["-c:v copy"]
    if begin and rng.random() < 0.5:
        options.append("-copyinkf")  # begins where it is told, key frame or not
        drawn.add("keyless")
        window = f"{source} -ss {begin}"
    elif begin:
        window = f"-ss {begin} {source}"
        drawn |= {"edited"} if container in ("mp4", "mov", "fmp4") else set()
    else:
        window = source
    if sound and rng.random() < 0.8:
        drawn.add("sound")
        copied = sound in SOUND_OF[container] and rng.random() < 0.7
        options.append("-c:a copy" if copied else f"-strict -2 -c:a {rng.choice(ENCODED_IN[container])} -ac 2 -ar 48000")
    else:
        options.append("-an")
    if container in ("mp4", "mov") and rng.random() < 0.5:
        options.append("-c:s copy" if rng.random() < 0.5 else "-c copy -map 0:v -map 0:a? -map 0:s?")
    else:
        options.append("-sn")
    if container == "ts" and rng.random() < 0.3:
        options.append("-copyts -muxdelay 0 -muxpreload 0")
    command = f"ffmpeg -v error -nostdin -y {window}"
    if rng.random() < 0.35 and container in ("ts", "mkv", "webm"):
        every = rng.choice([0.5, 0.8, 1.2])
        if rng.random() < 0.3:
            options.append("-break_non_keyframes 1")
            drawn.add("keyless")
        extra = " -segment_format_options mpegts_copyts=1" if container == "ts" else ""
        made = f"{command} -t {every * 3} {' '.join(options)} -f segment -segment_format {FORMAT_OF[container]} -segment_time {every}{extra} %03d.{suffix}"
        return Source([*lines, made], f"00?.{suffix}", 3, drawn | {"cut", "found"})
    if container == "fmp4":
        options.append("-movflags " + rng.choice(["frag_keyframe+empty_moov", "empty_moov+delay_moov+frag_every_frame", "frag_keyframe"]))
    if container == "ts" and rng.random() < 0.3:
        packets = rng.randint(1, 400)
        drawn |= {"keyless", "cut_off", "bytes"}
        return Source([*lines, f"{command} -t {length} {' '.join(options)} -f mpegts whole.ts",
                       f"tail -c +{packets * 188 + 1} whole.ts | head -c -{rng.randint(0, 40) * 188} > 0.ts"], "0.ts", 1, drawn | {"found"})
    return Source([*lines, f"{command} -t {length} {' '.join(options)} -f {FORMAT_OF[container]} 0.{suffix}"], f"0.{suffix}", 1, drawn | {"found", "one"})


def _opened(path):
    """(lines that come first, how ffmpeg is told of it)"""
    quoted = shlex.quote(str(path))
    if path.is_dir() and (path / "v_init.mp4").exists():
        return [f"cat {quoted}/v_init.mp4 {quoted}/v_1.m4s {quoted}/v_2.m4s {quoted}/v_3.m4s > bare.mp4"], "-i bare.mp4"
    if path.is_dir():
        return [f"cat {quoted}/bee0.ts {quoted}/bee1.ts {quoted}/bee2.ts > bare.ts"], "-i bare.ts"
    return [], f"-i {quoted}"
