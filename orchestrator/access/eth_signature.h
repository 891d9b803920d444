#pragma once
// Who signed a text with an Ethereum key: what wallets call personal_sign (EIP-191, version 0x45).
//
// Thread: any; pure.

#include <string_view>

#include "common/base/result.h"
#include "orchestrator/stake/abi.h"

namespace millrace::orchestrator {

// `signature`: 0x and 130 hex digits: r, s, v; v is 27, 28, 0 or 1. bad_input, saying why: another length or v, an
// s in the upper half of the curve's order (its mirror image would be a second signature of the same text), or
// numbers that no key can have made. About 0.1 ms.
[[nodiscard]] Result<stake::Address> signer_of(std::string_view text, std::string_view signature);

}  // namespace millrace::orchestrator
