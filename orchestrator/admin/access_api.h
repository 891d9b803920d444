#pragma once
// The admin routes about accounts and the keys that sign tokens: JSON in, JSON out. Who may call them is
// admin_server.h's business.
//
// Thread: orchestrator loop.

#include <nlohmann/json_fwd.hpp>

#include "common/base/ids.h"
#include "common/http/exchange.h"

namespace millrace::orchestrator {
class Accounts;
class TokenKeeper;
}  // namespace millrace::orchestrator

namespace millrace::orchestrator::admin {

[[nodiscard]] http::Response list_accounts(const Accounts& accounts);
// {"name", "max_sessions", "max_segments_per_minute", "max_bytes_per_second", "max_pixels_per_second",
// "streams"}, all but the name optional. The key is in the answer and nowhere else.
void add_account(Accounts& accounts, const http::ExchangePtr& exchange, const nlohmann::json& body);
void remove_account(Accounts& accounts, const http::ExchangePtr& exchange, const AccountId& name);

[[nodiscard]] http::Response list_token_keys(const TokenKeeper& keys);
void rotate_token_key(TokenKeeper& keys, const http::ExchangePtr& exchange);

}  // namespace millrace::orchestrator::admin
