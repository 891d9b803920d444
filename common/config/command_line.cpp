#include "common/config/command_line.h"

#include <CLI/CLI.hpp>

namespace millrace::config {
namespace {

// Every flag takes texts only: what they mean is decided where all mistakes can be collected.
CLI::Option* declare(CLI::App& app, const std::string& name, Shape shape,
                     std::vector<std::string>& texts) {
    if (shape == Shape::toggle)
        return app.add_flag("--" + name, texts);
    // One text each time: CLI11 would otherwise let a list swallow the words behind it.
    return app.add_option("--" + name, texts)
        ->type_size(1)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void sort_rest(const std::vector<std::string>& rest, CommandLine& line) {
    bool only_words = false;
    for (const std::string& word : rest) {
        if (word == "--")
            only_words = true;
        else if (!only_words && word.size() > 1 && word.front() == '-')
            line.mistakes.push_back("there is no flag " + word.substr(0, word.find('=')));
        else
            line.words.push_back(word);
    }
}

}  // namespace

CommandLine split_command_line(const std::map<std::string, Shape>& flags,
                               const std::vector<std::string>& arguments) {
    CommandLine line;
    try {
        CLI::App app;
        app.set_help_flag("");
        app.allow_extras();
        std::map<std::string, std::vector<std::string>> texts;
        std::map<std::string, CLI::Option*> options;
        for (const auto& [name, shape] : flags)
            options[name] = declare(app, name, shape, texts[name]);
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
        for (const auto& [name, option] : options)
            if (option->count() > 0)
                line.flags[name] = option->results();
        sort_rest(app.remaining(), line);
    } catch (const CLI::Error& problem) {
        line.mistakes.emplace_back(problem.what());
    }
    return line;
}

}  // namespace millrace::config
