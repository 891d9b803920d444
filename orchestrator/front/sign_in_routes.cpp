#include "orchestrator/front/sign_in_routes.h"

#include <nlohmann/json.hpp>

#include "common/config/json_text.h"
#include "common/http/problem.h"
#include "orchestrator/access/tokens.h"
#include "orchestrator/front/answer.h"
#include "orchestrator/front/sign_in.h"

namespace millrace::orchestrator {
namespace {

using http::ExchangePtr;
using http::Problem;
using nlohmann::json;
using Mistakes = std::vector<http::ProblemField>;

constexpr std::uint64_t kBodyMax = 16 * 1024;  // bytes

void respond(const ExchangePtr& exchange, const json& body) {
    http::Response response = http::text_response(200, "application/json", body.dump() + "\n");
    response.headers.set("Cache-Control", "no-store");
    exchange->respond(std::move(response));
}

void refuse(const ExchangePtr& exchange, ApiCode code, std::string detail, Mistakes mistakes = {}) {
    exchange->respond(http::to_response(Problem{code, std::move(detail), std::move(mistakes)}));
}

// Exactly these keys, all of them texts; in their order. Names every mistake.
std::vector<std::string> read_texts(const json& document, const std::vector<std::string>& keys,
                                    Mistakes& mistakes) {
    std::vector<std::string> texts;
    for (const std::string& key : keys) {
        const auto value = document.find(key);
        if (value == document.end() || !value->is_string())
            mistakes.push_back({key, "a text is wanted"});
        else
            texts.push_back(value->get<std::string>());
    }
    for (const auto& [key, value] : document.items())
        if (std::find(keys.begin(), keys.end(), key) == keys.end())
            mistakes.push_back({key, "no such key"});
    return texts;
}

// Hands on the texts of a body that is as it should be; the first is an address.
void read_body(const FrontContextPtr& context, const ExchangePtr& exchange,
               std::vector<std::string> keys,
               std::function<void(const stake::Address&, const std::vector<std::string>&)> then) {
    exchange->read_body(
        {kBodyMax, context->pool},
        [exchange, keys = std::move(keys), then = std::move(then)](const Result<PayloadPtr>& body) {
            if (!body)
                return;
            const auto document = config::parse_json(to_text(**body));
            if (!document)
                return refuse(exchange, ApiCode::bad_request,
                              "the body is not JSON: " + to_string(document.errors()));
            Mistakes mistakes;
            if (!document->is_object())
                mistakes.push_back({"", "an object is wanted"});
            const auto texts = mistakes.empty() ? read_texts(*document, keys, mistakes)
                                                : std::vector<std::string>();
            const auto address = texts.empty() ? Result<stake::Address>(stake::Address())
                                               : stake::Address::parse(texts.front());
            if (!address)
                mistakes.push_back({keys.front(), address.error().message});
            if (!mistakes.empty())
                return refuse(exchange, ApiCode::bad_request, "this is not what was asked for",
                              std::move(mistakes));
            then(*address, texts);
        });
}

void sign_in(const FrontContext& context, SignIn& desk, const ExchangePtr& exchange,
             const SignInAttempt& attempt) {
    const WallTime now = context.wall();
    const auto account = desk.judge(attempt, context.public_url, now);
    if (!account)
        return refuse(exchange, ApiCode::unauthorized, account.error().message);
    const auto key_id = context.accounts->key_id_of(*account);
    if (!key_id)
        return refuse(exchange, ApiCode::unauthorized, "there is no account for this address");
    if (const auto used = desk.use_up(attempt, now); !used)
        return refuse(exchange,
                      used.error().kind == ErrorKind::overloaded ? ApiCode::quota_exceeded
                                                                 : ApiCode::unauthorized,
                      used.error().message);
    AccountClaims claims{*account, *key_id, now};
    claims.expires_at.ms += to_ms(kTokenLife);
    respond(exchange, {{"account", account->value},
                       {"token", make_account_token(*context.tokens->keys(), claims)},
                       {"expires_at", rfc3339(claims.expires_at)}});
}

}  // namespace

void add_sign_in_routes(http::Router& router, const FrontContextPtr& context) {
    if (context->auth != AuthMode::accounts)
        return;
    const auto desk = std::make_shared<SignIn>();
    router.on(http::Method::post, "/sign-in/challenge",
              [context, desk](const ExchangePtr& exchange, const http::PathParameters&) {
                  read_body(context, exchange, {"address"},
                            [context, desk, exchange](const stake::Address& address, const auto&) {
                                const Challenge made =
                                    desk->challenge(address, context->public_url, context->wall());
                                respond(exchange, {{"challenge", made.text},
                                                   {"expires_at", rfc3339(made.expires_at)}});
                            });
              });
    router.on(http::Method::post, "/sign-in",
              [context, desk](const ExchangePtr& exchange, const http::PathParameters&) {
                  read_body(context, exchange, {"address", "challenge", "signature"},
                            [context, desk, exchange](const stake::Address& address,
                                                      const std::vector<std::string>& texts) {
                                sign_in(*context, *desk, exchange, {address, texts[1], texts[2]});
                            });
              });
}

}  // namespace millrace::orchestrator
