#pragma once
// What a measurement looks like: for people a picture and a table, for programs JSON. Pure.
//
// Thread: any.

#include <string>

#include "transcoder/bench/measure.h"

namespace millrace::bench {

// A line for each step: a bar of how much of a segment's duration 95 of 100 segments took.
[[nodiscard]] std::string step_line(const Step& step, const Verdict& verdict);
// "bound by ...".
[[nodiscard]] std::string bound_sentence(const Finding& finding);
[[nodiscard]] std::string table(const Finding& finding);
[[nodiscard]] std::string to_json(const Finding& finding);

}  // namespace millrace::bench
