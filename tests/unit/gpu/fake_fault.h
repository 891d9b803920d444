#pragma once
// What is wrong with the fake driver: CUDA_FAKE in the environment, "dies" or, with one GPU only,
// "dies@GPU-aaaa" (as CUDA_VISIBLE_DEVICES names it). CUDA_ variables reach engines.

#include <cstdlib>
#include <string>
#include <string_view>

#include <sys/prctl.h>

inline bool fake_fault(std::string_view fault) {
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value == nullptr ? "" : value);
    };
    const std::string chosen = variable("CUDA_FAKE");
    return chosen == fault || chosen == std::string(fault) + "@" + variable("CUDA_VISIBLE_DEVICES");
}

// For faults that begin after the trial.
inline bool in_an_engine() {
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    return std::string_view(name) == "millrace-engine";
}
