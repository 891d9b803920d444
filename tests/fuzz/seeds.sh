#!/bin/sh
# Seeds for media_fuzz: a few pictures of each container and codec, small enough to be mutated quickly.
# tests/fuzz/seeds.sh DIRECTORY
set -eu
out=$1
mkdir -p "$out"
make() { # NAME FORMAT arguments of ffmpeg
    name=$1 format=$2
    shift 2
    ffmpeg -y -v error -nostdin -f lavfi -i testsrc2=size=64x48:rate=25 -f lavfi -i sine=sample_rate=48000 -t 0.2 \
        -pix_fmt yuv420p "$@" -f "$format" "$out/$name"
}
make h264_aac.ts mpegts -c:v libx264 -preset ultrafast -bf 2 -c:a aac
make h264_interlaced.ts mpegts -c:v libx264 -preset ultrafast -flags +ildct+ilme -an
make hevc_ac3.ts mpegts -c:v libx265 -preset ultrafast -x265-params log-level=none -c:a ac3
make mpeg2_mp2.ts mpegts -c:v mpeg2video -c:a mp2
make h264_mp3.mp4 mp4 -c:v libx264 -preset ultrafast -c:a libmp3lame
make h264_aac.frag.mp4 mp4 -c:v libx264 -preset ultrafast -c:a aac -movflags +frag_keyframe+empty_moov+default_base_moof
make av1_opus.mp4 mp4 -c:v libaom-av1 -usage realtime -cpu-used 8 -c:a libopus
make vp8_vorbis.webm webm -c:v libvpx -deadline realtime -c:a libvorbis
make vp9_opus.webm webm -c:v libvpx-vp9 -deadline realtime -c:a libopus
make audio_only.ts mpegts -vn -c:a aac
# Event messages before the first fragment: an ID3 tag of version 1, a splice of version 0.
python3 - "$out/h264_aac.frag.mp4" "$out/events.frag.mp4" <<'END'
import struct, sys
def event(version, scheme, payload):
    text = scheme + b"\0\0"
    fields = struct.pack(">IQII", 90000, 45000, 9000, 7) if version else struct.pack(">IIII", 90000, 4500, 9000, 7)
    body = struct.pack(">I", version << 24) + (fields + text if version else text + fields) + payload
    return struct.pack(">I4s", len(body) + 8, b"emsg") + body
whole = open(sys.argv[1], "rb").read()
at = whole.index(b"moof") - 4
id3 = b"ID3\x04\0\0\0\0\0\x0dTXXX\0\0\0\x03\0\0\x03a\0b"
splice = bytes.fromhex("fc302000000000000000fff00f05000000017fef00010000000000000000b5e00000")
open(sys.argv[2], "wb").write(whole[:at] + event(1, b"https://aomedia.org/emsg/ID3", id3)
                              + event(0, b"urn:scte:scte35:2013:bin", splice) + whole[at:])
END
