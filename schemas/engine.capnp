@0xd1a6f0c49b6e2a57;
# The conversation between a transcoder and its own engine process, over a socket pair; the plain C++
# twins stand in common/domain/engine_protocol.h. Both ends are one binary, so nothing here is kept
# compatible between versions. What an engine says is bounded and checked: it works on hostile bytes.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("millrace::schema");
using Control = import "control.capnp";
using Values = import "values.capnp";

# Bounds on one segment, all inclusive and above 0 (common/domain/segment_limits.h).
struct SegmentLimits {
  bodyBytes @0 :UInt64;    # bytes of the source
  durationNs @1 :Int64;    # of its media time
  frames @2 :Int64;        # decoded, and encoded in each rendition
  picture @3 :Values.Size; # pixels, either way round
  streams @4 :Int32;       # of the container
  renditions @5 :UInt32;   # of the ladder
  outputBytes @6 :UInt64;  # of each rendition
}

# Starts a task; the source's bytes follow.
struct EngineTask {
  ladder @0 :Values.Ladder;
  seq @1 :UInt64;              # the segment's number, for logs and test hooks
  seam @2 :Values.SeamContext;
  limits @3 :SegmentLimits;
  allowAudioOnly @4 :Bool;     # a segment without video is an error only as a session's first
  threads @5 :UInt32;          # of the decoder and of each encoder, 1..64
  gpu @6 :List(GpuAbility);    # what it may leave to its GPU, at most 32; empty = nothing
}

# A stage of the engine's GPU, as its trial found it.
struct GpuAbility {
  name @0 :Text;    # of a codec, "h264", of a scaler or of an encoder, "h264_nvenc"; at most 32 bytes
  works @1 :Bool;
  reason @2 :Text;  # why it does not, at most 1 KiB
  kind @3 :GpuAbilityKind;
}

enum GpuAbilityKind {
  decode @0;
  scale @1;
  encode @2;
}

struct ToEngine {
  union {
    task @0 :EngineTask;
    inputEnd @1 :Void;  # exactly once after each task
    cancel @2 :Void;    # stop the running task; without one it means nothing
    giveBackMemory @3 :Void;  # what is kept for the next task; with one running it means nothing
  }
}

# What holds around the engine.
struct EngineWalls {
  systemCalls @0 :Bool;    # an allowlist of system calls
  namespaces @1 :Bool;     # of its own, with an empty root directory
  memoryBytes @2 :UInt64;  # limit on private memory; 0 = none
  missing @3 :Text;        # why something is not there, at most 1 KiB; empty = everything is
  driver @4 :Bool;         # the GPU's driver is let through
}

struct EngineProgress {
  mediaDoneNs @0 :Int64;  # of the source's time, decoded, 0..
  frames @1 :Int64;       # decoded, 0..
}

# In the order of common/domain/stages_used.h.
enum DecodedBy {
  gpu @0;
  codec @1;
  format @2;
  refused @3;
  failed @4;
  noGpu @5;
}

# In the order of common/domain/stages_used.h.
enum EncodedBy {
  gpu @0;
  codec @1;
  format @2;
  size @3;
  refused @4;
}

struct StagesUsed {
  decoded @0 :DecodedBy;
  reason @1 :Text;                 # why not by the GPU, at most 1 KiB
  downloads @2 :Int64;             # copies of pictures from the GPU, 0..
  scaled @3 :Int64;                # pictures of the source that it scaled, 0..
  scaleReason @4 :Text;            # why it did not scale some that it decoded, at most 1 KiB
  encoded @5 :List(EncodedBy);     # of each rendition with pictures of its own, at most 64
  encodeReason @6 :Text;           # why not by the GPU, of the last one; at most 1 KiB
  uploads @7 :Int64;               # pictures copied to the GPU, 0..
}

struct EngineFinished {
  report @0 :Values.TranscodeReport;
  seam @1 :Values.SeamContext;  # for the next segment of the session
}

struct EngineFailed {
  kind @0 :Control.ErrorKind = internal;
  message @1 :Text;  # for the broadcaster when kind is badInput, at most 1 KiB
}

struct FromEngine {
  union {
    ready @0 :EngineWalls;                   # once, at the start
    probed @1 :Values.SourceInfo;            # once or twice a task
    progress @2 :EngineProgress;             # at least every 250 ms while there is work to do
    rendition @3 :Values.RenditionReport;    # complete; exactly its bytes follow
    finished @4 :EngineFinished;             # ends the task
    failed @5 :EngineFailed;                 # ends the task
    spent @6 :Void;                          # before the end: this process should get no other task
    stages @7 :StagesUsed;                 # before the end, of a task that had a GPU and pictures
  }
}
