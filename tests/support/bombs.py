"""Small files that ask for much: written bit by bit here, so that making one costs nothing.

Each is valid as far as a reader gets before it counts. Pictures are H.264 of one flat colour, one byte a macroblock.
"""

import struct


# ---- H.264 (ITU-T H.264, 7.3)

class Bits:
    def __init__(self):
        self.text = []

    def u(self, count, value):
        self.text.append(f"{value:0{count}b}")
        return self

    def ue(self, value):
        code = f"{value + 1:b}"
        self.text.append("0" * (len(code) - 1) + code)
        return self

    def nal(self, header):
        bits = "".join(self.text) + "1"
        bits += "0" * (-len(bits) % 8)
        raw = int(bits, 2).to_bytes(len(bits) // 8, "big")
        return bytes([header]) + escaped(raw)


def escaped(raw):
    """Emulation prevention (7.4.1)."""
    out, zeros = bytearray(), 0
    for byte in raw:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def parameter_sets(width, height):
    """Constrained baseline, level 6.2, whatever the size."""
    sps = Bits().u(8, 66).u(8, 0xC0).u(8, 62).ue(0).ue(0).ue(2).ue(1).u(1, 0)
    sps.ue(width // 16 - 1).ue(height // 16 - 1).u(1, 1).u(1, 1).u(1, 0).u(1, 0)
    pps = Bits().ue(0).ue(0).u(1, 0).u(1, 0).ue(0).ue(0).ue(0).u(1, 0).u(2, 0).ue(0).ue(0).ue(0).u(1, 0).u(1, 0).u(1, 0)
    return sps.nal(0x67), pps.nal(0x68)


def key_picture(width, height):
    """Every macroblock is I_16x16, predicted as DC, without residual: the byte 0x27."""
    slice_ = Bits().ue(0).ue(7).ue(0).u(4, 0).ue(0).u(1, 0).u(1, 0).ue(0)
    slice_.text.append("00100111" * (width // 16 * (height // 16)))
    return slice_.nal(0x65)


def same_again(width, height, number):
    """A picture of skipped macroblocks: a few bytes, whatever its size."""
    slice_ = Bits().ue(0).ue(5).ue(0).u(4, number % 16).u(1, 0).u(1, 0).u(1, 0).ue(0)
    slice_.ue(width // 16 * (height // 16))
    return slice_.nal(0x41)


def annex_b(*nals):
    return b"".join(b"\0\0\0\1" + nal for nal in nals)


def pictures(width, height, count):
    """Access units in Annex B: a key picture, then copies of it."""
    yield annex_b(*parameter_sets(width, height), key_picture(width, height))
    for number in range(1, count):
        yield annex_b(same_again(width, height, number))


# ---- MPEG-TS (ISO/IEC 13818-1)

def crc32_mpeg(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


def section(table, number, body):
    head = struct.pack(">BHHBBB", table, 0xB000 | len(body) + 9, number, 0xC1, 0, 0) + body
    return head + struct.pack(">I", crc32_mpeg(head))


class TsWriter:
    def __init__(self):
        self.packets, self.counters = [], {}

    def _packet(self, pid, start, payload):
        """As much of `payload` as fits; returns the rest."""
        counter = self.counters[pid] = (self.counters.get(pid, -1) + 1) % 16
        room = 184 - max(0, 184 - len(payload))
        stuffing = 184 - room
        adaptation = b"" if stuffing == 0 else bytes([stuffing - 1]) + (b"\0" + b"\xff" * (stuffing - 2) if stuffing > 1 else b"")
        self.packets.append(struct.pack(">BHB", 0x47, start << 14 | pid, (0x30 if stuffing else 0x10) | counter) + adaptation + payload[:room])
        return payload[room:]

    def tables(self, programs):
        """`programs`: {pid of the PMT: {pid of a stream: its type}}."""
        numbered = list(enumerate(programs.items(), 1))
        self._section(0, section(0, 1, b"".join(struct.pack(">HH", n, 0xE000 | pid) for n, (pid, _) in numbered)))
        for n, (pid, streams) in numbered:
            body = struct.pack(">HH", 0xE000 | next(iter(streams)), 0xF000)
            body += b"".join(struct.pack(">BHH", kind, 0xE000 | es, 0xF000) for es, kind in streams.items())
            self._section(pid, section(2, n, body))

    def _section(self, pid, data):
        data = b"\0" + data
        start = 1
        while data:
            piece, data = data[:184], data[184:]
            self._packet(pid, start, piece + b"\xff" * (184 - len(piece)))
            start = 0

    def pes(self, pid, ticks, data):
        stamp = bytes([0x21 | ticks >> 29 & 0xE]) + struct.pack(">HH", ticks >> 14 & 0xFFFE | 1, ticks << 1 & 0xFFFE | 1)
        rest, start = b"\0\0\1\xe0\0\0\x80\x80\x05" + stamp + data, 1
        while rest:
            rest = self._packet(pid, start, rest)
            start = 0

    def bytes(self):
        return b"".join(self.packets)


VIDEO_PID, H264 = 0x100, 0x1B


def ts_of(width, height, count, step=3600):
    """An H.264 stream, `step` ticks (1/90000 s) a picture."""
    ts = TsWriter()
    ts.tables({0x1000: {VIDEO_PID: H264}})
    for number, unit in enumerate(pictures(width, height, count)):
        ts.pes(VIDEO_PID, 90_000 + number * step, unit)
    return ts.bytes()


def ts_with_streams(count):
    """A picture, and tables that name `count` streams, 200 to a program."""
    ts = TsWriter()
    pids = [VIDEO_PID + n for n in range(count)]
    ts.tables({0x1000 + n // 200: {pid: H264 for pid in pids[n:n + 200]} for n in range(0, count, 200)})
    for pid in pids:
        ts.pes(pid, 90_000, annex_b(*parameter_sets(64, 64), key_picture(64, 64)))
    return ts.bytes()


# ---- MP4 (ISO/IEC 14496-12)

def box(kind, *content):
    content = b"".join(content)
    return struct.pack(">I", len(content) + 8) + kind.encode() + content


def full_box(kind, *content, flags=0):
    return box(kind, struct.pack(">I", flags), *content)


FTYP = box("ftyp", b"isom\0\0\0\1isomavc1")
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def mp4_of(width=64, height=64, count=25, step=3600, claim=0, reference=None):
    """`count` times the same key picture, all from the same bytes of the file, `step` ticks each.

    `claim`: ticks of duration in the headers. `reference`: a data entry that says where the media lies; then none is here.
    """
    sps, pps = parameter_sets(width, height)
    picture = key_picture(width, height)
    sample = struct.pack(">I", len(picture)) + picture
    avcc = box("avcC", b"\1" + sps[1:4] + b"\xff\xe1", struct.pack(">H", len(sps)), sps, b"\1", struct.pack(">H", len(pps)), pps)
    entry = box("avc1", b"\0" * 6, struct.pack(">H", 1), b"\0" * 16, struct.pack(">HH", width, height),
                struct.pack(">III", 0x480000, 0x480000, 0), struct.pack(">H", 1), b"\0" * 32, struct.pack(">HH", 24, 0xFFFF), avcc)

    def moov(at):
        table = box("stbl", full_box("stsd", struct.pack(">I", 1), entry),
                    full_box("stts", struct.pack(">III", 1, count, step)),
                    full_box("stsc", struct.pack(">IIII", 1, 1, 1, 1)),
                    full_box("stsz", struct.pack(">II", len(sample), count)),
                    full_box("stco", struct.pack(">I", count), struct.pack(">I", at) * count))
        info = box("minf", full_box("vmhd", b"\0" * 8, flags=1), box("dinf", full_box("dref", struct.pack(">I", 1), reference or full_box("url ", flags=1))), table)
        media = box("mdia", full_box("mdhd", struct.pack(">IIIIHH", 0, 0, 90_000, claim, 0x55C4, 0)),
                    full_box("hdlr", b"\0\0\0\0vide" + b"\0" * 13), info)
        track = box("trak", full_box("tkhd", struct.pack(">IIIII", 0, 0, 1, 0, claim), b"\0" * 16, _MATRIX,
                                     struct.pack(">II", width << 16, height << 16), flags=3), media)
        header = full_box("mvhd", struct.pack(">IIIIIH", 0, 0, 90_000, claim, 0x10000, 0x100), b"\0" * 10, _MATRIX, b"\0" * 24, struct.pack(">I", 2))
        return box("moov", header, track)

    start = len(FTYP) + len(moov(0)) + 8
    return FTYP + moov(start) + box("mdat", b"" if reference else sample)


def mp4_of_boxes_in_boxes(depth):
    return FTYP + b"".join(struct.pack(">I", 8 * (depth - n)) + b"moov" for n in range(depth))


def mp4_elsewhere(url):
    """Media that is said to lie at `url`, in each of the ways there are."""
    return {
        "data entry": mp4_of(reference=full_box("url ", url.encode() + b"\0")),
        # QuickTime: an alias record whose tags 2 and 18 hold paths; FFmpeg builds a file name of them.
        "alias": mp4_of(reference=full_box("alis", _alias(url))),
        "reference movie": FTYP + box("moov", box("rmra", box("rmda", full_box("rdrf", b"url ", struct.pack(">I", len(url) + 1), url.encode() + b"\0")))),
    }


def _alias(path):
    name = path.encode()
    volume, file = b"volume", name.rsplit(b"/", 1)[-1][:60]
    fixed = struct.pack(">4sHHH", b"\0" * 4, 0, 2, 0) + bytes([len(volume)]) + volume.ljust(27, b"\0") + b"\0" * 12
    fixed += bytes([len(file)]) + file.ljust(63, b"\0") + b"\0" * 16 + struct.pack(">HH", 1, 1) + b"\0" * 16

    def tag(kind, text):
        return struct.pack(">HH", kind, len(text)) + text + b"\0" * (len(text) % 2)

    return fixed + tag(2, name) + tag(18, name) + struct.pack(">HH", 0xFFFF, 0)
