#pragma once
// Everything the transcoder can be told (contract.md, sections 1 and 2): flags, environment, file.
// Only what this version does: a flag that is not here is refused, never accepted and ignored.
//
// Thread: any; values.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/config/gpu_selection.h"
#include "common/config/options.h"
#include "common/config/secret.h"
#include "common/config/values.h"
#include "common/domain/receipt.h"
#include "common/domain/rendition.h"
#include "common/domain/segment_limits.h"

namespace millrace::config {

enum class TranscoderCommand : std::uint8_t { run, devices, transcode, verify_receipt, bench };

inline constexpr std::size_t kOrchestratorsMax = 16;
inline constexpr std::size_t kLabelsMax = 32;

struct TranscoderConfig {
    TranscoderCommand command = TranscoderCommand::run;

    // run
    std::vector<HostPort> orchestrators;
    std::vector<Secret> join_tokens;
    std::uint32_t slots = 1;  // --max-sessions; with auto what to fall back to
    bool slots_auto = true;   // to be measured
    GpuSelection gpus;        // --nvidia; also of bench, and of transcode: at most one
    std::string name;
    std::map<std::string, std::string> labels;
    std::string data_dir;
    HostPort admin_addr{"127.0.0.1", 6935};
    Duration drain_timeout = std::chrono::seconds(30);
    bool exit_if_unreachable = false;

    // run, transcode, bench
    SegmentLimits limits;  // what an engine counts in a segment, whatever its headers say
    LogOptions log;

    // transcode, bench
    std::vector<std::string> inputs;
    Ladder ladder;

    // transcode
    std::string out_dir;

    // devices, transcode, verify-receipt, bench
    bool json = false;

    // devices
    bool self_test = false;

    // verify-receipt
    std::string receipt;                // FILE, or - for stdin
    std::optional<SignerKey> expected;  // --key; else that of data_dir where it is given
};

[[nodiscard]] Setup<TranscoderConfig> read_transcoder_config(const Invocation& invocation);

// The flags of the transcoder, so that a shared environment is not a mistake for the orchestrator.
[[nodiscard]] std::vector<std::string> transcoder_flag_names();

}  // namespace millrace::config
