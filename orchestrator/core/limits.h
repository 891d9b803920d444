#pragma once
// Bounds and periods of the core that are not the operator's to set, with their units. What users
// see of limits stands in CoreConfig.
//
// Thread: any; constants.

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/base/time.h"

namespace millrace::orchestrator {

// A Reserve without an answer is repeated, then given up.
inline constexpr Duration kGrantResend = std::chrono::milliseconds(500);
inline constexpr Duration kGrantTimeout = std::chrono::milliseconds(1500);
// A granted slot that a heartbeat does not name is asked for again once the grant is older than
// this: younger ones may have crossed it.
inline constexpr Duration kGrantSettled = std::chrono::seconds(1);

// How long a session leaves a transcoder alone that refused it a slot.
inline constexpr Duration kAvoidBriefly = std::chrono::seconds(1);
inline constexpr Duration kAvoidDevice = std::chrono::seconds(5);
inline constexpr Duration kAvoidIncompatible = std::chrono::minutes(10);

// Poison: a segment whose bytes crashed an engine this often is refused for a while.
inline constexpr std::uint32_t kPoisonCrashes = 2;
inline constexpr Duration kPoisonFor = std::chrono::minutes(10);
inline constexpr std::size_t kPoisonKnownMax = 1024;  // fingerprints

// Wrong results within the window before a transcoder is quarantined, and for how long.
inline constexpr std::size_t kStrikesMax = 3;
inline constexpr Duration kStrikeWindow = std::chrono::minutes(10);
inline constexpr Duration kStrikeQuarantine = std::chrono::minutes(10);
inline constexpr std::size_t kDeviceFailuresMax = 3;
inline constexpr Duration kDeviceFailureWindow = std::chrono::seconds(60);
inline constexpr Duration kDeviceQuarantine = std::chrono::seconds(60);

// A lost transcoder stays in /status for so long; records beyond the bound are forgotten, those
// gone longest first.
inline constexpr Duration kLostShownFor = std::chrono::minutes(10);
inline constexpr std::size_t kTranscodersKnownMax = 4096;

// Ended sessions remembered for a token that reopens them (tokens live 24 h; the store knows more).
inline constexpr std::size_t kEndedKnownMax = 4096;
// Uploads of one session that may turn out to be repeats, beside in_flight_max.
inline constexpr std::uint32_t kRepeatUploadsMax = 8;
// Numbers of answered segments remembered per session, so that other bytes under one are noticed.
inline constexpr std::size_t kSeqsRemembered = 64;

// Stands for "do not ask the transcoders" in a limit.
inline constexpr std::uint32_t kNoLimitAsked = 0xffffffff;

// A forecast needs that much of running time before it counts.
inline constexpr Duration kForecastAfter = std::chrono::milliseconds(500);
// A shorter segment (a stream's last, a single picture) does not tell what its session costs.
inline constexpr Duration kCostMeasuredMin = std::chrono::milliseconds(250);
// How dear pictures may count, in thousandths of the clip that prices were measured with.
inline constexpr std::int64_t kEffortMin = 500;
inline constexpr std::int64_t kEffortMax = 8000;
// What a machine was measured to have to spare (transcoder/bench/step.h) takes up to here.
inline constexpr std::int64_t kEffortTolerated = 1100;
// A session's effort falls over so much of its video.
inline constexpr Duration kEffortFalls = std::chrono::seconds(60);
// A segment's duration as anybody may claim it (contract.md: 60 s per segment).
inline constexpr Duration kSegmentMax = std::chrono::seconds(60);

// Budgets in thousandths of a dispatch (design.md section 5).
inline constexpr std::int64_t kHedgeShare = 50;
inline constexpr std::int64_t kRetryShare = 100;
inline constexpr std::int64_t kHedgeBurst = 2;  // hedges
// Pause before the same transcoder gets a task again that it had turned away unstarted.
inline constexpr Duration kRetryPauseMin = std::chrono::milliseconds(50);
inline constexpr std::uint32_t kRetryPauseDoublings = 4;

}  // namespace millrace::orchestrator
