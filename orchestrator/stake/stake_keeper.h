#pragma once
// StakeKeeper: asks a source on a thread of its own, judges the answers on the loop, and tells the core
// whenever the limit changes. A source that hangs costs nobody anything but the grace period.
//
// Thread: the loop's; the source is called on the keeper's thread. Owner: main. Destroying it waits for a
// reading in progress, about a second.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "common/runtime/loop.h"
#include "orchestrator/stake/stake_source.h"
#include "orchestrator/stake/stake_view.h"

namespace millrace::orchestrator::stake {

class StakeKeeper {
public:
    using Apply = std::function<void(const StakeLimit&)>;

    // Tells `apply` at once what holds before the first reading.
    StakeKeeper(Loop& loop, std::unique_ptr<StakeSource> source, StakeRules rules, Apply apply);
    ~StakeKeeper();
    StakeKeeper(const StakeKeeper&) = delete;
    StakeKeeper& operator=(const StakeKeeper&) = delete;

    [[nodiscard]] StakeView view() const;

private:
    void ask(const std::stop_token& stop);
    void take(const Result<StakeReading>& reading);
    void settle();

    Loop& loop_;
    std::unique_ptr<StakeSource> source_;
    StakePolicy policy_;
    Apply apply_;
    std::optional<StakeLimit> told_;
    std::optional<WallTime> updated_at_;
    std::string problem_;
    Timer timer_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: ends first
};

}  // namespace millrace::orchestrator::stake
