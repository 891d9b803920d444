"""Wears a segment out: what happens to good ones between an encoder and us. One copy by ffmpeg with a bitstream filter or a muxer's option.

Where bytes are lost, nobody can say which pictures come of it, decoders of as many threads less so: such a segment is `broken`, and all that is
asked for are renditions that agree with what is said of them, or a refusal.
"""

import shlex

from media.random_clips.source import FORMAT_OF, SUFFIX_OF, draw_source

TS_FLAGS = ["-mpegts_flags resend_headers", "-mpegts_flags pat_pmt_at_frames", "-mpegts_flags initial_discontinuity",
            "-mpegts_flags system_b", "-pes_payload_size 0", "-pes_payload_size 200", "-omit_video_pes_length 0", "-pcr_period 5", "-pat_period 0.05",
            "-muxrate 12M", "-mpegts_start_pid 0x1100 -mpegts_pmt_start_pid 0x20", "-streamid 0:4000", "-mpegts_m2ts_mode 1"]
MP4_FLAGS = ["-movflags disable_chpl", "-movie_timescale 90000", "-video_track_timescale 12800", "-video_track_timescale 600",
             "-movflags use_metadata_tags -metadata location=+59+018/", "-metadata:s:v language=swe", "-brand isml", "-write_tmcd 1 -timecode 01:00:00:00"]
MKV_FLAGS = ["-cluster_time_limit 100", "-cluster_size_limit 2000", "-live 1", "-write_crc32 0", "-reserve_index_space 5000", "-dash 1 -dash_track_number 1",
             "-default_mode passthrough -disposition:a -default"]
FILTERS_OF = {
    "h264": ["h264_metadata=aud=insert", "h264_metadata=delete_filler=1", "h264_metadata=crop_right=16:crop_bottom=8", "h264_metadata=crop_left=2:crop_top=2",
             "h264_metadata=sample_aspect_ratio=4/3", "h264_metadata=video_full_range_flag=1", "h264_metadata=tick_rate=50:fixed_frame_rate_flag=0",
             "h264_metadata=tick_rate=60000/1001", "filter_units=remove_types=6", "filter_units=remove_types=9", "h264_redundant_pps",
             "h264_metadata=level=5.1", "filter_units=pass_types=1-5"],
    "hevc": ["hevc_metadata=aud=insert", "hevc_metadata=crop_right=16:crop_bottom=8", "hevc_metadata=sample_aspect_ratio=4/3",
             "filter_units=remove_types=35", "filter_units=remove_types=39-40", "hevc_metadata=tick_rate=25:num_ticks_poc_diff_one=1"],
    "mpeg2": ["mpeg2_metadata=display_aspect_ratio=16/9", "mpeg2_metadata=frame_rate=30000/1001", "mpeg2_metadata=video_format=1"],
    "vp9": ["vp9_metadata=color_space=bt709", "vp9_superframe_split,vp9_superframe"],
    "av1": ["av1_metadata=td=insert", "av1_metadata=tick_rate=25:num_ticks_per_picture=1", "av1_frame_split,av1_frame_merge"],
    "vp8": [],
}
ANY_FILTERS = ["dump_extra=freq=all", "setts=dts=DTS-3000:pts=PTS-3000", "setts=pts=PTS+if(gt(N\\,20)\\,200\\,0)"]
DAMAGE = ["noise=amount=-3000", "noise=amount=10000", "noise=drop=not(mod(n\\,9))", "noise=drop=eq(n\\,0)", "noise=drop=between(n\\,5\\,12)",
          "setts=pts=if(mod(N\\,5)\\,PTS\\,NOPTS)", "setts=dts=NOPTS", "setts=duration=0", "setts=pts=PTS-if(eq(N\\,9)\\,90000\\,0)",
          "setts=pts=PTS*1.0001+random(0)*900",
          "filter_units=remove_types=7-8", "filter_units=remove_types=5"]
BROKEN = "broken"


def draw_worn(rng):
    source = draw_source(rng)
    while source.count > 1:
        source = draw_source(rng)
    container = next(c for c in FORMAT_OF if c in source.marks)
    codec = next(c for c in FILTERS_OF if c in source.marks)
    _wear(rng, source, codec, container)
    return source


def _wear(rng, source, codec, container):
    """Amends `source`, made of one segment `0.*`."""
    format_ = FORMAT_OF[container]
    suffix = SUFFIX_OF[container]
    options = []
    filters = FILTERS_OF[codec] + ANY_FILTERS
    if rng.random() < 0.6:
        chosen = rng.choice(filters)
        options.append("-bsf:v " + shlex.quote(chosen))
        source.marks |= _marks_of(chosen)
    if rng.random() < 0.6 or not options:
        flags = {"mpegts": TS_FLAGS, "mp4": MP4_FLAGS, "mov": MP4_FLAGS}.get(format_, MKV_FLAGS)
        options.append(rng.choice(flags))
    if rng.random() < 0.25:
        kind = rng.choice(["-bsf:v ", "-bsf:v ", "-bsf:a "])
        damage = rng.choice(DAMAGE)
        if not options[0].startswith("-bsf") and not (kind == "-bsf:a " and "units" in damage):
            options.append(kind + shlex.quote(damage))
            source.marks.add(BROKEN)
    clock = "-copyts -muxdelay 0 -muxpreload 0" if format_ == "mpegts" else "-movflags empty_moov+frag_keyframe" if container == "fmp4" else ""
    source.lines += [f"mv 0.{suffix} new.{suffix}",
                     f"ffmpeg -v error -nostdin -y -i new.{suffix} -map 0 -c copy {' '.join(options)} {clock} -f {format_} 0.{suffix}"]
    source.marks.add("worn")


def _marks_of(filter_):
    marks = set()
    if "setts=pts=PTS+if" in filter_ or "tick_rate" in filter_ or "frame_rate" in filter_:
        marks.add("vfr")
    if "pass_types" in filter_ or "setts=dts=DTS-3000" in filter_:
        marks.add("edited")
    return marks
