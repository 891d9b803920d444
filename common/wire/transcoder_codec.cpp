// What transcoders say on the control lane: schemas/control.capnp <-> common/domain/protocol.h. One
// put and one get per message, in the order of the schema.

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
    put(out.initCapacity(), hello.capacity.limits);
    put(out.initCpu(), hello.capacity.cpu);
    auto devices = out.initDevices(list_size(std::min(hello.devices.size(), kDevicesMax)));
    for (unsigned i = 0; i < devices.size(); ++i)
        put(devices[i], hello.devices[i]);
    put_labels(out, hello.labels);
    put_held(out, hello);
    if (hello.signer)
        out.setSigner(as_data(hello.signer->bytes));
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
    hello.capacity = {get(in.getCapacity()), get(in.getCpu())};
    for (const auto device : bounded(in.getDevices(), kDevicesMax, "Hello.devices"))
        hello.devices.push_back(get(device));
    hello.labels = get_labels(in);
    for (const auto held : bounded(in.getHeld(), kHeldTasksMax, "Hello.held"))
        hello.held.push_back({TaskId{held.getTask()}, AttemptNo{held.getAttempt()}});
    hello.held_epoch = Epoch{in.getHeldEpoch()};
    if (in.hasSigner())
        hello.signer = SignerKey{sha256(in.getSigner(), "Hello.signer")};
    return hello;
}

void put(schema::GpuReading::Builder out, const GpuReading& gpu) {
    out.setIndex(gpu.index);
    out.setName(as_text(clipped(gpu.name, kDeviceNameBytesMax)));
    out.setSessions(gpu.sessions);
    out.setFailures(gpu.failures);
    out.setQuarantine(as_text(clipped(gpu.quarantine, kSentenceBytesMax)));
    out.setSmPermille(gpu.sm_permille);
    out.setDecoderPermille(gpu.decoder_permille);
    out.setEncoderPermille(gpu.encoder_permille);
    out.setMemoryUsed(gpu.memory_used);
    out.setMemoryTotal(gpu.memory_total);
    out.setCelsius(gpu.celsius);
}

// For people's eyes: what makes no sense counts as not told.
std::int32_t told(std::int32_t value, std::int32_t most) {
    return value < 0 || value > most ? GpuReading::kNotTold : value;
}

GpuReading get(schema::GpuReading::Reader in) {
    constexpr std::int32_t kWhole = 1000;
    constexpr std::int32_t kHottest = 1000;
    GpuReading gpu;
    gpu.index = in.getIndex();
    gpu.name = text(in.getName(), kDeviceNameBytesMax, "GpuReading.name");
    gpu.sessions = in.getSessions();
    gpu.failures = in.getFailures();
    gpu.quarantine = text(in.getQuarantine(), kSentenceBytesMax, "GpuReading.quarantine");
    gpu.sm_permille = told(in.getSmPermille(), kWhole);
    gpu.decoder_permille = told(in.getDecoderPermille(), kWhole);
    gpu.encoder_permille = told(in.getEncoderPermille(), kWhole);
    gpu.memory_used = in.getMemoryUsed();
    gpu.memory_total = in.getMemoryTotal();
    gpu.celsius = told(in.getCelsius(), kHottest);
    return gpu;
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
    if (beat.gpus.empty())
        return;
    auto gpus = out.initGpus(list_size(std::min(beat.gpus.size(), kDevicesMax)));
    for (unsigned i = 0; i < gpus.size(); ++i)
        put(gpus[i], beat.gpus[i]);
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
    for (const auto gpu : bounded(in.getGpus(), kDevicesMax, "Heartbeat.gpus"))
        beat.gpus.push_back(get(gpu));
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

void put(schema::ReceiptStub::Builder out, const ReceiptStub& stub) {
    out.setFinishedAtMs(stub.finished_at.ms);
    out.setSoftware(as_text(stub.software));
    out.setDevice(as_text(stub.device));
    out.setSignature({stub.signature.data(), stub.signature.size()});
}

ReceiptStub get(schema::ReceiptStub::Reader in) {
    ReceiptStub stub;
    stub.finished_at.ms = in.getFinishedAtMs();
    stub.software = text(in.getSoftware(), kReceiptTextMax, "ReceiptStub.software");
    stub.device = text(in.getDevice(), kReceiptTextMax, "ReceiptStub.device");
    const auto signature = in.getSignature();
    if (signature.size() != stub.signature.size())
        malformed("ReceiptStub.signature", "is not 64 bytes");
    std::copy(signature.begin(), signature.end(), stub.signature.begin());
    return stub;
}

void put(schema::TaskFinished::Builder out, const TaskFinished& finished) {
    out.setTask(finished.task.value);
    out.setAttempt(finished.attempt.value);
    put(out.initReport(), finished.report);
    put(out.initSeam(), finished.seam);
    if (finished.receipt)
        put(out.initReceipt(), *finished.receipt);
}

TaskFinished get(schema::TaskFinished::Reader in) {
    TaskFinished finished{TaskId{in.getTask()}, AttemptNo{in.getAttempt()}, get(in.getReport()),
                          get(in.getSeam())};
    if (in.hasReceipt())
        finished.receipt = get(in.getReceipt());
    return finished;
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

// ---- the envelope ----

// One overload per message, so that a message added to the variant without a line here does not
// compile.
using Union = schema::FromTranscoder::Builder;
void put_union(Union out, const Enrol& m) {
    put(out.initEnrol(), m);
}
void put_union(Union out, const Hello& m) {
    put(out.initHello(), m);
}
void put_union(Union out, const Heartbeat& m) {
    put(out.initHeartbeat(), m);
}
void put_union(Union out, const SlotGranted& m) {
    put(out.initSlotGranted(), m);
}
void put_union(Union out, const SlotRefused& m) {
    put(out.initSlotRefused(), m);
}
void put_union(Union out, const TaskProgress& m) {
    put(out.initTaskProgress(), m);
}
void put_union(Union out, const TaskFinished& m) {
    put(out.initTaskFinished(), m);
}
void put_union(Union out, const TaskFailed& m) {
    put(out.initTaskFailed(), m);
}
void put_union(Union out, const Leaving& m) {
    put(out.initLeaving(), m);
}
void put_union(Union out, const Goodbye& m) {
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

}  // namespace
}  // namespace wire

std::vector<std::uint8_t> encode(const FromTranscoder& own) {
    return wire::encode_envelope<schema::FromTranscoder>(
        own, wire::kControlSegmentWords,
        [](auto root, const auto& message) { wire::put_union(root, message); });
}

Decoded<FromTranscoder> decode_from_transcoder(std::span<const std::uint8_t> bytes) {
    return wire::decode_envelope<schema::FromTranscoder, FromTranscoder>(
        bytes, wire::kControlBytesMax, [](auto root) { return wire::get_union(root); });
}

}  // namespace millrace
