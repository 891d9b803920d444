#pragma once
// AccountBook: the accounts as the HTTP threads see them. The loop writes (accounts.h); a change counts
// from the next question on.
//
// Thread: any. Owner: shared between the front, which asks, and Accounts, which writes.

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "orchestrator/access/account.h"

namespace millrace::orchestrator {

class AccountBook {
public:
    // Whose key this is; nothing = nobody's.
    struct Holder {
        AccountId account;
        std::string key_id;
    };
    [[nodiscard]] std::optional<Holder> holder_of(std::string_view key) const;
    // Nothing: no such account.
    [[nodiscard]] std::optional<std::string> key_id_of(const AccountId& account) const;
    // The account is there and has this key: what was signed for it still counts.
    [[nodiscard]] bool has(const AccountId& account, const std::string& key_id) const;
    [[nodiscard]] bool allows(const AccountId& account, const StreamName& stream) const;

    void put(const Account& account);
    void remove(const AccountId& account);

private:
    mutable std::mutex mutex_;
    std::map<AccountId, Account> accounts_;
    std::unordered_map<std::string, AccountId> by_key_id_;
};

}  // namespace millrace::orchestrator
