#pragma once
// The admin routes about the ledger: sums and closed periods, as JSON. Who may call them is admin_server.h's
// business. Questions are answered by a thread of their own (store/ledger_desk.h): a large ledger takes seconds,
// and the loop has none to spare.
//
// Thread: calls from the admin's threads or the loop, as said below. Owner: the admin server.

#include <atomic>
#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "common/http/exchange.h"
#include "common/runtime/loop.h"
#include "orchestrator/store/ledger_desk.h"

namespace millrace::orchestrator::store {
class Store;
}

namespace millrace::orchestrator::admin {

class LedgerApi {
public:
    LedgerApi(Loop& loop, store::Store& store, const std::string& data_dir);

    // GET /ledger?by=transcoder|account|session&since=T&until=T, or ?by=transcoder|account&period=N. Thread: any.
    void sums(const http::ExchangePtr& exchange);
    // GET /ledger/periods. Thread: any.
    void periods(const http::ExchangePtr& exchange);
    // POST /ledger/close {"until": T}. Thread: loop.
    void close(const http::ExchangePtr& exchange, const nlohmann::json& body);

private:
    using Answer = std::function<http::Response(store::Ledger&)>;
    void ask(const http::ExchangePtr& exchange, Answer answer);
    void draft(const http::ExchangePtr& exchange, WallTime until);
    void finish(const http::ExchangePtr& exchange, store::ClosedPeriod period);

    Loop& loop_;
    store::Store& store_;
    bool closing_ = false;  // loop only
    store::LedgerDesk desk_;
};

}  // namespace millrace::orchestrator::admin
