#pragma once
// Stake in a file, for operators whose stake is known to another program:
// {"tokens": "1500.25", "active": true}, LPT as a decimal string.
//
// The file is read once a second and is to be replaced by renaming. Content that is wrong is an error,
// never a value: the last good one holds for the policy's grace period.
//
// Thread: see StakeSource.

#include <string_view>

#include "orchestrator/stake/stake_source.h"

namespace millrace::orchestrator::stake {

// bad_input: names the key that is wrong.
[[nodiscard]] Result<StakeReading> parse_stake_file(std::string_view text);

class FileSource final : public StakeSource {
public:
    explicit FileSource(std::string path) : path_(std::move(path)) {}

    [[nodiscard]] std::string name() const override { return "file:" + path_; }
    [[nodiscard]] Duration interval() const override { return std::chrono::seconds(1); }
    [[nodiscard]] Result<StakeReading> read() override;

private:
    std::string path_;
};

}  // namespace millrace::orchestrator::stake
