#include "orchestrator/front/auth_hook.h"

#include "orchestrator/front/hook_desk.h"
#include "tests/unit/front/fixture.h"

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;
using Verdict = HookAnswer::Verdict;

namespace {

// A webhook on loopback that answers as told and remembers what it was asked.
class FakeHook {
public:
    FakeHook() {
        http::ServerOptions options;
        auto started = http::Server::start(options, [this](const http::ExchangePtr& exchange) {
            exchange->read_body({1 << 16, pool_}, [this, exchange](const Result<PayloadPtr>& body) {
                if (!body)
                    return;
                std::string text((*body)->size(), '\0');
                (*body)->read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
                const std::lock_guard lock(mutex_);
                asked_.push_back(nlohmann::json::parse(text)["url"]);
                if (hold_)
                    held_.push_back(exchange);
                else
                    exchange->respond(http::text_response(status_, "application/json", answer_));
            });
        });
        REQUIRE(started);
        server_ = std::move(*started);
    }
    [[nodiscard]] std::string url() const {
        return "http://" + server_->local_endpoint() + "/hook";
    }
    void say(int status, std::string answer) {
        const std::lock_guard lock(mutex_);
        status_ = status;
        answer_ = std::move(answer);
    }
    void hold(bool on) {
        const std::lock_guard lock(mutex_);
        hold_ = on;
        for (const auto& exchange : held_)
            exchange->respond(http::text_response(status_, "application/json", answer_));
        held_.clear();
    }
    std::vector<std::string> asked() {
        const std::lock_guard lock(mutex_);
        return asked_;
    }

private:
    std::shared_ptr<BlockPool> pool_ = std::make_shared<BlockPool>();
    std::mutex mutex_;
    std::vector<std::string> asked_;
    std::vector<http::ExchangePtr> held_;
    int status_ = 200;
    std::string answer_;
    bool hold_ = false;
    std::unique_ptr<http::Server> server_;
};

struct Hooked {
    explicit Hooked(std::string url = {})
        : front({}, {}, PlaybackAccess::everybody, AuthMode::webhook,
                url.empty() ? hook.url() : url) {}
    int push(const std::string& path, http::Headers headers = {}) {
        return front.call("PUT", path, ts_bytes(9), std::move(headers)).status;
    }
    FakeHook hook;
    FrontFixture front;
};

}  // namespace

TEST_CASE("what an auth webhook's answer means", "[front][hook]") {
    const auto read = [](int status, std::string_view body) {
        return read_hook_answer(status, body, 8);
    };
    CHECK(read(200, "").verdict == Verdict::yes);
    CHECK(read(200, " \n").verdict == Verdict::yes);
    CHECK(read(200, R"({"manifestID":"cam","streamID":"x","sessionID":"y"})").stream == "cam");
    const auto with_presets = read(200, R"({"manifestID":"cam","presets":["P240p30fps16x9"]})");
    REQUIRE(with_presets.ladder);
    CHECK(with_presets.ladder->front().name == "P240p30fps16x9");
    const auto with_profiles = read(
        200,
        R"({"profiles":[{"name":"a","width":160,"height":90,"bitrate":100000,"fps":0}],"extra":1})");
    REQUIRE(with_profiles.ladder);
    CHECK(with_profiles.ladder->front().width == 160);
    for (const int status : {201, 204, 301, 400, 401, 403, 404, 500})
        CHECK(read(status, "").verdict == Verdict::no);
    for (const char* body : {"[]", "no", "{", R"({"manifestID":7})", R"({"manifestID":"a/b"})",
                             R"({"profiles":[{"width":-1}]})", R"({"presets":["nonsense"]})"}) {
        INFO(body);
        CHECK(read(200, body).verdict == Verdict::unknown);
        CHECK_FALSE(read(200, body).detail.empty());
    }
}

TEST_CASE("the webhook is asked once a session, with the URL that is pushed to", "[front][hook]") {
    Hooked world;
    CHECK(world.push("/live/cam/1.ts?key=a%20b") == 200);
    world.front.streams->opened({"cam"}, {"s1"}, {});
    for (const char* path : {"/live/cam/2.ts?key=a%20b", "/live/cam/3.ts?key=a%20b"})
        CHECK(world.push(path) == 200);
    REQUIRE(world.hook.asked().size() == 1);
    CHECK(world.hook.asked()[0] == world.front.front->public_url() + "/live/cam/1.ts?key=a%20b");
    // Another secret is another question, also while the session lives.
    world.hook.say(403, "");
    CHECK(world.push("/live/cam/4.ts?key=stolen") == 401);
    CHECK(world.push("/live/cam/4.ts") == 401);
    CHECK(world.push("/live/cam/4.ts?key=a%20b") == 200);
    CHECK(world.hook.asked().size() == 3);
    // The next session is asked about again.
    world.front.streams->ended({"cam"}, {"s1"});
    CHECK(world.push("/live/cam/5.ts?key=a%20b") == 401);
    CHECK(world.hook.asked().size() == 4);
    CHECK(world.front.begun() == 4);
}

TEST_CASE("pushes that come while the webhook thinks wait for its one answer", "[front][hook]") {
    Hooked world;
    world.hook.hold(true);
    std::vector<std::future<int>> pushes;
    for (int i = 0; i < 4; ++i)
        pushes.push_back(std::async(std::launch::async, [&world, i] {
            http::ClientRequest request;
            request.method = "PUT";
            request.url =
                world.front.front->public_url() + "/live/cam/" + std::to_string(i) + ".ts";
            request.body = ts_bytes(9);
            return http::fetch(request)->status;
        }));
    while (world.hook.asked().empty())
        std::this_thread::yield();
    world.hook.hold(false);
    for (auto& push : pushes)
        CHECK(push.get() == 200);
    CHECK(world.hook.asked().size() == 1);
}

TEST_CASE("the webhook names the stream and its ladder", "[front][hook]") {
    Hooked world;
    world.hook.say(200, R"({"manifestID":"public","presets":["P240p30fps16x9"]})");
    CHECK(world.push("/live/secret-key/1.ts") == 200);
    const auto begun = world.front.port.with([](FakePort& port) { return port.begun.at(0); });
    CHECK(begun.stream == StreamName{"public"});
    REQUIRE(begun.ladder);
    CHECK(begun.ladder->front().name == "P240p30fps16x9");
    // go-livepeer refuses a ladder in the header that is not the webhook's; so do we.
    CHECK(world.push("/live/secret-key/2.ts", {{"Livepeer-Transcode-Configuration",
                                                R"({"presets":["P144p30fps16x9"]})"}}) == 403);
    const auto opened = world.front.call("POST", "/sessions?x=1", R"({"stream":"secret-key"})");
    REQUIRE(opened.status == 201);
    const auto session = nlohmann::json::parse(opened.body);
    CHECK(session["upload_url"] == world.front.front->public_url() + "/live/public");
    CHECK(world.hook.asked().back() == world.front.front->public_url() + "/live/secret-key?x=1");
    // Its token needs no webhook, and is what ends the session.
    const http::Headers token{{"Authorization", "Bearer " + session["token"].get<std::string>()}};
    world.hook.say(403, "");
    CHECK(world.push("/live/public/3.ts", token) == 200);
    const std::string path = "/sessions/" + session["session_id"].get<std::string>();
    CHECK(world.front.call("DELETE", path).status == 401);
    CHECK(world.front.call("DELETE", path, {}, token).status == 204);
}

TEST_CASE("a webhook that cannot be asked is no refusal for good", "[front][hook]") {
    Hooked world("http://127.0.0.1:1/nobody?secret=hush");
    const auto answer = world.front.call("PUT", "/live/cam/1.ts", ts_bytes(9));
    CHECK(answer.status == 503);
    CHECK(FrontFixture::code_of(answer) == "AuthUnavailable");
    CHECK(answer.headers.find("Retry-After") == "1");
    CHECK(answer.body.find("hush") == std::string::npos);
    CHECK(world.front.begun() == 0);
}

TEST_CASE("too many questions at once are turned away, not queued", "[front][hook]") {
    FakeHook fake;
    fake.hold(true);
    HookOptions options;
    options.url = fake.url();
    options.threads = 1;
    options.waiting_max = 1;
    std::atomic<int> turned_away{0};
    AuthHook hook(options);
    const auto count = [&](const HookAnswer& answer) {
        if (answer.verdict == Verdict::unknown)
            ++turned_away;
    };
    hook.ask("a", count);
    while (fake.asked().empty())
        std::this_thread::yield();
    hook.ask("b", count);
    CHECK(turned_away == 0);
    hook.ask("c", count);
    CHECK(turned_away == 1);
    fake.hold(false);
}
