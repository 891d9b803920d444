#pragma once
// Reads the GPUs of this machine every few seconds, on a thread of its own: a driver in trouble may
// take its time, and the loop must not wait for it.
//
// Thread: any. Owner: run.

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/time.h"
#include "transcoder/gpu/nvml.h"

namespace millrace::gpu {

class Watch {
public:
    static constexpr Duration kEvery = std::chrono::seconds(2);

    // Without GPUs there is no thread, and nothing to tell.
    explicit Watch(Result<std::unique_ptr<Nvml>> nvml, Duration every = kEvery);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // Of the last reading, by index; empty before the first.
    [[nodiscard]] std::vector<Reading> latest() const;

private:
    void watch(const std::stop_token& stop, Duration every);

    std::unique_ptr<Nvml> nvml_;  // the thread's; null: none
    mutable std::mutex mutex_;
    std::condition_variable_any stopped_;
    std::vector<Reading> latest_;  // under mutex_
    std::jthread thread_;          // last: ends first
};

}  // namespace millrace::gpu
