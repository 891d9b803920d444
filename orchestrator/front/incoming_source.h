#pragma once
// The bytes of an upload on their way in: known for media or turned away, put behind their stream's
// initialisation part where they are a fragment without one, hashed, and offered for sending on while
// the rest still comes. What a task is made of is the whole: its bytes and its SHA-256 are those of the
// initialisation part and the fragment together.
//
// Thread: one at a time. Owner: the upload.

#include <memory>
#include <variant>
#include <vector>

#include "common/runtime/payload.h"
#include "common/runtime/sha256.h"
#include "orchestrator/front/arriving_body.h"
#include "orchestrator/front/init_parts.h"
#include "orchestrator/front/mp4_boxes.h"
#include "orchestrator/front/sniff.h"

namespace millrace::orchestrator {

class IncomingSource {
public:
    IncomingSource(std::shared_ptr<InitParts> inits, std::shared_ptr<BlockPool> pool)
        : inits_(std::move(inits)), pool_(std::move(pool)) {}

    // Whose it is; before the first byte.
    void belongs_to(const AccountId& account, const StreamName& stream);

    enum class State : std::uint8_t {
        undecided,
        flows,  // arriving() gets all of it from here on
        waits,  // a fragment whose initialisation part is not known yet
        garbage,
    };
    // Bytes of the body in order; their state after it.
    State add(const Slice& piece);
    [[nodiscard]] const ArrivingBodyPtr& arriving() const { return arriving_; }

    struct Whole {
        PayloadPtr bytes;
        Sha256 sha256;
    };
    enum class Nothing : std::uint8_t {
        garbage,
        init_part,     // and nothing else
        init_missing,  // ask again later: it may be on its way
    };
    // The body is complete. An initialisation part that it brought is kept for the fragments that follow.
    [[nodiscard]] std::variant<Whole, Nothing> finish(const PayloadPtr& body);

private:
    void decide();
    void let_flow(InitPart init);
    [[nodiscard]] PayloadPtr behind_init(const PayloadPtr& body) const;
    [[nodiscard]] bool learn(const Payload& body) const;

    std::shared_ptr<InitParts> inits_;
    std::shared_ptr<BlockPool> pool_;
    AccountId account_;
    StreamName stream_;
    State state_ = State::undecided;
    Sniffer sniffer_;
    BoxWalk boxes_;
    std::vector<Slice> held_;  // while undecided
    InitPart init_;            // what the body is put behind; null: it stands alone
    Sha256Hasher hasher_;
    ArrivingBodyPtr arriving_ = std::make_shared<ArrivingBody>();
};

// The initialisation part at the head of a body, when it has one that fragments may be put behind; else
// empty.
[[nodiscard]] std::vector<std::uint8_t> init_part_of(const Payload& body, const BoxWalk& boxes);

}  // namespace millrace::orchestrator
