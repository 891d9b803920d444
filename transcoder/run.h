#pragma once
// `transcoder run`: builds everything in order, serves, takes it down in reverse.
//
// Thread: the process's main. Owner: main.

#include "common/config/transcoder_config.h"

namespace millrace::transcoder {

// Returns the exit code of contract.md, section 1; what is wrong is said on stderr.
[[nodiscard]] int run(const config::TranscoderConfig& config);

}  // namespace millrace::transcoder
