#include "common/wire/codec.h"
#include "common/wire/limits.h"
#include "tests/support/catch.h"
#include "tests/unit/wire/random_messages.h"

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr int kRounds = 600;

template <class Message, class Make, class Decode>
void round_trips(Make make, Decode decode) {
    for (std::uint64_t seed = 1; seed <= kRounds; ++seed) {
        Rng rng(seed);
        const Message message = make(rng);
        const auto decoded = decode(encode(message));
        INFO("seed " << seed << ", message " << message.message.index());
        if (!decoded)
            FAIL(decoded.error().message);
        REQUIRE(std::holds_alternative<Message>(*decoded));
        REQUIRE((std::get<Message>(*decoded) == message));
    }
}

Result<std::variant<FromOrchestrator, Ignored>> reread(const FromOrchestrator& message) {
    return decode_from_orchestrator(encode(message));
}

Dispatch a_dispatch() {
    Dispatch dispatch;
    dispatch.task = TaskId{1};
    dispatch.attempt = AttemptNo{1};
    dispatch.segment.session = SessionId{"s"};
    dispatch.ladder.resize(1);
    dispatch.ladder[0].name = "360p";
    return dispatch;
}

bool refused(const Dispatch& dispatch) {
    const auto decoded = reread({{Epoch{1}, Incarnation{1}}, dispatch});
    return !decoded && decoded.error().kind == ErrorKind::bad_input;
}

}  // namespace

TEST_CASE("any message comes back as it was", "[wire]") {
    round_trips<FromTranscoder>(random_from_transcoder,
                                [](const auto& bytes) { return decode_from_transcoder(bytes); });
    round_trips<FromOrchestrator>(random_from_orchestrator, [](const auto& bytes) {
        return decode_from_orchestrator(bytes);
    });
    round_trips<PayloadEnvelope>(random_payload,
                                 [](const auto& bytes) { return decode_payload(bytes); });
}

TEST_CASE("every message inside the bounds fits into a frame of its lane", "[wire]") {
    Hello hello;
    hello.name = std::string(wire::kNameBytesMax, 'n');
    hello.devices.resize(wire::kDevicesMax);
    for (auto& device : hello.devices)
        device = {std::string(wire::kDeviceKindBytesMax, 'k'),
                  std::string(wire::kDeviceNameBytesMax, 'd'), 1};
    for (std::size_t i = 0; i < wire::kLabelsMax; ++i)
        hello.labels[std::to_string(100 + i) + std::string(wire::kLabelKeyBytesMax - 3, 'k')] =
            std::string(wire::kLabelValueBytesMax, 'v');
    hello.held.resize(wire::kHeldTasksMax);
    CHECK(encode(FromTranscoder{{}, hello}).size() <= wire::kControlBytesMax);

    TaskFinished finished;
    finished.report.warnings.resize(wire::kWarningsMax, std::string(wire::kSentenceBytesMax, 'w'));
    finished.report.skipped.resize(kRenditionsMax,
                                   {0, "name", std::string(wire::kSentenceBytesMax, 'r')});
    CHECK(encode(FromTranscoder{{}, finished}).size() <= wire::kControlBytesMax);

    Heartbeat beat;
    beat.sessions.resize(wire::kSessionsMax, SessionId{std::string(wire::kSessionIdBytesMax, 's')});
    GpuReading gpu;
    gpu.name.assign(wire::kDeviceNameBytesMax, 'n');
    gpu.quarantine.assign(wire::kSentenceBytesMax, 'q');
    beat.gpus.resize(wire::kDevicesMax, gpu);
    CHECK(encode(FromTranscoder{{}, beat}).size() <= wire::kControlBytesMax);

    const TransferAbort abort{{TaskId{1}, AttemptNo{1}, Direction::to_transcoder, 0},
                              std::string(wire::kSentenceBytesMax, 'r')};
    CHECK(encode(PayloadEnvelope{{}, abort}).size() <= wire::kPayloadHeadBytesMax);
}

TEST_CASE("a sentence that is too long loses its tail, never half a character", "[wire]") {
    std::string long_text(wire::kSentenceBytesMax - 1, 'x');
    long_text += "\xc3\xa4 and more";  // the two bytes of one character straddle the bound
    const auto decoded = decode_from_transcoder(encode(FromTranscoder{{}, Goodbye{long_text}}));
    REQUIRE(decoded.has_value());
    CHECK(std::get<Goodbye>(std::get<FromTranscoder>(*decoded).message).reason ==
          std::string(wire::kSentenceBytesMax - 1, 'x'));
}

TEST_CASE("values that make no sense are refused", "[wire]") {
    REQUIRE_FALSE(refused(a_dispatch()));
    const auto with = [](auto change) {
        Dispatch dispatch = a_dispatch();
        change(dispatch);
        return refused(dispatch);
    };
    CHECK(with([](Dispatch& d) { d.task = TaskId{}; }));
    CHECK(with([](Dispatch& d) { d.attempt = AttemptNo{}; }));
    CHECK(with([](Dispatch& d) { d.ladder.clear(); }));
    CHECK(with([](Dispatch& d) { d.ladder.resize(kRenditionsMax + 1, d.ladder[0]); }));
    CHECK(with([](Dispatch& d) { d.ladder[0].name = "../../etc/passwd"; }));
    CHECK(with([](Dispatch& d) { d.ladder[0].name = ".."; }));
    CHECK(with([](Dispatch& d) { d.ladder[0].width = -2; }));
    CHECK(with([](Dispatch& d) { d.ladder[0].bitrate = -1; }));
    CHECK(with([](Dispatch& d) { d.ladder[0].fps = {30, 0}; }));
    CHECK(with([](Dispatch& d) { d.ladder[0].gop_ms = -2; }));
    CHECK(with([](Dispatch& d) { d.ladder[0].quality = 64; }));
    CHECK(with([](Dispatch& d) { d.segment.session = SessionId{}; }));
    CHECK(with([](Dispatch& d) { d.duration_ms = -1; }));
    CHECK(with([](Dispatch& d) { d.cost.encode_pixels = -1; }));
    CHECK(with([](Dispatch& d) { d.seam.vbv_fill_bits = {-1}; }));
    CHECK(with([](Dispatch& d) { d.seam.rate_factors_milli = {-1}; }));
    const std::vector<std::uint8_t> byte{1};
    CHECK(with([](Dispatch& d) { d.seam.sound.packets = {{0, {}}}; }));
    CHECK(with([&](Dispatch& d) { d.seam.sound.packets = {{kSoundTimeMax + 1, byte}}; }));
    CHECK(with([&](Dispatch& d) { d.seam.sound.packets = {{-kSoundTimeMax - 1, byte}}; }));
    CHECK(with([&](Dispatch& d) {
        d.seam.sound.packets.assign(kSoundPacketsMax + 1, SoundPacket{0, byte});
    }));
    CHECK(with([](Dispatch& d) {
        d.seam.sound.packets = {{0, std::vector<std::uint8_t>(kSoundBytesMax)}, {1, {1}}};
    }));
}

TEST_CASE("a chunk that ends before it begins is refused", "[wire]") {
    const TransferId transfer{TaskId{1}, AttemptNo{1}, Direction::to_transcoder, 0};
    CHECK_FALSE(decode_payload(encode({{}, Chunk{transfer, 100, true, 99, {}}})).has_value());
    CHECK_FALSE(decode_payload(encode({{}, Chunk{transfer, 100, false, 99, {}}})).has_value());
    CHECK(decode_payload(encode({{}, Chunk{transfer, 100, true, 100, {}}})).has_value());
    CHECK(decode_payload(encode({{}, Chunk{transfer, 100, false, 0, {}}})).has_value());
}
