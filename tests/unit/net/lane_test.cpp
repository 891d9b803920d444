#include "common/net/lane.h"

#include <deque>
#include <map>
#include <set>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "common/net/socket.h"
#include "common/runtime/payload.h"
#include "tests/unit/net/net_support.h"

using namespace millrace;
using namespace millrace::net;
using namespace millrace::net::test;
using namespace std::chrono_literals;

namespace {

std::vector<std::uint8_t> pattern(std::size_t size, std::size_t seed) {
    std::vector<std::uint8_t> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::uint8_t>(seed * 31 + i * 7 + i / 256);
    return bytes;
}

// A TCP server that answers everything with a line of HTTP and hangs up.
class WebServer {
public:
    WebServer() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(fd_, 8) == 0);
        socklen_t size = sizeof address;
        REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
        thread_ = std::thread([this] { serve(); });
    }
    ~WebServer() {
        ::shutdown(fd_, SHUT_RDWR);
        thread_.join();
        ::close(fd_);
    }
    [[nodiscard]] const std::string& address() const { return address_; }

private:
    void serve() const {
        for (int client = 0; (client = ::accept(fd_, nullptr, nullptr)) >= 0; ::close(client)) {
            std::array<char, 64> buffer{};
            (void)!::read(client, buffer.data(), buffer.size());
            constexpr std::string_view kAnswer = "HTTP/1.1 400 Bad Request\r\n\r\n";
            (void)!::write(client, kAnswer.data(), kAnswer.size());
        }
    }

    int fd_;
    std::string address_;
    std::thread thread_;
};

}  // namespace

TEST_CASE("a body travels from where it lies, both ways, and its owner is let go") {
    House house;
    const auto pool = std::make_shared<BlockPool>();
    const auto bytes = pattern(kBlockBytes, 1);
    std::unique_ptr<ServerLane> server;
    std::string user;
    server = house.serve({[&](LaneMessage& message) {
                             user = message.user;
                             auto kept = std::make_shared<Frame>(std::move(message.body));
                             CHECK(server->send(message.route, message.header,
                                                {kept, kept->bytes()}) == SendResult::sent);
                         }},
                         LaneKind::payload);
    const KeyPair key = house.known_key();
    Visitor visitor(house.loop, house.context, LaneKind::payload);
    visitor.connect(server->endpoint(), house.own.public_key, key);
    REQUIRE(house.wait([&] { return visitor.lane.is_up(); }));
    {
        const PayloadPtr payload = make_payload(pool, bytes);
        CHECK(visitor.lane.send(bytes_of("take"), {payload, payload->block(0)}) ==
              SendResult::sent);
    }
    REQUIRE(house.wait([&] { return visitor.bodies.size() == 1; }));
    CHECK(visitor.headers[0] == "take");
    CHECK(visitor.bodies[0] == text_of(bytes));
    CHECK(user == key.public_key.z85());
    CHECK(house.wait([&] { return pool->bytes_in_use() == 0; }));
}

TEST_CASE("a send that uses up the news of waiting input does not leave the input lying") {
    // ZMQ_FD goes quiet when any call on the socket has looked at what the I/O thread had to say, a
    // send too; without a second look after the send this message waits for ever.
    House house;
    Guestbook book;
    Loop elsewhere;
    const auto server = house.serve(book.handlers());
    Visitor visitor(elsewhere, house.context);
    visitor.connect(server->endpoint(), house.own.public_key, house.known_key());
    REQUIRE(within(elsewhere, kPatience, [&] { return visitor.lane.is_up(); }));
    for (std::size_t round = 1; round <= 10; ++round) {
        CHECK(visitor.lane.send(bytes_of("question")) == SendResult::sent);
        // Sends while the server's loop stands still, spread over more than the millisecond for which
        // libzmq does not look again.
        for (int i = 0; i < 3 && !book.entries.empty(); ++i) {
            const std::size_t before = visitor.headers.size();
            CHECK(server->send(book.entries[0].route, bytes_of("noise")) == SendResult::sent);
            CHECK(within(elsewhere, kPatience, [&] { return visitor.headers.size() > before; }));
            CHECK_FALSE(within(elsewhere, 2ms, [] { return false; }));
        }
        REQUIRE(within(house.loop, 2s, [&] { return book.entries.size() == round; }));
    }
}

TEST_CASE("no wake-up is lost when answers leave outside the turn that read the question") {
    // The same under load: four clients with 16 questions in flight each, each answered by a task of
    // its own.
    House house;
    constexpr std::size_t kClients = 4, kWindow = 16, kTotal = 4000;
    std::unique_ptr<ServerLane> server;
    server = house.serve({[&](LaneMessage& message) {
        house.loop.post([&server, route = message.route, header = text_of(message.header)] {
            CHECK(server->send(route, bytes_of(header)) == SendResult::sent);
        });
    }});
    struct Client {
        std::unique_ptr<ClientLane> lane;
        std::size_t asked = 0, answered = 0;
    };
    std::array<Client, kClients> clients;
    const auto ask = [&](Client& client) {
        if (client.asked == kTotal)
            return;
        ++client.asked;
        house.loop.post(
            [&client] { CHECK(client.lane->send(bytes_of("question")) == SendResult::sent); });
    };
    for (Client& client : clients) {
        client.lane = std::make_unique<ClientLane>(
            house.loop, house.context, LaneKind::control,
            ClientLane::Handlers{[&](LaneMessage&) { ++client.answered, ask(client); }});
        REQUIRE(
            client.lane->connect({server->endpoint(), house.own.public_key, house.known_key()}));
    }
    REQUIRE(house.wait([&] {
        return std::all_of(clients.begin(), clients.end(),
                           [](const Client& client) { return client.lane->is_up(); });
    }));
    for (std::size_t i = 0; i < kWindow; ++i)
        for (Client& client : clients)
            ask(client);
    CHECK(within(house.loop, 60s, [&] {
        return std::all_of(clients.begin(), clients.end(),
                           [](const Client& client) { return client.answered == kTotal; });
    }));
    CHECK(server->counters().received == kClients * kTotal);
    for (Client& client : clients)
        client.lane.reset();
}

TEST_CASE(
    "a peer that does not read blocks its sender after a bounded number, and frees it later") {
    House house;
    Loop frozen;  // the client's loop, which does not run at first
    RouteId route;
    int writable = 0;
    const auto server =
        house.serve({[&](LaneMessage& message) { route = message.route; }, {}, [&] { ++writable; }},
                    LaneKind::payload);
    Visitor visitor(frozen, house.context, LaneKind::payload);
    visitor.connect(server->endpoint(), house.own.public_key, house.known_key());
    REQUIRE(within(frozen, kPatience, [&] { return visitor.lane.is_up(); }));
    CHECK(visitor.lane.send(bytes_of("here")) == SendResult::sent);
    REQUIRE(house.wait([&] { return static_cast<bool>(route); }));

    const auto pool = std::make_shared<BlockPool>();
    std::vector<std::vector<std::uint8_t>> sent;
    SendResult result = SendResult::sent;
    const TimePoint give_up = house.loop.now() + kPatience;
    // The queues are full once a whole second brought no room.
    const auto send_until_full = [&] {
        while (house.loop.now() < give_up) {
            const auto bytes = pattern(kBlockBytes, sent.size());
            const PayloadPtr payload = make_payload(pool, bytes);
            result = server->send(route, bytes_of("chunk"), {payload, payload->block(0)});
            if (result != SendResult::sent)
                return;
            sent.push_back(bytes);
        }
    };
    send_until_full();
    CHECK(result == SendResult::would_block);
    CHECK(server->counters().would_block == 1);
    // 16 messages on each side, and what the kernel's TCP buffers hold (a few MiB).
    CHECK(sent.size() >= 16);
    CHECK(sent.size() <= 100);
    writable = 0;
    REQUIRE(within(frozen, kPatience, [&] { return visitor.bodies.size() == sent.size(); }));
    REQUIRE(house.wait([&] { return writable != 0; }));
    for (std::size_t i = 0; i < sent.size(); ++i)
        REQUIRE(visitor.bodies[i] == text_of(sent[i]));
    CHECK(house.wait([&] { return pool->bytes_in_use() == 0; }));
}

TEST_CASE("a client is back soon after its server's return, under a new route") {
    House house;
    Guestbook book;
    auto server = house.serve(book.handlers());
    const std::string address = server->endpoint();
    const KeyPair key = house.known_key();
    Visitor visitor(house.loop, house.context);
    visitor.connect(address, house.own.public_key, key);
    REQUIRE(house.wait([&] { return visitor.lane.is_up(); }));
    CHECK(visitor.lane.send(bytes_of("first")) == SendResult::sent);
    REQUIRE(house.wait([&] { return book.entries.size() == 1; }));

    server.reset();
    REQUIRE(house.wait([&] { return visitor.saw(LinkEvent::unreachable); }));
    CHECK(visitor.saw(LinkEvent::down));
    CHECK(visitor.lane.send(bytes_of("nobody hears this")) == SendResult::gone);
    server = house.serve(book.handlers(), LaneKind::control, address);
    const TimePoint back = house.loop.now();
    REQUIRE(house.wait([&] { return visitor.lane.is_up(); }));
    CHECK(house.loop.now() - back < 3s);
    CHECK(visitor.lane.send(bytes_of("second")) == SendResult::sent);
    REQUIRE(house.wait([&] { return book.entries.size() == 2; }));
    CHECK(book.entries[1].header == "second");
    CHECK(book.entries[1].route != book.entries[0].route);
    CHECK(book.entries[1].user == key.public_key.z85());
}

TEST_CASE("the end of a connection is reported for its route and for no other") {
    House house;
    Guestbook book;
    const auto server = house.serve(book.handlers());
    const KeyPair key = house.known_key();
    Visitor steady(house.loop, house.context);
    steady.connect(server->endpoint(), house.own.public_key, key);
    REQUIRE(house.wait([&] { return steady.lane.is_up(); }));
    CHECK(steady.lane.send(bytes_of("steady")) == SendResult::sent);
    REQUIRE(house.wait([&] { return book.entries.size() == 1; }));
    const RouteId stays = book.entries[0].route;
    std::set<RouteId> left;
    // Descriptors are used again by the next connection, which must not be taken for the last one.
    for (std::size_t i = 0; i < 20; ++i) {
        Visitor passer(house.loop, house.context);
        passer.connect(server->endpoint(), house.own.public_key, key);
        REQUIRE(house.wait([&] { return passer.lane.is_up(); }));
        CHECK(passer.lane.send(bytes_of("passing")) == SendResult::sent);
        REQUIRE(house.wait([&] { return book.entries.size() == 2 + i; }));
        left.insert(book.entries.back().route);
    }
    REQUIRE(house.wait([&] { return book.lost.size() == 20; }));
    CHECK(std::set<RouteId>(book.lost.begin(), book.lost.end()) == left);
    CHECK(left.count(stays) == 0);
    CHECK(server->send(*left.begin(), bytes_of("gone")) == SendResult::gone);
    CHECK(server->send(RouteId{}, bytes_of("nobody")) == SendResult::gone);
    CHECK(server->send(stays, bytes_of("still here")) == SendResult::sent);
    CHECK(house.wait([&] { return steady.headers.size() == 1; }));
}

TEST_CASE("frames above the lane's limit are not sent, and the connection lives on") {
    House house;
    Guestbook book;
    const auto server = house.serve(book.handlers());
    Visitor visitor(house.loop, house.context);
    visitor.connect(server->endpoint(), house.own.public_key, house.known_key());
    REQUIRE(house.wait([&] { return visitor.lane.is_up(); }));
    CHECK(visitor.lane.send(pattern(128 * 1024, 0)) == SendResult::too_large);
    const auto largest = pattern(128 * 1024 - 64, 0);
    CHECK(visitor.lane.send(largest) == SendResult::sent);
    REQUIRE(house.wait([&] { return book.entries.size() == 1; }));
    CHECK(book.entries[0].header == text_of(largest));
    CHECK_FALSE(visitor.saw(LinkEvent::down));
}

TEST_CASE("a peer that sends more than the limit loses its connection, not our memory") {
    House house;
    Guestbook book;
    const auto server = house.serve(book.handlers());
    const KeyPair key = house.known_key();
    Socket rude(house.context, ZMQ_DEALER);
    REQUIRE(set_client_options(rude, LaneKind::control, house.own.public_key, key));
    REQUIRE(rude.set(ZMQ_IMMEDIATE, 0));
    REQUIRE(zmq_connect(rude.handle(), ("tcp://" + server->endpoint()).c_str()) == 0);
    CHECK(rude.send_copy(pattern(1024 * 1024, 0), false) == 0);
    CHECK(house.wait([&] { return server->counters().disconnected != 0; }));
    CHECK(book.entries.empty());
}

TEST_CASE(
    "messages with too many frames and with routing ids of their own are counted and dropped") {
    House house;
    Guestbook book;
    const auto server = house.serve(book.handlers());
    Socket odd(house.context, ZMQ_DEALER);
    REQUIRE(set_client_options(odd, LaneKind::control, house.own.public_key, house.known_key()));
    REQUIRE(odd.set(ZMQ_IMMEDIATE, 0));
    SECTION("too many frames") {
        REQUIRE(zmq_connect(odd.handle(), ("tcp://" + server->endpoint()).c_str()) == 0);
        for (const bool more : {true, true, true, true, false})
            CHECK(odd.send_copy(bytes_of("frame"), more) == 0);
    }
    SECTION("a routing id of its own") {
        REQUIRE(odd.set(ZMQ_ROUTING_ID, "workerA", 7));
        REQUIRE(zmq_connect(odd.handle(), ("tcp://" + server->endpoint()).c_str()) == 0);
        CHECK(odd.send_copy(bytes_of("frame"), false) == 0);
    }
    CHECK(house.wait([&] { return server->counters().dropped_malformed == 1; }));
    CHECK(book.entries.empty());
}

TEST_CASE("handlers may destroy the lane that calls them") {
    House house;
    std::unique_ptr<ServerLane> server;
    bool served = false;
    server = house.serve({[&](LaneMessage&) { server.reset(), served = true; }});
    std::unique_ptr<ClientLane> client;
    bool came_up = false, ended = false;
    client = std::make_unique<ClientLane>(
        house.loop, house.context, LaneKind::control,
        ClientLane::Handlers{[](LaneMessage&) {},
                             [&](LinkEvent event) {
                                 if (event == LinkEvent::up) {
                                     came_up = true;
                                     CHECK(client->send(bytes_of("bye")) == SendResult::sent);
                                 }
                                 if (event == LinkEvent::down)
                                     client.reset(), ended = true;
                             }});
    REQUIRE(client->connect({server->endpoint(), house.own.public_key, house.known_key()}));
    CHECK(house.wait([&] { return served && ended; }));
    CHECK(came_up);
}

TEST_CASE("a goodbye sent just before the end still arrives when the lane lingers") {
    House house;
    Guestbook book;
    const auto server = house.serve(book.handlers());
    Visitor visitor(house.loop, house.context);
    visitor.connect(server->endpoint(), house.own.public_key, house.known_key());
    REQUIRE(house.wait([&] { return visitor.lane.is_up(); }));
    // Known to the server before it ends: of one that is gone sooner nobody could tell who was lost.
    CHECK(visitor.lane.send(bytes_of("hello")) == SendResult::sent);
    REQUIRE(house.wait([&] { return book.entries.size() == 1; }));
    CHECK(visitor.lane.send(bytes_of("goodbye")) == SendResult::sent);
    visitor.lane.disconnect(1s);
    CHECK_FALSE(visitor.lane.is_up());
    CHECK(house.wait([&] { return book.entries.size() == 2; }));
    CHECK(house.wait([&] { return book.lost.size() == 1; }));
}

TEST_CASE("a lane pointed at a web server says so, and keeps trying") {
    House house;
    const WebServer web;
    Visitor visitor(house.loop, house.context);
    visitor.connect(web.address(), house.own.public_key, make_key_pair());
    CHECK(house.wait([&] {
        return std::count(visitor.events.begin(), visitor.events.end(), LinkEvent::not_ours) == 2;
    }));
    CHECK_FALSE(visitor.saw(LinkEvent::up));
}

TEST_CASE("names are looked up, in one family and then the other") {
    House house;
    Guestbook book;
    const auto server = house.serve(book.handlers(), LaneKind::control, "localhost:0");
    CHECK(
        (server->endpoint().starts_with("127.0.0.1:") || server->endpoint().starts_with("[::1]:")));
    const std::string port = server->endpoint().substr(server->endpoint().rfind(':'));
    Visitor visitor(house.loop, house.context);
    visitor.connect("localhost" + port, house.own.public_key, house.known_key());
    CHECK(house.wait([&] { return visitor.lane.is_up(); }));
}

TEST_CASE("addresses that cannot be bound or connected to are refused with their own words") {
    House house;
    Guestbook book;
    const auto first = house.serve(book.handlers());
    const auto taken = ServerLane::bind(house.loop, house.context, *house.doorkeeper,
                                        LaneKind::control, first->endpoint(), house.own, {});
    REQUIRE_FALSE(taken);
    CHECK(taken.error().kind == ErrorKind::bad_input);
    CHECK(taken.error().message.find(first->endpoint()) != std::string::npos);
    for (const char* address : {"nonsense", "192.0.2.1:0", "host.invalid:1"})
        CHECK_FALSE(ServerLane::bind(house.loop, house.context, *house.doorkeeper,
                                     LaneKind::control, address, house.own, {}));
    Visitor visitor(house.loop, house.context);
    for (const char* address : {"nonsense", "127.0.0.1:0", "*:8936"})
        CHECK_FALSE(visitor.lane.connect({address, house.own.public_key, make_key_pair()}));
}

TEST_CASE("a lane serves a listening socket that was bound before it, CURVE and all") {
    House house;
    Guestbook book;
    const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in bound{};
    bound.sin_family = AF_INET;
    bound.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof bound;
    REQUIRE(::bind(listening, reinterpret_cast<sockaddr*>(&bound), size) == 0);
    REQUIRE(::listen(listening, 16) == 0);
    REQUIRE(::getsockname(listening, reinterpret_cast<sockaddr*>(&bound), &size) == 0);
    const std::string address = "127.0.0.1:" + std::to_string(ntohs(bound.sin_port));
    // As a service manager does: its own descriptor keeps the port while lanes come and go.
    Visitor visitor(house.loop, house.context), stranger(house.loop, house.context);
    for (int round = 0; round < 2; ++round) {
        visitor.connect(address, house.own.public_key, house.known_key());
        auto lane = ServerLane::bind(house.loop, house.context, *house.doorkeeper,
                                     LaneKind::control, address, house.own, book.handlers(),
                                     ::fcntl(listening, F_DUPFD_CLOEXEC, 10));
        REQUIRE(lane);
        CHECK((*lane)->endpoint() == address);
        REQUIRE(house.wait([&] { return visitor.lane.is_up(); }));
        stranger.connect(address, house.own.public_key, make_key_pair());
        CHECK(house.wait([&] { return stranger.saw(LinkEvent::refused); }));
        stranger.events.clear();
        visitor.lane.disconnect();
    }
    ::close(listening);
}
