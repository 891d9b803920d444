#include "orchestrator/front/playlist.h"

#include <algorithm>

#include "orchestrator/front/joins.h"

namespace millrace::orchestrator {
namespace {

constexpr std::size_t kSessionDigits = 8;  // of its id, in segment names
// Sessions of one stream whose late segments are still told apart.
constexpr std::size_t kSessionsKept = 8;

std::uint64_t bytes_of(const AnsweredSegment& segment) {
    std::uint64_t bytes = segment.source ? segment.source->size() : 0;
    for (const PayloadPtr& rendition : segment.renditions)
        bytes += rendition->size();
    return bytes;
}

std::chrono::seconds rounded_up(Duration duration) {
    return std::max(std::chrono::ceil<std::chrono::seconds>(duration), std::chrono::seconds(1));
}

}  // namespace

std::string segment_name(const SegmentKey& key) {
    return key.session.value.substr(0, kSessionDigits) + '_' + std::to_string(key.run) + '_' +
           std::to_string(key.seq);
}

std::uint64_t StreamPlaylist::session_order(const SessionId& session) {
    auto found = sessions_.find(session.value);
    if (found == sessions_.end()) {
        found = sessions_.emplace(session.value, ++sessions_seen_).first;
        session_ = session.value;
        ended_at_.reset();
        if (sessions_.size() > kSessionsKept)
            sessions_.erase(
                std::min_element(sessions_.begin(), sessions_.end(),
                                 [](const auto& a, const auto& b) { return a.second < b.second; }));
    }
    return found->second;
}

StreamPlaylist::Order StreamPlaylist::order_of(const SegmentKey& key) {
    return {session_order(key.session), key.run, key.seq};
}

void StreamPlaylist::resume(const PlaylistResume& from) {
    next_media_sequence_ = std::max(next_media_sequence_, from.numbers_used);
    discontinuities_ = next_media_sequence_;
    gap_ = true;
    const std::uint64_t session = session_order(from.session);
    if (from.run_and_seq)
        last_ = Order{session, from.run_and_seq->first, from.run_and_seq->second};
}

StreamPlaylist::Pending* StreamPlaylist::place(const SegmentKey& key) {
    const Order order = order_of(key);
    if (last_ && order <= *last_)
        return nullptr;
    // Something new of a session that had ended: it is back. What was accepted before its end is
    // pending already.
    if (key.session.value == session_ && !pending_.contains(order))
        ended_at_.reset();
    return &pending_[order];
}

void StreamPlaylist::expect(const SegmentKey& key, TimePoint deadline, TimePoint now) {
    if (Pending* const pending = place(key))
        pending->deadline = deadline;
    advance_to(now);
}

void StreamPlaylist::answer(const AnsweredSegmentPtr& segment, TimePoint now) {
    if (Pending* const pending = place(segment->key))
        pending->answer = segment;
    advance_to(now);
}

void StreamPlaylist::fail(const SegmentKey& key, TimePoint now) {
    if (Pending* const pending = place(key))
        pending->failed = true;
    advance_to(now);
}

void StreamPlaylist::end(const SessionId& session, TimePoint now) {
    if (session.value == session_ && !ended_at_)
        ended_at_ = now;
    advance_to(now);
}

bool StreamPlaylist::follows(const Order& order) const {
    return !last_ || order.session != last_->session || order.run != last_->run ||
           order.seq == last_->seq + 1;
}

// Lists or passes over the first waiting segment; false when it has to wait on.
bool StreamPlaylist::settle_first(TimePoint now) {
    const auto first = pending_.begin();
    const auto& [order, pending] = *first;
    const bool due = now >= pending.deadline || pending_.size() > kPendingMax;
    if (pending.answer) {
        if (!follows(order) && !due && !ended_at_)
            return false;
        append(order, pending.answer);
    } else if (pending.failed || due) {
        gap_ = true;
    } else {
        return false;
    }
    last_ = order;
    pending_.erase(first);
    return true;
}

void StreamPlaylist::advance_to(TimePoint now) {
    while (!pending_.empty() && settle_first(now)) {
    }
}

// No discontinuity stands before it.
bool StreamPlaylist::goes_on(const Order& order, const AnsweredSegment& segment) const {
    const bool same_run = last_ && order.session == last_->session && order.run == last_->run;
    return !gap_ && same_run && follows(order) && !segment.discontinuity && !entries_.empty() &&
           joins(*entries_.back().segment, segment);
}

void StreamPlaylist::append(const Order& order, AnsweredSegmentPtr segment) {
    const bool goes_on_here = goes_on(order, *segment);
    const Duration duration = segment->report.source.duration;
    ListedSegment entry;
    entry.discontinuity = next_media_sequence_ > 0 && !goes_on_here;
    entry.media_sequence = next_media_sequence_++;
    entry.discontinuities_before = discontinuities_;
    discontinuities_ += entry.discontinuity ? 1 : 0;
    gap_ = false;
    entry.starts_at =
        goes_on_here
            ? entries_.back().starts_at + entries_.back().segment->report.source.duration
            : std::chrono::milliseconds(segment->committed_at.ms) - segment->total - duration;
    entry.splices = splices_.read(*segment, entry.starts_at, entry.media_sequence);
    target_ = std::max(target_, rounded_up(duration));
    bytes_ += bytes_of(*segment);
    entry.segment = std::move(segment);
    entries_.push_back(std::move(entry));
    while (config_.listed > 0 && entries_.size() > config_.listed + config_.tail)
        drop_oldest();
}

std::vector<const ListedSegment*> StreamPlaylist::listed() const {
    const std::size_t count =
        config_.listed == 0 ? entries_.size() : std::min(config_.listed, entries_.size());
    std::vector<const ListedSegment*> list;
    for (std::size_t i = entries_.size() - count; i < entries_.size(); ++i)
        list.push_back(&entries_[i]);
    return list;
}

bool StreamPlaylist::over(TimePoint now) const {
    return ended() && now - *ended_at_ >= config_.kept_after_end;
}

AnsweredSegmentPtr StreamPlaylist::find(
    const std::function<bool(const AnsweredSegment&)>& wanted) const {
    for (const ListedSegment& entry : entries_)
        if (wanted(*entry.segment))
            return entry.segment;
    return nullptr;
}

bool StreamPlaylist::drop_oldest() {
    if (entries_.empty())
        return false;
    bytes_ -= bytes_of(*entries_.front().segment);
    entries_.pop_front();
    return true;
}

}  // namespace millrace::orchestrator
