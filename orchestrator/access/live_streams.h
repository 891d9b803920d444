#pragma once
// LiveStreams: which session a stream name belongs to, as the HTTP threads may ask. The loop tells it.
//
// A stream that has ended is remembered, so that the last playlist can still be watched by those who were
// let in; of these the kEndedStreamsMax that ended last. What is not known here is nobody's: refused.
//
// Thread: any. Owner: shared between the service, which tells, and the front, which asks.

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "common/base/ids.h"

namespace millrace::orchestrator {

inline constexpr std::size_t kEndedStreamsMax = 4096;

class LiveStreams {
public:
    void opened(const StreamName& stream, const SessionId& session, const AccountId& account);
    void ended(const StreamName& stream, const SessionId& session);

    // Whose the stream's live session is, or its last one was.
    [[nodiscard]] std::optional<AccountId> owner(const StreamName& stream) const;
    [[nodiscard]] std::optional<SessionId> live(const StreamName& stream) const;

private:
    struct Record {
        SessionId session;
        AccountId account;
        bool live = true;
    };
    mutable std::mutex mutex_;
    std::map<StreamName, Record> streams_;
    std::deque<std::pair<StreamName, SessionId>> ended_;  // in the order of their ends
};

}  // namespace millrace::orchestrator
