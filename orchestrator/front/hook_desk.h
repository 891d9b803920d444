#pragma once
// HookDesk: asks the auth webhook once for each session, not once for each segment.
//
// Rules
// - A yes counts for those who show the same (stream, query, Authorization), as long as the session that is
//   live on its stream lives, and for kHookYesFresh before there is one. A no is asked again.
// - Those who ask the same thing at the same moment share one question.
// - The hook's manifestID is the stream's name, as in go-livepeer: what is pushed to may be a secret key,
//   what is watched is the manifestID. A ladder in the request has to agree with the hook's.
//
// Bounded: kHookEntriesMax remembered answers; the oldest goes first.
//
// Thread: any. Answers come at once, or on a thread of the hook. Owner: Front.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/http/message.h"
#include "common/http/problem.h"
#include "orchestrator/access/live_streams.h"
#include "orchestrator/front/auth_hook.h"

namespace millrace::orchestrator {

inline constexpr Duration kHookYesFresh = std::chrono::seconds(10);
inline constexpr std::size_t kHookEntriesMax = 4096;

struct HookAdmission {
    StreamName stream;
    std::optional<Ladder> ladder;
};
using HookOutcome = std::variant<HookAdmission, http::Problem>;

class HookDesk {
public:
    using Done = std::function<void(const HookOutcome&)>;
    using Clock = std::function<TimePoint()>;

    HookDesk(HookOptions options, std::shared_ptr<const LiveStreams> streams,
             Clock clock = std::chrono::steady_clock::now);

    // `url`: what is pushed to, without a query; the request's is added.
    void admit(const http::Request& request, const StreamName& stream, const std::string& url,
               Done done);

private:
    struct Entry {
        std::optional<HookAdmission> yes;
        std::vector<Done> waiting;  // while it is being asked
        TimePoint asked_at;
        std::optional<SessionId> session;  // the one that the yes is for
    };
    [[nodiscard]] bool still_good(Entry& entry) const;
    void answered(const std::string& key, const StreamName& stream, const HookAnswer& answer);
    void make_room();

    std::shared_ptr<const LiveStreams> streams_;
    Clock clock_;
    std::mutex mutex_;
    std::map<std::string, Entry> entries_;
    AuthHook hook_;  // last: its threads use everything above
};

// Puts what the hook said into a request; the problem when they do not go together.
[[nodiscard]] std::optional<http::Problem> apply(const HookAdmission& admission, StreamName& stream,
                                                 std::optional<Ladder>& ladder);

}  // namespace millrace::orchestrator
