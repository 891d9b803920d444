// Ours: the HTTP server alone, and the whole front over a loop that answers at once.

#include <cstdio>
#include <cstdlib>

#include "benchmarks/front.h"
#include "common/http/server.h"
#include "orchestrator/front/front.h"

namespace millrace::bench {
namespace {

template <class T>
T must(Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "bench_front: %s\n", result.error().message.c_str());
        std::exit(1);
    }
    return std::move(*result);
}

http::ServerOptions options_for(const Tls& tls) {
    http::ServerOptions options;
    options.threads = 1;
    options.limits.connections = 10'000;
    if (!tls.certificate.empty())
        options.tls = http::TlsFiles{tls.certificate, tls.key};
    return options;
}

PayloadPtr payload_of(const std::shared_ptr<BlockPool>& pool, std::size_t bytes) {
    return make_payload(pool, std::vector<std::uint8_t>(bytes, 'x'));
}

class OurServer final : public Door {
public:
    OurServer(const Traffic& traffic, const Tls& tls)
        : answer_(payload_of(pool_, traffic.answer_bytes)),
          server_(must(http::Server::start(options_for(tls), [this](const auto& exchange) {
              exchange->read_body({32ULL << 20, pool_}, [this, exchange](const auto& body) {
                  if (!body)
                      return;
                  http::Response response;
                  response.body.emplace_back(answer_);
                  exchange->respond(std::move(response));
              });
          }))) {}
    std::uint16_t port() const override { return server_->port(); }

private:
    std::shared_ptr<BlockPool> pool_ = std::make_shared<BlockPool>();
    PayloadPtr answer_;
    std::unique_ptr<http::Server> server_;
};

// Lets everybody in and has the renditions of any segment at hand.
class Loop final : public orchestrator::IngestPort {
public:
    Loop(const std::shared_ptr<BlockPool>& pool, std::size_t answer_bytes) {
        auto segment = std::make_shared<orchestrator::AnsweredSegment>();
        segment->key.session.value = "0123456789abcdef0123456789abcdef";
        for (int i = 0; i < 2; ++i) {
            RenditionReport report;
            report.name = i == 0 ? "360p" : "240p";
            report.bytes = answer_bytes / 2;
            segment->report.renditions.push_back(report);
            segment->renditions.push_back(payload_of(pool, answer_bytes / 2));
        }
        segment_ = std::move(segment);
    }
    void begin_upload(orchestrator::UploadRequest,
                      std::function<void(orchestrator::UploadDecision)> decided) override {
        decided(orchestrator::UploadAdmitted{UploadId{++last_}, {}});
    }
    void upload_arrives(UploadId, orchestrator::ArrivingBodyPtr) override {}
    void finish_upload(UploadId, PayloadPtr, Sha256,
                       std::function<void(orchestrator::Answer)> answered) override {
        answered(segment_);
    }
    void abort_upload(UploadId) override {}
    void open_session(orchestrator::SessionRequest,
                      std::function<void(orchestrator::OpenOutcome)> opened) override {
        opened(orchestrator::Refusal{});
    }
    void end_session(SessionId, std::optional<AccountId>,
                     std::function<void(std::optional<orchestrator::Refusal>)> ended) override {
        ended(std::nullopt);
    }

private:
    orchestrator::AnsweredSegmentPtr segment_;
    std::uint64_t last_ = 0;
};

class OurFront final : public Door {
public:
    OurFront(const Traffic& traffic, const Tls& tls) : loop_(pool_, traffic.answer_bytes) {
        orchestrator::FrontConfig config;
        config.server = options_for(tls);
        config.tokens = std::make_shared<orchestrator::TokenRing>(
            orchestrator::TokenKeys{{1, std::vector<std::uint8_t>(32, 7)}});
        config.streams = std::make_shared<orchestrator::LiveStreams>();
        front_ = must(orchestrator::Front::start(std::move(config), loop_, playback_, pool_));
        const std::string& at = front_->local_endpoint();
        port_ = static_cast<std::uint16_t>(std::stoi(at.substr(at.rfind(':') + 1)));
    }
    std::uint16_t port() const override { return port_; }

private:
    std::shared_ptr<BlockPool> pool_ = std::make_shared<BlockPool>();
    Loop loop_;
    orchestrator::Playback playback_{{}};
    std::unique_ptr<orchestrator::Front> front_;
    std::uint16_t port_ = 0;
};

}  // namespace

std::unique_ptr<Door> make_our_server(const Traffic& traffic, const Tls& tls) {
    return std::make_unique<OurServer>(traffic, tls);
}

std::unique_ptr<Door> make_our_front(const Traffic& traffic, const Tls& tls) {
    return std::make_unique<OurFront>(traffic, tls);
}

}  // namespace millrace::bench
