#include "common/config/options.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <set>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "common/config/command_line.h"
#include "common/config/exit_code.h"
#include "common/config/field_error.h"
#include "common/config/json_text.h"
#include "common/config/values.h"
#include "common/config/version.h"

extern char** environ;

namespace millrace::config {
namespace {

using nlohmann::json;

constexpr std::string_view kPrefix = "MILLRACE_";
constexpr std::size_t kFileMax = kJsonTextMax;  // bytes of a configuration file

// Variables with our prefix that are not flags: where tests and scripts keep what they need, in the
// environment that daemons inherit from them; and switches of the engine process.
constexpr std::array<std::string_view, 5> kNotFlags{
    "MILLRACE_TEST_", "MILLRACE_BIN", "MILLRACE_MEDIA", "MILLRACE_ENGINE_", "MILLRACE_AV_LOG"};

bool is_flag_variable(std::string_view variable) {
    return variable.starts_with(kPrefix) &&
           std::none_of(kNotFlags.begin(), kNotFlags.end(),
                        [&](std::string_view other) { return variable.starts_with(other); });
}

// Texts of one flag with their origin, by flag name. Stronger sources are asked first.
struct Source {
    std::map<std::string, std::pair<Origin, std::vector<std::string>>> values;
};

std::map<std::string, Shape> shapes_of(const Program& program) {
    std::map<std::string, Shape> shapes;
    for (const Command& command : program.commands)
        for (const Flag& flag : command.flags)
            shapes.emplace(flag.name, flag.shape);
    return shapes;
}

// ---- command ----

const Command* find_command(const Program& program, std::string_view name) {
    for (const Command& command : program.commands)
        if (command.name == name)
            return &command;
    return nullptr;
}

// Takes the command's words away from the front of `words`; nothing when there is no such command.
const Command* take_command(const Program& program, std::vector<std::string>& words) {
    if (words.empty())
        return &program.commands.front();
    if (words.size() > 1) {
        if (const Command* two = find_command(program, words[0] + " " + words[1])) {
            words.erase(words.begin(), words.begin() + 2);
            return two;
        }
    }
    const Command* one = find_command(program, words[0]);
    if (one != nullptr)
        words.erase(words.begin());
    return one;
}

std::string unknown_command(const Program& program, const std::string& word) {
    std::string known;
    for (const Command& command : program.commands)
        known += (known.empty() ? "" : ", ") + command.name;
    return "there is no command " + quote(word) + " (there are: " + known + ")";
}

const Flag* find_flag(const Command& command, std::string_view name) {
    for (const Flag& flag : command.flags)
        if (flag.name == name)
            return &flag;
    return nullptr;
}

// ---- sources ----

Source from_command_line(const CommandLine& line) {
    Source source;
    for (const auto& [name, texts] : line.flags)
        source.values[name] = {"--" + name, texts};
    return source;
}

Source from_environment(const Program& program, const Invocation& invocation,
                        const std::map<std::string, Shape>& shapes,
                        std::vector<Mistake>& mistakes) {
    std::set<std::string> known{environment_name("config")};
    for (const std::string& name : program.foreign_flags)
        known.insert(environment_name(name));
    Source source;
    for (const auto& [name, shape] : shapes) {
        const std::string variable = environment_name(name);
        known.insert(variable);
        const auto found = invocation.environment.find(variable);
        if (found != invocation.environment.end() && !found->second.empty())
            source.values[name] = {"--" + name + " (from the environment, " + variable + ")",
                                   {found->second}};
    }
    for (const auto& [variable, value] : invocation.environment)
        if (is_flag_variable(variable) && !known.contains(variable))
            mistakes.push_back({variable + " (from the environment)", "there is no such flag"});
    return source;
}

// The texts of one JSON value; nothing when it can be none.
std::optional<std::vector<std::string>> texts_of(const json& value, Shape shape) {
    const auto text = [](const json& one) {
        return one.is_string() ? one.get<std::string>() : one.dump(-1, ' ', true);
    };
    if (value.is_null() || (value.is_boolean() != (shape == Shape::toggle)))
        return std::nullopt;
    if (shape != Shape::list || !value.is_array())
        return std::vector<std::string>{text(value)};
    std::vector<std::string> texts;
    for (const json& one : value)
        texts.push_back(text(one));
    return texts;
}

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text(kFileMax + 1, '\0');
    if (!file || !(file.read(text.data(), static_cast<std::streamsize>(text.size())) || file.eof()))
        return std::nullopt;
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

Source from_file(const std::string& path, const std::map<std::string, Shape>& shapes,
                 std::vector<Mistake>& mistakes) {
    Source source;
    const auto text = read_file(path);
    if (!text) {
        mistakes.push_back({"--config", "cannot read " + quote(path)});
        return source;
    }
    const auto document = parse_json(*text);
    if (!document || !document->is_object()) {
        mistakes.push_back({"--config " + path,
                            document ? "must hold a JSON object" : to_string(document.errors())});
        return source;
    }
    for (const auto& [key, value] : document->items()) {
        const auto shape = shapes.find(key);
        const Origin origin = "--" + key + " (from " + path + ")";
        if (shape == shapes.end()) {
            mistakes.push_back({quote(key) + " (from " + path + ")", "there is no such flag"});
            continue;
        }
        if (auto texts = texts_of(value, shape->second))
            source.values[key] = {origin, *std::move(texts)};
        else
            mistakes.push_back({origin, shape->second == Shape::toggle
                                            ? "must be true or false"
                                            : "must be a string or a number"});
    }
    return source;
}

// The strongest place that says where the file is.
std::optional<std::string> file_path(const CommandLine& line, const Invocation& invocation) {
    if (const auto flag = line.flags.find("config"); flag != line.flags.end())
        return flag->second.back();
    const auto variable = invocation.environment.find(environment_name("config"));
    if (variable != invocation.environment.end() && !variable->second.empty())
        return variable->second;
    return std::nullopt;
}

// ---- applying ----

std::vector<std::string> cut_lists(const Flag& flag, const std::vector<std::string>& texts) {
    if (flag.shape != Shape::list)
        return texts;
    std::vector<std::string> parts;
    for (const std::string& text : texts)
        for (std::string& part : split_commas(text))
            parts.push_back(std::move(part));
    return parts;
}

std::map<std::string, Origin> apply(const Command& command, const std::vector<Source>& sources,
                                    std::vector<Mistake>& mistakes) {
    std::map<std::string, Origin> origins;
    for (const Flag& flag : command.flags) {
        for (const Source& source : sources) {
            const auto found = source.values.find(flag.name);
            if (found == source.values.end())
                continue;
            const auto& [origin, texts] = found->second;
            origins[flag.name] = origin;
            if (const auto result = flag.set(cut_lists(flag, texts)); !result)
                mistakes.push_back({origin, result.error().message});
            break;
        }
    }
    return origins;
}

void apply_words(const Command& command, std::vector<std::string> words,
                 std::vector<std::string>& usage, std::vector<Mistake>& mistakes) {
    for (const Positional& positional : command.positionals) {
        const std::size_t count =
            positional.several ? words.size() : std::min<std::size_t>(1, words.size());
        if (count == 0) {
            usage.push_back(command.name + " needs " + positional.name);
            continue;
        }
        const auto end = words.begin() + static_cast<std::ptrdiff_t>(count);
        if (const auto result = positional.set({words.begin(), end}); !result)
            mistakes.push_back({positional.name, result.error().message});
        words.erase(words.begin(), end);
    }
    for (const std::string& word : words)
        usage.push_back("there is nothing to do with " + quote(word));
}

void refuse_misplaced(const Command& command, const CommandLine& line,
                      std::vector<std::string>& usage) {
    for (const auto& [name, texts] : line.flags) {
        const Flag* flag = find_flag(command, name);
        if (flag == nullptr)
            usage.push_back("--" + name + " is not a flag of " + quote(command.name));
        else if (flag->shape != Shape::list && texts.size() > 1)
            usage.push_back("--" + name + " is given twice");
    }
}

// ---- what is printed ----

Outcome stop(int exit_code, std::string text) {
    Outcome outcome;
    outcome.exit_code = exit_code;
    outcome.text = std::move(text);
    return outcome;
}

Outcome wrong_usage(const Program& program, const std::vector<std::string>& mistakes) {
    std::string text;
    for (const std::string& mistake : mistakes)
        text += program.name + ": " + mistake + "\n";
    return stop(kExitUsage, text + "Try '" + program.name + " --help'.\n");
}

Outcome wrong_configuration(const Program& program, const std::vector<Mistake>& mistakes) {
    std::string text;
    for (const Mistake& mistake : mistakes)
        text += program.name + ": " + mistake.key + ": " + mistake.detail + "\n";
    return stop(kExitConfig, text);
}

// The program with the flags that every command has.
Program with_common_flags(Program program) {
    const auto nothing = [](const std::vector<std::string>&) { return Result<void>(); };
    for (Command& command : program.commands) {
        command.flags.push_back(
            {"config", "FILE", "JSON file with flags as keys", "", Shape::value, nothing});
        command.flags.push_back({"check-config", "",
                                 "say whether the configuration is right, and stop", "",
                                 Shape::toggle, nothing});
        command.flags.push_back({"help", "", "this text", "", Shape::toggle, nothing});
        command.flags.push_back({"version", "", "the version", "", Shape::toggle, nothing});
    }
    return program;
}

constexpr std::array<std::string_view, 4> kCommonFlags{"config", "check-config", "help", "version"};

Outcome run_parse(const Program& program, const Invocation& invocation) {
    auto shapes = shapes_of(program);
    std::vector<std::string> arguments = invocation.arguments;
    std::replace(arguments.begin(), arguments.end(), std::string("-h"), std::string("--help"));
    const CommandLine line = split_command_line(shapes, arguments);
    if (line.flags.contains("version"))
        return stop(kExitDone, program.name + " " + std::string(version()) + "\n");
    std::vector<std::string> words = line.words;
    std::vector<std::string> usage = line.mistakes;
    const Command* command = take_command(program, words);
    if (line.flags.contains("help"))
        return stop(kExitDone,
                    help_text(program, command == nullptr ? program.commands.front() : *command));
    if (!usage.empty())  // the word behind an unknown flag may be its value: no guesses about it
        return wrong_usage(program, usage);
    if (command == nullptr)
        return wrong_usage(program, {unknown_command(program, words.front())});

    std::vector<Mistake> mistakes;
    refuse_misplaced(*command, line, usage);
    apply_words(*command, std::move(words), usage, mistakes);
    for (const std::string_view common : kCommonFlags)
        shapes.erase(std::string(common));
    std::vector<Source> sources{from_command_line(line),
                                from_environment(program, invocation, shapes, mistakes)};
    if (const auto path = file_path(line, invocation))
        sources.push_back(from_file(*path, shapes, mistakes));
    const Given given(apply(*command, sources, mistakes));
    if (command->check)
        command->check(given, mistakes);
    if (!usage.empty())
        return wrong_usage(program, usage);
    if (!mistakes.empty())
        return wrong_configuration(program, mistakes);
    if (line.flags.contains("check-config"))
        return stop(kExitDone, "the configuration is right\n");
    Outcome outcome;
    outcome.proceed = true;
    outcome.command = command->name;
    return outcome;
}

}  // namespace

std::string_view version() {
    return MILLRACE_VERSION;
}

Flag toggle_flag(Flag flag, bool& target) {
    flag = value_flag(std::move(flag), target,
                      [](const std::string& text) { return parse_bool(text); });
    flag.shape = Shape::toggle;
    return flag;
}

Origin Given::origin(const std::string& flag) const {
    const auto found = origins_.find(flag);
    return found == origins_.end() ? "--" + flag : found->second;
}

Invocation invocation_of(int argc, char** argv) {
    Invocation invocation;
    for (int i = 1; i < argc; ++i)
        invocation.arguments.emplace_back(argv[i]);
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const std::size_t equals = text.find('=');
        if (equals != std::string_view::npos)
            invocation.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return invocation;
}

std::string environment_name(std::string_view flag) {
    std::string name(kPrefix);
    for (const char c : flag)
        name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return name;
}

std::vector<std::string> flag_names(const Program& program) {
    std::vector<std::string> names;
    for (const auto& [name, shape] : shapes_of(program))
        names.push_back(name);
    return names;
}

Outcome parse_options(const Program& program, const Invocation& invocation) {
    return run_parse(with_common_flags(program), invocation);
}

int finish_without_running(int exit_code, const std::string& text) {
    std::fputs(text.c_str(), exit_code == kExitDone ? stdout : stderr);
    return exit_code;
}

}  // namespace millrace::config
