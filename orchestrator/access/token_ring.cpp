#include "orchestrator/access/token_ring.h"

#include <utility>

namespace millrace::orchestrator {

TokenRing::TokenRing(TokenKeys keys) : keys_(std::make_shared<const TokenKeys>(std::move(keys))) {}

std::shared_ptr<const TokenKeys> TokenRing::keys() const {
    const std::lock_guard lock(mutex_);
    return keys_;
}

void TokenRing::replace(TokenKeys keys) {
    auto fresh = std::make_shared<const TokenKeys>(std::move(keys));
    const std::lock_guard lock(mutex_);
    keys_ = std::move(fresh);
}

}  // namespace millrace::orchestrator
