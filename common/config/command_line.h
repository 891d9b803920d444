#pragma once
// The words of a command line, sorted into flags and the rest. Internal to common/config: the one
// place behind which CLI11 stays.

#include <map>
#include <string>
#include <vector>

#include "common/config/options.h"

namespace millrace::config {

struct CommandLine {
    std::map<std::string, std::vector<std::string>> flags;  // by name, texts in order
    std::vector<std::string> words;                         // the rest, in order
    std::vector<std::string> mistakes;                      // wrong usage
};

// `flags`: every flag of the program, by name; the same name has the same shape in all commands.
[[nodiscard]] CommandLine split_command_line(const std::map<std::string, Shape>& flags,
                                             const std::vector<std::string>& arguments);

}  // namespace millrace::config
