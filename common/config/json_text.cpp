#include "common/config/json_text.h"

#include <set>

#include <nlohmann/json.hpp>

namespace millrace::config {
namespace {

using nlohmann::json;

// Watches the parser for what it would let pass.
class Strictness {
public:
    bool operator()(int depth, json::parse_event_t event, json& parsed) {
        if (depth > kJsonDepthMax)
            note("nested more than " + std::to_string(kJsonDepthMax) + " deep");
        if (event == json::parse_event_t::object_start)
            keys_.emplace_back();
        else if (event == json::parse_event_t::object_end && !keys_.empty())
            keys_.pop_back();
        else if (event == json::parse_event_t::key && !keys_.empty())
            note_key(parsed.get<std::string>());
        return true;
    }

    [[nodiscard]] const std::vector<FieldError>& errors() const { return errors_; }

private:
    void note_key(const std::string& key) {
        if (!keys_.back().insert(key).second)
            note("key " + quote(key) + " stands twice in one object");
    }
    void note(std::string detail) {
        constexpr std::size_t kNotesMax = 8;
        if (errors_.size() < kNotesMax)
            errors_.push_back({"", std::move(detail)});
    }

    std::vector<std::set<std::string>> keys_;
    std::vector<FieldError> errors_;
};

}  // namespace

Parsed<json> parse_json(std::string_view text) {
    using Errors = std::vector<FieldError>;
    if (text.size() > kJsonTextMax)
        return Errors{{"", "longer than " + std::to_string(kJsonTextMax) + " bytes"}};
    Strictness strictness;
    try {
        json value = json::parse(
            text.begin(), text.end(),
            [&](int depth, auto event, json& parsed) { return strictness(depth, event, parsed); });
        if (!strictness.errors().empty())
            return strictness.errors();
        return value;
    } catch (const json::parse_error& problem) {
        return Errors{{"", "not valid JSON at byte " + std::to_string(problem.byte)}};
    } catch (const std::exception& problem) {
        return Errors{{"", "not valid JSON: " + quote(problem.what())}};
    }
}

}  // namespace millrace::config
