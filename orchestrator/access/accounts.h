#pragma once
// Accounts: makes and removes them. What it decides goes to the store, to the book that the HTTP threads
// read, and to the core, which keeps the quotas.
//
// Rules
// - A key is handed out once, after the account is durable; then only its hash is known here.
// - A removed account is nobody's from that moment on, also if the store cannot write it down now (the
//   answer says so): its keys and tokens are 401, its sessions end.
// - A name can be used again after removal; the new account honours nothing of the old one.
//
// Thread: orchestrator loop. Owner: main.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "orchestrator/access/account_book.h"

namespace millrace::orchestrator {

namespace store {
class Store;
}

inline constexpr std::size_t kAccountsMax = 10'000;

// Who has to know besides the book: the core.
struct AccountEvents {
    std::function<void(const AccountId&, const AccountLimits&)> admitted;
    std::function<void(const AccountId&)> removed;
};

struct AccountRequest {
    AccountId name;
    AccountLimits limits;
    std::vector<std::string> streams;
};

struct NewAccount {
    std::string key;  // the secret text, mrk1_...
    Account account;
};

class Accounts {
public:
    Accounts(store::Store& store, std::shared_ptr<AccountBook> book, AccountEvents events);
    ~Accounts();
    Accounts(const Accounts&) = delete;
    Accounts& operator=(const Accounts&) = delete;

    void restore(const std::vector<Account>& accounts);

    [[nodiscard]] bool exists(const AccountId& name) const;
    // bad_input: the name is taken. overloaded: too many, or the store cannot write.
    void add(const AccountRequest& request, std::function<void(Result<NewAccount>)> done);
    // bad_input: no such account.
    void remove(const AccountId& name, std::function<void(Result<void>)> done);
    [[nodiscard]] std::vector<Account> list() const;  // by name

private:
    void admit(const Account& account);

    store::Store& store_;
    std::shared_ptr<AccountBook> book_;
    AccountEvents events_;
    std::map<AccountId, Account> accounts_;
    std::set<AccountId> being_added_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace millrace::orchestrator
