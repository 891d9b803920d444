#pragma once
// The process of a trial: started, listened to, and ended when its time is up.
//
// Thread: any that may wait.

#include <functional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace millrace::gpu {

// Where the child writes its lines.
inline constexpr int kTrialPipe = 3;

// Each line as it comes (at most 16 KiB, 256 of them). Says how it ended, in words; empty: by itself
// with success. A process that does not even die (a driver that holds it) is left behind after two
// seconds.
[[nodiscard]] std::string run_trial(const std::string& gpu, Duration limit,
                                    const std::string& executable,
                                    const std::function<void(std::string_view)>& line);

}  // namespace millrace::gpu
