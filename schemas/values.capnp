@0xa25c4a3737cac4ee;
# Values that several conversations carry: what a broadcaster asks for, what an engine found and made,
# what a transcoder can do. Their plain C++ twins stand in common/domain; common/wire/values.cpp
# translates.
#
# Rules for every file here (README.md says why):
# - A field is never renumbered, retyped, given another default or another unit. A field nobody uses
#   any more stays and says so.
# - A new field must mean "as before" when it is absent: absent fields read as their default.
# - A new enumerant goes at the end. A reader that meets one it does not know does what the comment at
#   the enum says.
# - Sizes and counts are bounded by the reader; the bounds stand in common/wire/limits.h.
# - Times on the wire are durations, or the sender's own clock handed back to it: the two machines'
#   clocks are never compared.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("millrace::schema");

# ---- codecs and containers ---------------------------------------------------------------------------

# Unknown to the reader: `other` where it describes something found, left out of a list of capabilities,
# and in a request for work the whole message is ignored.
enum VideoCodec {
  none @0;
  h264 @1;
  hevc @2;
  vp8 @3;
  vp9 @4;
  av1 @5;
  mpeg2 @6;
  other @7;
}

# Unknown to the reader: as VideoCodec.
enum AudioCodec {
  none @0;
  aac @1;
  ac3 @2;
  mp2 @3;
  mp3 @4;
  opus @5;
  vorbis @6;
  other @7;
}

# Unknown to the reader: as VideoCodec, with `unknown` for something found.
enum Container {
  mpegts @0;
  mp4 @1;
  matroska @2;
  unknown @3;
}

# The enums below ask for work. Unknown to the reader: the message is ignored, because doing half of
# what was asked would make a wrong rendition.

enum VideoProfile {
  automatic @0;  # the encoder chooses
  baseline @1;
  main @2;
  high @3;
  constrainedHigh @4;
}

enum ChromaFormat {
  yuv420 @0;
  yuv422 @1;
  yuv444 @2;
}

enum AudioMode {
  copy @0;    # the source's packets as they are
  encode @1;  # with AudioSpec.codec
  none @2;    # no audio in this rendition
}

enum Upscale {
  never @0;  # a rendition above its source falls away
  allow @1;
}

enum Bypass {
  never @0;
  ifFits @1;  # copy the source when it already satisfies the spec
}

enum DataStreams {
  pass @0;  # captions and timed metadata go through
  drop @1;
}

enum Scaling {
  direct @0;    # from the decoded picture
  cascaded @1;  # from the next larger rendition of the ladder, where there is one of the same format
}

# ---- small values ------------------------------------------------------------------------------------

# A fraction that is not negative.
struct Rational {
  num @0 :Int32;      # 0.. ; 0 = not given
  den @1 :Int32 = 1;  # 1..
}

# Width and height in pixels, 0..65536 each; 0 = not known.
struct Size {
  width @0 :Int32;
  height @1 :Int32;
}

# ---- what is asked for -------------------------------------------------------------------------------

struct AudioSpec {
  mode @0 :AudioMode;
  codec @1 :AudioCodec = aac;  # used when mode is encode
  bitrate @2 :Int32;           # bit/s, 0.. ; 0 = the encoder's default
  rate @3 :Int32;              # samples/s, 0.. ; 0 = the source's
  channels @4 :Int32;          # 0.. ; 0 = the source's
}

# One output version of a segment.
struct RenditionSpec {
  name @0 :Text;              # required, [A-Za-z0-9._~+-]{1,64}, not "." or ".."; unique in its ladder
  width @1 :Int32;            # pixels, 0..65536; with height the larger box the picture is fitted into
  height @2 :Int32;           # pixels, 0..65536; 0 = follows from width and the source's shape, and vice versa
  bitrate @3 :Int64;          # bit/s, 0.. ; alone = constant bitrate, with quality = ceiling; 0 = not given
  fps @4 :Rational;           # frames/s; absent = the source's frames
  profile @5 :VideoProfile;
  gopMs @6 :Int64;            # ms between key frames; 0 = default, -1 = only key frames
  codec @7 :VideoCodec = h264;
  colorDepth @8 :Int32 = 8;   # bits per sample, 1..16
  chroma @9 :ChromaFormat;
  quality @10 :Int32;         # CRF 1..63; 0 = not given
  container @11 :Container;
  audio @12 :AudioSpec;       # absent = copy
  preset @13 :Text;           # encoder preset, at most 64 bytes; empty = veryfast (NVENC: p4)
  upscale @14 :Upscale = allow;
  bypass @15 :Bypass;
  data @16 :DataStreams;
  scaling @17 :Scaling;       # an earlier minor scales directly: other pictures of the same size
}

# Ordered; a rendition's place in it, from 0, is its index everywhere. 1..8 renditions in a dispatch.
struct Ladder {
  renditions @0 :List(RenditionSpec);
}

# Identity of a segment: the same four values are the same segment, whenever and however often it comes.
struct SegmentKey {
  session @0 :Text;   # required, 1..64 of [A-Za-z0-9._~+-]
  run @1 :UInt32;     # the source's restarts, from 0
  seq @2 :UInt64;     # the broadcaster's number
  sha256 @3 :Data;    # required, 32 bytes, of the source
}

# Plain data handed from one segment of a session to the next so that joins are not seen. All of it is
# optional: a transcoder that gets none, or does not know a field, starts cold.
struct SeamContext {
  # One entry per rendition in ladder order, 0 = not known; empty = cold. See RenditionReport.
  vbvFillBits @0 :List(Int64);       # bits, 0.., of the segment right before
  rateFactorsMilli @1 :List(Int32);  # 0.., of any segment before, the latest known
  sound @2 :SoundTail;               # of the segment right before; absent = encoded sound starts cold
  # What headers tell, as the session's first segment had it; parameter sets follow from it and the ladder.
  frameRate @3 :Rational;            # frames/s; absent = measured anew
  constantRate @4 :Bool;             # pictures come at even times
}

# The last packets of a segment's sound as the source had them, at most 16 and 32 KiB together; who
# encodes the sound of the next segment decodes them first.
struct SoundTail {
  format @0 :Data;                  # 32 bytes: SHA-256 of what a decoder is told beforehand; absent = no packets
  packets @1 :List(SoundPacket);    # in order
}

struct SoundPacket {
  at @0 :Int64;    # 1/90000 s on the source's clock, at most 2^50 either way
  bytes @1 :Data;  # 1 byte at least
}

# ---- what was found and made -------------------------------------------------------------------------

# What the engine found in the source. Zero or empty = not known.
struct SourceInfo {
  container @0 :Container = unknown;
  video @1 :VideoCodec;
  audio @2 :AudioCodec;
  size @3 :Size;             # display size: square pixels, rotation applied
  frameRate @4 :Rational;    # average frames/s
  frames @5 :Int64;          # decoded, 0..
  pixels @6 :Int64;          # decoded: frames x coded size, 0..
  durationNs @7 :Int64;      # measured from timestamps, 0..
  startUs @8 :Int64;         # first timestamp on the source's clock, us; may be negative
  codecs @9 :Text;           # RFC 6381, as in an HLS CODECS attribute, at most 128 bytes
}

# What one rendition turned out to be. What is paid follows from pixels.
struct RenditionReport {
  index @0 :UInt32;          # place in the ladder, 0..7
  name @1 :Text;             # required; the spec's
  container @2 :Container;
  bytes @3 :UInt64;          # of the whole rendition, as on the payload lane
  sha256 @4 :Data;           # required, 32 bytes, of the whole rendition
  size @5 :Size;
  frames @6 :Int64;          # encoded, 0..
  pixels @7 :Int64;          # encoded: frames x size, 0..
  durationNs @8 :Int64;      # 0..
  frameRate @9 :Rational;
  codecs @10 :Text;          # RFC 6381, at most 128 bytes
  bandwidth @11 :Int64;      # bit/s over this segment, container included, 0..
  initBytes @12 :UInt64;     # leading bytes that are the init part of an mp4 (ftyp, moov); 0 = none
  parameterSets @13 :Data;   # 32 bytes: SHA-256 of what a decoder must know before the first picture
                             # (parameter sets, init part); equal = joins without a new init part; absent = not known
  vbvFillBits @14 :Int64;    # bits in the decoder's buffer when the picture after the last one is due, 0.. ; 0 = not known
  copied @15 :Bool;          # the source's own video, not encoded and not paid (RenditionSpec.bypass)
  rateFactorMilli @16 :Int32;  # quality at the end on the encoder's scale (x264: CRF), thousandths, 0.. ; 0 = not known
}

enum MarkerKind {
  command @0;  # any other SCTE-35 command
  out @1;      # the programme is left
  in @2;       # the programme is joined again
}

# A splice the source announced (SCTE-35), for playlists. Times are on the source's clock.
struct SpliceMarker {
  startUs @0 :Int64;     # us; may be negative
  durationUs @1 :Int64;  # us, 0.. ; 0 = not known
  eventId @2 :UInt32;
  kind @3 :MarkerKind;
  section @4 :Data;      # the whole splice_info_section, at most 1 KiB
}

# A rendition of the ladder that was not made, and why. It is named in the answer and not paid.
struct SkippedRendition {
  index @0 :UInt32;   # place in the ladder, 0..7
  name @1 :Text;      # required; the spec's
  reason @2 :Text;    # a few words for the broadcaster, at most 1 KiB
}

# CPU time of the stages and wall time of the whole, microseconds, 0.. ; 0 = not measured.
struct StageTimes {
  receiveUs @0 :Int64;
  decodeUs @1 :Int64;
  scaleUs @2 :Int64;
  encodeUs @3 :Int64;
  sendUs @4 :Int64;
  totalUs @5 :Int64;
}

# What an engine says when a segment is done. Every index of the ladder stands exactly once in
# renditions or skipped (the receiver's core checks that, not the codec).
struct TranscodeReport {
  source @0 :SourceInfo;
  renditions @1 :List(RenditionReport);  # 0..8, in ladder order
  skipped @2 :List(SkippedRendition);    # 0..8
  warnings @3 :List(Text);               # sentences for the broadcaster, at most 16 of 1 KiB
  times @4 :StageTimes;
  splices @5 :List(SpliceMarker);        # 0..16, in order of appearance
  cpuUs @6 :Int64;                       # CPU by all threads of the engine, us, 0.. ; 0 = not told: also where it has GPUs
}

# ---- capacity ----------------------------------------------------------------------------------------

# What one session, or all sessions of a transcoder, need or have per second of video; 0..
# 0 in a capacity = not measured, binds nothing. A dimension a later minor adds reads as 0 here.
struct Cost {
  decodePixels @0 :Int64;     # pixels/s
  encodePixels @1 :Int64;     # pixels/s, all renditions
  encoderSessions @2 :Int64;  # count
  bytes @3 :Int64;            # bytes/s, both directions
  scalePixels @4 :Int64;      # pixels/s of the source, once for each rendition; absent = decodePixels * encoderSessions
  encodeWork @5 :Int64;       # pixels/s of H.264 at veryfast that take as much CPU; absent = encodePixels
}

# CPU of a transcoder that decodes, scales and encodes with the same cores, and what a pixel takes of it, as it has
# measured. A session takes decodePixels * decode + scalePixels * scale + encodeWork * encode. 0..
struct CpuBudget {
  decode @0 :Int64;     # ps/pixel
  scale @1 :Int64;      # ps/pixel
  encode @2 :Int64;     # ps/pixel
  available @3 :Int64;  # ps/s (10^12 = one core); 0 = not measured, binds nothing
}

# What a transcoder can do. A codec that the reader does not know is left out of its list: nobody asks
# for it. Lists hold at most 32 entries.
struct Capabilities {
  decode @0 :List(VideoCodec);
  encode @1 :List(VideoCodec);
  audioEncode @2 :List(AudioCodec);
  containersOut @3 :List(Container);
  colorDepthMax @4 :Int32 = 8;  # bits per sample, 1..16
}

# A device of a transcoder, for people and the scheduler.
struct Device {
  kind @0 :Text;     # "cpu" or "cuda" today; a later minor may name others
  name @1 :Text;     # at most 256 bytes
  slots @2 :UInt32;  # sessions it carries in real time
}

# An operator's label. Keys are unique; the last one wins.
struct Label {
  key @0 :Text;    # required, 1..64 bytes
  value @1 :Text;  # at most 256 bytes
}
