#include "orchestrator/front/sessions.h"

#include <nlohmann/json.hpp>

#include "common/config/json_text.h"
#include "common/http/problem.h"
#include "common/http/target.h"
#include "orchestrator/front/answer.h"
#include "orchestrator/front/credentials.h"
#include "orchestrator/front/ladder_request.h"
#include "orchestrator/front/names.h"
#include "orchestrator/front/watching.h"

namespace millrace::orchestrator {
namespace {

constexpr std::uint64_t kBodyMax = 64 * 1024;  // bytes; a ladder of 8 renditions needs 4 KiB

using http::ExchangePtr;
using http::Problem;
using nlohmann::json;
using Described = std::variant<SessionRequest, Problem>;

std::string text_of(const Payload& payload) {
    std::string text(payload.size(), '\0');
    payload.read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    return text;
}

// Fills `request`, or names every mistake in the document.
std::vector<http::ProblemField> read_document(const json& document, std::size_t renditions_max,
                                              SessionRequest& request) {
    std::vector<http::ProblemField> mistakes;
    if (!document.is_object())
        return {{"", "an object with \"stream\" and, if wanted, \"ladder\""}};
    for (const auto& [key, value] : document.items())
        if (key != "stream" && key != "ladder")
            mistakes.push_back({key, "no such key"});
    const auto stream = document.find("stream");
    if (stream == document.end() || !stream->is_string() ||
        !valid_stream_name(stream->get_ref<const std::string&>()))
        mistakes.push_back({"stream", "a name of [A-Za-z0-9._~+-]{1,128}"});
    else
        request.stream = {stream->get<std::string>()};
    const auto ladder = document.find("ladder");
    if (ladder == document.end() || ladder->is_null())
        return mistakes;
    LadderRequest read = ladder_of_json(*ladder, renditions_max);
    if (auto* wrong = std::get_if<std::vector<http::ProblemField>>(&read))
        mistakes.insert(mistakes.end(), wrong->begin(), wrong->end());
    else
        request.ladder = std::get<Ladder>(std::move(read));
    return mistakes;
}

Described describe(const Payload& body, const std::optional<SessionClaims>& claims,
                   const FrontContext& context) {
    const auto document = config::parse_json(text_of(body));
    if (!document)
        return Problem{
            ApiCode::bad_request, "the body is not JSON: " + to_string(document.errors()), {}};
    SessionRequest request;
    auto mistakes = read_document(*document, context.renditions_max, request);
    if (!mistakes.empty())
        return Problem{ApiCode::bad_request, "the session cannot be opened as asked",
                       std::move(mistakes)};
    // The token of an ended session reopens it under its id.
    if (claims && claims->stream != request.stream)
        return Problem{ApiCode::forbidden, "the token is for another stream", {}};
    request.id = claims ? claims->session : random_session_id();
    request.account = claims ? claims->account : AccountId{};
    return request;
}

http::Response opened_answer(const SessionOpened& opened, const SessionRequest& request,
                             const FrontContext& context) {
    SessionClaims claims{opened.id, request.stream, request.account, {}, context.wall()};
    claims.expires_at.ms += to_ms(kTokenLife);
    const std::string name = http::percent_encode(request.stream.value);
    nlohmann::ordered_json answer{{"session_id", opened.id.value},
                                  {"token", make_session_token(*context.tokens->keys(), claims)},
                                  {"expires_at", rfc3339(claims.expires_at)},
                                  {"upload_url", context.public_url + "/live/" + name},
                                  {"playback_url", nullptr},
                                  {"renditions", json::array()}};
    if (context.playback != PlaybackAccess::nobody)
        answer["playback_url"] = context.public_url + "/stream/" + name + ".m3u8" +
                                 watch_query(request.stream, request.account, {}, context);
    for (const RenditionSpec& spec : opened.ladder)
        answer["renditions"].push_back(spec.name);
    http::Response response = http::text_response(201, "application/json", answer.dump() + "\n");
    response.headers.set("Location", context.public_url + "/sessions/" + opened.id.value);
    response.headers.set("Cache-Control", "no-store");
    return response;
}

http::Response answer_of(const OpenOutcome& outcome, const SessionRequest& request,
                         const FrontContext& context) {
    if (const auto* refusal = std::get_if<Refusal>(&outcome))
        return refusal_answer(*refusal);
    if (const auto* exists = std::get_if<SessionExists>(&outcome)) {
        Problem problem{
            ApiCode::conflict, "the stream has a live session: " + exists->id.value, {}};
        problem.members = {{"session_id", exists->id.value}};
        return http::to_response(problem);
    }
    return opened_answer(std::get<SessionOpened>(outcome), request, context);
}

void open(const FrontContextPtr& context, const ExchangePtr& exchange, const Payload& body,
          const std::optional<SessionClaims>& claims) {
    Described described = describe(body, claims, *context);
    if (const auto* problem = std::get_if<Problem>(&described))
        return exchange->respond(http::to_response(*problem));
    if (context->closed)
        return;
    auto request = std::get<SessionRequest>(std::move(described));
    context->port->open_session(request, [context, exchange, request](const OpenOutcome& outcome) {
        exchange->respond(answer_of(outcome, request, *context));
    });
}

void post_session(const FrontContextPtr& context, const ExchangePtr& exchange) {
    const Credentials credentials = credentials_of(exchange->request(), *context);
    if (const auto* problem = std::get_if<Problem>(&credentials))
        return exchange->respond(http::to_response(*problem));
    exchange->read_body(
        {kBodyMax, context->pool},
        [context, exchange, claims = std::get<std::optional<SessionClaims>>(credentials)](
            const Result<PayloadPtr>& body) {
            if (body)
                open(context, exchange, **body, claims);
        });
}

void delete_session(const FrontContextPtr& context, const ExchangePtr& exchange,
                    const std::string& id) {
    const Credentials credentials = credentials_of(exchange->request(), *context);
    if (const auto* problem = std::get_if<Problem>(&credentials))
        return exchange->respond(http::to_response(*problem));
    const auto& claims = std::get<std::optional<SessionClaims>>(credentials);
    if (claims && claims->session.value != id)
        return exchange->respond(
            http::to_response({ApiCode::forbidden, "the token is for another session", {}}));
    if (!valid_session_id(id))
        return exchange->respond(http::to_response({ApiCode::not_found, "no such session", {}}));
    if (context->closed)
        return;
    context->port->end_session({id}, [exchange](const std::optional<Refusal>& refusal) {
        http::Response done;
        done.status = 204;
        exchange->respond(refusal ? refusal_answer(*refusal) : std::move(done));
    });
}

}  // namespace

void add_session_routes(http::Router& router, const FrontContextPtr& context) {
    router.on(http::Method::post, "/sessions",
              [context](const ExchangePtr& exchange, const http::PathParameters&) {
                  post_session(context, exchange);
              });
    router.on(http::Method::del, "/sessions/{id}",
              [context](const ExchangePtr& exchange, const http::PathParameters& path) {
                  delete_session(context, exchange, path["id"]);
              });
}

}  // namespace millrace::orchestrator
