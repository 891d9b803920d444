#include <csignal>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <unistd.h>

#include "transcoder/gpu/gpu_trial.h"
#include "transcoder/gpu/self_test.h"
#include "transcoder/gpu/trial_process.h"
#include "transcoder/media/gpu_probe.h"

namespace millrace::gpu {
namespace {

using nlohmann::json;

void say(const json& what) {
    const std::string line = what.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    if (write(kTrialPipe, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        _exit(1);  // nobody listens
}

json about(const char* word, const media::GpuStage& stage) {
    return {{"say", word}, {"kind", media::to_string(stage.kind)}, {"name", stage.name}};
}

}  // namespace

void trial_main(TrialScope scope) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "millrace-gpu");
    media::GpuStages found;
    const media::GpuProbeListener listener{
        [](const media::GpuStage& stage) { say(about("begins", stage)); },
        [&found](const media::GpuStage& stage) {
            json line = about("tried", stage);
            line["works"] = stage.works;
            line["reason"] = stage.reason;
            if (stage.count)
                line["count"] = *stage.count;
            say(line);
            found.push_back(stage);
        }};
    media::probe_gpu(listener);
    if (scope == TrialScope::full)
        self_test(found, listener);
    say({{"say", "done"}});
    _exit(0);  // the driver's destructors are not our concern, and may hang
}

void trial_main(int argc, char** argv) {
    constexpr int kScopeAt = 2;
    const bool full = argc > kScopeAt && std::string_view(argv[kScopeAt]) == kFullArgument;
    trial_main(full ? TrialScope::full : TrialScope::stages);
}

}  // namespace millrace::gpu
