#pragma once
// Random messages inside the bounds of common/wire/limits.h, of every kind and with every field
// varied.

#include "common/base/rng.h"
#include "common/domain/protocol.h"

namespace millrace::test {

[[nodiscard]] FromTranscoder random_from_transcoder(Rng& rng);
[[nodiscard]] FromOrchestrator random_from_orchestrator(Rng& rng);
[[nodiscard]] PayloadEnvelope random_payload(Rng& rng);

}  // namespace millrace::test
