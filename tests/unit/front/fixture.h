#pragma once
// A front on a free port over a port that the test answers by hand, on a thread of its own as the
// service does.

#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include <nlohmann/json.hpp>

#include "common/http/client.h"
#include "orchestrator/front/front.h"
#include "tests/support/catch.h"
#include "tests/unit/front/media.h"
#include "tests/unit/http/raw_client.h"

namespace millrace::test {

using namespace millrace::orchestrator;

class FakePort final : public IngestPort {
public:
    FakePort() : thread_([this] { run(); }) {}
    ~FakePort() override {
        post([this] { stop_ = true; });
        thread_.join();
    }

    void begin_upload(UploadRequest request, std::function<void(UploadDecision)> decided) override {
        post([this, request = std::move(request), decided = std::move(decided)] {
            begun.push_back(request);
            const UploadDecision decision =
                refusal ? UploadDecision(*refusal)
                        : UploadDecision(UploadAdmitted{{++uploads}, request.fresh_id});
            changed_.notify_all();
            decided(decision);
        });
    }
    void upload_arrives(UploadId upload, ArrivingBodyPtr body) override {
        post([this, upload, body = std::move(body)]() mutable {
            arriving[upload] = std::move(body);
            changed_.notify_all();
        });
    }
    void finish_upload(UploadId upload, PayloadPtr body, Sha256 sha256,
                       std::function<void(Answer)> answered) override {
        post([this, upload, body = std::move(body), sha256,
              answered = std::move(answered)]() mutable {
            finished.push_back({upload, std::move(body), sha256});
            changed_.notify_all();
            if (hold)
                waiting.push_back(std::move(answered));
            else
                answered(answer);
        });
    }
    void abort_upload(UploadId upload) override {
        post([this, upload] {
            arriving.erase(upload);
            aborted.push_back(upload);
        });
    }
    void open_session(SessionRequest request, std::function<void(OpenOutcome)> opened) override {
        post([this, request = std::move(request), opened = std::move(opened)] {
            sessions.push_back(request);
            RenditionSpec spec;
            spec.name = "P240";
            opened(outcome ? *outcome
                           : OpenOutcome(
                                 SessionOpened{request.id, request.ladder.value_or(Ladder{spec})}));
        });
    }
    void end_session(SessionId session, std::optional<AccountId> owner,
                     std::function<void(std::optional<Refusal>)> ended) override {
        post([this, session = std::move(session), owner, ended = std::move(ended)] {
            ended_sessions.push_back(session);
            enders.push_back(owner);
            ended(refusal);
        });
    }

    // Runs `look` on the port's thread and waits for it.
    template <class F>
    auto with(F look) {
        std::promise<decltype(look(*this))> done;
        auto result = done.get_future();
        post([&] { done.set_value(look(*this)); });
        return result.get();
    }
    void set(std::function<void(FakePort&)> change) {
        with([&](FakePort& port) {
            change(port);
            return true;
        });
    }

    struct Finished {
        UploadId upload;
        PayloadPtr body;
        Sha256 sha256;
    };
    // All of it belongs to the port's thread.
    std::vector<UploadRequest> begun;
    std::map<UploadId, ArrivingBodyPtr> arriving;
    std::vector<Finished> finished;
    std::vector<UploadId> aborted;
    std::vector<SessionRequest> sessions;
    std::vector<SessionId> ended_sessions;
    std::vector<std::optional<AccountId>> enders;
    std::vector<std::function<void(Answer)>> waiting;
    std::optional<Refusal> refusal;
    std::optional<OpenOutcome> outcome;
    Answer answer = AnsweredSegmentPtr(segment(key(7)));
    bool hold = false;
    std::uint64_t uploads = 0;

private:
    void post(std::function<void()> task) {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
        changed_.notify_all();
    }
    void run() {
        while (!stop_) {
            std::function<void()> task;
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [this] { return !tasks_.empty(); });
                task = std::move(tasks_.front());
                tasks_.pop_front();
            }
            task();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> tasks_;
    bool stop_ = false;
    std::thread thread_;
};

class FrontFixture {
public:
    explicit FrontFixture(http::Limits limits = {}, PlaybackConfig playing = {},
                          PlaybackAccess watching = PlaybackAccess::everybody,
                          AuthMode auth = AuthMode::none, std::string hook_url = {},
                          InitMemory init_memory = {})
        : playback(playing) {
        FrontConfig config;
        config.server.limits = limits;
        config.body_bytes_max = 1 << 20;
        config.tokens =
            std::make_shared<TokenRing>(TokenKeys{{1, std::vector<std::uint8_t>(32, 9)}});
        config.auth = auth;
        config.hook.url = std::move(hook_url);
        config.init_memory = std::move(init_memory);
        config.accounts = accounts;
        config.streams = streams;
        config.playback = playing.enabled ? watching : PlaybackAccess::nobody;
        config.wall = [this] { return WallTime{wall_ms.load()}; };
        auto started = Front::start(config, port, playback, pool);
        REQUIRE(started);
        front = std::move(*started);
    }

    http::ClientResponse call(const std::string& method, const std::string& path,
                              std::string body = {}, http::Headers headers = {}) {
        http::ClientRequest request;
        request.method = method;
        request.url = front->public_url() + path;
        request.body = std::move(body);
        request.headers = std::move(headers);
        const auto response = http::fetch(request);
        REQUIRE(response);
        return *response;
    }
    static std::string code_of(const http::ClientResponse& response) {
        CHECK(response.headers.find("Content-Type") == "application/problem+json");
        const auto json = nlohmann::json::parse(response.body);
        CHECK(json["status"] == response.status);
        CHECK_FALSE(json["detail"].get<std::string>().empty());
        return json["code"];
    }
    std::size_t begun() {
        return port.with([](FakePort& p) { return p.begun.size(); });
    }

    std::atomic<std::int64_t> wall_ms{1'700'000'000'000};
    std::shared_ptr<BlockPool> pool = std::make_shared<BlockPool>();
    std::shared_ptr<AccountBook> accounts = std::make_shared<AccountBook>();
    std::shared_ptr<LiveStreams> streams = std::make_shared<LiveStreams>();
    FakePort port;
    Playback playback;
    std::unique_ptr<Front> front;
};

}  // namespace millrace::test
