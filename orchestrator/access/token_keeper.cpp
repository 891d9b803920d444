#include "orchestrator/access/token_keeper.h"

#include <openssl/rand.h>

#include "common/base/check.h"
#include "common/runtime/log.h"

namespace millrace::orchestrator {
namespace {

constexpr std::size_t kSecretBytes = 32;

}  // namespace

TokenKeys token_keys(const std::vector<store::TokenKeyRow>& rows) {
    TokenKeys keys;
    for (const store::TokenKeyRow& row : rows)
        keys.push_back({row.id, row.secret});
    return keys;
}

TokenKeeper::TokenKeeper(store::Store& store, std::shared_ptr<TokenRing> ring,
                         std::vector<store::TokenKeyRow> rows, std::function<WallTime()> wall)
    : store_(store), ring_(std::move(ring)), rows_(std::move(rows)), wall_(std::move(wall)) {
    MR_CHECK(!rows_.empty(), "a store always has a token key");
    forget_expired();
    publish();
}

TokenKeeper::~TokenKeeper() {
    *alive_ = false;
}

void TokenKeeper::publish() {
    ring_->replace(token_keys(rows_));
}

// The last token that a key can have signed was made while its successor was being stored.
std::optional<WallTime> TokenKeeper::retires_at(std::size_t index) const {
    if (index == 0)
        return std::nullopt;
    return WallTime{rows_[index - 1].created_at.ms + to_ms(kTokenLife) + 2 * to_ms(kTokenLeeway)};
}

void TokenKeeper::rotate(std::function<void(Result<TokenKeyInfo>)> done) {
    forget_expired();
    if (rotating_ || rows_.size() >= kTokenKeysMax)
        return done(error(ErrorKind::overloaded,
                          "too many token keys are alive: wait until the oldest retires"));
    rotating_ = true;
    store::TokenKeyRow row{rows_.front().id + 1, std::vector<std::uint8_t>(kSecretBytes), wall_()};
    MR_CHECK(RAND_bytes(row.secret.data(), static_cast<int>(row.secret.size())) == 1,
             "the system has no random bytes");
    store_.save_token_key(
        row, [this, alive = alive_, row, done = std::move(done)](const Result<void>& saved) {
            if (!*alive)
                return;
            rotating_ = false;
            if (!saved)
                return done(saved.error());
            rows_.insert(rows_.begin(), row);
            publish();
            log::info("token-key", "a new key signs", {{"id", std::to_string(row.id)}});
            done(TokenKeyInfo{row.id, row.created_at, std::nullopt});
        });
}

std::vector<TokenKeyInfo> TokenKeeper::list() const {
    std::vector<TokenKeyInfo> list;
    for (std::size_t i = 0; i < rows_.size(); ++i)
        list.push_back({rows_[i].id, rows_[i].created_at, retires_at(i)});
    return list;
}

void TokenKeeper::forget_expired() {
    const std::size_t before = rows_.size();
    while (rows_.size() > 1 && *retires_at(rows_.size() - 1) <= wall_()) {
        const std::uint32_t id = rows_.back().id;
        log::info("token-key", "forgotten: every token it signed has expired",
                  {{"id", std::to_string(id)}});
        store_.forget_token_key(id, [](const Result<void>&) {});
        rows_.pop_back();
    }
    if (rows_.size() != before)
        publish();
}

}  // namespace millrace::orchestrator
