@0xef3122a49576f615;
# The payload lane: segments out, renditions back. Payload bytes never stand inside a Cap'n Proto message:
# a Chunk is two ZeroMQ frames, this envelope and at most 256 KiB of bytes. All other messages are one
# frame. The conversation is in README.md; the plain C++ twins are in common/domain/protocol.h.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("millrace::schema");

# Unions, fences and `unset` as in control.capnp.
struct PayloadEnvelope {
  epoch @0 :UInt64;        # the orchestrator's
  incarnation @1 :UInt64;  # the transcoder's
  union {
    unset @2 :Void;
    laneHello @3 :LaneHello;
    laneWelcome @4 :LaneWelcome;
    chunk @5 :Chunk;
    credit @6 :Credit;
    transferAbort @7 :TransferAbort;
    laneBeat @8 :LaneBeat;
  }
}

# First message of a payload connection, repeated until LaneWelcome: which control lane it belongs to.
struct LaneHello {
  nonce @0 :UInt64;  # that of the Hello on the control lane
}

struct LaneWelcome {
  nonce @0 :UInt64;  # as received
}

# Unknown to the reader: the message is ignored.
enum Direction {
  toTranscoder @0;    # a segment's source
  toOrchestrator @1;  # a rendition
}

# A payload on its way.
struct TransferId {
  task @0 :UInt64;
  attempt @1 :UInt64;
  direction @2 :Direction;
  index @3 :UInt32;  # 0 for a source; the place in the ladder, 0..7, for a rendition
}

# Chunks of one transfer come in order and without gaps. The bytes are the message's second frame.
struct Chunk {
  transfer @0 :TransferId;  # required
  offset @1 :UInt64;        # of the first byte, from 0
  last @2 :Bool;
  total @3 :UInt64;         # bytes; with `last`, and before when known; 0 = not known yet, or nothing at all
  sha256 @4 :Data;          # 32 bytes, of the whole, with `last`; absent before
}

# The receiver has room up to this offset. Before any Credit it has 1 MiB.
struct Credit {
  transfer @0 :TransferId;  # required
  limit @1 :UInt64;         # absolute, bytes; never falls
}

# Either side gives the transfer up. Not answered.
struct TransferAbort {
  transfer @0 :TransferId;  # required
  reason @1 :Text;          # for logs, at most 1 KiB
}

# Once a second while the lane carries nothing else, each way: the lane's own sign of life.
struct LaneBeat {
  number @0 :UInt64;
}
