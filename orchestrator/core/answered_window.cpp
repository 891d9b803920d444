#include "orchestrator/core/answered_window.h"

#include <algorithm>

#include "common/base/check.h"
#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {

std::vector<AnswerId> AnsweredWindow::add(SessionNo session, AnswerKey key, const Sha256& sha256,
                                          AnswerId answer, std::uint64_t bytes, TimePoint now) {
    MR_CHECK(kept_.empty() || kept_.rbegin()->first < answer, "answer ids rise");
    std::vector<AnswerId> gone;
    History& history = sessions_[session];
    if (const auto older = history.by_key.find(key); older != history.by_key.end()) {
        gone.push_back(older->second);
        drop(older->second);
    }
    remember(history, key, sha256, now);
    kept_.emplace(answer, Kept{session, key, bytes, now});
    history.by_key[key] = answer;
    history.kept.push_back(answer);
    bytes_ += bytes;
    while (bytes_ > keep_bytes_) {
        gone.push_back(kept_.begin()->first);
        drop(kept_.begin()->first);
    }
    if (const auto found = sessions_.find(session); found != sessions_.end())
        rearm(session, found->second);
    return gone;
}

void AnsweredWindow::remember(History& history, AnswerKey key, const Sha256& sha256,
                              TimePoint now) {
    std::erase(history.order, key);
    history.order.push_back(key);
    history.answered[key] = Answered{sha256, now};
    while (history.order.size() > kSeqsRemembered) {
        history.answered.erase(history.order.front());
        history.order.pop_front();
    }
}

std::optional<AnswerId> AnsweredWindow::find(SessionNo session, std::uint64_t seq,
                                             const Sha256& sha256) const {
    const auto found = sessions_.find(session);
    if (found == sessions_.end())
        return std::nullopt;
    const History& history = found->second;
    for (auto it = history.by_key.rbegin(); it != history.by_key.rend(); ++it) {
        const auto answered = history.answered.find(it->first);
        if (it->first.seq == seq && answered != history.answered.end() &&
            answered->second.sha256 == sha256)
            return it->second;
    }
    return std::nullopt;
}

std::optional<Answered> AnsweredWindow::last(SessionNo session, AnswerKey key) const {
    const auto found = sessions_.find(session);
    if (found == sessions_.end())
        return std::nullopt;
    const auto answered = found->second.answered.find(key);
    if (answered == found->second.answered.end())
        return std::nullopt;
    return answered->second;
}

std::vector<AnswerId> AnsweredWindow::expire(TimePoint now) {
    std::vector<AnswerId> gone;
    while (!expiries_.empty() && expiries_.begin()->first <= now) {
        const auto found = sessions_.find(expiries_.begin()->second);
        MR_CHECK(found != sessions_.end(), "an expiry belongs to a session");
        gone.push_back(found->second.kept.front());
        drop(gone.back());
    }
    return gone;
}

std::optional<TimePoint> AnsweredWindow::next_expiry() const {
    if (expiries_.empty())
        return std::nullopt;
    return expiries_.begin()->first;
}

void AnsweredWindow::session_ended(SessionNo session) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end())
        return;
    found->second.ended = true;
    rearm(session, found->second);
}

void AnsweredWindow::session_reopened(SessionNo session) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end())
        return;
    found->second.ended = false;
    rearm(session, found->second);
}

void AnsweredWindow::forget_session(SessionNo session) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end())
        return;
    found->second.ended = true;
    found->second.forgotten = true;
    rearm(session, found->second);
    if (found->second.kept.empty())
        sessions_.erase(found);
}

void AnsweredWindow::drop(AnswerId answer) {
    const auto found = kept_.find(answer);
    MR_CHECK(found != kept_.end(), "only kept answers are dropped");
    const Kept kept = found->second;
    kept_.erase(found);
    bytes_ -= kept.bytes;
    const auto session = sessions_.find(kept.session);
    MR_CHECK(session != sessions_.end(), "a kept answer belongs to a session");
    History& history = session->second;
    history.by_key.erase(kept.key);
    std::erase(history.kept, answer);
    rearm(kept.session, history);
    if (history.forgotten && history.kept.empty())
        sessions_.erase(session);
}

void AnsweredWindow::rearm(SessionNo session, History& history) {
    std::optional<TimePoint> at;
    const std::size_t safe = history.ended ? 0 : keep_last_;
    if (history.kept.size() > safe)
        at = kept_.at(history.kept.front()).at + keep_for_;
    if (history.expires == at)
        return;
    if (history.expires)
        expiries_.erase({*history.expires, session});
    if (at)
        expiries_.insert({*at, session});
    history.expires = at;
}

void AnsweredWindow::check_invariants() const {
    std::uint64_t bytes = 0;
    for (const auto& [answer, kept] : kept_) {
        bytes += kept.bytes;
        MR_CHECK(sessions_.at(kept.session).by_key.at(kept.key) == answer, "answers are indexed");
    }
    MR_CHECK(bytes == bytes_ && bytes <= keep_bytes_, "kept bytes are counted and bounded");
    std::size_t listed = 0;
    for (const auto& [no, history] : sessions_) {
        listed += history.kept.size();
        MR_CHECK(history.kept.size() == history.by_key.size(), "one key, one kept answer");
        MR_CHECK(history.order.size() == history.answered.size() &&
                     history.order.size() <= kSeqsRemembered,
                 "remembered numbers are bounded");
    }
    MR_CHECK(listed == kept_.size(), "each kept answer belongs to one session");
}

}  // namespace millrace::orchestrator
