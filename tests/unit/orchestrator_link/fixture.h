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
#include "tests/support/memory_store.h"

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

struct Door {
    Loop loop;
    net::ZapHandler* doorkeeper = &test_doorkeeper();
    net::KeyPair key = net::make_key_pair();
    MemoryStore store;
};

}  // namespace millrace::orchestrator
