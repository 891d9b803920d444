#include "orchestrator/access/account_book.h"

#include <algorithm>

#include "orchestrator/access/account_key.h"

namespace millrace::orchestrator {
namespace {

constexpr std::size_t kStreamNameMax = 128;

bool name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '~' || c == '+' || c == '-';
}

bool matches(std::string_view pattern, std::string_view name) {
    if (pattern.ends_with('*'))
        return name.starts_with(pattern.substr(0, pattern.size() - 1));
    return name == pattern;
}

}  // namespace

bool valid_stream_pattern(std::string_view pattern) {
    if (pattern.empty() || pattern.size() > kStreamNameMax)
        return false;
    const bool prefix = pattern.ends_with('*');
    const std::string_view name = pattern.substr(0, pattern.size() - (prefix ? 1 : 0));
    return std::all_of(name.begin(), name.end(), name_character);
}

bool allows(const Account& account, const StreamName& stream) {
    return account.streams.empty() ||
           std::any_of(account.streams.begin(), account.streams.end(),
                       [&](const std::string& pattern) { return matches(pattern, stream.value); });
}

std::optional<AccountBook::Holder> AccountBook::holder_of(std::string_view key) const {
    const auto shown = read_account_key(key);
    if (!shown)
        return std::nullopt;
    const std::lock_guard lock(mutex_);
    const auto found = by_key_id_.find(shown->id);
    if (found == by_key_id_.end())
        return std::nullopt;
    const Account& account = accounts_.at(found->second);
    if (!same_hash(account.key_hash, shown->hash))
        return std::nullopt;
    return Holder{account.name, account.key_id};
}

std::optional<std::string> AccountBook::key_id_of(const AccountId& account) const {
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(account);
    return found == accounts_.end() ? std::nullopt : std::optional(found->second.key_id);
}

bool AccountBook::has(const AccountId& account, const std::string& key_id) const {
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(account);
    return found != accounts_.end() && found->second.key_id == key_id;
}

bool AccountBook::allows(const AccountId& account, const StreamName& stream) const {
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(account);
    return found != accounts_.end() && orchestrator::allows(found->second, stream);
}

void AccountBook::put(const Account& account) {
    const std::lock_guard lock(mutex_);
    if (const auto old = accounts_.find(account.name); old != accounts_.end())
        by_key_id_.erase(old->second.key_id);
    accounts_[account.name] = account;
    by_key_id_[account.key_id] = account.name;
}

void AccountBook::remove(const AccountId& account) {
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(account);
    if (found == accounts_.end())
        return;
    by_key_id_.erase(found->second.key_id);
    accounts_.erase(found);
}

}  // namespace millrace::orchestrator
