#include "common/http/edge.h"

#include <algorithm>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <pthread.h>

#include "common/http/connection.h"

namespace millrace::http {
namespace {

// Connections beyond the limit that are being told so at the same time; more are just closed.
constexpr std::size_t kRefusingMax = 64;

// Whom a connection is counted against. A host may use all addresses of its /64 (RFC 4291, 2.5.4).
std::string address_key(const asio::ip::tcp::endpoint& peer) {
    asio::ip::address address = peer.address();
    if (!address.is_v6())
        return address.to_string();
    if (address.to_v6().is_v4_mapped())
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
    auto bytes = address.to_v6().to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return asio::ip::address_v6(bytes).to_string();
}

std::string name_of(const asio::ip::tcp::endpoint& peer) {
    const std::string address = peer.address().to_string();
    return (peer.address().is_v6() ? '[' + address + ']' : address) + ':' +
           std::to_string(peer.port());
}

}  // namespace

bool Shared::admit(const std::string& address) {
    const std::lock_guard lock(mutex);
    if (connections.load() >= limits.connections)
        return false;
    if (limits.connections_per_address > 0) {
        std::size_t& here = by_address[address];
        if (here >= limits.connections_per_address)
            return false;
        ++here;
    }
    ++connections;
    return true;
}

void Shared::dismiss(const std::string& address) {
    const std::lock_guard lock(mutex);
    if (const auto here = by_address.find(address); here != by_address.end() && --here->second == 0)
        by_address.erase(here);
    --connections;
    changed.notify_all();
}

void Edge::start() {
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "http-edge");
        io_.run();
    });
}

void Edge::drain() {
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& [id, connection] : connections_)
        all.push_back(connection->shared_from_this());
    for (const auto& connection : all)
        connection->drain();
}

void Edge::stop() {
    const std::lock_guard lock(mutex_);
    if (!open_)
        return;
    open_ = false;
    asio::post(io_, [this] {
        std::vector<std::shared_ptr<Connection>> all;
        for (const auto& [id, connection] : connections_)
            all.push_back(connection->shared_from_this());
        for (const auto& connection : all)
            connection->abort();
        work_.reset();
    });
}

void Edge::join() {
    if (thread_.joinable())
        thread_.join();
}

void Edge::adopt(asio::ip::tcp::socket socket, std::shared_ptr<asio::ssl::context> context) {
    Failure ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    const auto peer = socket.remote_endpoint(ignored);
    std::string address = address_key(peer);
    const bool full = !shared_->admit(address);
    if (full) {
        ++shared_->refused;
        if (context || refusing_ >= kRefusingMax)
            return;  // the socket closes; a TLS handshake for a refusal would be a gift to floods
        ++refusing_;
    }
    auto transport = context ? tls_transport(std::move(socket), std::move(context))
                             : plain_transport(std::move(socket));
    const auto connection = std::make_shared<Connection>(shared_from_this(), std::move(transport),
                                                         next_id_++, name_of(peer));
    asio::co_spawn(
        io_,
        [this, connection, full]() -> asio::awaitable<void> {
            if (full)
                co_await connection->refuse();
            else
                co_await connection->serve();
        },
        [this, full, address = std::move(address)](const std::exception_ptr&) {
            // Whatever ended it, the connection is gone; only memory exhaustion gets here as an
            // exception.
            if (full)
                --refusing_;
            else
                shared_->dismiss(address);
        });
}

}  // namespace millrace::http
