// The payload lane's envelopes: schemas/payload.capnp <-> common/domain/protocol.h.

#include "common/domain/rendition.h"
#include "common/wire/codec.h"
#include "common/wire/envelope.h"
#include "schemas/payload.capnp.h"

namespace millrace {

namespace wire {
namespace {

constexpr EnumTable<Direction, schema::Direction, 2> kDirections{{
    {Direction::to_transcoder, schema::Direction::TO_TRANSCODER},
    {Direction::to_orchestrator, schema::Direction::TO_ORCHESTRATOR},
}};

// A chunk's envelope takes 26 words.
constexpr unsigned kFirstSegmentWords = 48;

void put(schema::TransferId::Builder out, const TransferId& id) {
    out.setTask(id.task.value);
    out.setAttempt(id.attempt.value);
    out.setDirection(to_wire(kDirections, id.direction));
    out.setIndex(id.index);
}

TransferId get(schema::TransferId::Reader in) {
    TransferId id{TaskId{in.getTask()}, AttemptNo{in.getAttempt()},
                  known(kDirections, in.getDirection(), "TransferId.direction"), in.getIndex()};
    if (!id.task || !id.attempt)
        malformed("TransferId", "names no attempt");
    if (id.index >= kRenditionsMax)
        malformed("TransferId.index", "is out of range");
    return id;
}

using Union = schema::PayloadEnvelope::Builder;

void put_union(Union out, const LaneHello& hello) {
    out.initLaneHello().setNonce(hello.nonce);
}
void put_union(Union out, const LaneWelcome& welcome) {
    out.initLaneWelcome().setNonce(welcome.nonce);
}
void put_union(Union out, const LaneBeat& beat) {
    out.initLaneBeat().setNumber(beat.number);
}

void put_union(Union out, const Chunk& chunk) {
    auto to = out.initChunk();
    put(to.initTransfer(), chunk.transfer);
    to.setOffset(chunk.offset);
    to.setLast(chunk.last);
    to.setTotal(chunk.total);
    if (chunk.last)
        to.setSha256({chunk.sha256.data(), chunk.sha256.size()});
}

Chunk get(schema::Chunk::Reader in) {
    Chunk chunk;
    chunk.transfer = get(in.getTransfer());
    chunk.offset = in.getOffset();
    chunk.last = in.getLast();
    chunk.total = in.getTotal();
    if ((chunk.last || chunk.total != 0) && chunk.total < chunk.offset)
        malformed("Chunk.total", "is below the chunk's offset");
    if (chunk.last)
        chunk.sha256 = sha256(in.getSha256(), "Chunk.sha256");
    return chunk;
}

void put_union(Union out, const Credit& credit) {
    auto to = out.initCredit();
    put(to.initTransfer(), credit.transfer);
    to.setLimit(credit.limit);
}

void put_union(Union out, const TransferAbort& abort) {
    auto to = out.initTransferAbort();
    put(to.initTransfer(), abort.transfer);
    to.setReason(as_text(clipped(abort.reason, kSentenceBytesMax)));
}

TransferAbort get(schema::TransferAbort::Reader in) {
    return {get(in.getTransfer()), text(in.getReason(), kSentenceBytesMax, "TransferAbort.reason")};
}

PayloadMessage get_union(schema::PayloadEnvelope::Reader in) {
    using Which = schema::PayloadEnvelope::Which;
    switch (in.which()) {
        case Which::UNSET:
            malformed("PayloadEnvelope", "says nothing");
        case Which::LANE_HELLO:
            return LaneHello{in.getLaneHello().getNonce()};
        case Which::LANE_WELCOME:
            return LaneWelcome{in.getLaneWelcome().getNonce()};
        case Which::CHUNK:
            return get(in.getChunk());
        case Which::CREDIT:
            return Credit{get(in.getCredit().getTransfer()), in.getCredit().getLimit()};
        case Which::TRANSFER_ABORT:
            return get(in.getTransferAbort());
        case Which::LANE_BEAT:
            return LaneBeat{in.getLaneBeat().getNumber()};
    }
    throw Unfamiliar("unknown payload message");
}

}  // namespace
}  // namespace wire

std::vector<std::uint8_t> encode(const PayloadEnvelope& own) {
    return wire::encode_envelope<schema::PayloadEnvelope>(
        own, wire::kFirstSegmentWords,
        [](auto root, const auto& message) { wire::put_union(root, message); });
}

Decoded<PayloadEnvelope> decode_payload(std::span<const std::uint8_t> bytes) {
    return wire::decode_envelope<schema::PayloadEnvelope, PayloadEnvelope>(
        bytes, wire::kPayloadHeadBytesMax, [](auto root) { return wire::get_union(root); });
}

}  // namespace millrace
