#include "common/http/problem.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::http;

TEST_CASE("a problem says status, code, detail and whether to retry", "[http][problem]") {
    Problem problem{ApiCode::orchestrator_capped, "the operator's limit of 2 sessions", {}};
    problem.retry_after = std::chrono::milliseconds(4100);
    const Response response = to_response(problem);
    CHECK(response.status == 503);
    CHECK(response.headers.find("Content-Type") == "application/problem+json");
    CHECK(response.headers.find("Retry-After") == "5");
    const auto json = nlohmann::json::parse(std::get<std::string>(response.body.at(0)));
    CHECK(json["status"] == 503);
    CHECK(json["code"] == "OrchestratorCapped");
    CHECK(json["detail"] == "the operator's limit of 2 sessions");
    CHECK(json["retryable"] == true);
    CHECK_FALSE(json.contains("errors"));
}

TEST_CASE("every mistake is listed by path", "[http][problem]") {
    const Problem problem{
        ApiCode::bad_request, "bad ladder", {{"[0].width", "a"}, {"[1].fps", "b"}}};
    const auto json = nlohmann::json::parse(to_json(problem));
    CHECK(json["errors"].size() == 2);
    CHECK(json["errors"][1]["path"] == "[1].fps");
    CHECK(json["retryable"] == false);
}

TEST_CASE("bytes that are not UTF-8 do not break the answer", "[http][problem]") {
    const auto json = nlohmann::json::parse(to_json({ApiCode::not_found, "no \xff stream", {}}));
    CHECK(json["code"] == "NotFound");
}

TEST_CASE("every code has the status of the contract", "[http][problem]") {
    const std::vector<std::pair<ApiCode, int>> table{{ApiCode::bad_request, 400},
                                                     {ApiCode::unauthorized, 401},
                                                     {ApiCode::forbidden, 403},
                                                     {ApiCode::not_found, 404},
                                                     {ApiCode::method_not_allowed, 405},
                                                     {ApiCode::range_not_satisfiable, 416},
                                                     {ApiCode::request_timeout, 408},
                                                     {ApiCode::conflict, 409},
                                                     {ApiCode::segment_too_large, 413},
                                                     {ApiCode::unsupported_media_type, 415},
                                                     {ApiCode::internal, 500},
                                                     {ApiCode::bad_segment, 422},
                                                     {ApiCode::quota_exceeded, 429},
                                                     {ApiCode::shutting_down, 503},
                                                     {ApiCode::auth_unavailable, 503},
                                                     {ApiCode::storage_unavailable, 503},
                                                     {ApiCode::stake_inactive, 503},
                                                     {ApiCode::no_transcoders, 503},
                                                     {ApiCode::no_compatible_transcoders, 503},
                                                     {ApiCode::orchestrator_capped, 503},
                                                     {ApiCode::orchestrator_busy, 503},
                                                     {ApiCode::transcode_failed, 503},
                                                     {ApiCode::deadline_exceeded, 504}};
    REQUIRE(table.size() == kApiCodeCount);
    for (const auto& [code, status] : table) {
        INFO(name(code));
        CHECK(http_status(code) == status);
        CHECK(reason_phrase(status) != "Status");
    }
}
