#pragma once
// Every metric of both programs, once (contract.md, section 6): those that this version feeds.
//
// Thread: constants.

#include "common/metrics/metrics.h"

namespace millrace::metrics {

namespace orchestrator_metrics {
extern const GaugeDef sessions_active;  // holding a slot
extern const GaugeDef sessions_limit;   // {limit: operator, transcoders, stake}; +Inf = none
extern const CounterDef sessions_opened_total;
extern const CounterDef sessions_refused_total;  // {code: as in the API}
extern const CounterDef sessions_ended_total;    // {reason: idle, requested, replaced}
extern const CounterDef sessions_shed_total;
extern const GaugeDef transcoders;          // {state: ready, draining, cordoned, quarantined, lost}
extern const GaugeDef transcoder_up;        // {transcoder}
extern const GaugeDef transcoder_capacity;  // {transcoder} slots
extern const GaugeDef transcoder_load;      // {transcoder} slots
extern const CounterDef transcoder_pixels_total;    // {transcoder} encoded
extern const CounterDef transcoder_segments_total;  // {transcoder, outcome: ok, failed}
extern const CounterDef
    joins_refused_total;                 // {reason: malformed, expired, refused, foreign, protocol}
extern const CounterDef segments_total;  // {outcome: ok, bad_input, failed, refused, cancelled}
// {outcome: ok, failed, stalled, lost, refused, superseded, late, bad_result}
extern const CounterDef attempts_total;
extern const CounterDef
    retries_total;                     // {reason: failed, stalled, lost, refused, late, bad_result}
extern const CounterDef hedges_total;  // {outcome: won, lost}
extern const CounterDef stale_results_total;  // {reason: epoch, incarnation, attempt, duplicate}
extern const HistogramDef
    segment_seconds;  // {stage: upload, queue, send, transcode, receive, total}
extern const HistogramDef realtime_ratio;  // duration / time the engine worked on it
extern const CounterDef pixels_total;      // {kind: decoded, encoded}
extern const GaugeDef ledger_rows;
extern const CounterDef ledger_seconds_total;  // of media
extern const CounterDef ledger_frames_total;   // {kind: decoded, encoded}
extern const CounterDef ledger_pixels_total;   // {kind: decoded, encoded}
extern const CounterDef ledger_bytes_total;    // {kind: source, encoded}
extern const CounterDef payload_bytes_total;   // {direction: to_transcoder, to_orchestrator}
extern const GaugeDef payload_buffered_bytes;
extern const GaugeDef payload_budget_bytes;
extern const GaugeDef stake_tokens;
extern const GaugeDef stake_active;
extern const GaugeDef stake_age_seconds;
extern const HistogramDef store_commit_seconds;
extern const CounterDef store_errors_total;
extern const GaugeDef data_dir_free_bytes;
extern const GaugeDef build_info;  // {version}
}  // namespace orchestrator_metrics

namespace transcoder_metrics {
extern const GaugeDef tasks_active;
extern const GaugeDef slots;
extern const GaugeDef slots_reserved;
extern const CounterDef tasks_total;     // {outcome: ok, bad_input, failed, cancelled}
extern const HistogramDef task_seconds;  // {stage: receive, decode, scale, encode, send, total}
extern const CounterDef frames_total;    // {kind: decoded, encoded}
extern const CounterDef pixels_total;    // {kind: decoded, encoded}
// {reason: crash, memory, forbidden_call, timeout, cancelled}
extern const CounterDef engine_restarts_total;
extern const GaugeDef link_up;  // {orchestrator}
// {gpu: its index}; a series is there when the card tells the value.
extern const GaugeDef gpu_utilization_ratio;  // {gpu, engine: sm, encoder, decoder, memory}
extern const GaugeDef gpu_memory_bytes;       // {gpu, kind: used, total}
extern const GaugeDef gpu_temperature_celsius;
extern const GaugeDef gpu_power_watts;
extern const GaugeDef gpu_encoder_sessions;
extern const GaugeDef gpu_state;  // {gpu, state}; only of those that are used, as the next two
extern const GaugeDef gpu_sessions;
extern const CounterDef gpu_failures_total;
extern const CounterDef gpu_uploads_total;
extern const CounterDef gpu_scaled_total;
extern const CounterDef gpu_renditions_total;  // {encoded: as common/domain/stages_used.h}
extern const CounterDef gpu_segments_total;    // {decoded: as common/domain/stages_used.h}
extern const CounterDef gpu_downloads_total;
extern const GaugeDef gpu_throttled;
extern const GaugeDef gpu_xid;
extern const GaugeDef build_info;  // {version}
}  // namespace transcoder_metrics

// go-livepeer's own names, with its units and buckets, so that its dashboards and alerts keep working
// (--livepeer-metrics). Its label node_type is here; node_id, which it draws at random, and profiles, which are a
// broadcaster's words, are not.
namespace livepeer_metrics {
extern const GaugeDef versions;                          // {node_type, livepeerversion} 1
extern const GaugeDef max_sessions_total;                // {node_type} the effective limit
extern const GaugeDef current_sessions_total;            // {node_type} holding a slot
extern const GaugeDef transcoders_number;                // {node_type} ready
extern const GaugeDef transcoders_capacity;              // {node_type} their slots
extern const GaugeDef transcoders_load;                  // {node_type} slots reserved on them
extern const CounterDef segment_transcoded_total;        // {node_type}
extern const CounterDef segment_transcode_failed_total;  // {node_type, error_code: as in our API}
extern const CounterDef mil_pixels_processed;            // {node_type} millions of encoded pixels
extern const HistogramDef transcode_time_seconds;        // {node_type} of the engine
extern const HistogramDef transcode_score;               // {node_type} duration / that time
extern const HistogramDef source_segment_duration_seconds;  // {node_type}
}  // namespace livepeer_metrics

[[nodiscard]] const Table& orchestrator_table();
[[nodiscard]] const Table& livepeer_table();
[[nodiscard]] const Table& transcoder_table();

}  // namespace millrace::metrics
