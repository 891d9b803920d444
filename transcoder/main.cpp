// The transcoder's program: an engine, a worker, or one of its commands.

#include <string_view>

#include "common/config/cpu_budget.h"
#include "common/config/exit_code.h"
#include "common/config/transcoder_config.h"
#include "common/runtime/log.h"
#include "transcoder/commands/bench.h"
#include "transcoder/commands/devices.h"
#include "transcoder/commands/self_test.h"
#include "transcoder/commands/transcode.h"
#include "transcoder/commands/verify_receipt.h"
#include "transcoder/engine/engine_main.h"
#include "transcoder/gpu/gpu_trial.h"
#include "transcoder/run.h"

namespace {

using millrace::config::TranscoderCommand;
using millrace::config::TranscoderConfig;

int run_command(const TranscoderConfig& config) {
    switch (config.command) {
        case TranscoderCommand::run:
            return millrace::transcoder::run(config);
        case TranscoderCommand::devices:
            return config.self_test ? millrace::transcoder::run_self_test(config.json)
                                    : millrace::transcoder::run_devices(config.json);
        case TranscoderCommand::transcode: {
            constexpr int kThreads = 1;  // as in an engine: the same bytes
            return millrace::transcoder::run_transcode({config.inputs, config.ladder,
                                                        config.out_dir, config.json, config.limits,
                                                        kThreads, config.gpus});
        }
        case TranscoderCommand::verify_receipt:
            return millrace::transcoder::run_verify_receipt(
                {config.receipt, config.expected, config.data_dir, config.json});
        case TranscoderCommand::bench:
            return millrace::transcoder::run_bench({config.ladder, config.inputs, config.json,
                                                    config.limits, millrace::config::cpu_budget(),
                                                    config.gpus});
    }
    return millrace::config::kExitUsage;
}

}  // namespace

#ifdef __SANITIZE_ADDRESS__
// libx265 3.5 keeps 1168 bytes of its last encoder for good; everything else that leaks is ours.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
    return "leak:libx265\n";
}
#endif

int main(int argc, char** argv) {
    namespace engine = millrace::engine;
    // Before anything else: an engine has no configuration, and what it inherits is not for it.
    if (argc > 1 && std::string_view(argv[1]) == engine::kEngineArgument)
        engine::engine_main(argc, argv);
    if (argc > 1 && std::string_view(argv[1]) == millrace::gpu::kTrialArgument)
        millrace::gpu::trial_main(argc, argv);
    const auto setup =
        millrace::config::read_transcoder_config(millrace::config::invocation_of(argc, argv));
    if (!setup.config)
        return millrace::config::finish_without_running(setup.exit_code, setup.text);
    millrace::log::configure(setup.config->log);
    return run_command(*setup.config);
}
