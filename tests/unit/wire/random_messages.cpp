#include "tests/unit/wire/random_messages.h"

#include "common/wire/limits.h"

namespace millrace::test {

namespace {

// Numbers near zero, near the end of their range and in between, each often.
std::uint64_t any_u64(Rng& rng) {
    return rng.next() >> rng.below(64);
}
std::int64_t any_positive(Rng& rng) {
    return static_cast<std::int64_t>(any_u64(rng) >> 1);
}
std::uint32_t any_u32(Rng& rng) {
    return static_cast<std::uint32_t>(any_u64(rng));
}
std::int32_t any_positive32(Rng& rng) {
    return static_cast<std::int32_t>(any_u32(rng) >> 1);
}

template <class Enum>
Enum any_enum(Rng& rng, unsigned count) {
    return static_cast<Enum>(rng.below(count));
}

std::string any_text(Rng& rng, std::size_t max) {
    std::string text(rng.chance(0.1) ? max : rng.below(max / 4 + 1), ' ');
    for (auto& c : text)
        c = static_cast<char>(rng.chance(0.9) ? 'a' + rng.below(26) : rng.below(256));
    return text;
}

std::string any_name(Rng& rng, std::size_t max) {
    constexpr std::string_view kCharacters = "abcxyzABCXYZ0189._~+-";
    std::string name(1 + rng.below(max), 'n');
    for (auto& c : name)
        c = kCharacters[rng.below(kCharacters.size())];
    return name == "." || name == ".." ? "dot" : name;
}

SessionId any_session(Rng& rng) {
    return SessionId{any_name(rng, wire::kSessionIdBytesMax)};
}

Sha256 any_hash(Rng& rng) {
    Sha256 hash;
    for (auto& byte : hash)
        byte = static_cast<std::uint8_t>(rng.next());
    return hash;
}

template <class Make>
auto any_list(Rng& rng, std::size_t max, Make make) {
    std::vector<decltype(make(rng))> list(rng.chance(0.05) ? max : rng.below(4) % (max + 1));
    for (auto& entry : list)
        entry = make(rng);
    return list;
}

Rational any_rational(Rng& rng) {
    return {any_positive32(rng), 1 + any_positive32(rng) / 2};
}
Size any_size(Rng& rng) {
    return {static_cast<std::int32_t>(rng.below(wire::kSideMax + 1)),
            static_cast<std::int32_t>(rng.below(wire::kSideMax + 1))};
}
Cost any_cost(Rng& rng) {
    const auto part = [&] { return any_positive(rng) >> 16; };
    return {part(), part(), part(), part(), part(), part()};
}
CpuBudget any_budget(Rng& rng) {
    return {any_positive(rng), any_positive(rng), any_positive(rng), any_positive(rng)};
}
VideoCodec any_video(Rng& rng) {
    return any_enum<VideoCodec>(rng, 8);
}
AudioCodec any_audio(Rng& rng) {
    return any_enum<AudioCodec>(rng, 8);
}
Container any_container(Rng& rng) {
    return any_enum<Container>(rng, 4);
}

RenditionSpec any_spec(Rng& rng) {
    RenditionSpec spec;
    spec.name = any_name(rng, wire::kRenditionNameBytesMax);
    spec.width = any_size(rng).width;
    spec.height = any_size(rng).height;
    spec.bitrate = any_positive(rng);
    spec.fps = any_rational(rng);
    spec.profile = any_enum<VideoProfile>(rng, 5);
    spec.gop_ms = any_positive(rng) - 1;
    spec.codec = any_video(rng);
    spec.color_depth = static_cast<std::int32_t>(1 + rng.below(16));
    spec.chroma = any_enum<ChromaFormat>(rng, 3);
    spec.quality = static_cast<std::int32_t>(rng.below(64));
    spec.container = any_container(rng);
    spec.audio = {any_enum<AudioMode>(rng, 3), any_audio(rng), any_positive32(rng),
                  any_positive32(rng), any_positive32(rng)};
    spec.preset = any_text(rng, wire::kPresetBytesMax);
    spec.upscale = any_enum<Upscale>(rng, 2);
    spec.bypass = any_enum<Bypass>(rng, 2);
    spec.data = any_enum<DataStreams>(rng, 2);
    spec.scaling = any_enum<Scaling>(rng, 2);
    return spec;
}

SourceInfo any_source(Rng& rng) {
    return {any_container(rng),
            any_video(rng),
            any_audio(rng),
            any_size(rng),
            any_rational(rng),
            any_positive(rng),
            any_positive(rng),
            Duration(any_positive(rng)),
            static_cast<std::int64_t>(rng.next()),
            any_text(rng, wire::kCodecsBytesMax)};
}

RenditionReport any_rendition(Rng& rng) {
    return {static_cast<std::uint32_t>(rng.below(kRenditionsMax)),
            any_name(rng, wire::kRenditionNameBytesMax),
            any_container(rng),
            any_u64(rng),
            any_hash(rng),
            any_size(rng),
            any_positive(rng),
            any_positive(rng),
            Duration(any_positive(rng)),
            any_rational(rng),
            any_text(rng, wire::kCodecsBytesMax),
            any_positive(rng),
            any_u64(rng),
            any_hash(rng),
            any_positive(rng),
            rng.below(2) == 1,
            any_positive32(rng)};
}

SpliceMarker any_splice(Rng& rng) {
    return {static_cast<std::int64_t>(rng.next()), any_positive(rng), any_u32(rng),
            any_enum<SpliceKind>(rng, 3),
            std::vector<std::uint8_t>(rng.below(kSpliceBytesMax + 1), 0xfc)};
}

SkippedRendition any_skipped(Rng& rng) {
    return {static_cast<std::uint32_t>(rng.below(kRenditionsMax)),
            any_name(rng, wire::kRenditionNameBytesMax), any_text(rng, wire::kSentenceBytesMax)};
}

SoundTail any_sound(Rng& rng) {
    SoundTail tail;
    tail.packets = any_list(rng, kSoundPacketsMax, [](Rng& r) {
        const std::int64_t at = any_positive(r) % kSoundTimeMax;
        return SoundPacket{r.chance(0.5) ? at : -at,
                           std::vector<std::uint8_t>(1 + r.below(kSoundBytesMax / kSoundPacketsMax),
                                                     static_cast<std::uint8_t>(r.next()))};
    });
    if (!tail.packets.empty())
        tail.format = any_hash(rng);
    return tail;
}

SeamContext any_seam(Rng& rng) {
    return {any_list(rng, kRenditionsMax, any_positive),
            any_list(rng, kRenditionsMax, any_positive32), any_sound(rng),
            rng.chance(0.5) ? Rational{1 + any_positive32(rng) / 2, 25} : Rational{},
            rng.chance(0.5)};
}

std::optional<ReceiptStub> any_receipt(Rng& rng) {
    if (rng.chance(0.3))
        return std::nullopt;
    ReceiptStub stub{{static_cast<std::int64_t>(rng.next())},
                     any_text(rng, kReceiptTextMax),
                     any_text(rng, kReceiptTextMax)};
    for (auto& byte : stub.signature)
        byte = static_cast<std::uint8_t>(rng.next());
    return stub;
}

std::string any_sentence(Rng& rng) {
    // Encoding cuts at character boundaries, so only texts inside the bound come back as they were.
    return any_text(rng, wire::kSentenceBytesMax);
}

TranscodeReport any_report(Rng& rng) {
    TranscodeReport report;
    report.source = any_source(rng);
    report.renditions = any_list(rng, kRenditionsMax, any_rendition);
    report.skipped = any_list(rng, kRenditionsMax, any_skipped);
    report.warnings = any_list(rng, wire::kWarningsMax, any_sentence);
    const auto us = [&] { return any_positive(rng); };
    report.times = {us(), us(), us(), us(), us(), us()};
    report.splices = any_list(rng, kSplicesMax, any_splice);
    report.cpu_us = us();
    return report;
}

Hello any_hello(Rng& rng) {
    Hello hello;
    hello.protocol_major = static_cast<std::uint16_t>(rng.next());
    hello.protocol_minor = static_cast<std::uint16_t>(rng.next());
    hello.name = any_text(rng, wire::kNameBytesMax);
    hello.version = any_text(rng, wire::kVersionBytesMax);
    hello.nonce = any_u64(rng);
    hello.slots = any_u32(rng);
    hello.capabilities = {any_list(rng, wire::kCodecsInListMax, any_video),
                          any_list(rng, wire::kCodecsInListMax, any_video),
                          any_list(rng, wire::kCodecsInListMax, any_audio),
                          any_list(rng, wire::kCodecsInListMax, any_container),
                          static_cast<std::int32_t>(1 + rng.below(16))};
    hello.capacity = {any_cost(rng), any_budget(rng)};
    hello.devices = any_list(rng, wire::kDevicesMax, [](Rng& r) {
        return Device{any_text(r, wire::kDeviceKindBytesMax),
                      any_text(r, wire::kDeviceNameBytesMax), any_u32(r)};
    });
    for (auto labels = rng.below(wire::kLabelsMax + 1); labels > 0; --labels)
        hello.labels[any_name(rng, wire::kLabelKeyBytesMax)] =
            any_text(rng, wire::kLabelValueBytesMax);
    hello.held = any_list(rng, wire::kHeldTasksMax, [](Rng& r) {
        return HeldTask{TaskId{any_u64(r)}, AttemptNo{any_u64(r)}};
    });
    hello.held_epoch = Epoch{any_u64(rng)};
    if (rng.chance(0.7))
        hello.signer = SignerKey{any_hash(rng)};
    return hello;
}

GpuReading any_gpu(Rng& rng) {
    const auto share = [&] { return static_cast<std::int32_t>(rng.below(1001)); };
    return {any_u32(rng),
            "NVIDIA H200",
            any_u32(rng),
            any_u64(rng),
            rng.chance(0.5) ? "3 failures within 60 s" : "",
            rng.chance(0.5) ? share() : GpuReading::kNotTold,
            share(),
            share(),
            any_u64(rng),
            any_u64(rng),
            share()};
}

Heartbeat any_heartbeat(Rng& rng) {
    return {any_u64(rng),
            any_u32(rng),
            any_u32(rng),
            any_u32(rng),
            rng.chance(0.5),
            any_cost(rng),
            any_list(rng, wire::kSessionsMax, any_session),
            static_cast<std::int64_t>(rng.next()),
            any_positive(rng),
            any_list(rng, 4, any_gpu)};
}

Dispatch any_dispatch(Rng& rng) {
    Dispatch dispatch;
    dispatch.task = TaskId{1 + any_u64(rng) / 2};
    dispatch.attempt = AttemptNo{1 + any_u64(rng) / 2};
    dispatch.kind = any_enum<TaskKind>(rng, 3);
    dispatch.segment = {any_session(rng), any_u32(rng), any_u64(rng), any_hash(rng)};
    dispatch.bytes = any_u64(rng);
    dispatch.duration_ms = any_positive(rng);
    dispatch.time_left_ms = any_positive(rng);
    dispatch.ladder = any_list(rng, kRenditionsMax, any_spec);
    if (dispatch.ladder.empty())
        dispatch.ladder.push_back(any_spec(rng));
    dispatch.allow_audio_only = rng.chance(0.5);
    dispatch.cost = any_cost(rng);
    dispatch.seam = any_seam(rng);
    return dispatch;
}

TransferId any_transfer(Rng& rng) {
    return {TaskId{1 + any_u64(rng) / 2}, AttemptNo{1 + any_u64(rng) / 2},
            any_enum<Direction>(rng, 2), static_cast<std::uint32_t>(rng.below(kRenditionsMax))};
}

Chunk any_chunk(Rng& rng) {
    Chunk chunk{any_transfer(rng), any_u64(rng) / 2, rng.chance(0.3), 0, {}};
    if (chunk.last || rng.chance(0.5))
        chunk.total = chunk.offset + any_u64(rng) / 2;
    if (chunk.last)
        chunk.sha256 = any_hash(rng);
    return chunk;
}

Fence any_fence(Rng& rng) {
    return {Epoch{any_u64(rng)}, Incarnation{any_u64(rng)}};
}
TaskId any_task(Rng& rng) {
    return TaskId{any_u64(rng)};
}
AttemptNo any_attempt(Rng& rng) {
    return AttemptNo{any_u64(rng)};
}

TranscoderKey any_key(Rng& rng) {
    TranscoderKey key;
    while (key.value.size() < wire::kKeyBytes)
        key.value += static_cast<char>('!' + rng.below(94));
    return key;
}

ToOrchestrator any_to_orchestrator(Rng& rng) {
    switch (rng.below(std::variant_size_v<ToOrchestrator>)) {
        case 0:
            return Enrol{any_key(rng), any_name(rng, wire::kTokenIdBytesMax),
                         any_text(rng, wire::kNameBytesMax)};
        case 1:
            return any_hello(rng);
        case 2:
            return any_heartbeat(rng);
        case 3:
            return SlotGranted{ReservationId{any_u64(rng)}, any_session(rng), any_u32(rng)};
        case 4:
            return SlotRefused{ReservationId{any_u64(rng)}, any_session(rng),
                               any_enum<SlotRefusal>(rng, 5), any_u32(rng), any_sentence(rng)};
        case 5:
            return TaskProgress{any_task(rng),     any_attempt(rng),  any_enum<TaskStage>(rng, 4),
                                any_positive(rng), any_positive(rng), any_positive(rng)};
        case 6:
            return TaskFinished{any_task(rng), any_attempt(rng), any_report(rng), any_seam(rng),
                                any_receipt(rng)};
        case 7:
            return TaskFailed{any_task(rng),     any_attempt(rng), any_enum<ErrorKind>(rng, 7),
                              any_sentence(rng), rng.chance(0.5),  rng.chance(0.5)};
        case 8:
            return Leaving{any_positive(rng)};
        default:
            return Goodbye{any_sentence(rng)};
    }
}

ToTranscoder any_to_transcoder(Rng& rng) {
    switch (rng.below(std::variant_size_v<ToTranscoder>)) {
        case 0:
            return Enrolled{any_text(rng, wire::kNameBytesMax)};
        case 1:
            return JoinRefused{any_enum<JoinRefusal>(rng, 5), any_sentence(rng)};
        case 2:
            return Welcome{any_text(rng, wire::kNameBytesMax),
                           any_text(rng, wire::kEndpointBytesMax),
                           1 + static_cast<std::int64_t>(rng.below(wire::kHeartbeatMsMax)),
                           1 + static_cast<std::int64_t>(rng.below(wire::kLeaseMsMax))};
        case 3:
            return WhoAreYou{};
        case 4:
            return HeartbeatAck{any_u64(rng), static_cast<std::int64_t>(rng.next())};
        case 5:
            return Reserve{ReservationId{any_u64(rng)}, any_session(rng), any_cost(rng),
                           any_u32(rng)};
        case 6:
            return Release{any_session(rng)};
        case 7:
            return any_dispatch(rng);
        case 8:
            return Cancel{any_task(rng), any_attempt(rng), any_enum<CancelReason>(rng, 5)};
        default:
            return DrainRequest{rng.chance(0.5)};
    }
}

PayloadMessage any_payload_message(Rng& rng) {
    switch (rng.below(std::variant_size_v<PayloadMessage>)) {
        case 0:
            return LaneHello{any_u64(rng)};
        case 1:
            return LaneWelcome{any_u64(rng)};
        case 2:
            return any_chunk(rng);
        case 3:
            return Credit{any_transfer(rng), any_u64(rng)};
        case 4:
            return TransferAbort{any_transfer(rng), any_sentence(rng)};
        default:
            return LaneBeat{any_u64(rng)};
    }
}

}  // namespace

FromTranscoder random_from_transcoder(Rng& rng) {
    return {any_fence(rng), any_to_orchestrator(rng)};
}

FromOrchestrator random_from_orchestrator(Rng& rng) {
    return {any_fence(rng), any_to_transcoder(rng)};
}

PayloadEnvelope random_payload(Rng& rng) {
    return {any_fence(rng), any_payload_message(rng)};
}

}  // namespace millrace::test
