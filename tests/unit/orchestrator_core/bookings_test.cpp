// Who earned what, from the core's side: random segments with duplicates, failures, hedges and crashes of the
// orchestrator. What the store has written is compared with what broadcasters were answered.
//
// By hand, a million bookings (on a release build):
//   MILLRACE_BOOKINGS=1000000 build/release/bin/orchestrator_core_test "[bookings]"

#include <cstdio>
#include <cstdlib>

#include "common/base/rng.h"
#include "tests/support/catch.h"
#include "tests/support/core_harness.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::testing;

namespace {

struct Earned {
    std::int64_t segments = 0;
    std::int64_t decoded_pixels = 0;
    std::int64_t encoded_pixels = 0;
    std::int64_t encoded_bytes = 0;
    std::int64_t source_bytes = 0;
    bool operator==(const Earned&) const = default;
};

void add(Earned& sum, std::uint64_t source_bytes, const TranscodeReport& report) {
    sum.segments += 1;
    sum.decoded_pixels += report.source.pixels;
    sum.source_bytes += static_cast<std::int64_t>(source_bytes);
    for (const RenditionReport& rendition : report.renditions) {
        sum.encoded_pixels += rendition.pixels;
        sum.encoded_bytes += static_cast<std::int64_t>(rendition.bytes);
    }
}

// The store as it promises to be: what is written survives, a key once.
struct StoreModel {
    struct Row {
        std::string transcoder;
        int life = 0;
    };
    std::map<SegmentKey, Row> rows;
    std::map<std::string, Earned> by_transcoder;
    std::map<SessionId, RestoredSession> sessions;
    std::uint64_t repeats = 0;

    void write(const Commit& c, int life) {
        if (!rows.emplace(c.segment, Row{c.transcoder_name, life}).second) {
            ++repeats;
            return;
        }
        add(by_transcoder[c.transcoder_name], c.source_bytes, c.report);
        RestoredSession& session = sessions[c.segment.session];
        const auto newest = std::pair(session.run, session.has_seq ? session.last_seq : 0);
        if (!session.has_seq || newest < std::pair(c.segment.run, c.segment.seq)) {
            session.run = c.segment.run;
            session.last_seq = c.segment.seq;
            session.has_seq = true;
        }
    }
    void write(const PersistSession& s) {
        sessions[s.session] = {s.session, s.stream,   s.account, s.ladder,
                               s.run,     s.last_seq, s.has_seq, s.ended};
    }
    [[nodiscard]] std::vector<RestoredSession> restored() const {
        std::vector<RestoredSession> all;
        for (const auto& [id, session] : sessions)
            all.push_back(session);
        return all;
    }
};

// A segment that a broadcaster sends until it is answered.
struct Wanted {
    std::string stream;
    std::uint64_t seq = 0;
    std::string content;
    std::uint64_t bytes = 0;
};

class Market {
public:
    explicit Market(std::uint64_t seed) : rng_(seed), world_(config()) {
        for (int i = 0; i < 4; ++i) {
            transcoders_.push_back(&world_.transcoder("t" + std::to_string(i), 2));
            transcoders_.back()->strict = false;
        }
        world_.on_stored = [this](const Commit& commit) { store_.write(commit, life_); };
        world_.run_for(1s);
    }

    void run(std::uint64_t bookings) {
        while (answered_.size() < bookings) {
            disturb();
            for (std::uint64_t i = 0, n = 1 + rng_.below(6); i < n; ++i)
                send(fresh());
            if (!sent_.empty() && rng_.chance(0.3))
                send(sent_[rng_.below(sent_.size())]);  // once more, perhaps beside the first
            world_.run_for(std::chrono::milliseconds(rng_.below(900)));
            look();
            if (rng_.chance(0.004))
                crash();
            resend();
        }
        heal();
        for (int rounds = 0; !open_.empty(); ++rounds) {
            REQUIRE(rounds < 50);
            resend();
            world_.run_for(31s);
            look();
        }
    }

    void check() {
        for (const auto& [key, by] : answered_) {
            const auto row = store_.rows.find(key);
            REQUIRE(row != store_.rows.end());  // nothing is lost
            if (row->second.life == by.life)
                REQUIRE(row->second.transcoder == by.transcoder);
        }
        std::uint64_t died_with_the_answer = 0;
        for (const auto& [key, row] : store_.rows)
            if (!answered_.contains(key)) {
                REQUIRE(row.life <
                        life_);  // written, then killed before the answer, then sent as another run
                ++died_with_the_answer;
            }
        REQUIRE(store_.rows.size() == answered_.size() + died_with_the_answer);
        // Every segment weighs what it weighs, whoever made it and however often.
        Earned naive;
        for (const auto& [key, row] : store_.rows)
            add(naive, bytes_.at(key.sha256), report(config().default_ladder));
        Earned booked;
        for (const auto& [transcoder, sum] : store_.by_transcoder) {
            REQUIRE(sum.encoded_pixels > 0);
            booked.segments += sum.segments;
            booked.decoded_pixels += sum.decoded_pixels;
            booked.encoded_pixels += sum.encoded_pixels;
            booked.encoded_bytes += sum.encoded_bytes;
            booked.source_bytes += sum.source_bytes;
        }
        CHECK(booked == naive);
        std::printf(
            "%lld bookings, %llu crashes, %llu repeats not booked, %llu hedges, %llu retries, "
            "%llu booked without an answer\n",
            static_cast<long long>(booked.segments), count(life_ - 1), count(store_.repeats),
            count(hedges_), count(retries_), count(died_with_the_answer));
        CHECK(life_ > 1);
        CHECK(store_.repeats > 0);
        CHECK(hedges_ > 0);
        CHECK(retries_ > 0);
    }

private:
    struct Answered {
        std::string transcoder;
        int life = 0;
    };

    template <class T>
    static unsigned long long count(T value) {
        return static_cast<unsigned long long>(value);
    }

    Wanted fresh() {
        const std::string stream = "s" + std::to_string(rng_.below(5));
        const std::uint64_t seq = ++seqs_[stream];
        const std::string content =
            stream + "/" + std::to_string(seq) + "/" + std::to_string(rng_.below(3));
        Wanted wanted{stream, seq, content, 500 + rng_.below(1000)};
        wanted.bytes = bytes_.emplace(sha(content), wanted.bytes).first->second;
        return wanted;
    }

    void send(Wanted wanted) {
        if (sent_.size() > 64)
            sent_.pop_front();
        sent_.push_back(wanted);
        const UploadDecision decision = world_.begin(wanted.stream, wanted.seq, wanted.bytes);
        const auto* admitted = std::get_if<UploadAdmitted>(&decision);
        if (admitted == nullptr)
            return;  // refused: nobody is owed anything
        const UploadOutcome outcome = world_.finish(admitted->upload, wanted.content, wanted.bytes);
        if (const auto* task = std::get_if<TaskAccepted>(&outcome))
            open_.emplace(std::pair(life_, task->task), wanted);
    }

    // Broadcasters try again what was not answered, or not well.
    void resend() {
        std::vector<Wanted> again;
        for (auto one = open_.begin(); one != open_.end();) {
            const bool lost = one->first.first != life_;
            const auto ending = world_.endings.find(one->first.second);
            const bool failed = !lost && ending != world_.endings.end() && !ending->second.ok();
            if (lost || failed)
                again.push_back(one->second);
            const bool over = lost || ending != world_.endings.end();
            one = over ? open_.erase(one) : std::next(one);
        }
        for (const Wanted& wanted : again)
            send(wanted);
        if (open_.empty()) {
            world_.endings.clear();
            world_.accepted.clear();
        }
    }

    void look() {
        for (const Effect& effect : world_.log) {
            if (const auto* session = std::get_if<PersistSession>(&effect))
                store_.write(*session);
            else if (const auto* deliver = std::get_if<Deliver>(&effect))
                answered_.emplace(deliver->segment, Answered{deliver->transcoder_name, life_});
            else if (const auto* noted = std::get_if<Noted>(&effect))
                hedges_ += noted->what == Noted::What::hedge_won ? 1 : 0,
                    retries_ += noted->what == Noted::What::retry ? 1 : 0;
        }
        world_.log.clear();
        world_.commits.clear();
        for (FakeTranscoder* t : transcoders_) {
            t->dispatched.clear();
            t->cancelled.clear();
            t->heard.clear();
        }
    }

    void disturb() {
        FakeTranscoder& t = *transcoders_[rng_.below(transcoders_.size())];
        switch (rng_.below(12)) {
            case 0:
                t.restart();
                break;
            case 1:
                t.manner.hangs = rng_.chance(0.5);
                break;
            case 2:
                t.manner.fails_with =
                    rng_.chance(0.5) ? std::optional(ErrorKind::internal) : std::nullopt;
                break;
            case 3:
                t.manner.works_for = std::chrono::milliseconds(50 + rng_.below(5000));
                break;
            case 4:
                t.manner.corrupts = rng_.chance(0.2);
                break;
            case 5:
                world_.store_fails = rng_.chance(0.3)
                                         ? std::optional(error(ErrorKind::overloaded, "full"))
                                         : std::nullopt;
                break;
            default:
                t.manner = Manner{};
                world_.store_fails.reset();
        }
    }

    void heal() {
        for (FakeTranscoder* t : transcoders_) {
            t->manner = Manner{};
            t->restart();
        }
        world_.store_fails.reset();
        world_.run_for(31s);
        look();
    }

    void crash() {
        ++life_;
        CoreConfig next = config();
        next.epoch = Epoch{config().epoch.value + static_cast<std::uint64_t>(life_)};
        world_.crash(std::move(next), store_.restored());
        world_.run_for(100ms);
        look();
    }

    Rng rng_;
    Harness world_;
    std::vector<FakeTranscoder*> transcoders_;
    StoreModel store_;
    int life_ = 1;
    std::map<std::string, std::uint64_t> seqs_;
    std::deque<Wanted> sent_;
    std::map<std::pair<int, TaskId>, Wanted> open_;
    std::map<Sha256, std::uint64_t> bytes_;
    std::map<SegmentKey, Answered> answered_;
    std::uint64_t hedges_ = 0;
    std::uint64_t retries_ = 0;
};

std::uint64_t bookings() {
    const char* given = std::getenv("MILLRACE_BOOKINGS");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : 2'000;
}

}  // namespace

TEST_CASE("what the store has is what broadcasters were answered, once each",
          "[orchestrator][bookings]") {
    // One market after the other: the harness keeps everything that ever happened and slows down with it.
    constexpr std::uint64_t kOfOneMarket = 20'000;
    std::uint64_t seed = 11;
    for (std::uint64_t left = bookings(); left > 0; ++seed) {
        INFO("seed " << seed);
        const std::uint64_t now = std::min(left, kOfOneMarket);
        Market market(seed);
        market.run(now);
        market.check();
        left -= now;
    }
}
