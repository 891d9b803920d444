// Clients: blocking sockets and OpenSSL, nothing of ours.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "benchmarks/front.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kHeldBytes = 64 * 1024;  // of a body that is held half sent

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::_Exit(1);
}

SSL_CTX* client_context() {
    static SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    return context;
}

class Line {
public:
    Line(std::uint16_t port, bool tls) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            die("connect");
        if (!tls)
            return;
        ssl_ = SSL_new(client_context());
        SSL_set_fd(ssl_, fd_);
        if (SSL_connect(ssl_) != 1)
            die("handshake");
    }
    ~Line() {
        SSL_free(ssl_);
        ::close(fd_);
    }
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;

    void send(const char* data, std::size_t bytes) const {
        while (bytes > 0) {
            const auto sent = ssl_ != nullptr ? SSL_write(ssl_, data, static_cast<int>(bytes))
                                              : ::send(fd_, data, bytes, MSG_NOSIGNAL);
            if (sent <= 0)
                die("send");
            data += sent;
            bytes -= static_cast<std::size_t>(sent);
        }
    }
    std::size_t receive(char* data, std::size_t bytes) const {
        const auto got = ssl_ != nullptr ? SSL_read(ssl_, data, static_cast<int>(bytes))
                                         : ::recv(fd_, data, bytes, 0);
        if (got <= 0)
            die("receive");
        return static_cast<std::size_t>(got);
    }

private:
    int fd_;
    SSL* ssl_ = nullptr;
};

std::string head_of(std::size_t body_bytes, unsigned number) {
    return "PUT /live/stream/" + std::to_string(number) +
           ".ts HTTP/1.1\r\nHost: bench\r\nAccept: multipart/mixed\r\nContent-Length: " +
           std::to_string(body_bytes) + "\r\n\r\n";
}

// Null packets, so that the front takes it for a segment.
std::string segment(std::size_t bytes) {
    std::string text(bytes, '\xff');
    for (std::size_t at = 0; at + 4 <= bytes; at += 188)
        std::memcpy(text.data() + at, "\x47\x1f\xff\x10", 4);
    return text;
}

void take_answer(const Line& line, std::vector<char>& buffer) {
    std::size_t have = 0;
    char* end = nullptr;
    while (end == nullptr) {
        have += line.receive(buffer.data() + have, buffer.size() - 1 - have);
        buffer[have] = '\0';
        end = std::strstr(buffer.data(), "\r\n\r\n");
    }
    const char* const length = std::strstr(buffer.data(), "Content-Length: ");
    if (std::strncmp(buffer.data(), "HTTP/1.1 200", 12) != 0 || length == nullptr)
        die("a refusal");
    std::size_t left = std::strtoull(length + 16, nullptr, 10);
    left -= have - static_cast<std::size_t>(end + 4 - buffer.data());
    while (left > 0)
        left -= line.receive(buffer.data(), std::min(left, buffer.size()));
}

}  // namespace

int run_uploads(std::uint16_t port, bool tls, const Traffic& traffic) {
    const std::string body = segment(traffic.body_bytes);
    std::atomic<int> left{traffic.uploads};
    std::vector<std::thread> threads;
    for (int i = 0; i < traffic.connections; ++i)
        threads.emplace_back([&] {
            const Line line(port, tls);
            std::vector<char> buffer(256 * 1024);
            for (int number = --left; number >= 0; number = --left) {
                const std::string head = head_of(body.size(), static_cast<unsigned>(number));
                line.send(head.data(), head.size());
                line.send(body.data(), body.size());
                take_answer(line, buffer);
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    return 0;
}

int hold_connections(std::uint16_t port, bool tls, int count, bool active) {
    std::vector<std::unique_ptr<Line>> lines;
    const std::string body = segment(kHeldBytes);
    const std::string head = head_of(4'000'000, 0);
    std::vector<char> buffer(64 * 1024);
    for (int i = 0; i < count; ++i) {
        lines.push_back(std::make_unique<Line>(port, tls));
        if (active) {
            lines.back()->send(head.data(), head.size());
            lines.back()->send(body.data(), body.size());
        }
    }
    std::puts("held");
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    return 0;
}

}  // namespace millrace::bench
