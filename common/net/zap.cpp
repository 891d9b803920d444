#include "common/net/zap.h"

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/check.h"
#include "common/net/socket.h"
#include "common/net/zap_proof.h"

namespace millrace::net {

namespace {

constexpr const char* kZapAddress = "inproc://zeromq.zap.01";
constexpr int kTickMs = 500;
constexpr std::size_t kRequestFramesMax = 8;  // RFC 27: six and the mechanism's credentials

struct Verdict {
    std::string_view status, text;
    std::string user;
};

std::uint64_t wall_seconds() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

std::string_view text_of(const Frame& frame) {
    return {reinterpret_cast<const char*>(frame.bytes().data()), frame.bytes().size()};
}

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

struct ZapHandler::State {
    mutable std::mutex mutex;
    std::map<std::string, AllowedKey, std::less<>> allowed;  // by Z85 of the key
    std::map<std::string, AllowedKey, std::less<>> allowed_in_proof;
    Counters counters;
    bool open = false;

    std::atomic<std::uint64_t> progress{0};
    std::atomic<bool> stopping{false};
    int wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    Socket socket;
    std::thread thread;

    ~State() {
        stopping = true;
        const std::uint64_t one = 1;
        (void)!::write(wake_fd, &one, sizeof one);
        if (thread.joinable())
            thread.join();
        socket.close();
        ::close(wake_fd);
    }

    void serve();
    void answer(const std::vector<Frame>& request);
    Verdict judge(const std::vector<Frame>& request);
    Verdict judge_key(std::string_view domain, const std::string& key);
};

void ZapHandler::State::serve() {
    while (!stopping) {
        std::array<zmq_pollitem_t, 2> items{
            {{socket.handle(), 0, ZMQ_POLLIN, 0}, {nullptr, wake_fd, ZMQ_POLLIN, 0}}};
        zmq_poll(items.data(), static_cast<int>(items.size()), kTickMs);
        progress.fetch_add(1, std::memory_order_relaxed);
        std::vector<Frame> request(1);
        if (!socket.receive(request.back()))
            continue;
        while (has_more(request.back()) && request.size() <= kRequestFramesMax) {
            request.emplace_back();
            if (!socket.receive(request.back()))
                break;
        }
        answer(request);
    }
}

// A REP socket must answer before it can be asked again, so everything gets an answer. Its peer is
// libzmq itself and is always there: a reply that cannot be sent leaves the handshake to time out,
// which refuses.
void ZapHandler::State::answer(const std::vector<Frame>& request) {
    const Verdict verdict = judge(request);
    const std::string_view id = request.size() > 1 ? text_of(request[1]) : std::string_view{};
    (void)socket.send_copy(bytes_of("1.0"), true);
    (void)socket.send_copy(bytes_of(id), true);
    (void)socket.send_copy(bytes_of(verdict.status), true);
    (void)socket.send_copy(bytes_of(verdict.text), true);
    (void)socket.send_copy(bytes_of(verdict.user), true);
    (void)socket.send_copy({}, false);
}

// Frames of a request: version, request id, domain, address, identity, mechanism, credentials.
Verdict ZapHandler::State::judge(const std::vector<Frame>& request) {
    if (request.size() != 7 || text_of(request[0]) != "1.0")
        return {"500", "not a ZAP 1.0 request", {}};
    if (text_of(request[5]) != "CURVE" || request[6].bytes().size() != kKeyBytes)
        return {"400", "CURVE is required", {}};
    PublicKey key;
    std::copy_n(request[6].bytes().begin(), kKeyBytes, key.bytes.begin());
    return judge_key(text_of(request[2]), key.z85());
}

Verdict ZapHandler::State::judge_key(std::string_view domain, const std::string& key) {
    const std::lock_guard lock(mutex);
    const bool in_proof = domain == kProofDomain;
    if (!in_proof && domain != kLaneDomain)
        return {"400", "unknown domain", {}};
    if (!in_proof && !open) {
        ++counters.deferred;
        return {"300", "starting", {}};
    }
    const auto& list = in_proof ? allowed_in_proof : allowed;
    const auto entry = list.find(key);
    const bool good = entry != list.end() && (entry->second.expires_at_s == 0 ||
                                              wall_seconds() < entry->second.expires_at_s);
    if (!in_proof)
        ++(good ? counters.admitted : counters.refused);
    return good ? Verdict{"200", "OK", key} : Verdict{"400", "unknown key", {}};
}

ZapHandler::ZapHandler(std::unique_ptr<State> state) : state_(std::move(state)) {}
ZapHandler::~ZapHandler() = default;

Result<std::unique_ptr<ZapHandler>> ZapHandler::start(const Context& context) {
    auto state = std::make_unique<State>();
    state->socket = Socket(context, ZMQ_REP);
    if (!state->socket.is_open())
        return zmq_error("cannot make the ZAP socket");
    MR_TRY(state->socket.set(ZMQ_LINGER, 0));
    if (zmq_bind(state->socket.handle(), kZapAddress) != 0)
        return zmq_error("cannot bind the ZAP socket");
    State& running = *state;
    state->thread = std::thread([&running] { running.serve(); });

    const auto proof = prove_doorkeeper(context, [&running](const PublicKey& key) {
        const std::lock_guard lock(running.mutex);
        running.allowed_in_proof[key.z85()] = {};
    });
    MR_TRY(proof);
    const std::lock_guard lock(state->mutex);
    state->allowed_in_proof.clear();
    return std::unique_ptr<ZapHandler>(new ZapHandler(std::move(state)));
}

void ZapHandler::allow(const PublicKey& key, AllowedKey entry) {
    const std::lock_guard lock(state_->mutex);
    state_->allowed[key.z85()] = std::move(entry);
}

bool ZapHandler::forget(const PublicKey& key) {
    const std::lock_guard lock(state_->mutex);
    return state_->allowed.erase(key.z85()) != 0;
}

std::optional<AllowedKey> ZapHandler::find(std::string_view z85) const {
    const std::lock_guard lock(state_->mutex);
    const auto entry = state_->allowed.find(z85);
    return entry == state_->allowed.end() ? std::nullopt : std::optional(entry->second);
}

void ZapHandler::open() {
    const std::lock_guard lock(state_->mutex);
    state_->open = true;
}

std::uint64_t ZapHandler::progress() const {
    return state_->progress.load(std::memory_order_relaxed);
}

ZapHandler::Counters ZapHandler::counters() const {
    const std::lock_guard lock(state_->mutex);
    return state_->counters;
}

}  // namespace millrace::net
