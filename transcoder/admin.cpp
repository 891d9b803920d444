#include "transcoder/admin.h"

#include <utility>

#include <nlohmann/json.hpp>
#include <openssl/crypto.h>

#include "common/base/hex.h"
#include "common/config/values.h"
#include "common/http/problem.h"
#include "common/http/router.h"
#include "common/http/server.h"
#include "common/metrics/metrics.h"
#include "transcoder/gpu/gpu_json.h"

namespace millrace::transcoder {
namespace {

using http::ExchangePtr;
using http::Method;
using http::PathParameters;
using nlohmann::json;

constexpr std::size_t kConnectionsMax = 128;

bool same_secret(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

json walls_json(const std::optional<EngineWalls>& walls) {
    if (!walls)
        return nullptr;  // no engine is up yet
    return {{"system_calls", walls->system_calls},
            {"namespaces", walls->namespaces},
            {"memory_bytes", walls->memory_bytes},
            {"missing", walls->missing},
            {"driver", walls->driver}};
}

json reason_json(const std::string& reason) {
    return reason.empty() ? json(nullptr) : json(reason);
}

json stages_json(const StageCounts& counts) {
    return {{"decoding",
             {{"segments", gpu::decoders_json(counts)},
              {"downloads", counts.downloads},
              {"last_reason", reason_json(counts.decode_reason)}}},
            {"scaling",
             {{"pictures", counts.scaled}, {"last_reason", reason_json(counts.scale_reason)}}},
            {"encoding",
             {{"renditions", gpu::encoders_json(counts)},
              {"uploads", counts.uploads},
              {"last_reason", reason_json(counts.encode_reason)}}}};
}

json link_json(const OrchestratorLinkStatus& link) {
    return {{"address", link.address},   {"joined", link.joined}, {"name", link.name},
            {"epoch", link.epoch.value}, {"rtt_ms", link.rtt_ms}, {"payload_up", link.payload_up}};
}

}  // namespace

class Admin::Impl : public std::enable_shared_from_this<Admin::Impl> {
public:
    Impl(Loop& loop, Service& service, TaskMetrics& metrics, const gpu::Watch& gpus,
         AdminOptions options)
        : loop_(loop),
          service_(service),
          metrics_(metrics),
          gpus_(gpus),
          options_(std::move(options)),
          started_at_(loop.now()) {}

    Result<void> start() {
        routes();
        http::ServerOptions server;
        server.address = options_.address;
        server.threads = 1;
        server.limits.connections = kConnectionsMax;
        const auto address = config::parse_host_port(options_.address);
        open_ = address && config::is_loopback(address->host);
        auto started =
            http::Server::start(server, [this](const ExchangePtr& exchange) { router_(exchange); });
        if (!started)
            return started.error();
        server_ = std::move(*started);
        return {};
    }

    void stop() { server_.reset(); }
    [[nodiscard]] const std::string& endpoint() const { return server_->local_endpoint(); }

private:
    // Core and metrics live on the loop; the answer waits its turn there.
    template <class Answer>
    void on_loop(std::string_view path, Answer answer) {
        router_.on(Method::get, path, [this, answer](const ExchangePtr& e, const PathParameters&) {
            loop_.post([e, answer, self = weak_from_this()] {
                if (const auto alive = self.lock())
                    e->respond(answer());
            });
        });
    }

    void routes() {
        router_.on(Method::get, "/healthz", [](const ExchangePtr& e, const PathParameters&) {
            e->respond(http::text_response(200, "text/plain", "ok\n"));
        });
        on_loop("/readyz", [this] { return ready(); });
        on_loop("/metrics", [this] {
            metrics_.gpus(gpus_.latest());
            metrics_.gpu_states(service_.gpus());
            return http::text_response(200, std::string(metrics::kExpositionType),
                                       metrics_.exposition(service_.status()));
        });
        router_.on(Method::get, "/status", [this](const ExchangePtr& e, const PathParameters&) {
            if (!authorised(e))
                return e->respond(http::to_response(
                    {ApiCode::unauthorized, "needs the admin token", {}, std::nullopt}));
            loop_.post([e, self = weak_from_this()] {
                if (const auto alive = self.lock())
                    e->respond(alive->status());
            });
        });
    }

    [[nodiscard]] bool authorised(const ExchangePtr& exchange) const {
        if (open_)
            return true;
        const auto given = exchange->request().headers.find("authorization");
        return given && same_secret(*given, "Bearer " + options_.token.reveal());
    }

    [[nodiscard]] http::Response ready() const {
        if (service_.ready())
            return http::text_response(200, "text/plain", "ready\n");
        return http::text_response(
            503, "text/plain",
            service_.status().draining ? "draining\n" : "not joined to any orchestrator\n");
    }

    [[nodiscard]] http::Response status() const {
        const CoreStatus core = service_.status();
        json body{{"name", options_.name},
                  {"version", options_.version},
                  {"uptime", to_seconds(loop_.now() - started_at_)},
                  {"ready", service_.ready()},
                  {"draining", core.draining},
                  {"slots", core.slots},
                  {"slots_reserved", core.slots_reserved},
                  {"tasks_active", core.tasks_active},
                  {"tasks_waiting", core.tasks_waiting},
                  {"walls", walls_json(service_.walls())},
                  {"signer", to_hex(service_.signer().bytes)},
                  {"gpus", json::array()},
                  {"orchestrators", json::array()}};
        for (const OrchestratorLinkStatus& link : core.orchestrators)
            body["orchestrators"].push_back(link_json(link));
        const gpu::Stock stock = service_.gpus();
        for (const gpu::Reading& gpu : gpus_.latest())
            body["gpus"].push_back(gpu_json(gpu, stock));
        if (!stock.empty())
            body.update(stages_json(service_.stages()));
        return http::text_response(
            200, "application/json",
            body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
    }

    // Those that are not ours have no state.
    [[nodiscard]] static json gpu_json(const gpu::Reading& reading, const gpu::Stock& stock) {
        json entry = gpu::to_json(reading);
        for (const gpu::GpuRecord& record : stock)
            if (record.gpu.index == reading.index)
                entry.update(gpu::to_json(record));
        return entry;
    }

    Loop& loop_;
    Service& service_;
    TaskMetrics& metrics_;
    const gpu::Watch& gpus_;
    AdminOptions options_;
    TimePoint started_at_;
    http::Router router_;
    std::unique_ptr<http::Server> server_;
    bool open_ = false;
};

Result<std::unique_ptr<Admin>> Admin::start(Loop& loop, Service& service, TaskMetrics& metrics,
                                            const gpu::Watch& gpus, AdminOptions options) {
    auto impl = std::make_shared<Impl>(loop, service, metrics, gpus, std::move(options));
    if (auto started = impl->start(); !started)
        return started.error();
    return std::unique_ptr<Admin>(new Admin(std::move(impl)));
}

Admin::Admin(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::~Admin() {
    impl_->stop();
}
const std::string& Admin::endpoint() const {
    return impl_->endpoint();
}

}  // namespace millrace::transcoder
