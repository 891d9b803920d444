#pragma once
// A store without a disk, for tests of those who write to one.

#include <map>

#include "orchestrator/store/store.h"

namespace millrace::orchestrator {

// Answers at once, or not at all while `broken`.
class MemoryStore final : public store::Store {
public:
    void commit(store::CommitRecord, store::Done done) override { done(outcome()); }
    void hold_ledger(WallTime, store::Done done) override { done(outcome()); }
    void close_period(store::ClosedPeriod, store::Done done) override { done(outcome()); }
    void save_session(store::SessionRow) override {}
    void sessions_written(store::Done done) override { done(outcome()); }
    void save_join_token(store::JoinTokenRow row, store::Done done) override {
        if (!broken)
            tokens[row.id] = row;
        done(outcome());
    }
    void save_enrolment(store::EnrolmentRow row, store::Done done) override {
        if (!broken)
            enrolments[row.key] = row;
        done(outcome());
    }
    void save_account(Account account, store::Done done) override {
        if (!broken)
            accounts[account.name] = account;
        done(outcome());
    }
    void remove_account(AccountId account, store::Done done) override {
        if (!broken)
            accounts.erase(account);
        done(outcome());
    }
    void save_token_key(store::TokenKeyRow row, store::Done done) override {
        if (!broken)
            token_keys[row.id] = row;
        done(outcome());
    }
    void forget_token_key(std::uint32_t id, store::Done done) override {
        if (!broken)
            token_keys.erase(id);
        done(outcome());
    }
    void save_stake(KeptStake, store::Done done) override { done(outcome()); }
    void save_init(store::InitRow, store::Done done) override { done(outcome()); }
    void forget_init(AccountId, StreamName, store::Done done) override { done(outcome()); }
    [[nodiscard]] store::LedgerView ledger() const override { return {}; }
    [[nodiscard]] bool available() const override { return !broken; }
    void on_available(std::function<void(bool)>) override {}
    [[nodiscard]] std::uint64_t errors() const override { return 0; }
    [[nodiscard]] std::uint64_t free_bytes() const override { return 1; }

    bool broken = false;
    std::map<std::string, store::JoinTokenRow> tokens;
    std::map<TranscoderKey, store::EnrolmentRow> enrolments;
    std::map<AccountId, Account> accounts;
    std::map<std::uint32_t, store::TokenKeyRow> token_keys;

private:
    [[nodiscard]] Result<void> outcome() const {
        return broken ? Result<void>(error(ErrorKind::overloaded, "the disk is full"))
                      : Result<void>();
    }
};

}  // namespace millrace::orchestrator
