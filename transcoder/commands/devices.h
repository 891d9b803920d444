#pragma once
// `transcoder devices`: what this machine can do, found by trying, and why not where it cannot.
//
// Thread: the caller's.

#include "common/domain/capacity.h"

namespace millrace::transcoder {

// Prints a table, or one JSON document. Returns 0, or 75 when this machine cannot transcode at all.
[[nodiscard]] int run_devices(bool json);

}  // namespace millrace::transcoder
