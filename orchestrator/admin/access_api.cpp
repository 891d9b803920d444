#include "orchestrator/admin/access_api.h"

#include <algorithm>
#include <variant>

#include <nlohmann/json.hpp>

#include "common/base/hex.h"
#include "common/config/places.h"
#include "common/http/problem.h"
#include "orchestrator/access/accounts.h"
#include "orchestrator/access/token_keeper.h"
#include "orchestrator/admin/status_json.h"

namespace millrace::orchestrator::admin {
namespace {

using nlohmann::json;
using Mistakes = std::vector<http::ProblemField>;

constexpr std::uint32_t kSessionsMax = 1'000'000;

http::Response answer(int status, const json& body) {
    auto text = body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    http::Response response = http::text_response(status, "application/json", std::move(text));
    response.headers.set("Cache-Control", "no-store");
    return response;
}

http::Response refusal(ApiCode code, std::string detail, Mistakes mistakes = {}) {
    return http::to_response({code, std::move(detail), std::move(mistakes), std::nullopt});
}

http::Response refusal(const Error& problem) {
    const bool input = problem.kind == ErrorKind::bad_input;
    return refusal(input ? ApiCode::not_found : ApiCode::storage_unavailable, problem.message);
}

template <class T>
json limit_json(const std::optional<T>& limit) {
    return limit ? json(*limit) : json(nullptr);
}

json account_json(const Account& account) {
    return {{"name", account.name.value},
            {"key_id", account.key_id},
            {"created_at", rfc3339(account.created_at)},
            {"max_sessions", limit_json(account.limits.sessions)},
            {"max_segments_per_minute", limit_json(account.limits.segments_per_minute)},
            {"max_bytes_per_second", limit_json(account.limits.bytes_per_second)},
            {"max_pixels_per_second", limit_json(account.limits.pixels_per_second)},
            {"streams", account.streams}};
}

json token_key_json(const TokenKeyInfo& key) {
    return {{"id", key.id},
            {"created_at", rfc3339(key.created_at)},
            {"retires_at", key.retires_at ? json(rfc3339(*key.retires_at)) : json(nullptr)},
            {"signs", !key.retires_at}};
}

// ---- reading the body of POST /accounts ----

template <class T>
void read_limit(const json& body, const char* key, std::uint64_t low, std::uint64_t high,
                std::optional<T>& limit, Mistakes& mistakes) {
    const auto value = body.find(key);
    if (value == body.end() || value->is_null())
        return;
    if (value->is_number_unsigned() && *value >= low && *value <= high)
        limit = value->get<T>();
    else
        mistakes.push_back(
            {key, "a whole number from " + std::to_string(low) + " to " + std::to_string(high)});
}

void read_streams(const json& body, std::vector<std::string>& streams, Mistakes& mistakes) {
    const auto list = body.find("streams");
    if (list == body.end() || list->is_null())
        return;
    if (!list->is_array() || list->size() > kStreamPatternsMax)
        return mistakes.push_back(
            {"streams", "a list of at most " + std::to_string(kStreamPatternsMax)});
    for (const json& pattern : *list) {
        if (pattern.is_string() && valid_stream_pattern(pattern.get_ref<const std::string&>()))
            streams.push_back(pattern.get<std::string>());
        else
            mistakes.push_back({"streams", "each is a stream's name, or a prefix of one and *"});
    }
}

// Whoever signs in with the key of an address is looked up under its digits in lower case.
bool misspelt_address(const std::string& name) {
    const bool address = name.size() == 42 && (name.starts_with("0x") || name.starts_with("0X")) &&
                         from_hex(std::string_view(name).substr(2));
    return address &&
           std::any_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

AccountRequest read_account(const json& body, Mistakes& mistakes) {
    AccountRequest request;
    static constexpr std::string_view kKeys[] = {"name",
                                                 "max_sessions",
                                                 "max_segments_per_minute",
                                                 "max_bytes_per_second",
                                                 "max_pixels_per_second",
                                                 "streams"};
    for (const auto& [key, value] : body.items())
        if (std::find(std::begin(kKeys), std::end(kKeys), key) == std::end(kKeys))
            mistakes.push_back({key, "no such key"});
    const auto name = body.find("name");
    if (name != body.end() && name->is_string() &&
        config::parse_name(name->get_ref<const std::string&>()))
        request.name = {name->get<std::string>()};
    else
        mistakes.push_back({"name", "1 to 64 of A-Z a-z 0-9 . _ -"});
    if (misspelt_address(request.name.value))
        mistakes.push_back(
            {"name", "in lower case when it is an Ethereum address, 0x and 40 hex digits"});
    AccountLimits& limits = request.limits;
    read_limit(body, "max_sessions", 0, kSessionsMax, limits.sessions, mistakes);
    read_limit(body, "max_segments_per_minute", 1, kAccountRateMax, limits.segments_per_minute,
               mistakes);
    read_limit(body, "max_bytes_per_second", 1, kAccountRateMax, limits.bytes_per_second, mistakes);
    read_limit(body, "max_pixels_per_second", 1, kAccountRateMax, limits.pixels_per_second,
               mistakes);
    read_streams(body, request.streams, mistakes);
    return request;
}

}  // namespace

http::Response list_accounts(const Accounts& accounts) {
    json list = json::array();
    for (const Account& account : accounts.list())
        list.push_back(account_json(account));
    return answer(200, list);
}

void add_account(Accounts& accounts, const http::ExchangePtr& exchange, const json& body) {
    Mistakes mistakes;
    const AccountRequest request = read_account(body, mistakes);
    if (!mistakes.empty())
        return exchange->respond(
            refusal(ApiCode::bad_request,
                    "the account cannot be made as asked: " + mistakes.front().path + " must be " +
                        mistakes.front().detail,
                    mistakes));
    if (accounts.exists(request.name))
        return exchange->respond(
            refusal(ApiCode::conflict, "there is an account " + request.name.value + " already"));
    accounts.add(request, [exchange](const Result<NewAccount>& made) {
        if (!made)
            return exchange->respond(refusal(made.error()));
        json body_out = account_json(made->account);
        body_out["key"] = made->key;
        exchange->respond(answer(201, body_out));
    });
}

void remove_account(Accounts& accounts, const http::ExchangePtr& exchange, const AccountId& name) {
    accounts.remove(name, [exchange](const Result<void>& removed) {
        exchange->respond(removed ? answer(200, json{{"removed", true}})
                                  : refusal(removed.error()));
    });
}

http::Response list_token_keys(const TokenKeeper& keys) {
    json list = json::array();
    for (const TokenKeyInfo& key : keys.list())
        list.push_back(token_key_json(key));
    return answer(200, list);
}

void rotate_token_key(TokenKeeper& keys, const http::ExchangePtr& exchange) {
    keys.rotate([exchange](const Result<TokenKeyInfo>& made) {
        exchange->respond(made ? answer(201, token_key_json(*made)) : refusal(made.error()));
    });
}

}  // namespace millrace::orchestrator::admin
