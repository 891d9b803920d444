#pragma once
// A server on a free loopback port with the routes the tests talk to.

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/http/client.h"
#include "common/http/problem.h"
#include "common/http/router.h"
#include "common/http/server.h"
#include "tests/support/catch.h"
#include "tests/unit/http/raw_client.h"

namespace millrace::test {

inline std::string text_of(const PayloadPtr& payload) {
    std::string text(payload->size(), '\0');
    payload->read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    return text;
}

// Keeps what the handlers saw; GET /hello, PUT /echo, PUT /hold (answered by the test).
class Fixture {
public:
    explicit Fixture(http::ServerOptions options = {}) {
        routes();
        auto started = http::Server::start(
            std::move(options), [this](const http::ExchangePtr& exchange) { router(exchange); });
        REQUIRE(started);
        server = std::move(*started);
    }
    ~Fixture() {
        server.reset();
        held = nullptr;
    }

    std::string url(const std::string& path) const {
        return "http://" + server->local_endpoint() + path;
    }
    http::ExchangePtr take_held() {
        REQUIRE(eventually([&] {
            const std::lock_guard lock(mutex);
            return held != nullptr;
        }));
        const std::lock_guard lock(mutex);
        return std::exchange(held, nullptr);
    }
    std::optional<ErrorKind> last_error() {
        const std::lock_guard lock(mutex);
        return error_kind;
    }

    std::shared_ptr<BlockPool> pool = std::make_shared<BlockPool>();
    std::uint64_t bytes_max = 1 << 20;
    http::Router router;
    std::mutex mutex;
    http::ExchangePtr held;
    std::optional<ErrorKind> error_kind;
    std::atomic<int> bodies{0};
    std::atomic<std::uint64_t> tapped{0};
    std::unique_ptr<http::Server> server;

private:
    void routes() {
        using http::Method;
        router.on(Method::get, "/hello", [](const auto& exchange, const auto&) {
            exchange->respond(http::text_response(200, "text/plain", "hello\n"));
        });
        router.on(Method::put, "/echo",
                  [this](const auto& exchange, const auto&) { echo(exchange); });
        router.on(Method::put, "/hold", [this](const auto& exchange, const auto&) {
            const std::lock_guard lock(mutex);
            held = exchange;
        });
        router.on(Method::get, "/hold", [this](const auto& exchange, const auto&) {
            const std::lock_guard lock(mutex);
            held = exchange;
        });
        router.on(Method::get, "/drop", [](const auto&, const auto&) {});
        router.on(Method::get, "/throw",
                  [](const auto&, const auto&) { throw std::runtime_error("the handler broke"); });
    }

    void echo(const http::ExchangePtr& exchange) {
        http::BodyOptions options{
            bytes_max, pool,
            [this](std::span<const std::uint8_t> bytes, const auto&) { tapped += bytes.size(); }};
        exchange->read_body(std::move(options), [this, exchange](Result<PayloadPtr> body) {
            ++bodies;
            if (!body) {
                const std::lock_guard lock(mutex);
                error_kind = body.error().kind;
                return;
            }
            http::Response response;
            response.headers.set("Content-Type", "application/octet-stream");
            response.body.emplace_back(std::string("<"));
            response.body.emplace_back(*body);
            response.body.emplace_back(std::string(">"));
            exchange->respond(std::move(response));
        });
    }
};

}  // namespace millrace::test
