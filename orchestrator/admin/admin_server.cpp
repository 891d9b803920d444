#include "orchestrator/admin/admin_server.h"

#include <chrono>
#include <limits>
#include <optional>

#include <nlohmann/json.hpp>
#include <openssl/crypto.h>

#include "common/base/hex.h"
#include "common/config/values.h"
#include "common/http/problem.h"
#include "common/http/router.h"
#include "common/http/server.h"
#include "common/runtime/wall_clock.h"
#include "orchestrator/admin/access_api.h"
#include "orchestrator/admin/event_stream.h"
#include "orchestrator/admin/journal_json.h"
#include "orchestrator/admin/ledger_api.h"
#include "orchestrator/admin/status_json.h"
#include "orchestrator/link/enrolment.h"
#include "orchestrator/link/transcoder_link.h"
#include "orchestrator/metrics_view.h"
#include "orchestrator/service.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator::admin {
namespace {

using nlohmann::json;

constexpr std::uint64_t kBodyBytesMax = 16 * 1024;
constexpr std::int64_t kTtlDefaultSeconds = 24 * 3600;
constexpr std::uint64_t kSeqMax = std::numeric_limits<std::uint64_t>::max();
constexpr std::int64_t kTtlMaxSeconds = 10LL * 365 * 24 * 3600;

http::Response json_response(int status, const json& body) {
    auto text = body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    return http::text_response(status, "application/json", std::move(text));
}

http::Response problem(ApiCode code, std::string detail) {
    return http::to_response({code, std::move(detail), {}, std::nullopt});
}

bool same_secret(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool is_loopback(std::string_view endpoint) {
    return endpoint.starts_with("127.") || endpoint.starts_with("[::1]") ||
           endpoint.starts_with("localhost:");
}

json token_json(const JoinTokenInfo& info) {
    return {
        {"id", info.id},
        {"created_at", rfc3339(info.created_at)},
        {"expires_at", info.expires_at.ms == 0 ? json(nullptr) : json(rfc3339(info.expires_at))},
        {"once", info.once},
        {"revoked", info.revoked},
        {"enrolled", info.enrolled}};
}

// The body of a POST as a JSON object; an empty body is an empty object.
std::optional<json> parse_object(const PayloadPtr& body) {
    std::string text(body->size(), '\0');
    body->read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    if (text.empty())
        return json::object();
    auto value = json::parse(text, nullptr, false);
    if (value.is_discarded() || !value.is_object())
        return std::nullopt;
    return value;
}

}  // namespace

class AdminServer::Impl {
public:
    Impl(Parts parts, AdminOptions options)
        : parts_(parts),
          options_(std::move(options)),
          pool_(std::make_shared<BlockPool>(kBlockBytes)),
          ledger_(parts_.loop, parts_.store, options_.data_dir),
          events_(parts_.loop, parts_.journal) {}

    Result<void> start() {
        routes();
        http::ServerOptions server;
        server.address = options_.address;
        server.threads = 1;
        server.limits.connections = 128;
        auto started = http::Server::start(
            server, [this](const http::ExchangePtr& exchange) { router_(exchange); });
        if (!started)
            return started.error();
        server_ = std::move(started).value();
        open_ = is_loopback(server_->local_endpoint());
        return {};
    }

    [[nodiscard]] const std::string& endpoint() const { return server_->local_endpoint(); }

private:
    using Exchange = http::ExchangePtr;
    using Path = http::PathParameters;
    using Command = OrchestratorCore::TranscoderCommand;

    void routes() {
        using http::Method;
        router_.on(Method::get, "/healthz", [](const Exchange& e, const Path&) {
            e->respond(http::text_response(200, "text/plain", "ok\n"));
        });
        on_loop(Method::get, "/readyz",
                [this](const Exchange& e, const Path&) { e->respond(readyz()); });
        on_loop(Method::get, "/metrics", [this](const Exchange& e, const Path&) {
            e->respond(http::text_response(
                200, "text/plain; version=0.0.4; charset=utf-8",
                parts_.metrics.exposition(parts_.service.core().status(), parts_.store,
                                          parts_.link.counters(), parts_.stake())));
        });
        reads("/status",
              [this](const Exchange& e, const Path&) { e->respond(json_response(200, status())); });
        reads("/events", [this](const Exchange& e, const Path&) {
            events_.watch(e, event_text("status", status()));
        });
        reads("/trace/{session}/{seq}",
              [this](const Exchange& e, const Path& path) { e->respond(trace(path)); });
        router_.on(Method::get, "/join-tokens", [this](const Exchange& e, const Path&) {
            if (authorised(e))
                parts_.loop.post([this, e] { e->respond(list_tokens()); });
        });
        reads("/accounts", [this](const Exchange& e, const Path&) {
            e->respond(list_accounts(parts_.accounts));
        });
        reads("/token-keys", [this](const Exchange& e, const Path&) {
            e->respond(list_token_keys(parts_.token_keys));
        });
        ledger_routes();
        posts();
        access_posts();
    }

    // Who earned what is nobody's business without the token, on loopback too.
    void ledger_routes() {
        using http::Method;
        router_.on(Method::get, "/ledger", [this](const Exchange& e, const Path&) {
            if (authorised(e))
                ledger_.sums(e);
        });
        router_.on(Method::get, "/ledger/periods", [this](const Exchange& e, const Path&) {
            if (authorised(e))
                ledger_.periods(e);
        });
        on_post("/ledger/close", [this](const Exchange& e, const Path&, const json& body) {
            ledger_.close(e, body);
        });
    }

    // A GET that is open on loopback, handled on the loop.
    template <class Handler>
    void reads(std::string_view pattern, Handler handler) {
        router_.on(http::Method::get, pattern,
                   [this, handler](const Exchange& e, const Path& path) {
                       if (open_ || authorised(e))
                           parts_.loop.post([handler, e, path] { handler(e, path); });
                   });
    }

    void access_posts() {
        on_post("/accounts", [this](const Exchange& e, const Path&, const json& body) {
            add_account(parts_.accounts, e, body);
        });
        on_post("/accounts/{name}/remove",
                [this](const Exchange& e, const Path& path, const json&) {
                    remove_account(parts_.accounts, e, {path["name"]});
                });
        on_post("/token-keys/rotate", [this](const Exchange& e, const Path&, const json&) {
            rotate_token_key(parts_.token_keys, e);
        });
    }

    void posts() {
        for (const auto& [word, command] : {std::pair{"drain", Command::drain},
                                            {"cordon", Command::cordon},
                                            {"uncordon", Command::uncordon}})
            on_post(std::string("/transcoders/{name}/") + word,
                    [this, what = command](const Exchange& e, const Path& path, const json&) {
                        command_transcoder(e, path["name"], what);
                    });
        on_post("/sessions/{id}/end", [this](const Exchange& e, const Path& path, const json&) {
            parts_.service.end_session(
                {path["id"]}, std::nullopt, [e](const std::optional<Refusal>& refusal) {
                    e->respond(refusal ? problem(refusal->code, refusal->detail)
                                       : json_response(200, json{{"ended", true}}));
                });
        });
        on_post("/max-sessions", [this](const Exchange& e, const Path&, const json& body) {
            set_max_sessions(e, body);
        });
        on_post("/join-tokens", [this](const Exchange& e, const Path&, const json& body) {
            create_token(e, body);
        });
        on_post("/join-tokens/{id}/revoke",
                [this](const Exchange& e, const Path& path, const json&) {
                    parts_.enrolment.revoke_token(path["id"], [e](const Result<void>& result) {
                        e->respond(result ? json_response(200, json{{"revoked", true}})
                                          : answer(result.error()));
                    });
                });
    }

    // A handler that runs on the loop and needs nobody's leave.
    template <class Handler>
    void on_loop(http::Method method, std::string_view pattern, Handler handler) {
        router_.on(method, pattern, [this, handler](const Exchange& e, const Path& path) {
            parts_.loop.post([handler, e, path] { handler(e, path); });
        });
    }

    // POST: admin token, small JSON object, then on the loop.
    template <class Handler>
    void on_post(const std::string& pattern, Handler handler) {
        router_.on(
            http::Method::post, pattern, [this, handler](const Exchange& e, const Path& path) {
                if (!authorised(e))
                    return;
                http::BodyOptions options;
                options.bytes_max = kBodyBytesMax;
                options.pool = pool_;
                e->read_body(options, [this, handler, e, path](const Result<PayloadPtr>& body) {
                    if (!body)
                        return;
                    auto object = parse_object(*body);
                    if (!object)
                        return e->respond(
                            problem(ApiCode::bad_request, "the body is not a JSON object"));
                    parts_.loop.post([handler, e, path, value = std::move(*object)] {
                        handler(e, path, value);
                    });
                });
            });
    }

    // Answers 401 itself when the token is missing or wrong.
    bool authorised(const Exchange& exchange) const {
        const auto header = exchange->request().headers.find("Authorization");
        constexpr std::string_view kBearer = "Bearer ";
        if (header && header->starts_with(kBearer) &&
            same_secret(header->substr(kBearer.size()), options_.token))
            return true;
        exchange->respond(
            problem(ApiCode::unauthorized, "this needs the admin token (Authorization: Bearer)"));
        return false;
    }

    [[nodiscard]] json status() const {
        json status = status_json(parts_.service.core().status(), parts_.stake(),
                                  {options_.version, options_.epoch},
                                  {parts_.loop.now(), wall_now(), options_.started_at});
        const store::LedgerHead head = parts_.store.ledger().head;
        status["ledger"] = {{"rows", head.rows}, {"head", to_hex(head.chain)}};
        return status;
    }

    [[nodiscard]] http::Response trace(const Path& path) const {
        const auto seq = config::parse_count(path["seq"], 0, kSeqMax);
        if (!seq)
            return problem(ApiCode::bad_request, "the segment's number " + seq.error().message);
        const auto found = parts_.journal.find({path["session"]}, *seq);
        if (found.empty())
            return problem(ApiCode::not_found,
                           "nothing is known of this segment: traces are kept of the last " +
                               std::to_string(kTracesMax) + " since the start");
        return json_response(200, traces_json(found));
    }

    [[nodiscard]] http::Response readyz() const {
        const bool store = parts_.store.available();
        const bool transcoders = parts_.service.core().any_transcoder_ready();
        return json_response(store && transcoders ? 200 : 503,
                             {{"ready", store && transcoders},
                              {"store", store ? "writable" : "unavailable"},
                              {"transcoders", transcoders ? "ready" : "none ready"}});
    }

    void command_transcoder(const Exchange& exchange, const std::string& name, Command what) {
        const auto result = parts_.service.command(name, what);
        exchange->respond(result ? json_response(200, json{{"name", name}})
                                 : answer(result.error()));
    }

    void set_max_sessions(const Exchange& exchange, const json& body) {
        const auto value = body.find("max_sessions");
        if (value != body.end() && value->is_string() && *value == "auto") {
            parts_.service.set_operator_limit(std::nullopt);
        } else if (value != body.end() && value->is_number_unsigned() && *value <= 1'000'000U) {
            parts_.service.set_operator_limit(value->get<std::uint32_t>());
        } else {
            return exchange->respond(problem(
                ApiCode::bad_request, "max_sessions must be a whole number from 0 or \"auto\""));
        }
        exchange->respond(json_response(200, status()["capacity"]));
    }

    void create_token(const Exchange& exchange, const json& body) {
        const auto ttl = body.value("ttl_s", json(kTtlDefaultSeconds));
        const auto once = body.value("once", json(false));
        if (!ttl.is_number_integer() || ttl < 0 || ttl > kTtlMaxSeconds || !once.is_boolean())
            return exchange->respond(
                problem(ApiCode::bad_request,
                        "ttl_s must be seconds from 0 (for ever), once true or false"));
        parts_.enrolment.create_token(std::chrono::seconds(ttl.get<std::int64_t>()),
                                      once.get<bool>(),
                                      [exchange](const Result<NewJoinToken>& made) {
                                          if (!made)
                                              return exchange->respond(answer(made.error()));
                                          json body_out = token_json(made->info);
                                          body_out["token"] = made->token;
                                          exchange->respond(json_response(201, body_out));
                                      });
    }

    [[nodiscard]] http::Response list_tokens() const {
        json list = json::array();
        for (const JoinTokenInfo& info : parts_.enrolment.tokens())
            list.push_back(token_json(info));
        return json_response(200, list);
    }

    static http::Response answer(const Error& problem_found) {
        const bool input = problem_found.kind == ErrorKind::bad_input;
        return problem(input ? ApiCode::not_found : ApiCode::storage_unavailable,
                       problem_found.message);
    }

    Parts parts_;
    AdminOptions options_;
    std::shared_ptr<BlockPool> pool_;
    LedgerApi ledger_;
    EventStream events_;
    http::Router router_;
    bool open_ = false;
    std::unique_ptr<http::Server> server_;  // last: its threads use everything above
};

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AdminServer::~AdminServer() = default;

Result<std::unique_ptr<AdminServer>> AdminServer::start(Parts parts, AdminOptions options) {
    auto impl = std::make_unique<Impl>(parts, std::move(options));
    MR_TRY(impl->start());
    return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

const std::string& AdminServer::endpoint() const {
    return impl_->endpoint();
}

}  // namespace millrace::orchestrator::admin
