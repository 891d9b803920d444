#include "common/http/problem.h"

#include <nlohmann/json.hpp>

namespace millrace::http {

std::string to_json(const Problem& problem) {
    const int status = http_status(problem.code);
    nlohmann::ordered_json json{
        {"type", "about:blank"},    {"title", std::string(reason_phrase(status))},
        {"status", status},         {"code", std::string(name(problem.code))},
        {"detail", problem.detail}, {"retryable", retryable(problem.code)},
    };
    if (!problem.errors.empty()) {
        auto& errors = json["errors"] = nlohmann::ordered_json::array();
        for (const ProblemField& field : problem.errors)
            errors.push_back({{"path", field.path}, {"detail", field.detail}});
    }
    for (const auto& [name, value] : problem.members)
        json[name] = value;
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Response to_response(const Problem& problem) {
    Response response = text_response(http_status(problem.code), "application/problem+json",
                                      to_json(problem) + "\n");
    if (problem.retry_after) {
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(*problem.retry_after).count();
        response.headers.set("Retry-After", std::to_string(std::max<std::int64_t>(seconds, 1)));
    }
    if (problem.code == ApiCode::unauthorized)
        response.headers.set("WWW-Authenticate", "Bearer");
    return response;
}

}  // namespace millrace::http
