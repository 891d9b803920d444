#pragma once
// StakeKeeper: asks a source on a thread of its own, judges the answers on the loop, and tells the core
// whenever the limit changes. A source that hangs costs nobody anything but the grace period, which counts from the
// last good reading, also over a restart: that reading is kept whenever it changes, and every kKeepEvery.
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

// What an earlier process kept, and how this one keeps. Both may be empty.
struct StakeMemory {
    std::optional<KeptStake> kept;
    std::function<void(const KeptStake&)> keep;
};

class StakeKeeper {
public:
    static constexpr Duration kKeepEvery = std::chrono::seconds(30);
    using Apply = std::function<void(const StakeLimit&)>;

    // Tells `apply` at once what holds before the first reading.
    StakeKeeper(Loop& loop, std::unique_ptr<StakeSource> source, StakeRules rules, Apply apply,
                StakeMemory memory = {});
    ~StakeKeeper();
    StakeKeeper(const StakeKeeper&) = delete;
    StakeKeeper& operator=(const StakeKeeper&) = delete;

    [[nodiscard]] StakeView view() const;

private:
    void ask(const std::stop_token& stop);
    void take(const Result<StakeReading>& reading);
    void remember();
    void keep(const StakeReading& reading);
    void settle();

    Loop& loop_;
    std::unique_ptr<StakeSource> source_;
    StakePolicy policy_;
    Apply apply_;
    StakeMemory memory_;
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
