#pragma once
// What the socket tests share: contexts, a doorkeeper, lanes on loopback.

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/net/context.h"
#include "common/net/lane.h"
#include "common/net/zap.h"
#include "tests/support/catch.h"

namespace millrace::net::test {

// A context of its own for each test. They end together with the program: ending one while another
// works is the trap that Context's header names.
inline Context& fresh_context() {
    static std::vector<std::unique_ptr<Context>> contexts;
    contexts.push_back(std::make_unique<Context>(1));
    return *contexts.back();
}

inline bool within(Loop& loop, Duration patience, const std::function<bool()>& done) {
    return loop.run_until(done, loop.now() + patience);
}
inline constexpr Duration kPatience = std::chrono::seconds(10);

inline std::vector<std::uint8_t> bytes_of(std::string_view text) {
    return {text.begin(), text.end()};
}
inline std::string text_of(std::span<const std::uint8_t> bytes) {
    return {bytes.begin(), bytes.end()};
}

// A context with an open doorkeeper and an orchestrator's key.
struct House {
    Context& context = fresh_context();
    std::unique_ptr<ZapHandler> doorkeeper;
    KeyPair own = make_key_pair();
    Loop loop;

    House() {
        auto started = ZapHandler::start(context);
        REQUIRE(started);
        doorkeeper = std::move(*started);
        doorkeeper->open();
    }
    KeyPair known_key() const {
        KeyPair pair = make_key_pair();
        doorkeeper->allow(pair.public_key, {true, "", 0});
        return pair;
    }
    std::unique_ptr<ServerLane> serve(ServerLane::Handlers handlers,
                                      LaneKind kind = LaneKind::control,
                                      const std::string& address = "127.0.0.1:0") {
        auto lane =
            ServerLane::bind(loop, context, *doorkeeper, kind, address, own, std::move(handlers));
        REQUIRE(lane);
        return std::move(*lane);
    }
    bool wait(const std::function<bool()>& done) { return within(loop, kPatience, done); }
};

// A client lane that writes down what happens to it.
struct Visitor {
    std::vector<LinkEvent> events;
    std::vector<std::string> headers;
    std::vector<std::string> bodies;
    int writable = 0;
    ClientLane lane;

    Visitor(Loop& loop, Context& context, LaneKind kind = LaneKind::control)
        : lane(loop, context, kind,
               {[this](LaneMessage& message) {
                    headers.push_back(text_of(message.header));
                    bodies.push_back(text_of(message.body.bytes()));
                },
                [this](LinkEvent event) { events.push_back(event); }, [this] { ++writable; }}) {}

    void connect(const std::string& address, const PublicKey& server, const KeyPair& own) {
        REQUIRE(lane.connect({address, server, own}));
    }
    [[nodiscard]] bool saw(LinkEvent wanted) const {
        return std::find(events.begin(), events.end(), wanted) != events.end();
    }
};

// What a server lane received.
struct Guestbook {
    struct Entry {
        RouteId route;
        std::string user, header, body;
    };
    std::vector<Entry> entries;
    std::vector<RouteId> lost;

    ServerLane::Handlers handlers() {
        return {[this](LaneMessage& message) {
                    entries.push_back({message.route, std::string(message.user),
                                       text_of(message.header), text_of(message.body.bytes())});
                },
                [this](RouteId route) { lost.push_back(route); },
                {}};
    }
};

}  // namespace millrace::net::test
