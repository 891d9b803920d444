#include "orchestrator/front/incoming_source.h"

#include <utility>

namespace millrace::orchestrator {

void IncomingSource::belongs_to(const AccountId& account, const StreamName& stream) {
    account_ = account;
    stream_ = stream;
}

IncomingSource::State IncomingSource::add(const Slice& piece) {
    boxes_.feed(piece.bytes);
    if (state_ == State::flows) {
        hasher_.update(piece.bytes);
        arriving_->add(piece);
    } else if (state_ == State::undecided) {
        held_.push_back(piece);
        sniffer_.feed(piece.bytes);
        decide();
    }
    return state_;
}

void IncomingSource::decide() {
    const Sniffed media = sniffer_.verdict();
    if (media == Sniffed::nothing) {
        state_ = State::garbage;
    } else if (media == Sniffed::mp4 && boxes_.start() == BoxWalk::Start::bare) {
        if (InitPart init = inits_->find(account_, stream_))
            return let_flow(std::move(init));
        state_ = State::waits;
        held_.clear();  // they lie in the body, which is kept
    } else if (media != Sniffed::undecided &&
               (media != Sniffed::mp4 || boxes_.start() == BoxWalk::Start::complete)) {
        let_flow(nullptr);
    }
}

void IncomingSource::let_flow(InitPart init) {
    state_ = State::flows;
    init_ = std::move(init);
    if (init_) {
        hasher_.update(*init_);
        arriving_->add({init_, *init_});
    }
    for (Slice& piece : std::exchange(held_, {})) {
        hasher_.update(piece.bytes);
        arriving_->add(std::move(piece));
    }
}

std::variant<IncomingSource::Whole, IncomingSource::Nothing> IncomingSource::finish(
    const PayloadPtr& body) {
    if (sniffer_.finish() == Sniffed::nothing)
        return Nothing::garbage;
    // What looks like one and is of no use to fragments is a segment like any other, for an engine to judge.
    if (sniffer_.verdict() == Sniffed::mp4 && learn(*body) && boxes_.only_init())
        return Nothing::init_part;
    if (state_ == State::undecided)
        let_flow(nullptr);
    if (state_ == State::flows)
        return Whole{init_ ? behind_init(body) : body, hasher_.finish()};
    init_ = inits_->find(account_, stream_);
    if (!init_)
        return Nothing::init_missing;
    PayloadPtr whole = behind_init(body);
    for (std::size_t i = 0; i < whole->block_count(); ++i)
        hasher_.update(whole->block(i));
    return Whole{std::move(whole), hasher_.finish()};
}

PayloadPtr IncomingSource::behind_init(const PayloadPtr& body) const {
    PayloadBuilder whole(pool_);
    whole.append(*init_);
    for (std::size_t i = 0; i < body->block_count(); ++i)
        whole.append(body->block(i));
    return whole.seal();
}

// True when there is one and it is kept. Without room for it the segment is whole all the same.
bool IncomingSource::learn(const Payload& body) const {
    const auto init = init_part_of(body, boxes_);
    return !init.empty() && inits_->keep(account_, stream_, init);
}

std::vector<std::uint8_t> init_part_of(const Payload& body, const BoxWalk& boxes) {
    if (boxes.init_end() == 0 || boxes.init_end() > kInitBytesMax)
        return {};
    std::vector<std::uint8_t> init(static_cast<std::size_t>(boxes.init_end()));
    body.read(0, init);
    return serves_fragments(init) ? init : std::vector<std::uint8_t>();
}

}  // namespace millrace::orchestrator
