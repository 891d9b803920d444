#include "orchestrator/access/live_streams.h"

namespace millrace::orchestrator {

void LiveStreams::opened(const StreamName& stream, const SessionId& session,
                         const AccountId& account) {
    const std::lock_guard lock(mutex_);
    streams_[stream] = {session, account, true};
}

void LiveStreams::ended(const StreamName& stream, const SessionId& session) {
    const std::lock_guard lock(mutex_);
    const auto found = streams_.find(stream);
    if (found == streams_.end() || found->second.session != session || !found->second.live)
        return;
    found->second.live = false;
    ended_.emplace_back(stream, session);
    if (ended_.size() <= kEndedStreamsMax)
        return;
    // A name that has come back to life since stays.
    const auto [oldest, last_session] = ended_.front();
    ended_.pop_front();
    const auto old = streams_.find(oldest);
    if (old != streams_.end() && !old->second.live && old->second.session == last_session)
        streams_.erase(old);
}

std::optional<AccountId> LiveStreams::owner(const StreamName& stream) const {
    const std::lock_guard lock(mutex_);
    const auto found = streams_.find(stream);
    return found == streams_.end() ? std::nullopt : std::optional(found->second.account);
}

std::optional<SessionId> LiveStreams::live(const StreamName& stream) const {
    const std::lock_guard lock(mutex_);
    const auto found = streams_.find(stream);
    if (found == streams_.end() || !found->second.live)
        return std::nullopt;
    return found->second.session;
}

}  // namespace millrace::orchestrator
