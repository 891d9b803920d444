// The control lane: schemas/control.capnp <-> common/domain/protocol.h. One put and one get per
// message, in the order of the schema.

#include <algorithm>
#include <type_traits>

#include "common/wire/codec.h"
#include "common/wire/values.h"
#include "schemas/control.capnp.h"

namespace millrace {

namespace wire {
namespace {

// Overloads in here would hide those of values.h.
using wire::get;
using wire::put;

constexpr EnumTable<SlotRefusal, schema::SlotRefusal, 5> kSlotRefusals{{
    {SlotRefusal::no_free_slot, schema::SlotRefusal::NO_FREE_SLOT},
    {SlotRefusal::draining, schema::SlotRefusal::DRAINING},
    {SlotRefusal::cost, schema::SlotRefusal::COST},
    {SlotRefusal::incompatible, schema::SlotRefusal::INCOMPATIBLE},
    {SlotRefusal::device, schema::SlotRefusal::DEVICE},
}};
constexpr EnumTable<TaskStage, schema::TaskStage, 4> kTaskStages{{
    {TaskStage::receiving, schema::TaskStage::RECEIVING},
    {TaskStage::waiting, schema::TaskStage::WAITING},
    {TaskStage::running, schema::TaskStage::RUNNING},
    {TaskStage::sending, schema::TaskStage::SENDING},
}};
constexpr EnumTable<ErrorKind, schema::ErrorKind, 7> kErrorKinds{{
    {ErrorKind::bad_input, schema::ErrorKind::BAD_INPUT},
    {ErrorKind::overloaded, schema::ErrorKind::OVERLOADED},
    {ErrorKind::disconnected, schema::ErrorKind::DISCONNECTED},
    {ErrorKind::timeout, schema::ErrorKind::TIMEOUT},
    {ErrorKind::unsupported, schema::ErrorKind::UNSUPPORTED},
    {ErrorKind::device, schema::ErrorKind::DEVICE},
    {ErrorKind::internal, schema::ErrorKind::INTERNAL},
}};
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

// Room for most messages in one segment of the builder.
constexpr unsigned kFirstSegmentWords = 256;

std::string sentence(capnp::Text::Reader in, std::string_view field) {
    return text(in, kSentenceBytesMax, field);
}

template <class Set>
void set_sentence(Set set, const std::string& value) {
    set(as_text(clipped(value, kSentenceBytesMax)));
}

// ---- transcoder -> orchestrator ----

TranscoderKey transcoder_key(capnp::Text::Reader in) {
    const auto graphic = [](char c) { return c > ' ' && c < 0x7f; };
    if (in.size() != kKeyBytes || !std::all_of(in.begin(), in.end(), graphic))
        malformed("Enrol.key", "is not a CURVE key");
    return TranscoderKey{std::string(in.begin(), in.size())};
}

void put(schema::Enrol::Builder out, const Enrol& enrol) {
    out.setKey(as_text(enrol.key.value));
    out.setTokenId(as_text(enrol.token_id));
    out.setName(as_text(clipped(enrol.name, kNameBytesMax)));
}

Enrol get(schema::Enrol::Reader in) {
    return {transcoder_key(in.getKey()),
            name_text(in.getTokenId(), kTokenIdBytesMax, "Enrol.tokenId"),
            text(in.getName(), kNameBytesMax, "Enrol.name")};
}

void put_labels(schema::Hello::Builder out, const std::map<std::string, std::string>& labels) {
    auto list = out.initLabels(list_size(std::min(labels.size(), kLabelsMax)));
    unsigned i = 0;
    for (const auto& [key, value] : labels) {
        if (i == list.size())
            break;
        list[i].setKey(as_text(clipped(key, kLabelKeyBytesMax)));
        list[i].setValue(as_text(clipped(value, kLabelValueBytesMax)));
        ++i;
    }
}

std::map<std::string, std::string> get_labels(schema::Hello::Reader in) {
    std::map<std::string, std::string> labels;
    for (const auto label : bounded(in.getLabels(), kLabelsMax, "Hello.labels")) {
        std::string key = text(label.getKey(), kLabelKeyBytesMax, "Label.key");
        if (key.empty())
            malformed("Label.key", "is missing");
        labels[std::move(key)] = text(label.getValue(), kLabelValueBytesMax, "Label.value");
    }
    return labels;
}

void put_held(schema::Hello::Builder out, const Hello& hello) {
    auto list = out.initHeld(list_size(hello.held.size()));
    for (unsigned i = 0; i < list.size(); ++i) {
        list[i].setTask(hello.held[i].task.value);
        list[i].setAttempt(hello.held[i].attempt.value);
    }
    out.setHeldEpoch(hello.held_epoch.value);
}

void put(schema::Hello::Builder out, const Hello& hello) {
    out.setProtocolMajor(hello.protocol_major);
    out.setProtocolMinor(hello.protocol_minor);
    out.setName(as_text(clipped(hello.name, kNameBytesMax)));
    out.setVersion(as_text(clipped(hello.version, kVersionBytesMax)));
    out.setNonce(hello.nonce);
    out.setSlots(hello.slots);
    put(out.initCapabilities(), hello.capabilities);
    put(out.initCapacity(), hello.capacity);
    auto devices = out.initDevices(list_size(std::min(hello.devices.size(), kDevicesMax)));
    for (unsigned i = 0; i < devices.size(); ++i)
        put(devices[i], hello.devices[i]);
    put_labels(out, hello.labels);
    put_held(out, hello);
}

Hello get(schema::Hello::Reader in) {
    Hello hello;
    hello.protocol_major = in.getProtocolMajor();
    hello.protocol_minor = in.getProtocolMinor();
    hello.name = text(in.getName(), kNameBytesMax, "Hello.name");
    hello.version = text(in.getVersion(), kVersionBytesMax, "Hello.version");
    hello.nonce = in.getNonce();
    hello.slots = in.getSlots();
    hello.capabilities = get(in.getCapabilities());
    hello.capacity = get(in.getCapacity());
    for (const auto device : bounded(in.getDevices(), kDevicesMax, "Hello.devices"))
        hello.devices.push_back(get(device));
    hello.labels = get_labels(in);
    for (const auto held : bounded(in.getHeld(), kHeldTasksMax, "Hello.held"))
        hello.held.push_back({TaskId{held.getTask()}, AttemptNo{held.getAttempt()}});
    hello.held_epoch = Epoch{in.getHeldEpoch()};
    return hello;
}

void put(schema::Heartbeat::Builder out, const Heartbeat& beat) {
    out.setNumber(beat.number);
    out.setSlots(beat.slots);
    out.setSlotsFree(beat.slots_free);
    out.setTasksActive(beat.tasks_active);
    out.setDraining(beat.draining);
    put(out.initLoad(), beat.load);
    auto sessions = out.initSessions(list_size(beat.sessions.size()));
    for (unsigned i = 0; i < sessions.size(); ++i)
        sessions.set(i, as_text(beat.sessions[i].value));
    out.setSentAtUs(beat.sent_at_us);
    out.setRttUs(beat.rtt_us);
}

Heartbeat get(schema::Heartbeat::Reader in) {
    Heartbeat beat;
    beat.number = in.getNumber();
    beat.slots = in.getSlots();
    beat.slots_free = in.getSlotsFree();
    beat.tasks_active = in.getTasksActive();
    beat.draining = in.getDraining();
    beat.load = get(in.getLoad());
    for (const auto session : bounded(in.getSessions(), kSessionsMax, "Heartbeat.sessions"))
        beat.sessions.push_back(session_id(session, "Heartbeat.sessions"));
    beat.sent_at_us = in.getSentAtUs();
    beat.rtt_us = non_negative(in.getRttUs(), "Heartbeat.rttUs");
    return beat;
}

void put(schema::SlotGranted::Builder out, const SlotGranted& granted) {
    out.setReservation(granted.reservation.value);
    out.setSession(as_text(granted.session.value));
    out.setSlotsFree(granted.slots_free);
}

SlotGranted get(schema::SlotGranted::Reader in) {
    return {ReservationId{in.getReservation()}, session_id(in.getSession(), "SlotGranted.session"),
            in.getSlotsFree()};
}

void put(schema::SlotRefused::Builder out, const SlotRefused& refused) {
    out.setReservation(refused.reservation.value);
    out.setSession(as_text(refused.session.value));
    out.setReason(to_wire(kSlotRefusals, refused.reason));
    out.setSlotsFree(refused.slots_free);
    set_sentence([&](auto t) { out.setDetail(t); }, refused.detail);
}

SlotRefused get(schema::SlotRefused::Reader in) {
    return {ReservationId{in.getReservation()}, session_id(in.getSession(), "SlotRefused.session"),
            known_or(kSlotRefusals, in.getReason(), SlotRefusal::no_free_slot), in.getSlotsFree(),
            sentence(in.getDetail(), "SlotRefused.detail")};
}

void put(schema::TaskProgress::Builder out, const TaskProgress& progress) {
    out.setTask(progress.task.value);
    out.setAttempt(progress.attempt.value);
    out.setStage(to_wire(kTaskStages, progress.stage));
    out.setMediaDoneUs(progress.media_done_us);
    out.setMediaTotalUs(progress.media_total_us);
    out.setFrames(progress.frames);
}

TaskProgress get(schema::TaskProgress::Reader in) {
    return {TaskId{in.getTask()},
            AttemptNo{in.getAttempt()},
            known_or(kTaskStages, in.getStage(), TaskStage::running),
            non_negative(in.getMediaDoneUs(), "TaskProgress.mediaDoneUs"),
            non_negative(in.getMediaTotalUs(), "TaskProgress.mediaTotalUs"),
            non_negative(in.getFrames(), "TaskProgress.frames")};
}

void put(schema::TaskFinished::Builder out, const TaskFinished& finished) {
    out.setTask(finished.task.value);
    out.setAttempt(finished.attempt.value);
    put(out.initReport(), finished.report);
    put(out.initSeam(), finished.seam);
}

TaskFinished get(schema::TaskFinished::Reader in) {
    return {TaskId{in.getTask()}, AttemptNo{in.getAttempt()}, get(in.getReport()),
            get(in.getSeam())};
}

void put(schema::TaskFailed::Builder out, const TaskFailed& failed) {
    out.setTask(failed.task.value);
    out.setAttempt(failed.attempt.value);
    out.setKind(to_wire(kErrorKinds, failed.kind));
    set_sentence([&](auto t) { out.setMessage(t); }, failed.message);
    out.setStarted(failed.started);
    out.setEngineCrashed(failed.engine_crashed);
}

TaskFailed get(schema::TaskFailed::Reader in) {
    return {TaskId{in.getTask()},
            AttemptNo{in.getAttempt()},
            known_or(kErrorKinds, in.getKind(), ErrorKind::internal),
            sentence(in.getMessage(), "TaskFailed.message"),
            in.getStarted(),
            in.getEngineCrashed()};
}

void put(schema::Leaving::Builder out, const Leaving& leaving) {
    out.setWithinMs(leaving.within_ms);
}

Leaving get(schema::Leaving::Reader in) {
    return {non_negative(in.getWithinMs(), "Leaving.withinMs")};
}

void put(schema::Goodbye::Builder out, const Goodbye& goodbye) {
    set_sentence([&](auto t) { out.setReason(t); }, goodbye.reason);
}

Goodbye get(schema::Goodbye::Reader in) {
    return {sentence(in.getReason(), "Goodbye.reason")};
}

// ---- orchestrator -> transcoder ----

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

// ---- envelopes ----

// One overload per message, so that a message added to the variant without a line here does not
// compile.
using TranscoderUnion = schema::FromTranscoder::Builder;
void put(TranscoderUnion out, const Enrol& m) {
    put(out.initEnrol(), m);
}
void put(TranscoderUnion out, const Hello& m) {
    put(out.initHello(), m);
}
void put(TranscoderUnion out, const Heartbeat& m) {
    put(out.initHeartbeat(), m);
}
void put(TranscoderUnion out, const SlotGranted& m) {
    put(out.initSlotGranted(), m);
}
void put(TranscoderUnion out, const SlotRefused& m) {
    put(out.initSlotRefused(), m);
}
void put(TranscoderUnion out, const TaskProgress& m) {
    put(out.initTaskProgress(), m);
}
void put(TranscoderUnion out, const TaskFinished& m) {
    put(out.initTaskFinished(), m);
}
void put(TranscoderUnion out, const TaskFailed& m) {
    put(out.initTaskFailed(), m);
}
void put(TranscoderUnion out, const Leaving& m) {
    put(out.initLeaving(), m);
}
void put(TranscoderUnion out, const Goodbye& m) {
    put(out.initGoodbye(), m);
}

ToOrchestrator get_union(schema::FromTranscoder::Reader in) {
    using Which = schema::FromTranscoder::Which;
    switch (in.which()) {
        case Which::UNSET:
            malformed("FromTranscoder", "says nothing");
        case Which::ENROL:
            return get(in.getEnrol());
        case Which::HELLO:
            return get(in.getHello());
        case Which::HEARTBEAT:
            return get(in.getHeartbeat());
        case Which::SLOT_GRANTED:
            return get(in.getSlotGranted());
        case Which::SLOT_REFUSED:
            return get(in.getSlotRefused());
        case Which::TASK_PROGRESS:
            return get(in.getTaskProgress());
        case Which::TASK_FINISHED:
            return get(in.getTaskFinished());
        case Which::TASK_FAILED:
            return get(in.getTaskFailed());
        case Which::LEAVING:
            return get(in.getLeaving());
        case Which::GOODBYE:
            return get(in.getGoodbye());
    }
    throw Unfamiliar("unknown FromTranscoder message");
}

using OrchestratorUnion = schema::FromOrchestrator::Builder;
void put(OrchestratorUnion out, const Enrolled& m) {
    put(out.initEnrolled(), m);
}
void put(OrchestratorUnion out, const JoinRefused& m) {
    put(out.initJoinRefused(), m);
}
void put(OrchestratorUnion out, const Welcome& m) {
    put(out.initWelcome(), m);
}
void put(OrchestratorUnion out, const WhoAreYou&) {
    out.setWhoAreYou();
}
void put(OrchestratorUnion out, const HeartbeatAck& m) {
    put(out.initHeartbeatAck(), m);
}
void put(OrchestratorUnion out, const Reserve& m) {
    put(out.initReserve(), m);
}
void put(OrchestratorUnion out, const Release& m) {
    put(out.initRelease(), m);
}
void put(OrchestratorUnion out, const Dispatch& m) {
    put(out.initDispatch(), m);
}
void put(OrchestratorUnion out, const Cancel& m) {
    put(out.initCancel(), m);
}
void put(OrchestratorUnion out, const DrainRequest& m) {
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

template <class Schema, class Own>
std::vector<std::uint8_t> encode_envelope(const Own& own) {
    capnp::MallocMessageBuilder message(kFirstSegmentWords);
    auto root = message.initRoot<Schema>();
    root.setEpoch(own.fence.epoch.value);
    root.setIncarnation(own.fence.incarnation.value);
    std::visit([&](const auto& one) { put(root, one); }, own.message);
    return to_bytes(message);
}

template <class Schema, class Own>
Decoded<Own> decode_envelope(std::span<const std::uint8_t> bytes) {
    using Outcome = std::variant<Own, Ignored>;
    Fence fence;
    return open_message(
        bytes, kControlBytesMax,
        [&](capnp::MessageReader& reader) -> Outcome {
            const auto root = reader.getRoot<Schema>();
            fence = {Epoch{root.getEpoch()}, Incarnation{root.getIncarnation()}};
            return Own{fence, get_union(root)};
        },
        [&](std::string what) -> Outcome {
            return Ignored{fence, std::move(what)};
        });
}

}  // namespace
}  // namespace wire

std::vector<std::uint8_t> encode(const FromTranscoder& message) {
    return wire::encode_envelope<schema::FromTranscoder>(message);
}

std::vector<std::uint8_t> encode(const FromOrchestrator& message) {
    return wire::encode_envelope<schema::FromOrchestrator>(message);
}

Decoded<FromTranscoder> decode_from_transcoder(std::span<const std::uint8_t> bytes) {
    return wire::decode_envelope<schema::FromTranscoder, FromTranscoder>(bytes);
}

Decoded<FromOrchestrator> decode_from_orchestrator(std::span<const std::uint8_t> bytes) {
    return wire::decode_envelope<schema::FromOrchestrator, FromOrchestrator>(bytes);
}

}  // namespace millrace
