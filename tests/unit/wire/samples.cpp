#include "tests/unit/wire/samples.h"

#include <chrono>

namespace millrace::test {

namespace {

using namespace std::chrono_literals;

const Fence kFence{Epoch{7}, Incarnation{0x1122334455667788}};
const SessionId kSession{"0123456789abcdef0123456789abcdef"};
const TaskId kTask{41};
const AttemptNo kAttempt{2};

Sha256 counting(std::uint8_t from) {
    Sha256 hash;
    for (auto& byte : hash)
        byte = from++;
    return hash;
}

Cost cost() {
    return {55'296'000, 33'177'600, 3, 1'250'000, 165'888'000, 66'355'200};
}

Ladder ladder() {
    RenditionSpec first;
    first.name = "720p";
    first.width = 1280;
    first.height = 720;
    first.bitrate = 3'000'000;
    first.fps = {30000, 1001};
    first.profile = VideoProfile::high;
    first.gop_ms = 2000;
    first.codec = VideoCodec::hevc;
    first.color_depth = 10;
    first.chroma = ChromaFormat::yuv422;
    first.quality = 23;
    first.container = Container::mp4;
    first.audio = {AudioMode::encode, AudioCodec::opus, 96'000, 48'000, 2};
    first.preset = "fast";
    first.upscale = Upscale::never;
    first.bypass = Bypass::if_fits;
    first.data = DataStreams::drop;
    first.scaling = Scaling::cascaded;
    RenditionSpec second;
    second.name = "240p";
    second.width = 426;
    second.gop_ms = kGopIntra;
    return {first, second};
}

TranscodeReport report() {
    TranscodeReport report;
    report.source = {Container::mpegts, VideoCodec::h264,
                     AudioCodec::aac,   {1920, 1080},
                     {25, 1},           50,
                     103'680'000,       2s,
                     -40'000,           "avc1.640028,mp4a.40.2"};
    report.renditions = {{0,
                          "720p",
                          Container::mp4,
                          749'000,
                          counting(1),
                          {1280, 720},
                          60,
                          55'296'000,
                          2002ms,
                          {30000, 1001},
                          "hvc1.2.4.L93.B0,Opus",
                          2'996'000,
                          1234,
                          counting(2),
                          750'000,
                          true}};
    report.skipped = {{1, "240p", "its picture would be larger than the source's"}};
    report.warnings = {"the segment does not start with a key frame"};
    report.times = {1100, 212'000, 31'000, 640'000, 9000, 910'000};
    report.splices = {{-40'000, 30'000'000, 77, SpliceKind::out, {0xfc, 0x30, 0x11}}};
    report.cpu_us = 815'000;
    return report;
}

Hello hello() {
    Hello hello;
    hello.name = "mill-1";
    hello.version = "0.1.0";
    hello.nonce = 0xfedcba9876543210;
    hello.slots = 4;
    hello.capabilities = {{VideoCodec::h264, VideoCodec::hevc},
                          {VideoCodec::h264},
                          {AudioCodec::aac, AudioCodec::opus},
                          {Container::mpegts, Container::mp4},
                          10};
    hello.capacity = {cost(), {2'100, 640, 8'800, 1'900'000'000'000}};
    hello.devices = {{"cpu", "8 cores", 3}, {"cuda", "NVIDIA H100", 1}};
    hello.labels = {{"tier", "backup"}, {"zone", "a"}};
    hello.held = {{kTask, kAttempt}, {TaskId{42}, AttemptNo{1}}};
    hello.held_epoch = Epoch{6};
    hello.signer = SignerKey{counting(96)};
    return hello;
}

Dispatch dispatch() {
    Dispatch dispatch;
    dispatch.task = kTask;
    dispatch.attempt = kAttempt;
    dispatch.kind = TaskKind::transcode;
    dispatch.segment = {kSession, 1, 9'000, counting(64)};
    dispatch.bytes = 1'048'577;
    dispatch.duration_ms = 2000;
    dispatch.time_left_ms = 5900;
    dispatch.ladder = ladder();
    dispatch.allow_audio_only = true;
    dispatch.cost = cost();
    dispatch.seam.vbv_fill_bits = {1'000'000, 0};
    dispatch.seam.rate_factors_milli = {23'000, 0};
    dispatch.seam.frame_rate = {30000, 1001};
    dispatch.seam.constant_rate = true;
    dispatch.seam.sound = {counting(9), {{-1920, {0xff, 0xf1}}, {0, {0x21}}}};
    return dispatch;
}

TransferId rendition_transfer() {
    return {kTask, kAttempt, Direction::to_orchestrator, 1};
}

}  // namespace

std::vector<Sample<FromTranscoder>> transcoder_samples() {
    const TranscoderKey key{"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"};
    return {
        {"enrol", {kFence, Enrol{key, "00ff00ff", "mill-1"}}},
        {"hello", {kFence, hello()}},
        {"heartbeat",
         {kFence, Heartbeat{12,
                            4,
                            1,
                            3,
                            true,
                            cost(),
                            {kSession, SessionId{"s2"}},
                            -5,
                            830,
                            {GpuReading{1, "NVIDIA H200", 3, 2, "3 failures within 60 s", 410, 250,
                                        GpuReading::kNotTold, 1 << 30, 139LL << 30, 54}}}}},
        {"slot_granted", {kFence, SlotGranted{ReservationId{5}, kSession, 3}}},
        {"slot_refused",
         {kFence, SlotRefused{ReservationId{5}, kSession, SlotRefusal::draining, 0, "leaving"}}},
        {"task_progress",
         {kFence, TaskProgress{kTask, kAttempt, TaskStage::running, 480'000, 2'000'000, 12}}},
        {"task_finished",
         {kFence,
          TaskFinished{kTask,
                       kAttempt,
                       report(),
                       {{9000, 0}, {23'500, 0}, {}, {}},
                       ReceiptStub{{1'764'240'000'000}, "millrace 0.1", "cpu", {1, 2, 3}}}}},
        {"task_failed",
         {kFence, TaskFailed{kTask, kAttempt, ErrorKind::device, "encoder gone", true, true}}},
        {"leaving", {kFence, Leaving{30'000}}},
        {"goodbye", {kFence, Goodbye{"drained"}}},
    };
}

std::vector<Sample<FromOrchestrator>> orchestrator_samples() {
    return {
        {"enrolled", {kFence, Enrolled{"mill-1-2"}}},
        {"join_refused", {kFence, JoinRefused{JoinRefusal::foreign, "token of another one"}}},
        {"welcome", {kFence, Welcome{"mill-1", "10.0.0.1:8937", 500, 2500}}},
        {"who_are_you", {kFence, WhoAreYou{}}},
        {"heartbeat_ack", {kFence, HeartbeatAck{12, -5}}},
        {"reserve", {kFence, Reserve{ReservationId{5}, kSession, cost(), 1}}},
        {"release", {kFence, Release{kSession}}},
        {"dispatch", {kFence, dispatch()}},
        {"cancel", {kFence, Cancel{kTask, kAttempt, CancelReason::stalled}}},
        {"drain_request", {kFence, DrainRequest{true}}},
    };
}

std::vector<Sample<PayloadEnvelope>> payload_samples() {
    const TransferId source{kTask, kAttempt, Direction::to_transcoder, 0};
    return {
        {"lane_hello", {kFence, LaneHello{0xfedcba9876543210}}},
        {"lane_welcome", {kFence, LaneWelcome{0xfedcba9876543210}}},
        {"chunk", {kFence, Chunk{source, 262'144, false, 0, {}}}},
        {"chunk_last", {kFence, Chunk{rendition_transfer(), 524'288, true, 749'000, counting(1)}}},
        {"credit", {kFence, Credit{source, 1'310'720}}},
        {"transfer_abort", {kFence, TransferAbort{rendition_transfer(), "task cancelled"}}},
        {"lane_beat", {kFence, LaneBeat{99}}},
    };
}

}  // namespace millrace::test
