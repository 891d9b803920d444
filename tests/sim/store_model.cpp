#include "tests/sim/store_model.h"

#include <algorithm>

namespace millrace::sim {

Epoch StoreModel::open() {
    last_ = context_.now();
    return Epoch{++epoch_.value};
}

void StoreModel::later(std::function<void()> apply) {
    last_ = std::max(last_, context_.now()) + slow_ + context_.around(context_.options.commit_time);
    context_.queue.at(last_, [this, epoch = epoch_, apply = std::move(apply)] {
        if (epoch == epoch_)
            apply();
    });
}

void StoreModel::commit(const orchestrator::Commit& commit,
                        std::function<void(const Result<void>&)> done) {
    const bool early = context_.options.mutation == Mutation::ack_before_sync;
    if (early)
        done(Result<void>{});
    later([this, segment = commit.segment, done = std::move(done), early] {
        if (failing_) {
            if (!early)
                done(error(ErrorKind::internal, "the disk is full"));
            return;
        }
        const Number number{segment.session, segment.run, segment.seq};
        const auto [row, fresh] = numbers_.emplace(number, Row{segment.sha256, epoch_});
        if (row->second.sha256 != segment.sha256 && row->second.epoch == epoch_)
            throw Violation("two different segments are booked under one session, run and seq");
        booked_.insert(segment);
        if (!early)
            done(Result<void>{});
    });
}

void StoreModel::save(const orchestrator::PersistSession& session) {
    later([this, session] {
        if (!failing_)
            sessions_[session.session] = session;
    });
}

std::vector<orchestrator::RestoredSession> StoreModel::sessions() const {
    std::vector<orchestrator::RestoredSession> all;
    for (const auto& [id, s] : sessions_)
        all.push_back({id, s.stream, s.account, s.ladder, s.run, s.last_seq, s.has_seq, s.ended});
    return all;
}

bool StoreModel::booked(const SegmentKey& segment) const {
    return booked_.contains(segment);
}

}  // namespace millrace::sim
