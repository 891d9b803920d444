#include "orchestrator/front/front.h"

#include <future>

#include "orchestrator/front/context.h"
#include "orchestrator/front/hook_desk.h"
#include "orchestrator/front/ingest.h"
#include "orchestrator/front/sessions.h"
#include "orchestrator/front/sign_in_routes.h"
#include "orchestrator/front/watching.h"

namespace millrace::orchestrator {
namespace {

WallTime system_wall() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::milliseconds>(since).count()};
}

}  // namespace

struct Front::Impl {
    std::shared_ptr<FrontContext> context = std::make_shared<FrontContext>();
    http::Router router;
    std::unique_ptr<HookDesk> hook;
    std::unique_ptr<http::Server> server;  // last: its threads use everything above

    void add_routes(Playback& playback) {
        add_ingest_routes(router, context);
        add_session_routes(router, context);
        add_sign_in_routes(router, context);
        add_playback_routes(router, playback,
                            [context = FrontContextPtr(context)](const http::Request& request,
                                                                 const StreamName& stream) {
                                return may_watch(request, stream, *context);
                            });
        router.on(http::Method::get, "/healthz",
                  [](const http::ExchangePtr& exchange, const http::PathParameters&) {
                      exchange->respond(http::text_response(200, "text/plain", "ok\n"));
                  });
    }
};

Front::Front(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Front>> Front::start(FrontConfig config, IngestPort& port,
                                            Playback& playback, std::shared_ptr<BlockPool> pool) {
    auto impl = std::make_unique<Impl>();
    FrontContext& context = *impl->context;
    context.port = &port;
    context.pool = std::move(pool);
    context.body_bytes_max = config.body_bytes_max;
    context.renditions_max = config.renditions_max;
    context.auth = config.auth;
    if (config.auth == AuthMode::webhook) {
        config.hook.renditions_max = config.renditions_max;
        impl->hook = std::make_unique<HookDesk>(std::move(config.hook), config.streams);
        context.hook = impl->hook.get();
    }
    context.accounts = std::move(config.accounts);
    context.tokens = std::move(config.tokens);
    context.streams = std::move(config.streams);
    context.inits = std::make_shared<InitParts>(std::chrono::steady_clock::now, kAllInitBytesMax,
                                                std::move(config.init_memory));
    for (const FrontConfig::LeftInit& left : config.init_parts)
        context.inits->restore(left.account, left.stream, *left.bytes, left.age);
    context.playback = config.playback;
    context.wall = config.wall ? std::move(config.wall) : system_wall;
    impl->add_routes(playback);
    const bool tls = config.server.tls.has_value();
    // The address in use is known once the server listens; no request is handled before it is in.
    auto ready = std::make_shared<std::promise<void>>();
    auto started = http::Server::start(
        std::move(config.server),
        [raw = impl.get(), go = ready->get_future().share()](const http::ExchangePtr& exchange) {
            go.wait();
            raw->router(exchange);
        });
    if (!started)
        return started.error();
    impl->server = std::move(*started);
    context.public_url = config.public_url.empty()
                             ? (tls ? "https://" : "http://") + impl->server->local_endpoint()
                             : config.public_url;
    while (context.public_url.ends_with('/'))
        context.public_url.pop_back();
    ready->set_value();
    return std::unique_ptr<Front>(new Front(std::move(impl)));
}

Front::~Front() {
    impl_->server.reset();  // ends the bodies that are arriving, which aborts their uploads
    impl_->context->closed = true;
    impl_->hook.reset();  // waits for the questions that are being asked
}

const std::string& Front::local_endpoint() const {
    return impl_->server->local_endpoint();
}

const std::string& Front::public_url() const {
    return impl_->context->public_url;
}

void Front::begin_drain() {
    impl_->server->begin_drain();
}

bool Front::wait_drained(Duration limit) {
    return impl_->server->wait_drained(limit);
}

http::ServerCounts Front::counts() const {
    return impl_->server->counts();
}

}  // namespace millrace::orchestrator
