#pragma once
// Where stake is read. One question; the answer may take seconds.
//
// Thread: read() is called on StakeKeeper's own thread, one call at a time. Owner: StakeKeeper.

#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "orchestrator/core/stake_policy.h"

namespace millrace::orchestrator::stake {

class StakeSource {
public:
    virtual ~StakeSource() = default;

    // As /status names it: "file:/etc/stake.json", "ethereum".
    [[nodiscard]] virtual std::string name() const = 0;
    // Whose stake, from where: what was kept of another subject says nothing about this one.
    [[nodiscard]] virtual std::string subject() const { return name(); }
    // How long to wait between two readings.
    [[nodiscard]] virtual Duration interval() const = 0;
    // Any error means "not known now"; the message is a sentence for the operator.
    [[nodiscard]] virtual Result<StakeReading> read() = 0;
    // Makes a blocked read() return soon. Called from another thread.
    virtual void stop() {}
};

}  // namespace millrace::orchestrator::stake
