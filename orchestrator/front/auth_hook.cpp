#include "orchestrator/front/auth_hook.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "common/http/client.h"
#include "common/runtime/log.h"
#include "orchestrator/front/ladder_request.h"
#include "orchestrator/front/names.h"

namespace millrace::orchestrator {
namespace {

using Verdict = HookAnswer::Verdict;

HookAnswer unusable(std::string detail) {
    return {Verdict::unknown, {}, {}, std::move(detail)};
}

}  // namespace

HookAnswer read_hook_answer(int status, std::string_view body, std::size_t renditions_max) {
    if (status != 200)
        return {Verdict::no};
    if (body.find_first_not_of(" \t\r\n") == std::string_view::npos)
        return {Verdict::yes};
    const auto json = nlohmann::json::parse(body, nullptr, false);
    if (!json.is_object())
        return unusable("its answer is not a JSON object");
    HookAnswer answer{Verdict::yes};
    const auto name = json.find("manifestID");
    if (name != json.end() && name->is_string())
        answer.stream = name->get<std::string>();
    else if (name != json.end() && !name->is_null())
        return unusable("its manifestID is not a text");
    if (!answer.stream.empty() && !valid_stream_name(answer.stream))
        return unusable("its manifestID is not [A-Za-z0-9._~+-]{1,128}");
    const auto given = [&json](const char* key) {
        const auto found = json.find(key);
        return found != json.end() && !found->is_null();
    };
    if (!given("profiles") && !given("presets"))
        return answer;
    LadderRequest ladder = ladder_of_header(body, renditions_max);
    if (const auto* mistakes = std::get_if<std::vector<http::ProblemField>>(&ladder))
        return unusable("its ladder cannot be made: " + mistakes->front().path + ": " +
                        mistakes->front().detail);
    if (!std::get<Ladder>(ladder).empty())
        answer.ladder = std::get<Ladder>(std::move(ladder));
    return answer;
}

AuthHook::AuthHook(HookOptions options) : options_(std::move(options)) {
    for (std::size_t i = 0; i < options_.threads; ++i)
        threads_.emplace_back([this] { run(); });
}

AuthHook::~AuthHook() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_)
        thread.join();
}

void AuthHook::ask(std::string url, Done done) {
    {
        const std::lock_guard lock(mutex_);
        if (questions_.size() < options_.waiting_max) {
            questions_.push_back({std::move(url), std::move(done)});
            done = nullptr;
        }
    }
    if (done)
        done(unusable("too many questions wait for it"));
    else
        wake_.notify_one();
}

void AuthHook::run() {
    while (true) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stopping_ || !questions_.empty(); });
        if (stopping_)
            return;
        const Question question = std::move(questions_.front());
        questions_.pop_front();
        lock.unlock();
        const HookAnswer answer = answer_to(question.url);
        note(answer);
        question.done(answer);
    }
}

HookAnswer AuthHook::answer_to(const std::string& url) {
    http::ClientRequest request;
    request.method = "POST";
    request.url = options_.url;
    request.headers.add("Content-Type", "application/json");
    request.body = nlohmann::json{{"url", url}}.dump();
    request.timeout = options_.timeout;
    request.ca_file = options_.ca_file;
    request.answer_bytes_max = options_.answer_bytes_max;
    const auto response = http::fetch(request);
    if (!response)
        return unusable(response.error().kind == ErrorKind::timeout ? "it does not answer in time"
                                                                    : "it cannot be reached");
    return read_hook_answer(response->status, response->body, options_.renditions_max);
}

// Once when it begins to fail and once when it works again, however many ask in between.
void AuthHook::note(const HookAnswer& answer) {
    const bool failed = answer.verdict == Verdict::unknown;
    {
        const std::lock_guard lock(mutex_);
        if (failing_ == failed)
            return;
        failing_ = failed;
    }
    if (failed)
        log::warn("auth", "the auth webhook fails", {{"problem", answer.detail}});
    else
        log::info("auth", "the auth webhook works again");
}

}  // namespace millrace::orchestrator
