#pragma once
// TokenKeeper: the keys that sign tokens, over their life. A new key signs from the moment it is durable;
// those before it still verify until the last token they can have signed has expired, then they are
// forgotten, here and in the store.
//
// Thread: orchestrator loop. Owner: main, which calls forget_expired() now and then.

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "orchestrator/access/token_ring.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator {

// Keys that verify at the same time: more rotations within a token's life are refused.
inline constexpr std::size_t kTokenKeysMax = 16;

struct TokenKeyInfo {
    std::uint32_t id = 0;
    WallTime created_at;
    std::optional<WallTime> retires_at;  // nothing: it signs
};

class TokenKeeper {
public:
    // `rows`: newest first, at least one.
    TokenKeeper(store::Store& store, std::shared_ptr<TokenRing> ring,
                std::vector<store::TokenKeyRow> rows, std::function<WallTime()> wall);
    ~TokenKeeper();
    TokenKeeper(const TokenKeeper&) = delete;
    TokenKeeper& operator=(const TokenKeeper&) = delete;

    // overloaded: too many keys are alive, or the store cannot write.
    void rotate(std::function<void(Result<TokenKeyInfo>)> done);
    [[nodiscard]] std::vector<TokenKeyInfo> list() const;  // newest first
    void forget_expired();

private:
    [[nodiscard]] std::optional<WallTime> retires_at(std::size_t index) const;
    void publish();

    store::Store& store_;
    std::shared_ptr<TokenRing> ring_;
    std::vector<store::TokenKeyRow> rows_;  // newest first
    std::function<WallTime()> wall_;
    bool rotating_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// What a ring is made of.
[[nodiscard]] TokenKeys token_keys(const std::vector<store::TokenKeyRow>& rows);

}  // namespace millrace::orchestrator
