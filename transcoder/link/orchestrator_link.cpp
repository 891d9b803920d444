#include "transcoder/link/orchestrator_link.h"

#include <utility>

#include "common/net/endpoint.h"
#include "common/net/lane.h"
#include "common/net/link_tracker.h"
#include "common/runtime/log.h"
#include "common/runtime/wall_clock.h"
#include "common/wire/codec.h"
#include "transcoder/link/rendition_outbox.h"
#include "transcoder/link/source_intake.h"

namespace millrace::transcoder {
namespace {

constexpr std::string_view kModule = "link";
// A goodbye may take this long to leave when lanes are closed.
constexpr Duration kLinger = std::chrono::milliseconds(500);
// Once joined, cut handshakes are more likely an orchestrator that is down behind something that
// still accepts connections than another orchestrator in its place.
constexpr Duration kForeignAfterJoin = std::chrono::seconds(60);

}  // namespace

Result<std::string> payload_address(const std::string& control, const std::string& endpoint) {
    const auto own = net::parse_endpoint(control);
    if (!own)
        return own.error();
    const bool bare = endpoint.starts_with(":");
    auto there = net::parse_endpoint(bare ? own->host + endpoint : endpoint);
    if (bare && own->is_ipv6())
        there = net::parse_endpoint("[" + own->host + "]" + endpoint);
    if (!there)
        return there.error();
    if (there->host == "*" || there->host == "0.0.0.0" || there->host == "::")
        there->host = own->host;
    return there->text();
}

class OrchestratorLink::Impl : public std::enable_shared_from_this<OrchestratorLink::Impl> {
public:
    Impl(Parts parts, OrchestratorIndex which, std::string address, Credentials credentials);

    void open_control(bool enrolling);
    void open_payload(const std::string& endpoint);
    void close();
    void send_control(FromTranscoder message);
    void send_payload(const PayloadEnvelope& message);
    void expect_source(TaskRef task, const SegmentKey& segment, std::uint64_t bytes);
    PayloadPtr take_source(TaskRef task) { return intake_.take({task.task, task.attempt}); }
    Result<void> add_rendition(TaskRef task, std::uint32_t index, PayloadPtr payload,
                               const Sha256& sha256);
    void complete_renditions(TaskRef task);
    void drop(TaskRef task);

    std::string address;
    Credentials credentials;
    LinkCounters counters;

private:
    void on_control(net::LaneMessage& message);
    void on_control_event(net::LinkEvent event);
    void on_payload(net::LaneMessage& message);
    void on_payload_event(net::LinkEvent event);
    void on_chunk(const Chunk& chunk, std::span<const std::uint8_t> body);
    void on_credit(const Credit& credit);
    void on_abort(const TransferAbort& abort);
    void on_lane_welcome(const LaneWelcome& welcome);

    void tell(LaneEvent event) { parts_.events.link_event(which_, event); }
    void foreign();
    void settle(TaskRef task, const SourceIntake::Outcome& outcome);
    void count(net::SendResult result);
    void pump();
    net::SendResult send_chunk(const Chunk& chunk, const net::Slice& body);
    [[nodiscard]] TaskRef ref(const TransferId& transfer) const {
        return {which_, transfer.task, transfer.attempt};
    }

    Parts parts_;
    OrchestratorIndex which_;
    net::ClientLane control_;
    net::ClientLane payload_;
    SourceIntake intake_;
    RenditionOutbox outbox_;
    Timer pump_again_;
    net::JoinProbe probe_;
    Fence fence_;              // of the payload lane, as the core's LaneHello has it
    std::uint64_t nonce_ = 0;  // likewise
    bool enrolling_ = false;
    bool joined_before_ = false;
    std::optional<TimePoint> cut_since_;
};

OrchestratorLink::Impl::Impl(Parts parts, OrchestratorIndex which, std::string at, Credentials with)
    : address(std::move(at)),
      credentials(std::move(with)),
      parts_(std::move(parts)),
      which_(which),
      control_(parts_.loop, parts_.context, net::LaneKind::control,
               {[this](net::LaneMessage& message) { on_control(message); },
                [this](net::LinkEvent event) { on_control_event(event); },
                {}}),
      payload_(parts_.loop, parts_.context, net::LaneKind::payload,
               {[this](net::LaneMessage& message) { on_payload(message); },
                [this](net::LinkEvent event) { on_payload_event(event); },
                [this] {
                    outbox_.writable();
                    pump();
                }}),
      intake_(parts_.pool, parts_.source_bytes_max),
      pump_again_(parts_.loop) {}

// ---- lanes

void OrchestratorLink::Impl::open_control(bool enrolling) {
    payload_.disconnect();
    intake_.clear();
    outbox_.lane_down();
    enrolling_ = enrolling;
    probe_ = {};
    const auto target = credentials.target(address, parts_.own, enrolling);
    if (!target)
        return;
    if (const auto opened = control_.connect(*target); !opened)
        log::warn(kModule, "cannot open the control lane",
                  {{"orchestrator", address}, {"reason", opened.error().message}});
}

void OrchestratorLink::Impl::open_payload(const std::string& endpoint) {
    intake_.clear();
    outbox_.lane_down();
    const auto at = payload_address(address, endpoint);
    const auto server = credentials.server();
    Result<void> opened = at ? Result<void>{} : at.error();
    if (opened && server)
        opened = payload_.connect({*at, *server, parts_.own});
    if (!opened)
        log::warn(kModule, "cannot open the payload lane",
                  {{"orchestrator", address},
                   {"endpoint", endpoint},
                   {"reason", opened.error().message}});
}

void OrchestratorLink::Impl::close() {
    intake_.clear();
    outbox_.lane_down();
    payload_.disconnect();
    control_.disconnect(kLinger);
}

void OrchestratorLink::Impl::on_control_event(net::LinkEvent event) {
    const auto verdict = probe_.on_event(event);
    if (event == net::LinkEvent::not_ours)
        cut_since_ = cut_since_.value_or(parts_.loop.now());
    else if (event != net::LinkEvent::connected)
        cut_since_.reset();
    switch (event) {
        case net::LinkEvent::connected:
            return;
        case net::LinkEvent::up:
            return tell(LaneEvent::connected);
        case net::LinkEvent::down:
            return tell(LaneEvent::lost);
        case net::LinkEvent::refused:
            return tell(enrolling_ && credentials.token_expired(wall_now()) ? LaneEvent::expired
                                                                            : LaneEvent::refused);
        case net::LinkEvent::not_ours:
            if (verdict == net::JoinProbe::Verdict::foreign)
                return foreign();
            return tell(LaneEvent::unreachable);
        case net::LinkEvent::timed_out:
        case net::LinkEvent::unreachable:
            return tell(LaneEvent::unreachable);
    }
}

void OrchestratorLink::Impl::foreign() {
    if (enrolling_ && credentials.next_token())
        return open_control(true);
    if (joined_before_ && parts_.loop.now() < *cut_since_ + kForeignAfterJoin)
        return tell(LaneEvent::unreachable);
    // The core tries a token when our own key is refused: the same holds for an orchestrator that
    // was set up anew.
    if (!enrolling_ && credentials.another_server())
        return tell(LaneEvent::refused);
    tell(LaneEvent::foreign);
}

void OrchestratorLink::Impl::on_payload_event(net::LinkEvent event) {
    if (event == net::LinkEvent::down)
        return tell(LaneEvent::lost);  // its transfers are: both lanes start anew
    // What the core said before the lane was up is lost; it would be said again, but later.
    if (event == net::LinkEvent::up && nonce_ != 0)
        count(payload_.send(encode(PayloadEnvelope{fence_, LaneHello{nonce_}})));
    if (event != net::LinkEvent::connected && event != net::LinkEvent::up)
        log::write_limited(
            address, LogLevel::warn, kModule, "the payload lane does not come up",
            {{"orchestrator", address}, {"reason", std::string(net::to_string(event))}});
}

// ---- messages

void OrchestratorLink::Impl::on_control(net::LaneMessage& message) {
    auto decoded = decode_from_orchestrator(message.header);
    if (!decoded) {
        ++counters.undecodable;
        log::write_limited(address, LogLevel::warn, kModule, "undecodable control message",
                           {{"orchestrator", address}, {"reason", decoded.error().message}});
        return;
    }
    if (std::holds_alternative<Ignored>(*decoded)) {
        ++counters.ignored;
        return;
    }
    const auto& heard = std::get<FromOrchestrator>(*decoded);
    if (std::holds_alternative<Enrolled>(heard.message) && enrolling_)
        credentials.enrolled();
    parts_.events.link_control(which_, heard);
}

void OrchestratorLink::Impl::on_payload(net::LaneMessage& message) {
    auto decoded = decode_payload(message.header);
    if (!decoded) {
        ++counters.undecodable;
        return;
    }
    if (std::holds_alternative<Ignored>(*decoded)) {
        ++counters.ignored;
        return;
    }
    const auto& heard = std::get<PayloadEnvelope>(*decoded);
    // The epoch fences; a connection ends with its process, so the incarnation says nothing more.
    if (heard.fence.epoch != fence_.epoch) {
        ++counters.unexpected;
        return;
    }
    const auto self = shared_from_this();  // what follows may end this link
    parts_.events.link_payload(which_, heard);
    if (const auto* chunk = std::get_if<Chunk>(&heard.message))
        on_chunk(*chunk, message.body.bytes());
    else if (const auto* credit = std::get_if<Credit>(&heard.message))
        on_credit(*credit);
    else if (const auto* abort = std::get_if<TransferAbort>(&heard.message))
        on_abort(*abort);
    else if (const auto* welcome = std::get_if<LaneWelcome>(&heard.message))
        on_lane_welcome(*welcome);
}

void OrchestratorLink::Impl::on_lane_welcome(const LaneWelcome& welcome) {
    if (welcome.nonce != nonce_ || nonce_ == 0)
        return;
    nonce_ = 0;  // a repeated welcome starts nothing anew
    joined_before_ = true;
    outbox_.lane_up();
    pump();
}

void OrchestratorLink::Impl::send_control(FromTranscoder message) {
    if (auto* enrol = std::get_if<Enrol>(&message.message))
        enrol->token_id = credentials.token_id();
    count(control_.send(encode(message)));
}

void OrchestratorLink::Impl::send_payload(const PayloadEnvelope& message) {
    fence_ = message.fence;
    if (const auto* hello = std::get_if<LaneHello>(&message.message))
        nonce_ = hello->nonce;
    count(payload_.send(encode(message)));
}

void OrchestratorLink::Impl::count(net::SendResult result) {
    counters.would_block += result == net::SendResult::would_block ? 1 : 0;
    counters.gone += result == net::SendResult::gone ? 1 : 0;
}

// ---- sources

void OrchestratorLink::Impl::expect_source(TaskRef task, const SegmentKey& segment,
                                           std::uint64_t bytes) {
    settle(task, intake_.expect({task.task, task.attempt}, bytes, segment.sha256));
}

void OrchestratorLink::Impl::on_chunk(const Chunk& chunk, std::span<const std::uint8_t> body) {
    counters.bytes_received += body.size();
    settle(ref(chunk.transfer), intake_.on_chunk(chunk, body));
}

void OrchestratorLink::Impl::settle(TaskRef task, const SourceIntake::Outcome& outcome) {
    counters.unexpected += outcome.unexpected ? 1 : 0;
    if (outcome.credit)
        count(payload_.send(encode(PayloadEnvelope{fence_, *outcome.credit})));
    if (outcome.payload)
        parts_.events.link_source(task, outcome.payload, outcome.sha256);
    else if (outcome.broken)
        parts_.events.link_source_broken(task, *outcome.broken);
    else if (outcome.arrived)
        parts_.events.link_source_arrived(task);
}

void OrchestratorLink::Impl::on_abort(const TransferAbort& abort) {
    if (abort.transfer.direction == Direction::to_orchestrator) {
        outbox_.on_abort(abort.transfer);
        return pump();
    }
    const auto problem =
        intake_.on_abort({abort.transfer.task, abort.transfer.attempt}, abort.reason);
    if (problem)
        parts_.events.link_source_broken(ref(abort.transfer), *problem);
}

// ---- renditions

Result<void> OrchestratorLink::Impl::add_rendition(TaskRef task, std::uint32_t index,
                                                   PayloadPtr payload, const Sha256& sha256) {
    MR_TRY(outbox_.add({task.task, task.attempt}, index, std::move(payload), sha256));
    pump();
    return {};
}

void OrchestratorLink::Impl::complete_renditions(TaskRef task) {
    outbox_.complete({task.task, task.attempt});
    pump();
}

void OrchestratorLink::Impl::drop(TaskRef task) {
    intake_.drop({task.task, task.attempt});
    outbox_.drop({task.task, task.attempt});
}

void OrchestratorLink::Impl::on_credit(const Credit& credit) {
    if (const auto taken = outbox_.on_credit(credit); !taken) {
        ++counters.unexpected;
        return;
    }
    pump();
}

net::SendResult OrchestratorLink::Impl::send_chunk(const Chunk& chunk, const net::Slice& body) {
    const auto result = payload_.send(encode(PayloadEnvelope{fence_, chunk}), body);
    if (result == net::SendResult::sent)
        counters.bytes_sent += body.bytes.size();
    count(result);
    return result;
}

void OrchestratorLink::Impl::pump() {
    const auto self = shared_from_this();
    const auto pumped = outbox_.pump(
        [this](const Chunk& chunk, const net::Slice& body) { return send_chunk(chunk, body); });
    if (pumped.more)
        pump_again_.set(parts_.loop.now(), [this] { pump(); });
    for (const auto& [task, attempt] : pumped.sent)
        parts_.events.link_renditions_sent({which_, task, attempt});
}

// ---- facade

OrchestratorLink::OrchestratorLink(Parts parts, OrchestratorIndex which, std::string address,
                                   Credentials credentials)
    : impl_(std::make_shared<Impl>(std::move(parts), which, std::move(address),
                                   std::move(credentials))) {}
OrchestratorLink::~OrchestratorLink() {
    impl_->close();
}

void OrchestratorLink::open_control(bool enrolling) {
    impl_->open_control(enrolling);
}
void OrchestratorLink::open_payload(const std::string& endpoint) {
    impl_->open_payload(endpoint);
}
void OrchestratorLink::close() {
    impl_->close();
}
void OrchestratorLink::send_control(FromTranscoder message) {
    impl_->send_control(std::move(message));
}
void OrchestratorLink::send_payload(const PayloadEnvelope& message) {
    impl_->send_payload(message);
}
void OrchestratorLink::expect_source(TaskRef task, const SegmentKey& segment, std::uint64_t bytes) {
    impl_->expect_source(task, segment, bytes);
}
PayloadPtr OrchestratorLink::take_source(TaskRef task) {
    return impl_->take_source(task);
}
Result<void> OrchestratorLink::add_rendition(TaskRef task, std::uint32_t index, PayloadPtr payload,
                                             const Sha256& sha256) {
    return impl_->add_rendition(task, index, std::move(payload), sha256);
}
void OrchestratorLink::complete_renditions(TaskRef task) {
    impl_->complete_renditions(task);
}
void OrchestratorLink::drop(TaskRef task) {
    impl_->drop(task);
}
const std::string& OrchestratorLink::address() const {
    return impl_->address;
}
std::optional<net::PublicKey> OrchestratorLink::server() const {
    return impl_->credentials.server();
}
const LinkCounters& OrchestratorLink::counters() const {
    return impl_->counters;
}

}  // namespace millrace::transcoder
