@0x81acc65f8a004bbf;
# The control lane: everything a transcoder and an orchestrator say to each other, except payload.
# One message is one ZeroMQ frame of at most 128 KiB. The conversation is in README.md; the plain C++
# twins of these structs are in common/domain/protocol.h, in the same order.
#
# Fences. Every message names the orchestrator's epoch and the transcoder's incarnation; messages about
# work name task and attempt. A receiver compares them with its own record and drops what does not
# match: old news is recognised by value, never by its time of arrival.

using Cxx = import "/capnp/c++.capnp";
using V = import "values.capnp";
$Cxx.namespace("millrace::schema");

# ---- envelopes ---------------------------------------------------------------------------------------

# Members of the unions are never removed. A reader that does not know a member ignores the message and
# counts it; the sender must not depend on an answer unless the peer's Hello or Welcome said it knows.
# `unset` is never sent: a message of zeros must not look like a real one.

struct FromTranscoder {
  epoch @0 :UInt64;        # the orchestrator's, as learned from its Welcome; 0 before that
  incarnation @1 :UInt64;  # drawn by the transcoder's process at its start; never 0
  union {
    unset @2 :Void;
    enrol @3 :Enrol;
    hello @4 :Hello;
    heartbeat @5 :Heartbeat;
    slotGranted @6 :SlotGranted;
    slotRefused @7 :SlotRefused;
    taskProgress @8 :TaskProgress;
    taskFinished @9 :TaskFinished;
    taskFailed @10 :TaskFailed;
    leaving @11 :Leaving;
    goodbye @12 :Goodbye;
  }
}

struct FromOrchestrator {
  epoch @0 :UInt64;        # number of this orchestrator's start, 1.., strictly increasing
  incarnation @1 :UInt64;  # of the transcoder addressed; 0 only in whoAreYou, before a Hello
  union {
    unset @2 :Void;
    enrolled @3 :Enrolled;
    joinRefused @4 :JoinRefused;
    welcome @5 :Welcome;
    whoAreYou @6 :Void;    # "I do not know you": say Hello
    heartbeatAck @7 :HeartbeatAck;
    reserve @8 :Reserve;
    release @9 :Release;
    dispatch @10 :Dispatch;
    cancel @11 :Cancel;
    drainRequest @12 :DrainRequest;
  }
}

# ---- transcoder -> orchestrator ----------------------------------------------------------------------

# Asks to be enrolled, over a connection made with a join token's enrolment key.
struct Enrol {
  key @0 :Text;      # required: the transcoder's own CURVE public key, 40 characters of Z85
  tokenId @1 :Text;  # required: hex, at most 64 characters
  name @2 :Text;     # wished for, at most 128 bytes; empty = none
}

# A task that a transcoder still holds when it (re)joins.
struct HeldTask {
  task @0 :UInt64;
  attempt @1 :UInt64;
}

# First message of every connection with the transcoder's own key; repeated until Welcome. Stays
# readable across majors: it is how a mismatch is told.
struct Hello {
  protocolMajor @0 :UInt16;         # must match; N and N-1 work together for a release
  protocolMinor @1 :UInt16;         # any
  name @2 :Text;                    # wished for, at most 128 bytes
  version @3 :Text;                 # of the program, for people, at most 64 bytes
  nonce @4 :UInt64;                 # random per connection: binds the payload lane to this control lane
  slots @5 :UInt32 = 1;             # maximum of concurrent sessions; a claim, clamped to 0..256
  capabilities @6 :V.Capabilities;
  capacity @7 :V.Cost;              # absent or 0 = not measured
  devices @8 :List(V.Device);       # at most 64
  labels @9 :List(V.Label);         # at most 64
  held @10 :List(HeldTask);         # at most 1024; of use only when the epoch still runs
  heldEpoch @11 :UInt64;            # the epoch of `held`; 0 = none
  signer @12 :Data;                 # 32 bytes: the public Ed25519 key its results are signed with; absent = it
                                    # signs none. Once told, the same for ever (else joinRefused)
  cpu @13 :V.CpuBudget;             # beside `capacity`; absent = not measured
}

# Sign of life, once per Welcome.heartbeatMs. Says who holds a slot, so that neither side can leak one.
struct Heartbeat {
  number @0 :UInt64;            # counts from 1 per connection
  slots @1 :UInt32;             # maximum now
  slotsFree @2 :UInt32;         # the truth, over all orchestrators
  tasksActive @3 :UInt32;       # tasks running
  draining @4 :Bool;            # takes no new session
  load @5 :V.Cost;              # of all sessions that hold a slot, over all orchestrators
  sessions @6 :List(Text);      # of this orchestrator, holding a slot here; at most 256
  sentAtUs @7 :Int64;           # transcoder's clock, us; comes back in HeartbeatAck
  rttUs @8 :Int64;              # last measured round trip, us, 0.. ; 0 = none yet
  gpus @9 :List(GpuReading);    # those that sessions use, at most 64
}

# A GPU of a transcoder as it is now. -1 or 0 = the card does not tell.
struct GpuReading {
  index @0 :UInt32;             # on its machine
  name @1 :Text;                # at most 256 bytes
  sessions @2 :UInt32;
  failures @3 :UInt64;          # since start
  quarantine @4 :Text;          # why it takes no sessions, at most 1 KiB; empty = it does
  smPermille @5 :Int32 = -1;    # share of the time in which a unit was at work, 0..1000
  decoderPermille @6 :Int32 = -1;
  encoderPermille @7 :Int32 = -1;
  memoryUsed @8 :UInt64;        # bytes
  memoryTotal @9 :UInt64;       # bytes; 0 = not told
  celsius @10 :Int32 = -1;
}

struct SlotGranted {
  reservation @0 :UInt64;  # of the Reserve
  session @1 :Text;        # required
  slotsFree @2 :UInt32;    # after the grant
}

# Unknown to the reader: noFreeSlot.
enum SlotRefusal {
  noFreeSlot @0;
  draining @1;
  cost @2;          # a measured dimension of capacity is used up
  incompatible @3;  # a codec, container or colour depth is missing
  device @4;        # the device is failing
}

struct SlotRefused {
  reservation @0 :UInt64;
  session @1 :Text;          # required
  reason @2 :SlotRefusal;
  slotsFree @3 :UInt32;
  detail @4 :Text;           # for logs, at most 1 KiB
}

# Unknown to the reader: running.
enum TaskStage {
  receiving @0;  # the source is arriving
  waiting @1;    # complete, another segment of the session has the slot
  running @2;
  sending @3;    # all renditions made, the last ones on their way
}

# At least every 500 ms for a task that is running, and whenever its stage changes.
struct TaskProgress {
  task @0 :UInt64;
  attempt @1 :UInt64;
  stage @2 :TaskStage;
  mediaDoneUs @3 :Int64;   # how far into the segment, us, 0..
  mediaTotalUs @4 :Int64;  # measured duration, us, 0.. ; 0 = not known yet
  frames @5 :Int64;        # decoded so far, 0..
}

# All renditions are on the payload lane; their hashes and sizes stand in the report.
struct TaskFinished {
  task @0 :UInt64;
  attempt @1 :UInt64;
  report @2 :V.TranscodeReport;
  seam @3 :V.SeamContext;  # for the next segment of the session; absent = none
  receipt @4 :ReceiptStub; # required of whoever told a signer; absent = none
}

# What of a receipt travels. The signed bytes are made by both sides from what they know: see
# common/domain/receipt.h.
struct ReceiptStub {
  finishedAtMs @0 :Int64;  # transcoder's clock, ms since the Unix epoch, for people
  software @1 :Text;       # versions, at most 128 bytes
  device @2 :Text;         # what it ran on, with its driver's version, at most 128 bytes
  signature @3 :Data;      # required, 64 bytes, Ed25519
}

# What the failure calls for. Unknown to the reader: internal.
enum ErrorKind {
  badInput @0;      # never retry, tell the caller
  overloaded @1;    # later, or elsewhere
  disconnected @2;  # dispatch again
  timeout @3;       # this attempt is over; elsewhere while the deadline allows
  unsupported @4;   # another transcoder may be able to
  device @5;        # quarantine the GPU
  internal @6;      # a bug
}

struct TaskFailed {
  task @0 :UInt64;
  attempt @1 :UInt64;
  kind @2 :ErrorKind = internal;
  message @3 :Text;         # at most 1 KiB
  started @4 :Bool;         # an engine had begun to work on it
  engineCrashed @5 :Bool;   # the engine died under it: counts towards poison
}

# The transcoder takes no more work and leaves when what it has is done.
struct Leaving {
  withinMs @0 :Int64;  # ms, 0.. ; at the latest then
}

# The last message of a connection that ends on purpose.
struct Goodbye {
  reason @0 :Text;  # for logs, at most 1 KiB
}

# ---- orchestrator -> transcoder ----------------------------------------------------------------------

# The key of the Enrol is known from now on: reconnect with it.
struct Enrolled {
  name @0 :Text;  # as the orchestrator will call it, at most 128 bytes
}

# Unknown to the reader: refused.
enum JoinRefusal {
  malformed @0;  # the token, or the message
  expired @1;    # the token
  refused @2;    # unknown or revoked
  foreign @3;    # the token belongs to another orchestrator
  protocol @4;   # the major does not match
}

struct JoinRefused {
  reason @0 :JoinRefusal = refused;
  detail @1 :Text;  # a sentence for the operator, at most 1 KiB
}

# Answer to Hello. The transcoder keeps epoch and name until the next Welcome.
struct Welcome {
  name @0 :Text;                  # as registered; may be NAME-2; at most 128 bytes
  payloadEndpoint @1 :Text;       # "HOST:PORT", at most 256 bytes; empty host = the control lane's
  heartbeatMs @2 :Int64 = 1000;   # ms, 1..60000: how often to send Heartbeat
  leaseMs @3 :Int64 = 3000;       # ms, 1..600000: silence after which either side gives the other up
}

# At once, for every Heartbeat of a transcoder on record.
struct HeartbeatAck {
  number @0 :UInt64;
  sentAtUs @1 :Int64;  # as received
}

# Asks for a slot. Answered by SlotGranted or SlotRefused with the same reservation; asking again with
# the same reservation gets the same answer.
struct Reserve {
  reservation @0 :UInt64;
  session @1 :Text;     # required
  cost @2 :V.Cost;      # expected of the session; absent = not known
  ordinal @3 :UInt32;   # 0 = the session's slot, 1.. = redundancy and second attempts
}

# The session's slot is free once nothing of it runs.
struct Release {
  session @0 :Text;  # required
}

# Unknown to the reader: the message is ignored.
enum TaskKind {
  transcode @0;
  verify @1;     # check renditions against their source
  thumbnail @2;  # one picture
}

# One attempt of one task, in a slot the transcoder has granted to the session.
struct Dispatch {
  task @0 :UInt64;            # never 0
  attempt @1 :UInt64;         # from 1 within the task
  kind @2 :TaskKind;
  segment @3 :V.SegmentKey;   # required
  bytes @4 :UInt64;           # of the source; 0 = still arriving, its length not known yet
  durationMs @5 :Int64;       # ms, 0.. ; as far as known; 0 = unknown
  timeLeftMs @6 :Int64;       # ms, 0.. ; until the deadline, when this was sent
  ladder @7 :V.Ladder;        # required, 1..8 renditions
  allowAudioOnly @8 :Bool;    # a segment without video is no error: the session has had video before
  cost @9 :V.Cost;            # of the session, as its segments have shown; absent = not known
  seam @10 :V.SeamContext;    # absent = cold
}

# Unknown to the reader: superseded.
enum CancelReason {
  superseded @0;    # another attempt won, or this one was given up
  deadline @1;
  sessionEnded @2;
  stalled @3;       # no progress
  stopping @4;      # the orchestrator leaves
}

# No answer: the attempt is off the orchestrator's record already.
struct Cancel {
  task @0 :UInt64;
  attempt @1 :UInt64;
  reason @2 :CancelReason;
}

# The operator drains or cordons this transcoder.
struct DrainRequest {
  leave @0 :Bool;  # true: finish and exit; false: keep running without new sessions
}
