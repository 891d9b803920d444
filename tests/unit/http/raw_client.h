#pragma once
// A client that sends exactly the bytes it is told to, well formed or not, over a blocking socket.
// Every wait has a deadline.

#include <chrono>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace millrace::test {

using Clock = std::chrono::steady_clock;
inline constexpr auto kPatience = std::chrono::seconds(20);

class RawClient {
public:
    explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }
    ~RawClient() { close(); }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    [[nodiscard]] bool connected() const { return connected_; }

    // False when the peer does not take it any more.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0)
                return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    // Reads until `enough(text)`, the end, or the deadline. What was read before is kept.
    std::string read_until(const std::function<bool(const std::string&)>& enough,
                           std::chrono::milliseconds limit = kPatience) {
        const auto deadline = Clock::now() + limit;
        while (!enough(text_) && !ended_) {
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
            pollfd waiting{fd_, POLLIN, 0};
            if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0)
                break;
            char buffer[16384];
            const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
            ended_ = got <= 0;
            if (got > 0)
                text_.append(buffer, static_cast<std::size_t>(got));
        }
        return text_;
    }
    std::string read_to(std::string_view mark, std::chrono::milliseconds limit = kPatience) {
        return read_until([&](const std::string& text) { return text.find(mark) != text.npos; },
                          limit);
    }
    std::string read_all(std::chrono::milliseconds limit = kPatience) {
        return read_until([](const std::string&) { return false; }, limit);
    }
    // One answer with a Content-Length, taken off the front.
    std::string read_answer() {
        const auto complete = [](const std::string& text) { return answer_bytes(text) > 0; };
        read_until(complete);
        const std::size_t bytes = std::min(answer_bytes(text_), text_.size());
        std::string answer = text_.substr(0, bytes);
        text_.erase(0, bytes);
        return answer;
    }

    [[nodiscard]] bool ended() const { return ended_; }
    void shut_sending() { ::shutdown(fd_, SHUT_WR); }
    // Like a process that dies: what the peer sends from now on is answered with a reset.
    void close() {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = -1;
    }
    void reset() {
        const linger hard{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close();
    }

private:
    // 0 = not complete yet.
    static std::size_t answer_bytes(const std::string& text) {
        const std::size_t head = text.find("\r\n\r\n");
        if (head == std::string::npos)
            return 0;
        const std::size_t field = text.find("Content-Length: ");
        const std::size_t body =
            field < head ? std::stoul(text.substr(field + std::strlen("Content-Length: "))) : 0;
        return text.size() >= head + 4 + body ? head + 4 + body : 0;
    }

    int fd_;
    bool connected_ = false;
    bool ended_ = false;
    std::string text_;
};

// Waits for a condition that another thread makes true.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds limit = kPatience) {
    const auto deadline = Clock::now() + limit;
    while (!condition()) {
        if (Clock::now() > deadline)
            return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // pause: between two looks
    }
    return true;
}

}  // namespace millrace::test
