#pragma once
// One edge thread's loop and the connections that live on it.
//
// Internal to common/http. Exchanges hold the edge, never a connection: they may outlive both the
// connection and the server, and reach it by number through post().
//
// Thread: post and command any; the rest the edge's own.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "common/http/server.h"
#include "common/http/transport.h"

namespace millrace::http {

class Connection;

// What all edges of a server share.
struct Shared {
    // False when that would be one connection too many, of all or of that address.
    [[nodiscard]] bool admit(const std::string& address);
    void dismiss(const std::string& address);

    Limits limits;
    Server::Handler handler;
    std::atomic<std::size_t> connections{0};
    std::atomic<std::size_t> exchanges{0};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<bool> draining{false};
    std::mutex mutex;
    std::condition_variable changed;                          // a connection ended
    std::unordered_map<std::string, std::size_t> by_address;  // guarded by mutex
};

class Edge : public std::enable_shared_from_this<Edge> {
public:
    explicit Edge(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

    void start();
    // Ends all connections and refuses further work; join() waits for it.
    void stop();
    void join();

    // False when the edge has stopped: `work` will not be called.
    template <class F>
    bool post(F work) {
        const std::lock_guard lock(mutex_);
        if (!open_)
            return false;
        asio::post(io_, std::move(work));
        return true;
    }

    // Calls `work(Connection&)` on the edge if that connection still lives. False as in post().
    template <class F>
    bool command(std::uint64_t connection, F work) {
        return post([this, connection, work = std::move(work)]() mutable {
            if (Connection* const found = find(connection))
                work(*found);
        });
    }

    // Takes over an accepted socket; beyond the limit it is answered 503 and closed.
    void adopt(asio::ip::tcp::socket socket, std::shared_ptr<asio::ssl::context> context);
    void drain();

    void enter(std::uint64_t id, Connection* connection) { connections_.emplace(id, connection); }
    void leave(std::uint64_t id) { connections_.erase(id); }
    [[nodiscard]] Connection* find(std::uint64_t id) const {
        const auto found = connections_.find(id);
        return found == connections_.end() ? nullptr : found->second;
    }

    [[nodiscard]] asio::io_context& io() { return io_; }
    [[nodiscard]] Shared& shared() { return *shared_; }

private:
    std::shared_ptr<Shared> shared_;
    std::unordered_map<std::uint64_t, Connection*> connections_;
    std::uint64_t next_id_ = 1;
    std::size_t refusing_ = 0;
    asio::io_context io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
    std::mutex mutex_;
    bool open_ = true;  // guarded by mutex_
    std::thread thread_;
};

}  // namespace millrace::http
