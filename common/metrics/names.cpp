#include "common/metrics/names.h"

#include "common/domain/api_code.h"
#include "common/domain/protocol.h"
#include "common/domain/stages_used.h"

namespace millrace::metrics {
namespace {

// From the domain's own tables, so that they cannot drift apart.
std::vector<std::string> api_codes() {
    std::vector<std::string> codes;
    for (int i = 0; i < kApiCodeCount; ++i)
        codes.emplace_back(name(static_cast<ApiCode>(i)));
    return codes;
}

std::vector<std::string> join_refusals() {
    std::vector<std::string> reasons;
    for (int i = 0; i <= static_cast<int>(JoinRefusal::protocol); ++i)
        reasons.emplace_back(to_string(static_cast<JoinRefusal>(i)));
    return reasons;
}

const std::vector<double> kSegmentBuckets{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30};
const std::vector<double> kCommitBuckets{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                         0.05,   0.1,   0.25,   0.5,   1,    2.5};
const std::vector<double> kRatioBuckets{0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 5, 10, 20, 50};

const Label kTranscoder{"transcoder", {}};
const Label kVersion{"version", {}};
const Label kGpu{"gpu", {}};
const Label kKind{"kind", {"decoded", "encoded"}};

}  // namespace

namespace orchestrator_metrics {
const GaugeDef sessions_active{{"sessions_active", "Sessions holding a slot"}};
const GaugeDef sessions_limit{{"sessions_limit",
                               "Sessions that each limit allows; +Inf where it sets none",
                               {{"limit", {"operator", "transcoders", "stake"}}}}};
const CounterDef sessions_opened_total{{"sessions_opened_total", "Sessions opened"}};
const CounterDef sessions_refused_total{
    {"sessions_refused_total", "Sessions refused, by the code given", {{"code", api_codes()}}}};
const CounterDef sessions_ended_total{
    {"sessions_ended_total", "Sessions ended", {{"reason", {"idle", "requested", "replaced"}}}}};
const CounterDef sessions_shed_total{
    {"sessions_shed_total", "Sessions that lost their slot because they fitted nowhere"}};
const GaugeDef transcoders{{"transcoders",
                            "Transcoders, by state",
                            {{"state", {"ready", "draining", "cordoned", "quarantined", "lost"}}}}};
const GaugeDef transcoder_up{
    {"transcoder_up", "1 while the transcoder's lease runs, else 0", {kTranscoder}}};
const GaugeDef transcoder_capacity{
    {"transcoder_capacity", "Slots the transcoder advertises", {kTranscoder}}};
const GaugeDef transcoder_load{{"transcoder_load", "Slots reserved on it", {kTranscoder}}};
const CounterDef transcoder_pixels_total{
    {"transcoder_pixels_total", "Pixels it encoded in committed segments", {kTranscoder}}};
const CounterDef transcoder_segments_total{{"transcoder_segments_total",
                                            "Attempts it ended, by outcome",
                                            {kTranscoder, {"outcome", {"ok", "failed"}}}}};
const CounterDef joins_refused_total{
    {"joins_refused_total", "Transcoders turned away", {{"reason", join_refusals()}}}};
const CounterDef segments_total{
    {"segments_total",
     "Segments, by what became of them",
     {{"outcome", {"ok", "bad_input", "failed", "refused", "cancelled"}}}}};
const CounterDef attempts_total{
    {"attempts_total",
     "Attempts to transcode a segment, by outcome",
     {{"outcome",
       {"ok", "failed", "stalled", "lost", "refused", "superseded", "late", "bad_result"}}}}};
const CounterDef retries_total{
    {"retries_total",
     "Further attempts started, by what ended the one before",
     {{"reason", {"failed", "stalled", "lost", "refused", "late", "bad_result", "headers"}}}}};
const CounterDef hedges_total{{"hedges_total",
                               "Second attempts started beside a slow first one, by outcome",
                               {{"outcome", {"won", "lost"}}}}};
const CounterDef stale_results_total{
    {"stale_results_total",
     "Results dropped because they were not the attempt on record",
     {{"reason", {"epoch", "incarnation", "attempt", "duplicate"}}}}};
const HistogramDef segment_seconds{
    {"segment_seconds",
     "Time a segment spends in each stage; total starts at the last body byte",
     {{"stage", {"upload", "queue", "send", "transcode", "receive", "total"}}}},
    kSegmentBuckets};
const HistogramDef realtime_ratio{
    {"realtime_ratio", "Duration of a segment / time the engine worked on it"}, kRatioBuckets};
const CounterDef pixels_total{{"pixels_total", "Pixels of committed segments", {kKind}}};
const GaugeDef ledger_rows{{"ledger_rows", "Segments ever booked"}};
const CounterDef ledger_seconds_total{
    {"ledger_seconds_total",
     "Seconds of media booked; a segment counts once, however often it is answered"}};
const CounterDef ledger_frames_total{{"ledger_frames_total", "Frames booked", {kKind}}};
const CounterDef ledger_pixels_total{{"ledger_pixels_total", "Pixels booked", {kKind}}};
const CounterDef ledger_bytes_total{
    {"ledger_bytes_total", "Bytes booked", {{"kind", {"source", "encoded"}}}}};
const CounterDef payload_bytes_total{{"payload_bytes_total",
                                      "Bytes on the payload lanes",
                                      {{"direction", {"to_transcoder", "to_orchestrator"}}}}};
const GaugeDef payload_buffered_bytes{
    {"payload_buffered_bytes", "Payload bytes held for segments in flight"}};
const GaugeDef payload_budget_bytes{{"payload_budget_bytes", "Payload bytes that may be held"}};
const GaugeDef stake_tokens{{"stake_tokens", "LPT staked, as last read; 0 = not known"}};
const GaugeDef stake_active{
    {"stake_active", "1 while stake was read and lets the orchestrator work, else 0"}};
const GaugeDef stake_age_seconds{
    {"stake_age_seconds", "Time since stake was last read; 0 = never"}};
const HistogramDef store_commit_seconds{
    {"store_commit_seconds", "Time until a committed segment is on disk"}, kCommitBuckets};
const CounterDef store_errors_total{{"store_errors_total", "Writes that the store could not do"}};
const GaugeDef data_dir_free_bytes{
    {"data_dir_free_bytes", "Free bytes in the file system of the data directory"}};
const GaugeDef build_info{{"build_info", "1, with the version as label", {kVersion}}};
}  // namespace orchestrator_metrics

namespace transcoder_metrics {
const GaugeDef tasks_active{{"tasks_active", "Tasks running"}};
const GaugeDef slots{{"slots", "Slots advertised"}};
const GaugeDef slots_reserved{{"slots_reserved", "Slots granted to sessions"}};
const CounterDef tasks_total{{"tasks_total",
                              "Tasks ended, by outcome",
                              {{"outcome", {"ok", "bad_input", "failed", "cancelled"}}}}};
const HistogramDef task_seconds{
    {"task_seconds",
     "Time a task spends in each stage",
     {{"stage", {"receive", "decode", "scale", "encode", "send", "total"}}}},
    kSegmentBuckets};
const CounterDef frames_total{{"frames_total", "Frames", {kKind}}};
const CounterDef pixels_total{{"pixels_total", "Pixels", {kKind}}};
const CounterDef engine_restarts_total{
    {"engine_restarts_total",
     "Engine processes started again, by why the one before ended",
     {{"reason",
       {"crash", "memory", "forbidden_call", "device", "moved", "timeout", "cancelled",
        "spent"}}}}};
const GaugeDef link_up{
    {"link_up", "1 while joined to the orchestrator, else 0", {{"orchestrator", {}}}}};
const GaugeDef gpu_utilization_ratio{{"gpu_utilization_ratio",
                                      "Share of the time in which a unit of the GPU is at work",
                                      {kGpu, {"engine", {"sm", "encoder", "decoder", "memory"}}}}};
const GaugeDef gpu_memory_bytes{
    {"gpu_memory_bytes", "Memory of the GPU", {kGpu, {"kind", {"used", "total"}}}}};
const GaugeDef gpu_temperature_celsius{
    {"gpu_temperature_celsius", "Temperature of the GPU", {kGpu}}};
const GaugeDef gpu_power_watts{{"gpu_power_watts", "Power that the GPU draws", {kGpu}}};
const GaugeDef gpu_encoder_sessions{
    {"gpu_encoder_sessions", "Encoders open on the GPU, of all processes", {kGpu}}};
const GaugeDef gpu_state{{"gpu_state",
                          "1 for the state that a GPU of --nvidia is in",
                          {kGpu, {"state", {"ready", "unusable", "quarantined"}}}}};
const GaugeDef gpu_sessions{{"gpu_sessions", "Sessions on a GPU of --nvidia", {kGpu}}};
const CounterDef gpu_failures_total{
    {"gpu_failures_total", "Times that a GPU of --nvidia failed an engine", {kGpu}}};
const CounterDef gpu_segments_total{
    {"gpu_segments_total",
     "Segments of a transcoder with GPUs: decoded by one (gpu), or why the CPU decoded",
     {{"decoded", {kDecodedBy.begin(), kDecodedBy.end()}}}}};
const CounterDef gpu_downloads_total{
    {"gpu_downloads_total", "Copies of pictures over the bus from a GPU"}};
const CounterDef gpu_uploads_total{{"gpu_uploads_total", "Pictures that crossed the bus to a GPU"}};
const CounterDef gpu_scaled_total{
    {"gpu_scaled_total", "Pictures of sources that a GPU scaled to their renditions"}};
const CounterDef gpu_renditions_total{
    {"gpu_renditions_total",
     "Renditions made in engines with a GPU: encoded by it (gpu), or why the CPU encoded",
     {{"encoded", {kEncodedBy.begin(), kEncodedBy.end()}}}}};
const GaugeDef gpu_throttled{
    {"gpu_throttled", "1 while power, heat or hardware holds the GPU's clocks down", {kGpu}}};
const GaugeDef gpu_xid{{"gpu_xid",
                        "Number of the last critical error (Xid) of the GPU since start; 0 = none",
                        {kGpu}}};
const GaugeDef build_info{{"build_info", "1, with the version as label", {kVersion}}};
}  // namespace transcoder_metrics

// Buckets as in go-livepeer's monitor package.
namespace livepeer_metrics {
namespace {
const std::vector<double> kTimes{0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 10};
const std::vector<double> kScores{0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 10, 15, 20, 40};
const std::vector<double> kDurations{0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 10, 15, 20};
const Label kNode{"node_type", {"orch"}};
}  // namespace
const GaugeDef versions{
    {"versions", "1, with the version as label", {kNode, {"livepeerversion", {}}}}};
const GaugeDef max_sessions_total{{"max_sessions_total", "Sessions that may run", {kNode}}};
const GaugeDef current_sessions_total{{"current_sessions_total", "Sessions running", {kNode}}};
const GaugeDef transcoders_number{{"transcoders_number", "Transcoders connected", {kNode}}};
const GaugeDef transcoders_capacity{
    {"transcoders_capacity", "Sessions that they can carry", {kNode}}};
const GaugeDef transcoders_load{{"transcoders_load", "Sessions that they carry", {kNode}}};
const CounterDef segment_transcoded_total{
    {"segment_transcoded_total", "Segments transcoded", {kNode}}};
const CounterDef segment_transcode_failed_total{{"segment_transcode_failed_total",
                                                 "Segments that were not transcoded",
                                                 {kNode, {"error_code", api_codes()}}}};
const CounterDef mil_pixels_processed{
    {"mil_pixels_processed", "Millions of pixels encoded", {kNode}}};
const HistogramDef transcode_time_seconds{
    {"transcode_time_seconds", "Time the engine worked on a segment", {kNode}}, kTimes};
const HistogramDef transcode_score{
    {"transcode_score", "Duration of a segment / time the engine worked on it", {kNode}}, kScores};
const HistogramDef source_segment_duration_seconds{
    {"source_segment_duration_seconds", "Duration of source segments", {kNode}}, kDurations};
}  // namespace livepeer_metrics

const Table& orchestrator_table() {
    using namespace orchestrator_metrics;
    static const Table table{
        "millrace_orchestrator_",
        {&sessions_opened_total, &sessions_refused_total, &sessions_ended_total,
         &sessions_shed_total, &transcoder_pixels_total, &transcoder_segments_total,
         &joins_refused_total, &segments_total, &attempts_total, &retries_total, &hedges_total,
         &stale_results_total, &pixels_total, &payload_bytes_total, &store_errors_total,
         &ledger_seconds_total, &ledger_frames_total, &ledger_pixels_total, &ledger_bytes_total},
        {&sessions_active, &sessions_limit, &transcoders, &transcoder_up, &transcoder_capacity,
         &transcoder_load, &payload_buffered_bytes, &payload_budget_bytes, &data_dir_free_bytes,
         &ledger_rows, &stake_tokens, &stake_active, &stake_age_seconds, &build_info},
        {&segment_seconds, &realtime_ratio, &store_commit_seconds}};
    return table;
}

const Table& livepeer_table() {
    using namespace livepeer_metrics;
    static const Table table{
        "livepeer_",
        {&segment_transcoded_total, &segment_transcode_failed_total, &mil_pixels_processed},
        {&versions, &max_sessions_total, &current_sessions_total, &transcoders_number,
         &transcoders_capacity, &transcoders_load},
        {&transcode_time_seconds, &transcode_score, &source_segment_duration_seconds},
        false};
    return table;
}

const Table& transcoder_table() {
    using namespace transcoder_metrics;
    static const Table table{
        "millrace_transcoder_",
        {&tasks_total, &frames_total, &pixels_total, &engine_restarts_total, &gpu_failures_total,
         &gpu_segments_total, &gpu_downloads_total, &gpu_uploads_total, &gpu_scaled_total,
         &gpu_renditions_total},
        {&tasks_active, &slots, &slots_reserved, &link_up, &gpu_utilization_ratio,
         &gpu_memory_bytes, &gpu_temperature_celsius, &gpu_power_watts, &gpu_encoder_sessions,
         &gpu_state, &gpu_sessions, &gpu_throttled, &gpu_xid, &build_info},
        {&task_seconds}};
    return table;
}

}  // namespace millrace::metrics
