#pragma once
// Flags of a program as a table, and the one way they get their values: flag over environment over
// file over default. All mistakes are reported at once; each names its key and where it came from.
//
//   flag         --data-dir DIR, --data-dir=DIR
//   environment  MILLRACE_DATA_DIR=DIR (an empty value counts as not set)
//   file         {"data-dir": "DIR"} in the JSON file given by --config (or MILLRACE_CONFIG)
//
// Keys that no flag has are mistakes, in the file and (with our prefix) in the environment; keys of
// another command of the same program, and of the other program where the environment is shared,
// are passed over. A flag of the command line that does not exist is wrong usage (64); a value that
// does not fit is wrong configuration (78).
//
// Thread: any; nothing is kept. CLI11 and JSON stay inside the .cpp files.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace millrace::config {

// Where a value came from, in words for a message: "--data-dir", "--data-dir (from the environment,
// MILLRACE_DATA_DIR)", "--data-dir (from /etc/millrace.json)".
using Origin = std::string;

enum class Shape {
    value,   // one text
    list,    // repeatable; commas separate too
    toggle,  // no text: present or not
};

struct Flag {
    std::string name;      // without dashes: "data-dir"
    std::string value;     // how help calls its value: "DIR"; empty for a toggle
    std::string help;      // one sentence
    std::string fallback;  // the default as help shows it; empty = none
    Shape shape = Shape::value;
    // Takes the texts (one, unless it is a list); the error says what they must be. It must not
    // quote a secret.
    std::function<Result<void>(const std::vector<std::string>&)> set = nullptr;
};

// `parse` turns one text into a Result<T>.
template <class T, class Parse>
Flag value_flag(Flag flag, T& target, Parse parse) {
    flag.shape = Shape::value;
    flag.set = [&target, parse](const std::vector<std::string>& texts) -> Result<void> {
        auto parsed = parse(texts.front());
        if (!parsed)
            return parsed.error();
        target = T(*std::move(parsed));
        return {};
    };
    return flag;
}

template <class T, class Parse>
Flag list_flag(Flag flag, std::vector<T>& target, Parse parse) {
    flag.shape = Shape::list;
    flag.set = [&target, parse](const std::vector<std::string>& texts) -> Result<void> {
        std::vector<T> values;
        for (const std::string& text : texts) {
            auto parsed = parse(text);
            if (!parsed)
                return parsed.error();
            values.push_back(*std::move(parsed));
        }
        target = std::move(values);
        return {};
    };
    return flag;
}

[[nodiscard]] Flag toggle_flag(Flag flag, bool& target);

// A word without dashes behind the command: NAME, ID, INPUT...
struct Positional {
    std::string name;
    bool several = false;
    std::function<Result<void>(const std::vector<std::string>&)> set = nullptr;
};

struct Mistake {
    std::string key;  // an Origin, or what else is wrong
    std::string detail;
};

// What the checks after parsing may ask.
class Given {
public:
    explicit Given(std::map<std::string, Origin> origins) : origins_(std::move(origins)) {}
    [[nodiscard]] bool has(const std::string& flag) const { return origins_.contains(flag); }
    // The key for a Mistake, also of a flag that has its default.
    [[nodiscard]] Origin origin(const std::string& flag) const;

private:
    std::map<std::string, Origin> origins_;
};

struct Command {
    std::string name;  // one or two words: "serve", "join-token revoke"
    std::string help;
    std::vector<Flag> flags = {};
    std::vector<Positional> positionals = {};
    // Across several flags; runs also when single flags were wrong, to report everything at once.
    std::function<void(const Given&, std::vector<Mistake>&)> check = nullptr;
};

struct Program {
    std::string name;
    std::string summary;
    std::vector<Command> commands;                // the first is the default
    std::vector<std::string> foreign_flags = {};  // of the other program, in a shared environment
};

// What a process is started with. Arguments without the program's own name.
struct Invocation {
    std::vector<std::string> arguments;
    std::map<std::string, std::string> environment;
};
[[nodiscard]] Invocation invocation_of(int argc, char** argv);

// Either go on as `command` (its flags are set), or stop: print `text` (to stdout when exit_code is
// 0, else to stderr) and exit.
struct Outcome {
    bool proceed = false;
    std::string command;
    int exit_code = 0;
    std::string text;
};
[[nodiscard]] Outcome parse_options(const Program& program, const Invocation& invocation);

[[nodiscard]] std::string help_text(const Program& program, const Command& command);
// "data-dir" -> "MILLRACE_DATA_DIR".
[[nodiscard]] std::string environment_name(std::string_view flag);
// Names of all flags of a program, each once.
[[nodiscard]] std::vector<std::string> flag_names(const Program& program);

// A configuration that may be run, or what to print and how to exit instead.
template <class Config>
struct Setup {
    std::optional<Config> config;
    int exit_code = 0;
    std::string text;
};

// Prints the text of a setup that holds no configuration where it belongs, and returns its exit
// code.
int finish_without_running(int exit_code, const std::string& text);

}  // namespace millrace::config
