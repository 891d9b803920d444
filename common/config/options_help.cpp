#include <algorithm>

#include "common/config/options.h"

namespace millrace::config {
namespace {

constexpr std::size_t kHelpColumn = 34;

std::string padded(std::string text) {
    if (text.size() + 1 < kHelpColumn)
        return text + std::string(kHelpColumn - text.size(), ' ');
    return text + "\n" + std::string(kHelpColumn, ' ');
}

std::string usage_line(const Program& program, const Command& command) {
    const bool is_default =
        &command == &program.commands.front() || command.name == program.commands.front().name;
    std::string line = "Usage: " + program.name + " ";
    line += is_default ? "[" + command.name + "]" : command.name;
    for (const Positional& positional : command.positionals)
        line += " " + positional.name + (positional.several ? "..." : "");
    return line + " [flags]\n";
}

std::string flag_line(const Flag& flag) {
    std::string left = "  --" + flag.name + (flag.value.empty() ? "" : " " + flag.value);
    std::string right = flag.help;
    if (flag.shape == Shape::list)
        right += "; repeatable";
    if (!flag.fallback.empty())
        right += " [" + flag.fallback + "]";
    return padded(std::move(left)) + right + "\n";
}

}  // namespace

std::string help_text(const Program& program, const Command& command) {
    const bool is_default = command.name == program.commands.front().name;
    std::string text =
        usage_line(program, command) + (is_default ? program.summary : command.help) + "\n";
    if (is_default && program.commands.size() > 1) {
        text += "\nCommands:\n";
        for (const Command& one : program.commands)
            text += padded("  " + one.name) + one.help + "\n";
    }
    text += "\nFlags (each also as " + environment_name("flag-name") +
            " in the environment and as a key in the --config file):\n";
    for (const Flag& flag : command.flags)
        text += flag_line(flag);
    return text;
}

}  // namespace millrace::config
