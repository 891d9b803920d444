#pragma once
// What a measurement looks like: for people a picture and a table, for programs JSON. Pure.
//
// Thread: any.

#include <string>

#include "transcoder/bench/measure.h"

namespace millrace::bench {

// A line for each step: a bar of how much of a segment's duration 95 of 100 segments took. One more for each GPU.
[[nodiscard]] std::string step_line(const Step& step, const Verdict& verdict);
// "GPU 0: 3 sessions, NVDEC 25 %, SM 75 %, memory 4 % taken": of what the driver tells.
[[nodiscard]] std::string in_words(const GpuLoad& load);
// "bound by ...".
[[nodiscard]] std::string bound_sentence(const Finding& finding);
[[nodiscard]] std::string table(const Finding& finding);
[[nodiscard]] std::string to_json(const Finding& finding);

}  // namespace millrace::bench
