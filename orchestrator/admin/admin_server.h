#pragma once
// The admin door (7935): /metrics, /healthz, /readyz, /status, /events and /trace for machines and
// people, and what operators change. Every POST needs the admin token; what is read needs it too when the port is
// bound beyond loopback.
//
// Thread: made and destroyed by main; handlers hop to the loop, where core and tokens live.
// Owner: main, destroyed before the service.

#include <functional>
#include <memory>
#include <string>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/runtime/loop.h"
#include "orchestrator/stake/stake_view.h"

namespace millrace::orchestrator {
class Accounts;
class Service;
class Enrolment;
class Journal;
class MetricsView;
class TokenKeeper;
class TranscoderLink;
namespace store {
class Store;
}
}  // namespace millrace::orchestrator

namespace millrace::orchestrator::admin {

struct AdminOptions {
    std::string address;  // HOST:PORT
    std::string token;    // the admin token
    std::string data_dir;
    std::string version;
    Epoch epoch;
    TimePoint started_at;
};

class AdminServer {
public:
    struct Parts {
        Loop& loop;
        Service& service;
        Enrolment& enrolment;
        Accounts& accounts;
        TokenKeeper& token_keys;
        MetricsView& metrics;
        store::Store& store;
        const TranscoderLink& link;
        Journal& journal;
        std::function<stake::StakeView()> stake;  // called on the loop
    };

    // The error says why the address cannot be had.
    [[nodiscard]] static Result<std::unique_ptr<AdminServer>> start(Parts parts,
                                                                    AdminOptions options);
    ~AdminServer();

    [[nodiscard]] const std::string& endpoint() const;

private:
    class Impl;
    explicit AdminServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::orchestrator::admin
