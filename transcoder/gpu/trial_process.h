#pragma once
// The process of a trial: started, listened to, and ended when its time is up.
//
// Thread: any that may wait.

#include <functional>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "transcoder/gpu/gpu_trial.h"

namespace millrace::gpu {

// Where the child writes its lines.
inline constexpr int kTrialPipe = 3;

struct TrialWish {
    std::string gpu;  // UUID
    std::string executable;
    TrialScope scope = TrialScope::stages;
};

// Each line as it comes (at most 16 KiB, 256 of them). Says how it ended, in words; empty: by itself
// with success. A process that does not even die (a driver that holds it) is left behind after two
// seconds.
[[nodiscard]] std::string run_trial(const TrialWish& wish, Duration limit,
                                    const std::function<void(std::string_view)>& line);

}  // namespace millrace::gpu
