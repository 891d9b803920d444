#include "orchestrator/core/registry.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {
namespace {

// Notes an event and says whether `max` of them fell within the window.
bool too_many(std::deque<TimePoint>& events, TimePoint now, Duration window, std::size_t max) {
    while (!events.empty() && events.front() + window <= now)
        events.pop_front();
    events.push_back(now);
    return events.size() >= max;
}

// True for NAME itself and for NAME-2, NAME-3, ...
bool numbered(std::string_view name, std::string_view wished) {
    if (!name.starts_with(wished))
        return false;
    name.remove_prefix(wished.size());
    if (name.empty())
        return true;
    if (name.front() != '-' || name.size() < 2)
        return false;
    return name.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

std::int64_t cut(std::int64_t value) {
    return std::clamp<std::int64_t>(value, 0, 1'000'000'000'000'000);
}

// A claim, too: negative is not measured, absurd is cut to what arithmetic bears.
Cost clamped(const Cost& claim) {
    return {cut(claim.decode_pixels), cut(claim.encode_pixels), cut(claim.encoder_sessions),
            cut(claim.bytes),         cut(claim.scale_pixels),  cut(claim.encode_work)};
}

Capacity clamped(const Capacity& claim) {
    const CpuBudget& cpu = claim.cpu;
    return {clamped(claim.limits),
            {cut(cpu.decode), cut(cpu.scale), cut(cpu.encode), cut(cpu.available)}};
}

}  // namespace

std::uint32_t Transcoder::headroom() const {
    const std::uint32_t taken = others + reserved;
    return taken >= slots ? 0 : slots - taken;
}

std::string_view Transcoder::state() const {
    if (!payload_up())
        return "lost";
    if (quarantined())
        return "quarantined";
    if (draining)
        return "draining";
    return cordoned ? "cordoned" : "ready";
}

void Registry::restore(const TranscoderKey& key, const std::string& name, bool cordoned) {
    Transcoder& t = records_[key];
    t.key = key;
    if (t.no.value == 0)
        t.no.value = ++last_no_;
    if (names_.emplace(name, key).second)
        t.name = name;
    t.cordoned = cordoned;
}

Transcoder* Registry::find(const TranscoderKey& key) {
    const auto found = records_.find(key);
    return found == records_.end() ? nullptr : &found->second;
}

Transcoder* Registry::holder_of(std::string_view name) {
    const auto found = names_.find(name);
    return found == names_.end() ? nullptr : find(found->second);
}

Transcoder* Registry::find_name(std::string_view name) {
    Transcoder* t = holder_of(name);
    return t != nullptr && t->shown ? t : nullptr;
}

Transcoder& Registry::join(const TranscoderKey& key, Incarnation incarnation, const Hello& hello,
                           TimePoint now) {
    Transcoder& t = records_[key];
    t.key = key;
    if (t.no.value == 0)
        t.no.value = ++last_no_;
    const bool reborn = t.incarnation != incarnation;
    if (reborn) {
        t.incarnation_before = t.incarnation;
        t.incarnation = incarnation;
        t.draining = t.told_to_leave = false;
        t.nonce_before = 0;
    }
    if (t.nonce != hello.nonce) {
        t.nonce_before = reborn ? 0 : t.nonce;
        t.nonce = hello.nonce;
    }
    if (!t.joined)
        t.others = 0;
    t.joined = t.shown = true;
    if (!t.payload_up() && !t.lane_down_since)
        t.lane_down_since = now;
    t.version = hello.version;
    t.capabilities = hello.capabilities;
    t.capacity = clamped(hello.capacity);
    t.devices = hello.devices;
    t.labels = hello.labels;
    claim_slots(t, hello.slots);
    assign_name(t, hello.name);
    touch();
    return t;
}

void Registry::assign_name(Transcoder& t, const std::string& wished) {
    // A restored key has a name and no wish on record: NAME and NAME-n both fit a wish for NAME.
    const bool same_wish = t.wished == wished || (t.wished.empty() && numbered(t.name, wished));
    t.wished = wished;
    if (!t.name.empty() && same_wish)
        return;
    std::string name = wished.empty() ? "transcoder" : wished;
    const std::string base = name;
    for (int n = 2;; ++n) {
        Transcoder* holder = holder_of(name);
        if (holder == nullptr || holder == &t || !holder->joined) {
            if (holder != nullptr && holder != &t) {
                holder->name.clear();
                holder->shown = false;
                unnamed_ = holder;
            }
            break;
        }
        name = base + "-" + std::to_string(n);
    }
    if (!t.name.empty())
        names_.erase(t.name);
    t.name = name;
    names_[name] = t.key;
}

void Registry::lose(Transcoder& t, std::string reason, TimePoint now) {
    MR_CHECK(t.reserved == 0 && t.sessions.empty(), "a lost transcoder holds no sessions");
    t.joined = false;  // what the link says of its payload lane stays said
    t.lane_down_since.reset();
    t.lost_at = now;
    t.lost_reason = std::move(reason);
    touch();
}

void Registry::forget(const TranscoderKey& key) {
    const auto found = records_.find(key);
    if (found == records_.end())
        return;
    MR_CHECK(found->second.sessions.empty(), "a forgotten transcoder holds no sessions");
    if (!found->second.name.empty())
        names_.erase(found->second.name);
    if (unnamed_ == &found->second)
        unnamed_ = nullptr;
    records_.erase(found);
    touch();
}

Transcoder* Registry::surplus() {
    if (records_.size() <= kTranscodersKnownMax)
        return nullptr;
    Transcoder* oldest = nullptr;
    for (auto& [key, t] : records_)
        if (!t.joined && (oldest == nullptr || t.lost_at < oldest->lost_at))
            oldest = &t;
    return oldest;
}

Transcoder* Registry::take_unnamed() {
    return std::exchange(unnamed_, nullptr);
}

void Registry::claim_slots(Transcoder& t, std::uint32_t slots) {
    t.slots = std::min(slots, kSlotsMax);
}

void Registry::note_others(Transcoder& t, std::uint32_t slots_free, std::uint32_t ours) {
    const std::uint64_t accounted = std::uint64_t{slots_free} + ours;
    t.others = accounted >= t.slots ? 0 : t.slots - static_cast<std::uint32_t>(accounted);
}

void Registry::note_others_cost(Transcoder& t, const Cost& load, const Cost& ours) {
    t.others_cost = clamped(clamped(load) - ours);
}

bool Registry::strike(Transcoder& t, TimePoint now) {
    if (!too_many(t.strikes, now, kStrikeWindow, kStrikesMax))
        return false;
    t.strikes.clear();
    t.quarantined_until = now + kStrikeQuarantine;
    t.quarantine_reason = "wrong results";
    return true;
}

bool Registry::device_failed(Transcoder& t, TimePoint now) {
    if (!too_many(t.device_failures, now, kDeviceFailureWindow, kDeviceFailuresMax))
        return false;
    t.device_failures.clear();
    t.quarantined_until = now + kDeviceQuarantine;
    t.quarantine_reason = "device failures";
    return true;
}

void Registry::refresh() {
    if (!stale_)
        return;
    stale_ = false;
    ready_.clear();
    classes_.clear();
    for (auto& [key, t] : records_) {
        if (!t.ready())
            continue;
        ready_.push_back(&t);
        const auto same = std::find_if(classes_.begin(), classes_.end(),
                                       [&t](const auto* c) { return *c == t.capabilities; });
        t.capability_class = static_cast<std::size_t>(same - classes_.begin());
        if (same == classes_.end())
            classes_.push_back(&t.capabilities);
    }
}

std::span<Transcoder* const> Registry::ready() {
    refresh();
    return ready_;
}

std::uint32_t Registry::slots_ready() {
    std::uint32_t sum = 0;
    for (const Transcoder* t : ready())
        sum += std::max(t->slots, t->reserved);
    return sum;
}

std::span<const Capabilities* const> Registry::capability_classes() {
    refresh();
    return classes_;
}

}  // namespace millrace::orchestrator
