// The engine's messages: schemas/engine.capnp <-> common/domain/engine_protocol.h.

#include "common/wire/engine_codec.h"

#include "common/wire/values.h"
#include "schemas/engine.capnp.h"

namespace millrace {

namespace wire {
namespace {

// Overloads in here would hide those of values.h.
using wire::get;
using wire::put;

constexpr EnumTable<ErrorKind, schema::ErrorKind, 7> kErrorKinds{{
    {ErrorKind::bad_input, schema::ErrorKind::BAD_INPUT},
    {ErrorKind::overloaded, schema::ErrorKind::OVERLOADED},
    {ErrorKind::disconnected, schema::ErrorKind::DISCONNECTED},
    {ErrorKind::timeout, schema::ErrorKind::TIMEOUT},
    {ErrorKind::unsupported, schema::ErrorKind::UNSUPPORTED},
    {ErrorKind::device, schema::ErrorKind::DEVICE},
    {ErrorKind::internal, schema::ErrorKind::INTERNAL},
}};

constexpr EnumTable<DecodedBy, schema::DecodedBy, 6> kDecoders{{
    {DecodedBy::gpu, schema::DecodedBy::GPU},
    {DecodedBy::codec, schema::DecodedBy::CODEC},
    {DecodedBy::format, schema::DecodedBy::FORMAT},
    {DecodedBy::refused, schema::DecodedBy::REFUSED},
    {DecodedBy::failed, schema::DecodedBy::FAILED},
    {DecodedBy::no_gpu, schema::DecodedBy::NO_GPU},
}};

constexpr EnumTable<EncodedBy, schema::EncodedBy, 5> kEncoders{{
    {EncodedBy::gpu, schema::EncodedBy::GPU},
    {EncodedBy::codec, schema::EncodedBy::CODEC},
    {EncodedBy::format, schema::EncodedBy::FORMAT},
    {EncodedBy::size, schema::EncodedBy::SIZE},
    {EncodedBy::refused, schema::EncodedBy::REFUSED},
}};

constexpr EnumTable<GpuAbilityKind, schema::GpuAbilityKind, 3> kAbilities{{
    {GpuAbilityKind::decode, schema::GpuAbilityKind::DECODE},
    {GpuAbilityKind::scale, schema::GpuAbilityKind::SCALE},
    {GpuAbilityKind::encode, schema::GpuAbilityKind::ENCODE},
}};

constexpr unsigned kFirstSegmentWords = 256;
constexpr std::int64_t kGpuAbilitiesMax = 32;
constexpr std::size_t kAbilityBytesMax = 32;
constexpr std::int64_t kThreadsMax = 64;
constexpr std::int64_t kNumberMax = std::int64_t{1} << 40;  // bytes, frames: far above any limit

std::int64_t positive(std::int64_t value, std::string_view field) {
    return within(value, 1, kNumberMax, field);
}

std::int32_t side(std::int32_t value, std::string_view field) {
    return static_cast<std::int32_t>(within(value, 1, kSideMax, field));
}

void put(schema::SegmentLimits::Builder out, const SegmentLimits& limits) {
    out.setBodyBytes(limits.body_bytes);
    out.setDurationNs(limits.duration.count());
    out.setFrames(limits.frames);
    out.initPicture().setWidth(limits.picture.width);
    out.getPicture().setHeight(limits.picture.height);
    out.setStreams(limits.streams);
    out.setRenditions(limits.renditions);
    out.setOutputBytes(limits.output_bytes);
}

SegmentLimits get(schema::SegmentLimits::Reader in) {
    SegmentLimits limits;
    const auto bytes = [](std::uint64_t value, std::string_view field) {
        return static_cast<std::uint64_t>(positive(static_cast<std::int64_t>(value), field));
    };
    limits.body_bytes = bytes(in.getBodyBytes(), "SegmentLimits.bodyBytes");
    limits.duration = Duration(
        within(in.getDurationNs(), 1, Duration::max().count(), "SegmentLimits.durationNs"));
    limits.frames = positive(in.getFrames(), "SegmentLimits.frames");
    limits.picture = {side(in.getPicture().getWidth(), "SegmentLimits.picture"),
                      side(in.getPicture().getHeight(), "SegmentLimits.picture")};
    limits.streams =
        static_cast<std::int32_t>(within(in.getStreams(), 1, 1024, "SegmentLimits.streams"));
    limits.renditions = static_cast<std::uint32_t>(
        within(in.getRenditions(), 1, kRenditionsMax, "SegmentLimits.renditions"));
    limits.output_bytes = bytes(in.getOutputBytes(), "SegmentLimits.outputBytes");
    return limits;
}

void put_union(schema::ToEngine::Builder out, const EngineTask& task) {
    auto to = out.initTask();
    put(to.initLadder(), task.ladder);
    to.setSeq(task.seq);
    put(to.initSeam(), task.seam);
    put(to.initLimits(), task.limits);
    to.setAllowAudioOnly(task.allow_audio_only);
    to.setThreads(task.threads);
    auto gpu = to.initGpu(static_cast<unsigned>(task.gpu.size()));
    for (unsigned n = 0; n < gpu.size(); ++n) {
        gpu[n].setKind(to_wire(kAbilities, task.gpu[n].kind));
        gpu[n].setName(as_text(clipped(task.gpu[n].name, kAbilityBytesMax)));
        gpu[n].setWorks(task.gpu[n].works);
        gpu[n].setReason(as_text(clipped(task.gpu[n].reason, kSentenceBytesMax)));
    }
}
void put_union(schema::ToEngine::Builder out, const EngineInputEnd&) {
    out.setInputEnd();
}
void put_union(schema::ToEngine::Builder out, const EngineCancel&) {
    out.setCancel();
}

void put_union(schema::ToEngine::Builder out, const EngineGiveBackMemory&) {
    out.setGiveBackMemory();
}

EngineTask get(schema::EngineTask::Reader in) {
    EngineTask task;
    task.ladder = get(in.getLadder());
    task.seq = in.getSeq();
    task.seam = get(in.getSeam());
    task.limits = get(in.getLimits());
    task.allow_audio_only = in.getAllowAudioOnly();
    task.threads =
        static_cast<std::uint32_t>(within(in.getThreads(), 1, kThreadsMax, "EngineTask.threads"));
    const auto abilities = in.getGpu();
    const auto count =
        static_cast<unsigned>(within(abilities.size(), 0, kGpuAbilitiesMax, "EngineTask.gpu"));
    for (unsigned n = 0; n < count; ++n)
        task.gpu.push_back(
            {known_or(kAbilities, abilities[n].getKind(), GpuAbilityKind::decode),
             text(abilities[n].getName(), kAbilityBytesMax, "GpuAbility.name"),
             abilities[n].getWorks(),
             text(abilities[n].getReason(), kSentenceBytesMax, "GpuAbility.reason")});
    return task;
}

ToEngine get(schema::ToEngine::Reader in) {
    switch (in.which()) {
        case schema::ToEngine::TASK:
            return get(in.getTask());
        case schema::ToEngine::INPUT_END:
            return EngineInputEnd{};
        case schema::ToEngine::CANCEL:
            return EngineCancel{};
        case schema::ToEngine::GIVE_BACK_MEMORY:
            return EngineGiveBackMemory{};
    }
    throw Unfamiliar("unknown ToEngine");
}

void put_union(schema::FromEngine::Builder out, const EngineReady& ready) {
    auto to = out.initReady();
    to.setSystemCalls(ready.walls.system_calls);
    to.setNamespaces(ready.walls.namespaces);
    to.setMemoryBytes(ready.walls.memory_bytes);
    to.setMissing(as_text(clipped(ready.walls.missing, kSentenceBytesMax)));
    to.setDriver(ready.walls.driver);
}
void put_union(schema::FromEngine::Builder out, const EngineProbed& probed) {
    put(out.initProbed(), probed.source);
}
void put_union(schema::FromEngine::Builder out, const EngineProgress& progress) {
    auto to = out.initProgress();
    to.setMediaDoneNs(progress.media_done.count());
    to.setFrames(progress.frames);
}
void put_union(schema::FromEngine::Builder out, const EngineRendition& rendition) {
    put(out.initRendition(), rendition.report);
}
void put_union(schema::FromEngine::Builder out, const StagesUsed& stages) {
    auto to = out.initStages();
    to.setDecoded(to_wire(kDecoders, stages.decoded));
    to.setReason(as_text(clipped(stages.decode_reason, kSentenceBytesMax)));
    to.setDownloads(stages.downloads);
    to.setScaled(stages.scaled);
    to.setScaleReason(as_text(clipped(stages.scale_reason, kSentenceBytesMax)));
    auto encoded = to.initEncoded(static_cast<unsigned>(stages.encoded.size()));
    for (unsigned n = 0; n < encoded.size(); ++n)
        encoded.set(n, to_wire(kEncoders, stages.encoded[n]));
    to.setEncodeReason(as_text(clipped(stages.encode_reason, kSentenceBytesMax)));
    to.setUploads(stages.uploads);
}
void put_union(schema::FromEngine::Builder out, const EngineSpent&) {
    out.setSpent();
}
void put_union(schema::FromEngine::Builder out, const EngineFinished& finished) {
    auto to = out.initFinished();
    put(to.initReport(), finished.report);
    put(to.initSeam(), finished.report.seam);
}
void put_union(schema::FromEngine::Builder out, const EngineFailed& failed) {
    auto to = out.initFailed();
    to.setKind(to_wire(kErrorKinds, failed.kind));
    to.setMessage(as_text(clipped(failed.message, kSentenceBytesMax)));
}

EngineWalls get(schema::EngineWalls::Reader in) {
    return {in.getSystemCalls(), in.getNamespaces(), in.getMemoryBytes(),
            text(in.getMissing(), kSentenceBytesMax, "EngineWalls.missing"), in.getDriver()};
}

StagesUsed get(schema::StagesUsed::Reader in) {
    StagesUsed stages;
    stages.decoded = known_or(kDecoders, in.getDecoded(), DecodedBy::no_gpu);
    stages.decode_reason = text(in.getReason(), kSentenceBytesMax, "StagesUsed.reason");
    stages.downloads = non_negative(in.getDownloads(), "StagesUsed.downloads");
    stages.scaled = non_negative(in.getScaled(), "StagesUsed.scaled");
    stages.scale_reason = text(in.getScaleReason(), kSentenceBytesMax, "StagesUsed.scaleReason");
    const auto encoded = in.getEncoded();
    const auto count =
        static_cast<unsigned>(within(encoded.size(), 0, kRenditionsMax, "StagesUsed.encoded"));
    for (unsigned n = 0; n < count; ++n)
        stages.encoded.push_back(known_or(kEncoders, encoded[n], EncodedBy::codec));
    stages.encode_reason = text(in.getEncodeReason(), kSentenceBytesMax, "StagesUsed.encodeReason");
    stages.uploads = non_negative(in.getUploads(), "StagesUsed.uploads");
    return stages;
}

EngineProgress get(schema::EngineProgress::Reader in) {
    return {Duration(non_negative(in.getMediaDoneNs(), "EngineProgress.mediaDoneNs")),
            non_negative(in.getFrames(), "EngineProgress.frames")};
}

EngineFinished get(schema::EngineFinished::Reader in) {
    EngineFinished finished{get(in.getReport())};
    finished.report.seam = get(in.getSeam());
    return finished;
}

EngineFailed get(schema::EngineFailed::Reader in) {
    return {known_or(kErrorKinds, in.getKind(), ErrorKind::internal),
            text(in.getMessage(), kSentenceBytesMax, "EngineFailed.message")};
}

FromEngine get(schema::FromEngine::Reader in) {
    switch (in.which()) {
        case schema::FromEngine::READY:
            return EngineReady{get(in.getReady())};
        case schema::FromEngine::PROBED:
            return EngineProbed{get(in.getProbed())};
        case schema::FromEngine::PROGRESS:
            return get(in.getProgress());
        case schema::FromEngine::RENDITION:
            return EngineRendition{get(in.getRendition())};
        case schema::FromEngine::FINISHED:
            return get(in.getFinished());
        case schema::FromEngine::FAILED:
            return get(in.getFailed());
        case schema::FromEngine::SPENT:
            return EngineSpent{};
        case schema::FromEngine::STAGES:
            return get(in.getStages());
    }
    throw Unfamiliar("unknown FromEngine");
}

template <class Schema, class Own>
std::vector<std::uint8_t> encode_union(const Own& own) {
    capnp::MallocMessageBuilder message(kFirstSegmentWords);
    auto root = message.initRoot<Schema>();
    std::visit([&](const auto& one) { put_union(root, one); }, own);
    return to_bytes(message);
}

// Both ends are one binary: what one does not know is as broken as what breaks a rule.
template <class Schema, class Own>
Result<Own> decode_union(std::span<const std::uint8_t> bytes) {
    using Outcome = Result<Own>;
    Result<Outcome> opened = open_message(
        bytes, kEngineMessageBytesMax,
        [](capnp::MessageReader& reader) -> Outcome { return get(reader.getRoot<Schema>()); },
        [](std::string what) -> Outcome { return error(ErrorKind::bad_input, std::move(what)); });
    if (!opened)
        return opened.error();
    return std::move(*opened);
}

}  // namespace
}  // namespace wire

std::vector<std::uint8_t> encode(const ToEngine& message) {
    return wire::encode_union<schema::ToEngine>(message);
}

std::vector<std::uint8_t> encode(const FromEngine& message) {
    return wire::encode_union<schema::FromEngine>(message);
}

Result<ToEngine> decode_to_engine(std::span<const std::uint8_t> bytes) {
    return wire::decode_union<schema::ToEngine, ToEngine>(bytes);
}

Result<FromEngine> decode_from_engine(std::span<const std::uint8_t> bytes) {
    return wire::decode_union<schema::FromEngine, FromEngine>(bytes);
}

}  // namespace millrace
