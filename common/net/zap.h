#pragma once
// ZapHandler: the doorkeeper of every CURVE socket in the process (ZeroMQ RFC 27).
//
// libzmq lets everybody in when nobody answers its questions, so the order is fixed: start() puts
// the handler in place and proves on a real socket that a stranger is refused and a known key
// admitted; only then can a ServerLane be bound, which asks for the handler. Any failure on that
// way is an error and no lane exists.
//
// Answers: 200 with the client's key in Z85 as User-Id for a key on the list; 400, after which
// libzmq never tries that socket again, for one that is not on it or whose time is over; 300
// ("later") to everybody until open(). To a client 300 looks like a cut or a silent handshake
// (libzmq 4.3.4, both seen), costs it up to 2 s and resembles a foreign server: so load the list
// and open() first, then bind the lanes. Taking a key off the list bites at its next handshake;
// who is connected already must be ignored by the application.
//
// Thread: any, for every member; the handler's own thread answers and never blocks on anything but
// its list's mutex. Owner: main, longer than the lanes and shorter than the Context.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/net/context.h"
#include "common/net/keys.h"

namespace millrace::net {

// What the list says about a key.
struct AllowedKey {
    bool enrolled = false;     // a transcoder's own key; otherwise the key inside a join token
    std::string enrolment_id;  // the token's id in hex; empty for one that needed none
    std::uint64_t expires_at_s = 0;  // wall clock, seconds since the Unix epoch; 0 = never
    bool operator==(const AllowedKey&) const = default;
};

class ZapHandler {
public:
    struct Counters {
        std::uint64_t admitted = 0, refused = 0, deferred = 0;
    };

    // Fails when the context has a handler already or the self-test does not come out right. Blocks
    // for some milliseconds, at most kSelfTestSeconds.
    [[nodiscard]] static Result<std::unique_ptr<ZapHandler>> start(const Context& context);
    ~ZapHandler();
    ZapHandler(const ZapHandler&) = delete;
    ZapHandler& operator=(const ZapHandler&) = delete;

    void allow(const PublicKey& key, AllowedKey entry);
    // False when it was not on the list.
    bool forget(const PublicKey& key);
    // By the User-Id that came with a message. Nothing for a key that is not on the list (any
    // more).
    [[nodiscard]] std::optional<AllowedKey> find(std::string_view z85) const;
    // From here on strangers get a final no.
    void open();

    // Grows at least twice a second while the handler's thread works. A supervisor that sees it
    // stand still for 5 s ends the process: nobody new could join.
    [[nodiscard]] std::uint64_t progress() const;
    [[nodiscard]] Counters counters() const;

private:
    struct State;
    explicit ZapHandler(std::unique_ptr<State> state);

    std::unique_ptr<State> state_;
};

inline constexpr int kSelfTestSeconds = 5;

// The proof that start() asks for, usable against any handler: binds a loopback socket with the
// lanes' own options, then checks that a client is refused, and that after admit(key) one is
// admitted under its own User-Id.
[[nodiscard]] Result<void> prove_doorkeeper(const Context& context,
                                            const std::function<void(const PublicKey&)>& admit);

}  // namespace millrace::net
