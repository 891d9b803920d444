#pragma once
// TokenRing: the signing keys as the HTTP threads see them, while the loop rotates them.
//
// Thread: any. Owner: shared between the front and whoever rotates.

#include <memory>
#include <mutex>

#include "orchestrator/access/tokens.h"

namespace millrace::orchestrator {

class TokenRing {
public:
    explicit TokenRing(TokenKeys keys);

    // The first signs. The value never changes once handed out.
    [[nodiscard]] std::shared_ptr<const TokenKeys> keys() const;
    void replace(TokenKeys keys);

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const TokenKeys> keys_;
};

}  // namespace millrace::orchestrator
