#include "orchestrator/stake/file_source.h"

#include <fstream>

#include <nlohmann/json.hpp>

namespace millrace::orchestrator::stake {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;

Error wrong(std::string what) {
    return error(ErrorKind::bad_input, std::move(what));
}

}  // namespace

Result<StakeReading> parse_stake_file(std::string_view text) {
    const auto document = nlohmann::json::parse(text, nullptr, false);
    if (!document.is_object())
        return wrong("is not a JSON object such as {\"tokens\": \"1500.25\", \"active\": true}");
    for (const auto& [key, value] : document.items())
        if (key != "tokens" && key != "active")
            return wrong("has an unknown key \"" + key + "\"; known: tokens, active");
    const auto tokens = document.find("tokens");
    if (tokens == document.end() || !tokens->is_string())
        return wrong("tokens must be a decimal string such as \"1500.25\"");
    const auto active = document.find("active");
    if (active == document.end() || !active->is_boolean())
        return wrong("active must be true or false");
    const auto amount = Lpt::parse(tokens->get_ref<const std::string&>());
    if (!amount)
        return wrong("tokens: " + amount.error().message);
    return StakeReading{*amount, active->get<bool>(), std::nullopt};
}

Result<StakeReading> FileSource::read() {
    std::ifstream file(path_, std::ios::binary);
    std::string text(kFileBytesMax + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!file.eof() || file.bad())
        return wrong(path_ +
                     (file.is_open() ? " is too long to be a stake file" : " cannot be read"));
    text.resize(static_cast<std::size_t>(file.gcount()));
    auto reading = parse_stake_file(text);
    if (!reading)
        return wrong(path_ + ": " + reading.error().message);
    return reading;
}

}  // namespace millrace::orchestrator::stake
