#include "orchestrator/front/hook_desk.h"

#include <algorithm>

#include "common/base/hex.h"
#include "common/runtime/sha256.h"

namespace millrace::orchestrator {
namespace {

using http::Problem;

std::string query_of(const http::Request& request) {
    const std::string& raw = request.target.raw;
    const std::size_t question = raw.find('?');
    return question == std::string::npos ? std::string() : raw.substr(question);
}

// Hashed: what is shown to the hook is a secret, and this is kept for as long as a session.
std::string key_of(const http::Request& request, const StreamName& stream) {
    const std::string text = stream.value + '\n' + query_of(request) + '\n' +
                             std::string(request.headers.find("Authorization").value_or(""));
    return to_hex(sha256_of({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
}

HookOutcome outcome_of(const HookAnswer& answer, const StreamName& stream) {
    switch (answer.verdict) {
        case HookAnswer::Verdict::yes:
            return HookAdmission{answer.stream.empty() ? stream : StreamName{answer.stream},
                                 answer.ladder};
        case HookAnswer::Verdict::no:
            return Problem{ApiCode::unauthorized, "the auth webhook refuses this stream", {}};
        case HookAnswer::Verdict::unknown:
            break;
    }
    return Problem{ApiCode::auth_unavailable,
                   "the auth webhook cannot be asked: " + answer.detail,
                   {},
                   std::chrono::seconds(1)};
}

}  // namespace

HookDesk::HookDesk(HookOptions options, std::shared_ptr<const LiveStreams> streams, Clock clock)
    : streams_(std::move(streams)), clock_(std::move(clock)), hook_(std::move(options)) {}

bool HookDesk::still_good(Entry& entry) const {
    const auto live = streams_->live(entry.yes->stream);
    if (!entry.session)
        entry.session = live;
    if (entry.session)
        return live == entry.session;
    return clock_() - entry.asked_at < kHookYesFresh;
}

void HookDesk::admit(const http::Request& request, const StreamName& stream, const std::string& url,
                     Done done) {
    const std::string key = key_of(request, stream);
    std::optional<HookOutcome> known;
    {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(key);
        if (found != entries_.end() && !found->second.yes)
            return found->second.waiting.push_back(std::move(done));
        if (found != entries_.end() && still_good(found->second)) {
            known = *found->second.yes;
        } else {
            if (found == entries_.end())
                make_room();
            entries_[key] = {{}, {std::move(done)}, clock_(), {}};
        }
    }
    if (known)
        return done(*known);
    hook_.ask(url + query_of(request),
              [this, key, stream](const HookAnswer& answer) { answered(key, stream, answer); });
}

void HookDesk::answered(const std::string& key, const StreamName& stream,
                        const HookAnswer& answer) {
    const HookOutcome outcome = outcome_of(answer, stream);
    std::vector<Done> waiting;
    {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(key);
        if (found == entries_.end())
            return;
        waiting = std::move(found->second.waiting);
        found->second.waiting.clear();
        if (const auto* yes = std::get_if<HookAdmission>(&outcome)) {
            found->second.yes = *yes;
            found->second.asked_at = clock_();
        } else {
            entries_.erase(found);
        }
    }
    for (const Done& done : waiting)
        done(outcome);
}

// Questions that are being asked stay: somebody waits for them.
void HookDesk::make_room() {
    if (entries_.size() < kHookEntriesMax)
        return;
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        const bool over = entry->second.yes && !still_good(entry->second);
        entry = over ? entries_.erase(entry) : std::next(entry);
    }
    if (entries_.size() < kHookEntriesMax)
        return;
    const auto oldest =
        std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
            return std::pair(!a.second.yes.has_value(), a.second.asked_at) <
                   std::pair(!b.second.yes.has_value(), b.second.asked_at);
        });
    if (oldest->second.yes)
        entries_.erase(oldest);
}

std::optional<Problem> apply(const HookAdmission& admission, StreamName& stream,
                             std::optional<Ladder>& ladder) {
    if (admission.ladder && ladder && *admission.ladder != *ladder)
        return Problem{ApiCode::forbidden, "the ladder is not the one of the auth webhook", {}};
    stream = admission.stream;
    if (admission.ladder)
        ladder = admission.ladder;
    return std::nullopt;
}

}  // namespace millrace::orchestrator
