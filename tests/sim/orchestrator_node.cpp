#include "tests/sim/orchestrator_node.h"

#include <algorithm>
#include <utility>

#include "common/wire/codec.h"

namespace millrace::sim {

namespace {

constexpr Duration kLaneDuty = milliseconds(500);
constexpr Duration kLaneSilence = seconds(3);

Ladder default_ladder() {
    Ladder ladder(2);
    ladder[0].name = "360p";
    ladder[0].width = 640;
    ladder[0].height = 360;
    ladder[1].name = "240p";
    ladder[1].width = 426;
    ladder[1].height = 240;
    return ladder;
}

}  // namespace

OrchestratorNode::OrchestratorNode(Context& context, Network& network, unsigned index)
    : Node(context, 'o', index), network_(network), store_(context) {}

OrchestratorNode::~OrchestratorNode() = default;

// ---- life of the process

void OrchestratorNode::boot() {
    epoch_ = store_.open();
    ++tally_.starts;
    orchestrator::CoreConfig config;
    config.default_ladder = default_ladder();
    config.epoch = epoch_;
    config.payload_endpoint = ":8937";
    begin_life();
    shutting_down_ = false;
    last_reservation_ = {};
    note("boot", epoch_.value);
    core_ = std::make_unique<orchestrator::OrchestratorCore>(std::move(config));
    deliver([this] { core_->restore(store_.sessions(), {}, now()); });
    post(kLaneDuty, [this] { lane_duty(); });
}

void OrchestratorNode::kill() {
    note("killed");
    end_life();
    core_.reset();
    peers_.clear();
    tasks_.clear();
    attempts_.clear();
    arriving_.clear();
    early_.clear();
    answers_.clear();
    network_.orchestrator_died(index());
    for (auto& [id, reply] : std::exchange(requests_, {}))
        context_.queue.in(context_.network_delay(), [reply = std::move(reply)] { reply(Reset{}); });
}

void OrchestratorNode::on_resumed(Duration away) {
    core_->was_away(away, now());
}

std::optional<TimePoint> OrchestratorNode::settle() {
    core_->advance_to(now());
    for (auto effects = core_->take_effects(); !effects.empty(); effects = core_->take_effects())
        for (const auto& effect : effects)
            std::visit([this](const auto& e) { perform(e); }, effect);
    core_->check_invariants();
    check_deadlines();
    return core_->next_deadline();
}

// ---- broadcasters

void OrchestratorNode::upload(const orchestrator::UploadRequest& request, BlobPtr body,
                              Duration upload_time, bool cut_short, OnReply reply) {
    context_.queue.in(context_.network_delay(), [=, this] {
        if (!alive()) {
            context_.queue.in(context_.network_delay(), [reply] { reply(Reset{}); });
            return;
        }
        const RequestId id = next_request_++;
        requests_[id] = reply;
        deliver([=, this] {
            const auto decision = core_->begin_upload(request, now());
            if (const auto* refusal = std::get_if<orchestrator::Refusal>(&decision))
                return reply_to(id, *refusal);
            const UploadId upload = std::get<orchestrator::UploadAdmitted>(decision).upload;
            arriving_[upload] = body;
            post(context_.between(Duration{0}, upload_time),
                 [=, this] { core_->upload_arrives(upload, now()); });
            post(upload_time, [=, this] {
                if (!cut_short)
                    return body_complete(upload, body, id);
                core_->abort_upload(upload, now());
                arriving_.erase(upload);
                reply_to(id, Reset{});
            });
        });
    });
}

void OrchestratorNode::body_complete(UploadId upload, const BlobPtr& body, RequestId request) {
    const auto outcome = core_->finish_upload(upload, body->sha256, body->bytes, now());
    arriving_.erase(upload);
    if (const auto* accepted = std::get_if<orchestrator::TaskAccepted>(&outcome)) {
        note("accepted", accepted->task.value, short_hash(body->sha256));
        ++tally_.accepted;
        PendingTask& task = tasks_[accepted->task];
        if (task.body != nullptr)
            violated("a task number was given twice");
        task.body = body;
        if (const auto early = early_.find(accepted->task); early != early_.end()) {
            if (early->second.upload != upload)
                violated("a task goes on where another upload's began");
            task.attempt = AttemptNo{1};
        }
        task.waiters = {request};
        task.calm =
            context_.calm && context_.room_for_all && now() > context_.calm_since + seconds(15);
    } else if (const auto* joined = std::get_if<orchestrator::TaskJoined>(&outcome)) {
        const auto task = tasks_.find(joined->task);
        if (task == tasks_.end() || task->second.body->sha256 != body->sha256)
            violated("an upload joined a task of other bytes");
        task->second.waiters.push_back(request);
    } else if (const auto* replayed = std::get_if<orchestrator::Replayed>(&outcome)) {
        const auto kept = answers_.find(replayed->answer);
        if (kept == answers_.end() || kept->second.segment.sha256 != body->sha256)
            violated("an answer is replayed that is not kept, or is not this segment's");
        ++tally_.replayed;
        reply_to(request, Answered{kept->second.segment, kept->second.content});
    } else {
        reply_to(request, std::get<orchestrator::Refusal>(outcome));
    }
}

void OrchestratorNode::reply_to(RequestId request, Reply reply) {
    const auto node = requests_.extract(request);
    if (node.empty())
        violated("a request is answered twice");
    if (std::holds_alternative<orchestrator::Refusal>(reply))
        ++tally_.refused;
    context_.queue.in(context_.network_delay(),
                      [to = node.mapped(), reply = std::move(reply)] { to(reply); });
}

void OrchestratorNode::end_session_of(const StreamName& stream) {
    if (!alive())
        return;
    deliver([this, stream] {
        for (const auto& session : core_->status().sessions)
            if (session.stream == stream)
                (void)core_->end_session(session.id, orchestrator::EndReason::requested, now());
    });
}

// ---- operators

void OrchestratorNode::command(std::string_view name,
                               orchestrator::OrchestratorCore::TranscoderCommand what) {
    if (alive())
        deliver(
            [this, name = std::string(name), what] { (void)core_->command(name, what, now()); });
}

void OrchestratorNode::set_operator_limit(std::optional<std::uint32_t> sessions) {
    if (alive())
        deliver([this, sessions] { core_->set_operator_limit(sessions, now()); });
}

void OrchestratorNode::set_stake(std::optional<std::uint32_t> sessions, bool active) {
    if (alive())
        deliver([this, sessions, active] { core_->set_stake(sessions, active, now()); });
}

void OrchestratorNode::revoke(const TranscoderKey& key) {
    if (alive())
        deliver([this, key] {
            note("revoke", peers_[key].transcoder);
            core_->revoke(key, now());
        });
}

void OrchestratorNode::readmit(const TranscoderKey& key) {
    if (alive())
        deliver([this, key] { core_->readmit(key); });
}

void OrchestratorNode::begin_shutdown() {
    shutting_down_ = true;
    deliver([this] {
        note("shutdown");
        core_->begin_shutdown(now());
    });
}

void OrchestratorNode::store_available(bool available) {
    store_.set_failing(!available);
    if (alive())
        deliver([this, available] { core_->store_available(available, now()); });
}

// ---- lanes, inwards

void OrchestratorNode::closed(Path path, ConnectionId connection) {
    // The transport's hint reaches the core only sometimes: it is never needed.
    if (path.lane != Lane::control || !alive() || !context_.rng.chance(0.5))
        return;
    deliver([this, connection] {
        for (const auto& [key, peer] : peers_)
            if (peer.control == connection)
                return core_->connection_lost(key, now());
    });
}

void OrchestratorNode::receive(Path path, ConnectionId connection, const Frame& frame) {
    if (!alive())
        return;
    deliver([this, path, connection, frame] {
        const TranscoderKey from{"transcoder-key-of-the-simulation-no-" +
                                 std::to_string(1000 + path.transcoder)};
        Peer& peer = peers_[from];
        peer.transcoder = path.transcoder;
        if (path.lane == Lane::control) {
            const auto decoded = decode_from_transcoder(frame.head);
            if (!decoded || !std::holds_alternative<FromTranscoder>(*decoded))
                violated("a transcoder's message does not decode");
            peer.control = std::max(peer.control, connection);
            peer.control_heard = now();
            on_control(from, peer, std::get<FromTranscoder>(*decoded));
        } else {
            const auto decoded = decode_payload(frame.head);
            if (!decoded || !std::holds_alternative<PayloadEnvelope>(*decoded))
                violated("a transcoder's payload envelope does not decode");
            peer.payload = std::max(peer.payload, connection);
            on_payload(from, peer, std::get<PayloadEnvelope>(*decoded), frame);
        }
    });
}

// The planted bug: whatever names a former attempt of a task is taken for the one on record.
void OrchestratorNode::forget_fence(TaskId& task, AttemptNo& attempt, TranscoderKey* from) const {
    const auto pending = tasks_.find(task);
    if (pending == tasks_.end())
        return;
    attempt = pending->second.attempt;
    const auto record = attempts_.find({task, attempt});
    if (from != nullptr && record != attempts_.end())
        *from = record->second.at;
}

void OrchestratorNode::on_control(const TranscoderKey& from, Peer& peer, FromTranscoder message) {
    note("control", peer.transcoder << 8 | message.message.index(), message.fence.epoch.value);
    peer.incarnation = message.fence.incarnation;
    TranscoderKey speaker = from;
    if (context_.options.mutation == Mutation::no_attempt_fence)
        if (auto* finished = std::get_if<TaskFinished>(&message.message)) {
            forget_fence(finished->task, finished->attempt, &speaker);
            message.fence.incarnation = peers_[speaker].incarnation;
        }
    if (const auto* progress = std::get_if<TaskProgress>(&message.message))
        if (const auto task = tasks_.find(progress->task);
            task != tasks_.end() && message.fence.epoch == epoch_ &&
            attempts_.contains({progress->task, progress->attempt}) &&
            progress->stage == TaskStage::running)
            task->second.started.insert(progress->attempt);
    core_->on_message(speaker, message, now());
}

void OrchestratorNode::on_payload(const TranscoderKey& from, Peer& peer,
                                  const PayloadEnvelope& message, const Frame& frame) {
    if (message.fence.epoch != epoch_)
        return;
    peer.payload_heard = now();
    if (const auto* hello = std::get_if<LaneHello>(&message.message)) {
        peer.nonce = hello->nonce;
        peer.bound = true;
        peer.incarnation = message.fence.incarnation;
        core_->payload_lane(from, hello->nonce, true, now());
        send_payload(peer, LaneWelcome{hello->nonce});
    } else if (const auto* chunk = std::get_if<Chunk>(&message.message)) {
        on_chunk(from, peer, *chunk, frame);
    } else if (const auto* credit = std::get_if<Credit>(&message.message)) {
        core_->transfer_progress(credit->transfer, from, now());
    }
}

void OrchestratorNode::on_chunk(const TranscoderKey& from, Peer& peer, Chunk chunk,
                                const Frame& frame) {
    const TransferId as_sent = chunk.transfer;
    TranscoderKey speaker = from;
    if (context_.options.mutation == Mutation::no_attempt_fence)
        forget_fence(chunk.transfer.task, chunk.transfer.attempt, &speaker);
    const auto found = attempts_.find({chunk.transfer.task, chunk.transfer.attempt});
    if (found == attempts_.end() || found->second.at != speaker) {
        send_payload(peer, TransferAbort{as_sent, "not expected"});
        return;
    }
    Attempt& attempt = found->second;
    const std::uint32_t index = chunk.transfer.index;
    if (attempt.committing || attempt.renditions.contains(index)) {
        send_payload(peer, Credit{as_sent, frame.body->bytes});
        return;
    }
    std::uint64_t& arrived = attempt.arrived[index];
    if (chunk.offset == 0)
        arrived = 0;
    if (chunk.offset != arrived) {
        send_payload(peer, TransferAbort{as_sent, "a gap"});
        return core_->transfer_failed(chunk.transfer, speaker,
                                      error(ErrorKind::disconnected, "a gap"), now());
    }
    arrived += frame.body_bytes;
    if (!chunk.last)
        return core_->transfer_progress(chunk.transfer, speaker, now());
    attempt.renditions[index] = frame.body;
    send_payload(peer, Credit{as_sent, frame.body->bytes});
    core_->rendition_received(chunk.transfer, speaker, frame.body->bytes, frame.body->sha256,
                              now());
}

void OrchestratorNode::lane_duty() {
    for (auto& [key, peer] : peers_) {
        if (!peer.bound)
            continue;
        if (now() >= peer.payload_heard + kLaneSilence) {
            peer.bound = false;
            core_->payload_lane(key, peer.nonce, false, now());
        } else {
            send_payload(peer, LaneBeat{1});
        }
    }
    post(kLaneDuty, [this] { lane_duty(); });
}

// ---- lanes, outwards

void OrchestratorNode::send_payload(const Peer& peer, PayloadMessage message, BlobPtr body,
                                    std::uint64_t body_bytes) {
    const PayloadEnvelope envelope{{epoch_, peer.incarnation}, std::move(message)};
    network_.reply(peer.payload, {encode(envelope), std::move(body), body_bytes});
}

void OrchestratorNode::perform(const orchestrator::Send& e) {
    Peer& peer = peers_[e.to];
    if (const auto* dispatch = std::get_if<Dispatch>(&e.message))
        check_dispatch(e, *dispatch);
    // One that is asked again may have been overtaken by a change of the number of slots.
    if (const auto* reserve = std::get_if<Reserve>(&e.message);
        reserve != nullptr && reserve->reservation > last_reservation_) {
        last_reservation_ = reserve->reservation;
        check_reserve(e);
    }
    const FromOrchestrator message{{epoch_, peer.incarnation}, e.message};
    if (!network_.reply(peer.control, {encode(message), nullptr, 0}))
        note("unsent", peer.transcoder, e.message.index());
}

void OrchestratorNode::perform(const orchestrator::StartTransfer& e) {
    const auto task = tasks_.find(e.transfer.task);
    if (task == tasks_.end())
        violated("the source of an unknown task is to be sent");
    const BlobPtr body = task->second.body;
    send_source(e.to, e.transfer, body, 0, body->bytes, true);
}

void OrchestratorNode::perform(const orchestrator::StartEarlyTransfer& e) {
    const auto body = arriving_.find(e.upload);
    if (body == arriving_.end())
        violated("the source of an unknown upload is to be sent");
    Early& early = early_[e.transfer.task];
    note("early", e.transfer.task.value);
    early = {e.upload, 1 + context_.rng.below(body->second->bytes)};
    send_source(e.to, e.transfer, body->second, 0, early.sent, false);
}

void OrchestratorNode::perform(const orchestrator::FinishTransfer& e) {
    const auto task = tasks_.find(e.transfer.task);
    const auto early = early_.find(e.transfer.task);
    if (task == tasks_.end() || early == early_.end())
        violated("the rest of an unknown source is to be sent");
    const BlobPtr body = task->second.body;
    send_source(e.to, e.transfer, body, early->second.sent, body->bytes, true);
}

// Bytes [from, end); the last chunk of all may be empty.
void OrchestratorNode::send_source(const TranscoderKey& to, const TransferId& transfer,
                                   const BlobPtr& body, std::uint64_t from, std::uint64_t end,
                                   bool whole) {
    constexpr std::uint64_t kChunkBytes = 256 * 1024;
    do {
        const std::uint64_t size = std::min(kChunkBytes, end - from);
        Chunk chunk{transfer, from, whole && from + size == end, whole ? body->bytes : 0, {}};
        if (chunk.last)
            chunk.sha256 = body->sha256;
        send_payload(peers_[to], chunk, body, size);
        from += size;
    } while (from < end);
}

void OrchestratorNode::perform(const orchestrator::DropAttempt& e) {
    note("drop", e.task.value, e.attempt.value);
    early_.erase(e.task);
    if (context_.options.mutation != Mutation::no_attempt_fence)
        attempts_.erase({e.task, e.attempt});
}

// ---- the end

std::string OrchestratorNode::leftovers() const {
    const auto status = core_->status();
    std::string left;
    if (!tasks_.empty() || status.tasks_active != 0)
        left += " tasks";
    if (!requests_.empty())
        left += " requests";
    if (status.payload_bytes != 0)
        left += " payload bytes " + std::to_string(status.payload_bytes);
    if (status.capacity.sessions_active != 0)
        left += " sessions with a slot " + std::to_string(status.capacity.sessions_active);
    for (const auto& transcoder : status.transcoders)
        if (transcoder.load != 0)
            left += " load of " + transcoder.name;
    return left;
}

}  // namespace millrace::sim
