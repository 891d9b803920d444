#pragma once
// AuthHook: go-livepeer's auth webhook (--auth webhook:URL). Asked whether a stream may be pushed, it answers
// with yes or no and, if it likes, with the stream's name and ladder.
//
//   POST URL  {"url": "http://host/live/name/0.ts?key=…"}     the URL that is being pushed to, query included
//   200       empty, or {"manifestID", "profiles", "presets", …}; other keys are passed over
//   else      no
//
// Bounded: threads, requests that wait, time and bytes of an answer. Certificates of https are verified.
// Redirects are not followed. The log says that the hook fails and works again, never its URL.
//
// Thread: ask() from any; answers come on a thread of the hook. Owner: Front.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/time.h"
#include "common/domain/rendition.h"

namespace millrace::orchestrator {

struct HookOptions {
    std::string url;      // may hold a secret
    std::string ca_file;  // whom to believe about https; empty = the system's certificates
    Duration timeout = std::chrono::seconds(5);
    std::size_t threads = 4;
    std::size_t waiting_max = 256;
    std::size_t answer_bytes_max = 64 * 1024;
    std::size_t renditions_max = kRenditionsMax;
};

struct HookAnswer {
    // unknown: it could not be asked, or what it said cannot be used.
    enum class Verdict : std::uint8_t { yes, no, unknown };
    Verdict verdict = Verdict::unknown;
    std::string stream = {};  // its manifestID; empty = the name that was pushed to
    std::optional<Ladder> ladder = std::nullopt;
    std::string detail = {};  // of an unknown one
};

// What an answer means. Pure.
[[nodiscard]] HookAnswer read_hook_answer(int status, std::string_view body,
                                          std::size_t renditions_max);

class AuthHook {
public:
    using Done = std::function<void(const HookAnswer&)>;

    explicit AuthHook(HookOptions options);
    // What is being asked is waited for (at most the timeout), what waits is dropped unanswered.
    ~AuthHook();
    AuthHook(const AuthHook&) = delete;
    AuthHook& operator=(const AuthHook&) = delete;

    // When too many wait: unknown, at once on the calling thread.
    void ask(std::string url, Done done);

private:
    struct Question {
        std::string url;
        Done done;
    };
    void run();
    [[nodiscard]] HookAnswer answer_to(const std::string& url);
    void note(const HookAnswer& answer);

    HookOptions options_;
    std::mutex mutex_;  // guards the three below
    std::condition_variable wake_;
    std::deque<Question> questions_;
    bool stopping_ = false;
    bool failing_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace millrace::orchestrator
