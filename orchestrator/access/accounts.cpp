#include "orchestrator/access/accounts.h"

#include "common/runtime/log.h"
#include "common/runtime/wall_clock.h"
#include "orchestrator/access/account_key.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator {

Accounts::Accounts(store::Store& store, std::shared_ptr<AccountBook> book, AccountEvents events)
    : store_(store), book_(std::move(book)), events_(std::move(events)) {}

Accounts::~Accounts() {
    *alive_ = false;
}

void Accounts::admit(const Account& account) {
    accounts_[account.name] = account;
    // First the core, so that nobody is let in whose limits it does not know.
    events_.admitted(account.name, account.limits);
    book_->put(account);
}

void Accounts::restore(const std::vector<Account>& accounts) {
    for (const Account& account : accounts)
        admit(account);
}

bool Accounts::exists(const AccountId& name) const {
    return accounts_.contains(name) || being_added_.contains(name);
}

void Accounts::add(const AccountRequest& request, std::function<void(Result<NewAccount>)> done) {
    if (exists(request.name))
        return done(
            error(ErrorKind::bad_input, "there is an account " + request.name.value + " already"));
    if (accounts_.size() + being_added_.size() >= kAccountsMax)
        return done(error(ErrorKind::overloaded, "there are too many accounts: remove some"));
    NewAccountKey key = make_account_key();
    const Account account{request.name,   key.id,          key.hash,
                          request.limits, request.streams, wall_now()};
    being_added_.insert(account.name);
    store_.save_account(account, [this, alive = alive_, account, text = std::move(key.text),
                                  done = std::move(done)](const Result<void>& saved) {
        if (!*alive)
            return;
        being_added_.erase(account.name);
        if (!saved)
            return done(saved.error());
        admit(account);
        log::info("account", "added", {{"account", account.name.value}});
        done(NewAccount{text, account});
    });
}

void Accounts::remove(const AccountId& name, std::function<void(Result<void>)> done) {
    if (!accounts_.contains(name))
        return done(error(ErrorKind::bad_input, "there is no account " + name.value));
    accounts_.erase(name);
    book_->remove(name);
    events_.removed(name);
    log::info("account", "removed", {{"account", name.value}});
    store_.remove_account(name,
                          [done = std::move(done)](const Result<void>& saved) { done(saved); });
}

std::vector<Account> Accounts::list() const {
    std::vector<Account> list;
    for (const auto& [name, account] : accounts_)
        list.push_back(account);
    return list;
}

}  // namespace millrace::orchestrator
