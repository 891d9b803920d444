#pragma once
// A door on loopback for the link's tests: context, doorkeeper, loop, and a store that keeps rows in memory.

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/net/context.h"
#include "common/net/keys.h"
#include "common/net/zap.h"
#include "common/runtime/loop.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator {

// One per process: libzmq does not survive a second context with CURVE.
inline net::Context& test_context() {
    static net::Context context;
    return context;
}

// One per context: libzmq frees the handler's address some time after it was closed. Tests use fresh keys.
inline net::ZapHandler& test_doorkeeper() {
    static const auto handler = net::ZapHandler::start(test_context()).value();
    return *handler;
}

// Answers at once, or not at all while `broken`.
class MemoryStore final : public store::Store {
public:
    void commit(store::CommitRecord, store::Done done) override { done(outcome()); }
    void save_session(store::SessionRow) override {}
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
    [[nodiscard]] bool available() const override { return !broken; }
    void on_available(std::function<void(bool)>) override {}
    [[nodiscard]] std::uint64_t errors() const override { return 0; }
    [[nodiscard]] std::uint64_t free_bytes() const override { return 1; }

    bool broken = false;
    std::map<std::string, store::JoinTokenRow> tokens;
    std::map<TranscoderKey, store::EnrolmentRow> enrolments;

private:
    [[nodiscard]] Result<void> outcome() const {
        return broken ? Result<void>(error(ErrorKind::overloaded, "the disk is full"))
                      : Result<void>();
    }
};

struct Door {
    Loop loop;
    net::ZapHandler* doorkeeper = &test_doorkeeper();
    net::KeyPair key = net::make_key_pair();
    MemoryStore store;
};

}  // namespace millrace::orchestrator
