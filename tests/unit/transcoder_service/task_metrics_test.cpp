#include "transcoder/task_metrics.h"

#include "tests/support/catch.h"

namespace millrace::transcoder {
namespace {

bool has(const std::string& page, const std::string& line) {
    return page.find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("tasks are counted by outcome, and those that were refused were never ours",
          "[transcoder][metrics]") {
    TaskMetrics metrics("1.2.3");
    for (const char* outcome : {"ok", "ok", "bad_input", "failed", "cancelled", "refused"})
        metrics.task_ended(outcome);
    const std::string page = metrics.exposition({});
    CHECK(has(page, R"(millrace_transcoder_tasks_total{outcome="ok"} 2)"));
    CHECK(has(page, R"(millrace_transcoder_tasks_total{outcome="bad_input"} 1)"));
    CHECK(has(page, R"(millrace_transcoder_tasks_total{outcome="failed"} 1)"));
    CHECK(has(page, R"(millrace_transcoder_tasks_total{outcome="cancelled"} 1)"));
    CHECK(page.find(R"(outcome="refused")") == std::string::npos);
}

TEST_CASE("what an engine made is counted in frames, pixels and seconds", "[transcoder][metrics]") {
    TaskMetrics metrics("1.2.3");
    TranscodeReport report;
    report.source.frames = 60;
    report.source.pixels = 6000;
    report.renditions.resize(2);
    report.renditions[0].frames = report.renditions[1].frames = 30;
    report.renditions[0].pixels = report.renditions[1].pixels = 300;
    report.times.decode_us = 250'000;
    metrics.transcoded(report);
    metrics.received(std::chrono::milliseconds(500));
    const std::string page = metrics.exposition({});
    CHECK(has(page, R"(millrace_transcoder_frames_total{kind="decoded"} 60)"));
    CHECK(has(page, R"(millrace_transcoder_frames_total{kind="encoded"} 60)"));
    CHECK(has(page, R"(millrace_transcoder_pixels_total{kind="encoded"} 600)"));
    CHECK(has(page, R"(millrace_transcoder_task_seconds_sum{stage="decode"} 0.25)"));
    CHECK(has(page, R"(millrace_transcoder_task_seconds_sum{stage="receive"} 0.5)"));
}

TEST_CASE("gauges show the core as it is when the page is asked for", "[transcoder][metrics]") {
    TaskMetrics metrics("1.2.3");
    metrics.link("10.0.0.1:8936", true);
    CoreStatus status;
    status.slots = 4;
    status.slots_reserved = 3;
    status.tasks_active = 2;
    const std::string page = metrics.exposition(status);
    CHECK(has(page, "millrace_transcoder_slots 4"));
    CHECK(has(page, "millrace_transcoder_slots_reserved 3"));
    CHECK(has(page, "millrace_transcoder_tasks_active 2"));
    CHECK(has(page, R"(millrace_transcoder_link_up{orchestrator="10.0.0.1:8936"} 1)"));
    metrics.link("10.0.0.1:8936", false);
    CHECK(has(metrics.exposition(status),
              R"(millrace_transcoder_link_up{orchestrator="10.0.0.1:8936"} 0)"));
}

TEST_CASE("of a GPU there is a series for what it tells, and none for what it no longer tells",
          "[transcoder][metrics][gpu]") {
    TaskMetrics metrics("1.2.3");
    gpu::Reading reading;
    reading.index = 1;
    reading.encoder = 0.4;
    reading.memory_used = 1024;
    reading.encoder_sessions = 3;
    reading.throttled = {"thermal"};
    metrics.gpus({reading});
    std::string page = metrics.exposition({});
    CHECK(has(page, R"(millrace_transcoder_gpu_utilization_ratio{engine="encoder",gpu="1"} 0.4)"));
    CHECK(has(page, R"(millrace_transcoder_gpu_memory_bytes{gpu="1",kind="used"} 1024)"));
    CHECK(has(page, R"(millrace_transcoder_gpu_encoder_sessions{gpu="1"} 3)"));
    CHECK(has(page, R"(millrace_transcoder_gpu_throttled{gpu="1"} 1)"));
    CHECK(has(page, R"(millrace_transcoder_gpu_xid{gpu="1"} 0)"));
    CHECK(page.find("gpu_power_watts{") == std::string::npos);

    reading.encoder.reset();
    metrics.gpus({reading});
    page = metrics.exposition({});
    CHECK(page.find("gpu_utilization_ratio{") == std::string::npos);
    CHECK(has(page, R"(millrace_transcoder_gpu_encoder_sessions{gpu="1"} 3)"));
}

TEST_CASE("of a GPU in use its state, sessions and failures are told, and who decoded what",
          "[transcoder][metrics][gpu]") {
    TaskMetrics metrics("1.2.3");
    gpu::GpuRecord record;
    record.gpu.index = 1;
    record.state = gpu::GpuState::quarantined;
    record.use = {2, 3};
    gpu::Reading reading;
    reading.index = 1;
    for (int page = 0; page < 2; ++page) {  // a total is none that forgets
        metrics.gpus({reading});
        metrics.gpu_states({record});
    }
    metrics.stages({.decoded = DecodedBy::gpu,
                    .scaled = 50,
                    .encoded = {EncodedBy::gpu, EncodedBy::size},
                    .downloads = 50});
    metrics.stages({.decoded = DecodedBy::format});
    const std::string page = metrics.exposition({});
    CHECK(has(page, R"(millrace_transcoder_gpu_state{gpu="1",state="quarantined"} 1)"));
    CHECK(has(page, R"(millrace_transcoder_gpu_state{gpu="1",state="ready"} 0)"));
    CHECK(has(page, R"(millrace_transcoder_gpu_sessions{gpu="1"} 2)"));
    CHECK(has(page, R"(millrace_transcoder_gpu_failures_total{gpu="1"} 3)"));
    CHECK(has(page, R"(millrace_transcoder_gpu_segments_total{decoded="gpu"} 1)"));
    CHECK(has(page, R"(millrace_transcoder_gpu_segments_total{decoded="format"} 1)"));
    CHECK(has(page, R"(millrace_transcoder_gpu_renditions_total{encoded="size"} 1)"));
    CHECK(has(page, R"(millrace_transcoder_gpu_renditions_total{encoded="refused"} 0)"));
    CHECK(has(page, R"(millrace_transcoder_gpu_scaled_total 50)"));
    CHECK(has(page, R"(millrace_transcoder_gpu_segments_total{decoded="failed"} 0)"));
    CHECK(has(page, "millrace_transcoder_gpu_downloads_total 50"));
}

}  // namespace millrace::transcoder
