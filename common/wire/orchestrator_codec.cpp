// What orchestrators say on the control lane: schemas/control.capnp <-> common/domain/protocol.h.
// One put and one get per message, in the order of the schema.

#include <algorithm>

#include "common/wire/codec.h"
#include "common/wire/envelope.h"
#include "common/wire/values.h"
#include "schemas/control.capnp.h"

namespace millrace {

namespace wire {
namespace {

// Overloads in here would hide those of values.h.
using wire::get;
using wire::put;

constexpr EnumTable<JoinRefusal, schema::JoinRefusal, 5> kJoinRefusals{{
    {JoinRefusal::malformed, schema::JoinRefusal::MALFORMED},
    {JoinRefusal::expired, schema::JoinRefusal::EXPIRED},
    {JoinRefusal::refused, schema::JoinRefusal::REFUSED},
    {JoinRefusal::foreign, schema::JoinRefusal::FOREIGN},
    {JoinRefusal::protocol, schema::JoinRefusal::PROTOCOL},
}};
constexpr EnumTable<TaskKind, schema::TaskKind, 3> kTaskKinds{{
    {TaskKind::transcode, schema::TaskKind::TRANSCODE},
    {TaskKind::verify, schema::TaskKind::VERIFY},
    {TaskKind::thumbnail, schema::TaskKind::THUMBNAIL},
}};
constexpr EnumTable<CancelReason, schema::CancelReason, 5> kCancelReasons{{
    {CancelReason::superseded, schema::CancelReason::SUPERSEDED},
    {CancelReason::deadline, schema::CancelReason::DEADLINE},
    {CancelReason::session_ended, schema::CancelReason::SESSION_ENDED},
    {CancelReason::stalled, schema::CancelReason::STALLED},
    {CancelReason::stopping, schema::CancelReason::STOPPING},
}};

void put(schema::Enrolled::Builder out, const Enrolled& enrolled) {
    out.setName(as_text(clipped(enrolled.name, kNameBytesMax)));
}

Enrolled get(schema::Enrolled::Reader in) {
    return {text(in.getName(), kNameBytesMax, "Enrolled.name")};
}

void put(schema::JoinRefused::Builder out, const JoinRefused& refused) {
    out.setReason(to_wire(kJoinRefusals, refused.reason));
    set_sentence([&](auto t) { out.setDetail(t); }, refused.detail);
}

JoinRefused get(schema::JoinRefused::Reader in) {
    return {known_or(kJoinRefusals, in.getReason(), JoinRefusal::refused),
            sentence(in.getDetail(), "JoinRefused.detail")};
}

void put(schema::Welcome::Builder out, const Welcome& welcome) {
    out.setName(as_text(clipped(welcome.name, kNameBytesMax)));
    out.setPayloadEndpoint(as_text(welcome.payload_endpoint));
    out.setHeartbeatMs(welcome.heartbeat_ms);
    out.setLeaseMs(welcome.lease_ms);
}

Welcome get(schema::Welcome::Reader in) {
    return {text(in.getName(), kNameBytesMax, "Welcome.name"),
            text(in.getPayloadEndpoint(), kEndpointBytesMax, "Welcome.payloadEndpoint"),
            within(in.getHeartbeatMs(), 1, kHeartbeatMsMax, "Welcome.heartbeatMs"),
            within(in.getLeaseMs(), 1, kLeaseMsMax, "Welcome.leaseMs")};
}

void put(schema::HeartbeatAck::Builder out, const HeartbeatAck& ack) {
    out.setNumber(ack.number);
    out.setSentAtUs(ack.sent_at_us);
}

HeartbeatAck get(schema::HeartbeatAck::Reader in) {
    return {in.getNumber(), in.getSentAtUs()};
}

void put(schema::Reserve::Builder out, const Reserve& reserve) {
    out.setReservation(reserve.reservation.value);
    out.setSession(as_text(reserve.session.value));
    put(out.initCost(), reserve.cost);
    out.setOrdinal(reserve.ordinal);
}

Reserve get(schema::Reserve::Reader in) {
    return {ReservationId{in.getReservation()}, session_id(in.getSession(), "Reserve.session"),
            get(in.getCost()), in.getOrdinal()};
}

void put(schema::Release::Builder out, const Release& release) {
    out.setSession(as_text(release.session.value));
}

Release get(schema::Release::Reader in) {
    return {session_id(in.getSession(), "Release.session")};
}

void put(schema::Dispatch::Builder out, const Dispatch& dispatch) {
    out.setTask(dispatch.task.value);
    out.setAttempt(dispatch.attempt.value);
    out.setKind(to_wire(kTaskKinds, dispatch.kind));
    put(out.initSegment(), dispatch.segment);
    out.setBytes(dispatch.bytes);
    out.setDurationMs(dispatch.duration_ms);
    out.setTimeLeftMs(dispatch.time_left_ms);
    put(out.initLadder(), dispatch.ladder);
    out.setAllowAudioOnly(dispatch.allow_audio_only);
    put(out.initCost(), dispatch.cost);
    put(out.initSeam(), dispatch.seam);
}

Dispatch get(schema::Dispatch::Reader in) {
    Dispatch dispatch;
    dispatch.task = TaskId{in.getTask()};
    dispatch.attempt = AttemptNo{in.getAttempt()};
    if (!dispatch.task || !dispatch.attempt)
        malformed("Dispatch.task", "is missing");
    dispatch.kind = known(kTaskKinds, in.getKind(), "Dispatch.kind");
    dispatch.segment = get(in.getSegment());
    dispatch.bytes = in.getBytes();
    dispatch.duration_ms = non_negative(in.getDurationMs(), "Dispatch.durationMs");
    dispatch.time_left_ms = non_negative(in.getTimeLeftMs(), "Dispatch.timeLeftMs");
    dispatch.ladder = get(in.getLadder());
    if (dispatch.ladder.empty())
        malformed("Dispatch.ladder", "is missing");
    dispatch.allow_audio_only = in.getAllowAudioOnly();
    dispatch.cost = get(in.getCost());
    dispatch.seam = get(in.getSeam());
    return dispatch;
}

void put(schema::Cancel::Builder out, const Cancel& cancel) {
    out.setTask(cancel.task.value);
    out.setAttempt(cancel.attempt.value);
    out.setReason(to_wire(kCancelReasons, cancel.reason));
}

Cancel get(schema::Cancel::Reader in) {
    return {TaskId{in.getTask()}, AttemptNo{in.getAttempt()},
            known_or(kCancelReasons, in.getReason(), CancelReason::superseded)};
}

void put(schema::DrainRequest::Builder out, const DrainRequest& drain) {
    out.setLeave(drain.leave);
}

DrainRequest get(schema::DrainRequest::Reader in) {
    return {in.getLeave()};
}

// ---- the envelope ----

// One overload per message, so that a message added to the variant without a line here does not
// compile.
using Union = schema::FromOrchestrator::Builder;
void put_union(Union out, const Enrolled& m) {
    put(out.initEnrolled(), m);
}
void put_union(Union out, const JoinRefused& m) {
    put(out.initJoinRefused(), m);
}
void put_union(Union out, const Welcome& m) {
    put(out.initWelcome(), m);
}
void put_union(Union out, const WhoAreYou&) {
    out.setWhoAreYou();
}
void put_union(Union out, const HeartbeatAck& m) {
    put(out.initHeartbeatAck(), m);
}
void put_union(Union out, const Reserve& m) {
    put(out.initReserve(), m);
}
void put_union(Union out, const Release& m) {
    put(out.initRelease(), m);
}
void put_union(Union out, const Dispatch& m) {
    put(out.initDispatch(), m);
}
void put_union(Union out, const Cancel& m) {
    put(out.initCancel(), m);
}
void put_union(Union out, const DrainRequest& m) {
    put(out.initDrainRequest(), m);
}

ToTranscoder get_union(schema::FromOrchestrator::Reader in) {
    using Which = schema::FromOrchestrator::Which;
    switch (in.which()) {
        case Which::UNSET:
            malformed("FromOrchestrator", "says nothing");
        case Which::ENROLLED:
            return get(in.getEnrolled());
        case Which::JOIN_REFUSED:
            return get(in.getJoinRefused());
        case Which::WELCOME:
            return get(in.getWelcome());
        case Which::WHO_ARE_YOU:
            return WhoAreYou{};
        case Which::HEARTBEAT_ACK:
            return get(in.getHeartbeatAck());
        case Which::RESERVE:
            return get(in.getReserve());
        case Which::RELEASE:
            return get(in.getRelease());
        case Which::DISPATCH:
            return get(in.getDispatch());
        case Which::CANCEL:
            return get(in.getCancel());
        case Which::DRAIN_REQUEST:
            return get(in.getDrainRequest());
    }
    throw Unfamiliar("unknown FromOrchestrator message");
}

}  // namespace
}  // namespace wire

std::vector<std::uint8_t> encode(const FromOrchestrator& own) {
    return wire::encode_envelope<schema::FromOrchestrator>(
        own, wire::kControlSegmentWords,
        [](auto root, const auto& message) { wire::put_union(root, message); });
}

Decoded<FromOrchestrator> decode_from_orchestrator(std::span<const std::uint8_t> bytes) {
    return wire::decode_envelope<schema::FromOrchestrator, FromOrchestrator>(
        bytes, wire::kControlBytesMax, [](auto root) { return wire::get_union(root); });
}

}  // namespace millrace
