#include "orchestrator/core/quota.h"

#include <algorithm>

namespace millrace::orchestrator {
namespace {

constexpr Duration kMinute = std::chrono::minutes(1);
constexpr Duration kSecond = std::chrono::seconds(1);
// Sessions end when their owner likes; this is how often it is worth asking.
constexpr Duration kSessionRetry = std::chrono::seconds(5);
// No debt is longer than what 64 bits hold, far beyond any segment.
constexpr std::int64_t kDebtMax = std::int64_t{1} << 61;

Refusal exceeded(const std::string& what, std::uint64_t limit, Duration after) {
    return {ApiCode::quota_exceeded,
            "the account's limit is reached: " + what + ' ' + std::to_string(limit), after};
}

std::optional<Bucket> bucket(const std::optional<std::uint64_t>& rate, Duration period,
                             Duration burst, TimePoint now) {
    if (!rate)
        return std::nullopt;
    return Bucket(*rate, period, burst, now);
}

}  // namespace

Bucket::Bucket(std::uint64_t rate, Duration period, Duration burst, TimePoint now)
    : rate_(static_cast<std::int64_t>(std::clamp<std::uint64_t>(rate, 1, kAccountRateMax))),
      period_ms_(to_ms(period)),
      capacity_(rate_ * to_ms(burst)),
      level_(capacity_),
      filled_at_(now) {}

void Bucket::fill(TimePoint now) {
    const std::int64_t elapsed_ms = to_ms(now - filled_at_);
    if (elapsed_ms <= 0)
        return;
    filled_at_ += std::chrono::milliseconds(elapsed_ms);
    const std::int64_t missing_ms = (capacity_ - level_) / rate_ + 1;
    level_ = elapsed_ms >= missing_ms ? capacity_ : level_ + elapsed_ms * rate_;
}

void Bucket::take(std::uint64_t units, TimePoint now) {
    fill(now);
    const auto cost = static_cast<std::int64_t>(
        std::min<std::uint64_t>(units, static_cast<std::uint64_t>(kDebtMax / period_ms_)));
    level_ = std::max(level_ - cost * period_ms_, -kDebtMax);
}

void Bucket::give_back(std::uint64_t units) {
    const auto cost = static_cast<std::int64_t>(
        std::min<std::uint64_t>(units, static_cast<std::uint64_t>(kDebtMax / period_ms_)));
    level_ = std::min(level_ + cost * period_ms_, capacity_);
}

Duration Bucket::wait(TimePoint now) {
    fill(now);
    const std::int64_t missing = period_ms_ - level_;
    if (missing <= 0)
        return Duration::zero();
    return std::chrono::milliseconds((missing + rate_ - 1) / rate_);
}

void Quotas::set(const AccountId& account, const AccountLimits& limits, TimePoint now) {
    meters_[account] = {limits, bucket(limits.segments_per_minute, kMinute, kSegmentsBurst, now),
                        bucket(limits.bytes_per_second, kSecond, kRateBurst, now),
                        bucket(limits.pixels_per_second, kSecond, kRateBurst, now)};
}

void Quotas::remove(const AccountId& account) {
    meters_.erase(account);
}

bool Quotas::known(const AccountId& account) const {
    return meters_.contains(account);
}

Quotas::Meter* Quotas::find(const AccountId& account) {
    const auto found = meters_.find(account);
    return found == meters_.end() ? nullptr : &found->second;
}

std::optional<Refusal> Quotas::judge_session(const AccountId& account,
                                             std::size_t open_sessions) const {
    const auto found = meters_.find(account);
    if (found == meters_.end() || !found->second.limits.sessions)
        return std::nullopt;
    const std::uint32_t limit = *found->second.limits.sessions;
    if (open_sessions < limit)
        return std::nullopt;
    return exceeded("sessions", limit, kSessionRetry);
}

std::optional<Refusal> Quotas::judge_segment(const AccountId& account, TimePoint now) {
    Meter* const meter = find(account);
    if (meter == nullptr)
        return std::nullopt;
    const AccountLimits& limits = meter->limits;
    const auto judge = [now](std::optional<Bucket>& of, const char* what,
                             const auto& limit) -> std::optional<Refusal> {
        const Duration wait = of ? of->wait(now) : Duration::zero();
        if (wait == Duration::zero())
            return std::nullopt;
        return exceeded(what, *limit, wait);
    };
    if (auto no = judge(meter->segments, "segments per minute", limits.segments_per_minute))
        return no;
    if (auto no = judge(meter->bytes, "bytes per second", limits.bytes_per_second))
        return no;
    return judge(meter->pixels, "encoded pixels per second", limits.pixels_per_second);
}

void Quotas::charge_segment(const AccountId& account, std::uint64_t bytes, TimePoint now) {
    Meter* const meter = find(account);
    if (meter == nullptr)
        return;
    if (meter->segments)
        meter->segments->take(1, now);
    if (meter->bytes)
        meter->bytes->take(bytes, now);
}

void Quotas::give_back_segment(const AccountId& account, std::uint64_t bytes) {
    Meter* const meter = find(account);
    if (meter == nullptr)
        return;
    if (meter->segments)
        meter->segments->give_back(1);
    if (meter->bytes)
        meter->bytes->give_back(bytes);
}

void Quotas::charge_pixels(const AccountId& account, std::int64_t pixels, TimePoint now) {
    Meter* const meter = find(account);
    if (meter != nullptr && meter->pixels && pixels > 0)
        meter->pixels->take(static_cast<std::uint64_t>(pixels), now);
}

}  // namespace millrace::orchestrator
