#pragma once
// One value of every message, every field set to something that is not its default: what the golden
// files hold. A sample never changes after its minor is released; a new field gets a new sample.

#include <string>
#include <vector>

#include "common/domain/protocol.h"

namespace millrace::test {

template <class Message>
struct Sample {
    std::string name;  // of the golden file, without .hex
    Message message;
};

[[nodiscard]] std::vector<Sample<FromTranscoder>> transcoder_samples();
[[nodiscard]] std::vector<Sample<FromOrchestrator>> orchestrator_samples();
[[nodiscard]] std::vector<Sample<PayloadEnvelope>> payload_samples();

}  // namespace millrace::test
