#include "orchestrator/front/sessions.h"

#include <nlohmann/json.hpp>

#include "common/config/json_text.h"
#include "common/http/problem.h"
#include "common/http/target.h"
#include "orchestrator/front/answer.h"
#include "orchestrator/front/credentials.h"
#include "orchestrator/front/hook_desk.h"
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

Described describe(const Payload& body, const Caller& caller, const FrontContext& context) {
    const auto document = config::parse_json(to_text(body));
    if (!document)
        return Problem{
            ApiCode::bad_request, "the body is not JSON: " + to_string(document.errors()), {}};
    SessionRequest request;
    auto mistakes = read_document(*document, context.renditions_max, request);
    if (!mistakes.empty())
        return Problem{ApiCode::bad_request, "the session cannot be opened as asked",
                       std::move(mistakes)};
    if (auto problem = stream_refused(caller, request.stream, context))
        return *problem;
    // The token of an ended session reopens it under its id.
    request.id = caller.session ? caller.session->session : random_session_id();
    request.account = caller.account;
    return request;
}

std::string playback_url(const StreamName& stream, const Caller& caller,
                         const FrontContext& context) {
    return context.public_url + "/stream/" + http::percent_encode(stream.value) + ".m3u8" +
           watch_query(stream, caller.account, caller.account_key, context);
}

http::Response opened_answer(const SessionOpened& opened, const SessionRequest& request,
                             const Caller& caller, const FrontContext& context) {
    SessionClaims claims{opened.id, request.stream, caller.account, caller.account_key,
                         context.wall()};
    claims.expires_at.ms += to_ms(kTokenLife);
    nlohmann::ordered_json answer{{"session_id", opened.id.value},
                                  {"token", make_session_token(*context.tokens->keys(), claims)},
                                  {"expires_at", rfc3339(claims.expires_at)},
                                  {"upload_url", live_url(context, request.stream)},
                                  {"playback_url", nullptr},
                                  {"renditions", json::array()}};
    if (context.playback != PlaybackAccess::nobody)
        answer["playback_url"] = playback_url(request.stream, caller, context);
    for (const RenditionSpec& spec : opened.ladder)
        answer["renditions"].push_back(spec.name);
    http::Response response = http::text_response(201, "application/json", answer.dump() + "\n");
    response.headers.set("Location", context.public_url + "/sessions/" + opened.id.value);
    response.headers.set("Cache-Control", "no-store");
    return response;
}

http::Response answer_of(const OpenOutcome& outcome, const SessionRequest& request,
                         const Caller& caller, const FrontContext& context) {
    if (const auto* refusal = std::get_if<Refusal>(&outcome))
        return refusal_answer(*refusal);
    if (const auto* exists = std::get_if<SessionExists>(&outcome)) {
        Problem problem{
            ApiCode::conflict, "the stream has a live session: " + exists->id.value, {}};
        problem.members = {{"session_id", exists->id.value}};
        // Its owner asks; a session that a push opened has no other way to tell it.
        if (context.playback != PlaybackAccess::nobody)
            problem.members.emplace_back("playback_url",
                                         playback_url(request.stream, caller, context));
        return http::to_response(problem);
    }
    return opened_answer(std::get<SessionOpened>(outcome), request, caller, context);
}

void open_admitted(const FrontContextPtr& context, const ExchangePtr& exchange,
                   const SessionRequest& request, const Caller& caller) {
    if (context->closed)
        return;
    context->port->open_session(
        request, [context, exchange, request, caller](const OpenOutcome& outcome) {
            exchange->respond(answer_of(outcome, request, caller, *context));
        });
}

void open(const FrontContextPtr& context, const ExchangePtr& exchange, const Payload& body,
          const Caller& caller) {
    Described described = describe(body, caller, *context);
    if (const auto* problem = std::get_if<Problem>(&described))
        return exchange->respond(http::to_response(*problem));
    auto request = std::get<SessionRequest>(std::move(described));
    if (!caller.ask_hook)
        return open_admitted(context, exchange, request, caller);
    const StreamName asked = request.stream;
    context->hook->admit(exchange->request(), asked, live_url(*context, asked),
                         [context, exchange, caller,
                          request = std::move(request)](const HookOutcome& outcome) mutable {
                             if (const auto* problem = std::get_if<Problem>(&outcome))
                                 return exchange->respond(http::to_response(*problem));
                             if (auto problem = apply(std::get<HookAdmission>(outcome),
                                                      request.stream, request.ladder))
                                 return exchange->respond(http::to_response(*problem));
                             open_admitted(context, exchange, request, caller);
                         });
}

void post_session(const FrontContextPtr& context, const ExchangePtr& exchange) {
    const CallerOrProblem found = caller_of(exchange->request(), *context);
    if (const auto* problem = std::get_if<Problem>(&found))
        return exchange->respond(http::to_response(*problem));
    exchange->read_body(
        {kBodyMax, context->pool},
        [context, exchange, caller = std::get<Caller>(found)](const Result<PayloadPtr>& body) {
            if (body)
                open(context, exchange, **body, caller);
        });
}

void delete_session(const FrontContextPtr& context, const ExchangePtr& exchange,
                    const std::string& id) {
    const CallerOrProblem found = caller_of(exchange->request(), *context);
    if (const auto* problem = std::get_if<Problem>(&found))
        return exchange->respond(http::to_response(*problem));
    const auto& caller = std::get<Caller>(found);
    if (caller.ask_hook)
        return exchange->respond(
            http::to_response({ApiCode::unauthorized, "this needs the session's token", {}}));
    if (caller.session && caller.session->session.value != id)
        return exchange->respond(
            http::to_response({ApiCode::forbidden, "the token is for another session", {}}));
    if (!valid_session_id(id))
        return exchange->respond(http::to_response({ApiCode::not_found, "no such session", {}}));
    if (context->closed)
        return;
    const bool owned = context->auth == AuthMode::accounts;
    context->port->end_session(
        {id}, owned ? std::optional(caller.account) : std::nullopt,
        [exchange](const std::optional<Refusal>& refusal) {
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
