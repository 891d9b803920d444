"""Draws what a broadcaster might send: shell lines that make one to three consecutive segments with ffmpeg.

Everything follows from the random generator that is handed in, so a seed is a case.
"""

import dataclasses
import shlex


@dataclasses.dataclass
class Source:
    lines: list  # shell commands, run in an empty directory
    pattern: str  # of the segments they leave there, in the order of their names
    count: int  # how many of them, at most
    marks: set = dataclasses.field(default_factory=set)  # what checks have to know, and what a summary counts


VIDEO_OF = {
    "ts": ["h264"] * 5 + ["hevc"] * 2 + ["mpeg2"] * 2,
    "mp4": ["h264"] * 4 + ["hevc"] * 2 + ["av1", "vp9", "mpeg2"],
    "fmp4": ["h264"] * 4 + ["hevc"] * 2 + ["av1", "vp9"],
    "mov": ["h264"] * 3 + ["hevc", "mpeg2"],
    "mkv": ["h264", "h264", "hevc", "mpeg2", "vp8", "vp9", "av1"],
    "webm": ["vp8", "vp9", "vp9", "av1"],
}
AUDIO_OF = {
    "ts": ["aac"] * 5 + ["ac3", "mp2", "mp3", "opus"],
    "mp4": ["aac"] * 4 + ["ac3", "mp3", "opus"],
    "fmp4": ["aac"] * 4 + ["ac3", "mp3", "opus"],
    "mov": ["aac", "aac", "ac3", "mp3"],
    "mkv": ["aac", "ac3", "mp2", "mp3", "opus", "vorbis"],
    "webm": ["opus", "vorbis"],
}
ENCODER_OF = {"aac": "aac", "ac3": "ac3", "mp2": "mp2", "mp3": "libmp3lame", "opus": "libopus", "vorbis": "libvorbis"}
RATES_OF = {
    "aac": [48000, 48000, 44100, 22050, 32000, 96000, 8000],
    "ac3": [48000, 44100, 32000],
    "mp2": [48000, 44100, 32000, 24000],
    "mp3": [48000, 44100, 22050],
    "opus": [48000],
    "vorbis": [48000, 44100, 22050],
}
CHANNELS_OF = {"aac": [2, 2, 1, 6, 8], "ac3": [2, 1, 6], "mp2": [2, 1], "mp3": [2, 1], "opus": [2, 1, 6], "vorbis": [2, 1, 6]}
FORMAT_OF = {"ts": "mpegts", "mp4": "mp4", "fmp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm"}
SUFFIX_OF = {**{container: container for container in FORMAT_OF}, "fmp4": "mp4"}
COMMON_RATES = ["25", "30", "30000/1001", "24000/1001", "24", "50", "60", "60000/1001"]
ODD_RATES = ["1", "120", "12", "15", "7.5", "10", "100", "48", "29.5", "17/3", "3"]
COLOURS = [  # primaries, transfer, matrix
    ("smpte170m", "smpte170m", "smpte170m"),
    ("bt470bg", "bt709", "bt470bg"),
    ("bt709", "bt709", "bt709"),
    ("bt2020", "bt709", "bt2020nc"),
    ("bt2020", "smpte2084", "bt2020nc"),
    ("bt2020", "arib-std-b67", "bt2020nc"),
]


def draw_source(rng):
    return _Draw(rng).source()


class _Draw:
    def __init__(self, rng):
        self.rng = rng
        self.marks = set()
        self.container = rng.choices(list(VIDEO_OF), [10, 3, 4, 1, 2, 3])[0]
        self.codec = rng.choice(VIDEO_OF[self.container])
        self.suffix = SUFFIX_OF[self.container]
        self.marks |= {self.container, self.codec}

    def chance(self, share):
        return self.rng.random() < share

    def source(self):
        kind = "one"
        if self.chance(0.4):
            kind = {"ts": "cut", "fmp4": "hls", "mkv": "cut", "webm": "cut"}.get(self.container, "one")
        elif self.container == "ts" and self.chance(0.45):
            kind = self.rng.choice(["bytes", "bytes", "pieces", "pieces", "late"])
        elif self.container in ("mp4", "mov", "mkv") and self.chance(0.25):
            kind = "seek"
        self.marks.add(kind)
        return getattr(self, kind)()

    # What kinds of segments there are.

    def one(self):
        pictures = self.pictures()
        if self.chance(0.12):
            self.marks.add("videos")
            other = pictures["inputs"][0].replace("size={}x{}".format(*pictures["size"]), self.rng.choice(["size=64x64", "size=800x128"]))
            pictures["inputs"].insert(self.rng.randint(0, 1), other)
        return self.made([self.command(pictures, self.sounds(), f"{self.muxer()} 0.{self.suffix}")], f"0.{self.suffix}")

    def cut(self):
        """Consecutive segments of one stream, by ffmpeg's segmenter."""
        every = self.rng.choice([0.4, 0.5, 0.7, 1.0])
        options = f"-f segment -segment_format {FORMAT_OF[self.container]} -segment_time {every}"
        if self.container == "ts":
            options += " -segment_format_options mpegts_copyts=1"
        if self.chance(0.2):
            options += " -break_non_keyframes 1"
            self.marks.add("keyless")
        return self.made([self.command(self.pictures(every * 3), self.sounds(), f"{options} %03d.{self.suffix}")], f"00?.{self.suffix}", 3)

    def hls(self):
        """Fragments of one stream, each behind the initialisation part."""
        every = self.rng.choice([0.5, 0.7, 1.0])
        options = f"-f hls -hls_time {every} -hls_segment_type fmp4 -hls_segment_filename s%d.m4s -hls_list_size 0 list.m3u8"
        return self.made([self.command(self.pictures(every * 3), self.sounds(), options),
                          "for n in 0 1 2; do [ ! -e s$n.m4s ] || cat init.mp4 s$n.m4s > $n.mp4; done"], "?.mp4", 3)

    def bytes(self):
        """Cut anywhere: begins between two key frames, and ends inside a picture."""
        self.marks |= {"keyless", "cut_off"}
        packets = self.rng.choice([self.rng.randint(1, 60), self.rng.randint(1, 400)])
        tail = self.rng.choice([0, self.rng.randint(1, 40)])
        return self.made([self.command(self.pictures(), self.sounds(), f"{self.muxer()} whole.ts"),
                          f"tail -c +{packets * 188 + 1} whole.ts | head -c -{tail * 188} > 0.ts"], "0.ts")

    def pieces(self):
        """Recordings glued together: size, shape and format change, the clock goes on or jumps."""
        self.marks.add("glued")
        lines, start = [], self.start()
        pieces = self.rng.choice([2, 2, 3])
        jump = self.rng.choice([0, 0, 0.1, 40, -5])
        sound = self.sounds() if self.chance(0.6) else self.silent()
        if jump:
            self.marks.add("jump")
        for n in range(pieces):
            length = self.rng.choice([0.4, 0.8])
            lines.append(self.command(self.pictures(length), sound, f"{self.muxer(start)} p{n}.ts"))
            start = round(start + length + jump, 3)
        return self.made([*lines, "cat " + " ".join(f"p{n}.ts" for n in range(pieces)) + " > 0.ts"], "0.ts")

    def late(self):
        """Sound is announced, and of one of its streams nothing comes."""
        sounds = self.sounds(empty=True)
        return self.made([self.command(self.pictures(), sounds, f"{self.muxer()} 0.ts")], "0.ts")

    def seek(self):
        """A copy that begins between key frames: an edit list hides what comes before."""
        self.marks.add("edited")
        at = round(self.rng.uniform(0.05, 0.9), 3)
        return self.made([self.command(self.pictures(2.0), self.sounds(), f"{self.muxer()} whole.{self.suffix}"),
                          f"ffmpeg -v error -nostdin -y -ss {at} -i whole.{self.suffix} -map 0 -c copy {self.muxer_options()} "
                          f"-f {FORMAT_OF[self.container]} 0.{self.suffix}"], f"0.{self.suffix}")

    def made(self, lines, pattern, count=1):
        if self.container in ("mp4", "mov") and count == 1 and self.chance(0.35):
            turn = self.rng.choice([90, 180, 270])
            self.marks.add("turned")
            lines = [*lines, f"mv 0.{self.suffix} upright.{self.suffix}",
                     f"ffmpeg -v error -nostdin -y -i upright.{self.suffix} -map 0 -c copy -metadata:s:v:0 rotate={turn} "
                     f"{self.muxer_options()} -f {FORMAT_OF[self.container]} 0.{self.suffix}"]
        return Source(lines, pattern, count, self.marks)

    # What they are made of.

    def command(self, pictures, sounds, output):
        inputs, maps, encode = [], [], []
        for source in (pictures, sounds):
            for given in source["inputs"]:
                maps.append(f"-map {len(inputs)}")
                inputs.append(given)
            encode += source["encode"]
        if sounds.get("first") and len(maps) > 1:  # the order of the streams in the file
            maps.reverse()
        limit = f"-t {round(pictures['seconds'], 3)}"
        return " ".join(["ffmpeg -v error -nostdin -y", *inputs, *maps, *encode, limit, output])

    def start(self):
        wrap = 2 ** 33 / 90000
        where = self.rng.choice([0, 0, 1.4, 10, 3600.0417, 40000.5, wrap - 0.35, wrap - 0.02])
        if where > 90000:
            self.marks.add("wrap")
        return round(where, 4)

    def muxer(self, start=None):
        if start is None:
            start = self.start() if self.container == "ts" else self.rng.choice([0, 0, 0, 0.7, 100.02])
        offset = f"-output_ts_offset {start} " if start else ""
        return f"{self.muxer_options()} {offset}-f {FORMAT_OF[self.container]}"

    def muxer_options(self):
        if self.container == "ts":
            return "-muxdelay 0 -muxpreload 0"
        if self.container == "fmp4":
            flags = self.rng.choice(["frag_keyframe+empty_moov+default_base_moof", "frag_keyframe", "empty_moov+delay_moov+frag_every_frame",
                                     "frag_keyframe+empty_moov+negative_cts_offsets", "dash+delay_moov+skip_trailer"])
            return f"-movflags {flags}"
        if self.container in ("mp4", "mov"):
            return self.rng.choice(["", "", "-movflags faststart", "-movflags negative_cts_offsets", "-use_editlist 0"])
        return ""

    def pictures(self, seconds=None):
        rng = self.rng
        size = rng.choice([(160, 90), (320, 180), (176, 144), (90, 160), (128, 128), (321, 181), (99, 55), (352, 240), (640, 360), (64, 200),
                           (36, 20), (18, 16), (426, 240), (720, 576), (1000, 64)])
        size = (max(size[0], 16), max(size[1], 16))
        rate = rng.choice(COMMON_RATES if self.chance(0.65) else ODD_RATES)
        if seconds is None:
            seconds = rng.choice([0.04, 0.5, 0.5, 1.0, 1.5, 2.5])
        interlaced = self.codec in ("h264", "mpeg2") and self.chance(0.25)
        pixels = self.pixels(interlaced)
        if pixels.startswith(("yuv420", "yuvj420")) or interlaced:
            size = (size[0] & ~1, size[1] & ~(3 if interlaced else 1)) if self.codec not in ("vp8", "vp9", "av1") or interlaced else size
        elif pixels.startswith("yuv422"):
            size = (size[0] & ~1, size[1])
        if self.codec == "hevc":
            size = (max(size[0], 64), max(size[1], 64))
        if self.codec == "av1":
            size = (max(size[0], 64), max(size[1], 64))
        if self.codec == "mpeg2" and rate not in COMMON_RATES:
            rate = "25"
        scan = rng.choice(["tff", "bff"])
        filters = []
        if interlaced:
            self.marks.add("interlaced")
            filters += [f"fps={self.doubled(rate)}", f"interlace=scan={scan}:lowpass=0"]
        if self.chance(0.2):
            filters.append(f"setsar={rng.choice(['4/3', '8/9', '16/11', '2/1', '1/2', '64/45', '1/1'])}")
            self.marks.add("sar")
        uneven = not interlaced and self.codec != "mpeg2" and self.chance(0.2)
        if uneven:
            self.marks.add("vfr")
            filters.append(rng.choice(["select='not(mod(n\\,3))+not(mod(n\\,7))'", "select='not(between(n\\,8\\,20))'",
                                       "setpts='PTS+0.3/TB*not(lt(N\\,10))'", "setpts='(T+0.02*sin(N*1.7))/TB'",
                                       "select='gt(random(3)\\,0.5)'"]))
        if pixels.startswith("yuvj"):
            filters.append("scale=out_range=full")
        base = rate if not interlaced else self.doubled(rate)
        graph = ",".join([f"testsrc2=size={size[0]}x{size[1]}:rate={base}:duration=6", "hue=h=70*t", *filters, f"format={pixels}"])
        encode = ["-c:v", *self.video_encoder(scan if interlaced else "", pixels), "-vsync", "passthrough" if uneven else "cfr"]
        if not uneven:
            encode += ["-r", rate]
        encode += self.colours(pixels)
        return {"inputs": ["-f lavfi -i " + shlex.quote(graph)], "encode": encode, "seconds": seconds, "size": size}

    @staticmethod
    def doubled(rate):
        number, _, under = rate.partition("/")
        return f"{float(number) * 2:g}" + (f"/{under}" if under else "")

    def pixels(self, interlaced):
        choices = {"h264": ["yuv420p"] * 6 + ["yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuvj420p"],
                   "hevc": ["yuv420p"] * 3 + ["yuv420p10le", "yuv422p", "yuv444p"],
                   "mpeg2": ["yuv420p"] * 3 + ["yuv422p"],
                   "vp9": ["yuv420p"] * 4 + ["yuv444p", "yuv420p10le"],
                   "av1": ["yuv420p"] * 3 + ["yuv420p10le"],
                   "vp8": ["yuv420p"]}[self.codec]
        if interlaced:
            choices = [c for c in choices if "444" not in c and "j" not in c]
        return self.rng.choice(choices)

    def video_encoder(self, scan, pixels):
        rng = self.rng
        group = rng.choice([1, 5, 12, 25, 60, 250])
        between = rng.choice([0, 0, 1, 2, 3, 5])
        if self.codec == "h264":
            params = ["b-pyramid=" + rng.choice(["none", "normal", "strict"]), f"open-gop={int(self.chance(0.3))}"]
            if scan:
                params.append(f"{scan}=1")
            elif self.chance(0.05):
                params.append("fake-interlaced=1")
            options = [f"libx264 -preset {rng.choice(['ultrafast', 'veryfast', 'medium'])} -g {group} -bf {between}",
                       f"-x264-params {':'.join(params)}"]
            if scan:
                options.append("-flags +ildct+ilme")
            if self.chance(0.08) and not scan:
                options.append("-intra-refresh 1")
                self.marks.add("refresh")
            return options
        if self.codec == "hevc":
            ahead = min(between, 4)  # less than ultrafast looks ahead
            return [f"libx265 -preset ultrafast -x265-params log-level=none:keyint={group}:open-gop={rng.randint(0, 1)}:bframes={ahead}:pools=none"]
        if self.codec == "mpeg2":
            flags = " -flags +ildct+ilme -top " + ("1" if scan == "tff" else "0") if scan else ""
            return [f"mpeg2video -b:v 3M -g {group} -bf {min(between, 2)}{flags}"]
        if self.codec == "vp8":
            return [f"libvpx -deadline realtime -cpu-used 8 -b:v 1M -g {group} -auto-alt-ref {rng.randint(0, 1)} "
                    f"-lag-in-frames {rng.choice([0, 10])}"]
        if self.codec == "vp9":
            return [f"libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 1M -g {group} -auto-alt-ref {rng.randint(0, 1)} "
                    f"-lag-in-frames {rng.choice([0, 10])}"]
        if self.chance(0.4) and pixels == "yuv420p":
            return [f"libsvtav1 -preset 12 -g {group}"]
        return [f"libaom-av1 -usage realtime -cpu-used 8 -b:v 1M -g {group}"]

    def colours(self, pixels):
        if not self.chance(0.3):
            return []
        deep = "10" in pixels
        primaries, transfer, matrix = self.rng.choice(COLOURS if deep else COLOURS[:3])
        if primaries == "bt2020":
            self.marks.add("hdr")
        self.marks.add("tagged")
        return ["-color_primaries", primaries, "-color_trc", transfer, "-colorspace", matrix]

    @staticmethod
    def silent():
        return {"inputs": [], "encode": []}

    def sounds(self, empty=False):
        if not empty and self.chance(0.2):
            return self.silent()
        rng = self.rng
        tracks = rng.choice([1, 1, 1, 1, 2, 3])
        codec = rng.choice(AUDIO_OF[self.container])
        encode, inputs = [f"-c:a {ENCODER_OF[codec]} -strict -2"], []
        if self.chance(0.15):
            self.marks.add("shifted")
        for n in range(tracks):
            rate, channels = rng.choice(RATES_OF[codec]), rng.choice(CHANNELS_OF[codec])
            graph = f"sine=frequency={440 + 200 * n}:sample_rate={rate}:duration=6"
            if empty and n == 0:
                graph += ",aselect=0"
            elif self.chance(0.08):
                graph += ",aselect='not(between(t\\,0.2\\,0.45))'"
                self.marks.add("sound_gap")
            shift = rng.choice([-0.9, -0.2, 0.3, 1.0]) if "shifted" in self.marks else 0
            inputs.append((f"-itsoffset {shift} " if shift else "") + "-f lavfi -i " + shlex.quote(graph))
            encode.append(f"-ac:a:{n} {channels} -ar:a:{n} {rate}")
        if codec == "mp3" or codec == "mp2":
            encode.append("-b:a 64k" if codec == "mp3" else "-b:a 96k")
        self.marks |= {"sound", codec}
        if tracks > 1:
            self.marks.add("tracks")
        return {"inputs": inputs, "encode": encode, "first": self.chance(0.2)}
