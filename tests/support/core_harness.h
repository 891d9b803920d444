#pragma once
// A world around one OrchestratorCore in virtual time: transcoders that answer as they are told, a
// store that commits, and a record of every answer. For unit tests; the builders are of use to the
// simulator, too.
//
// The harness checks after every call that the core's invariants hold, that time to come is to come
// (next_deadline() > now after advance_to(now)), and that every accepted task ends exactly once.
//
// Thread: the test's. Time starts at TimePoint{} + 1 h.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "orchestrator/core/orchestrator_core.h"

namespace millrace::orchestrator::testing {

using namespace std::chrono_literals;

// ---- builders ----
[[nodiscard]] Sha256 sha(std::string_view text);  // distinct texts, distinct values
[[nodiscard]] TranscoderKey key(std::string_view name);
[[nodiscard]] SessionId session_id(std::string_view name);
[[nodiscard]] Ladder small_ladder();  // 240p and 360p, 16:9
[[nodiscard]] Capabilities cpu_capabilities();
[[nodiscard]] CoreConfig config();
// What an honest transcoder reports for a 1280x720 source of this length.
[[nodiscard]] TranscodeReport report(const Ladder& ladder, Duration duration = 2s);

// How a fake transcoder behaves. May be changed at any time.
struct Manner {
    Duration works_for = 200ms;   // per task, after the source has arrived
    bool grants = true;           // false: SlotRefused(no_free_slot)
    bool answers_reserve = true;  // false: never answers a Reserve
    bool mute = false;            // nothing leaves it (SIGSTOP, cut off)
    bool hangs = false;           // starts, then no progress
    bool never_starts = false;    // takes the source and says nothing more
    std::optional<ErrorKind> fails_with;
    bool crashes = false;           // with fails_with
    bool turns_away = false;        // fails without having started
    bool fails_early = false;       // with fails_with: before the whole source has arrived
    bool lies = false;              // reports a size that was not asked for
    bool corrupts = false;          // what arrives is not what is reported
    bool keeps_renditions = false;  // reports, but nothing arrives
    bool claims_duration = true;    // progress tells the measured duration
    std::int64_t cpu_us = 0;        // told with each result
    Duration measured = 2s;
};

class Harness;

class FakeTranscoder {
public:
    FakeTranscoder(Harness& world, std::string name, std::uint32_t slots);

    void hello();
    void payload_lane(bool up);
    // A new process under the same key: nothing of the old one is left.
    void restart();
    void stop() { alive_ = false; }    // kill -9: says nothing, hears nothing
    void say(ToOrchestrator message);  // under its own fence, at once
    void beat();
    void receive(const Send& effect);
    void start_transfer(const TransferId& transfer);
    void end_transfer(const TransferId& transfer);  // of one that was started early

    Manner manner;
    TranscoderKey key;
    std::string name;
    Epoch epoch = config().epoch;  // as it believes
    Incarnation incarnation{1};
    std::uint64_t nonce = 1;
    std::uint32_t slots;
    bool draining = false;
    bool strict =
        true;  // a task without a granted slot is a failed check; false: it is turned away
    Capabilities capabilities = cpu_capabilities();
    // Told in its next Hello, as these are.
    Capacity capacity;
    std::optional<SignerKey> signer;
    std::function<void(const Dispatch&, TaskFinished&)>
        signs;                     // what it signs, where it signs at all
    std::set<SessionId> sessions;  // holding a slot here
    std::vector<Dispatch> dispatched;
    std::vector<Cancel> cancelled;
    std::vector<ToTranscoder> heard;
    std::optional<std::string> registered_as;

private:
    struct Work {
        Dispatch task;
        bool source_here = false;
        bool open = false;  // more of its source is to come
        bool busy = false;
    };
    void on(const Welcome& m);
    void on(const Reserve& m);
    void on(const Dispatch& m);
    void on(const Cancel& m);
    void pump(const SessionId& session);
    void run(const Dispatch& task);
    void progress(const Dispatch& task, int step, int steps);
    void finish(const Dispatch& task);
    [[nodiscard]] bool is_open(const Dispatch& task) const;
    [[nodiscard]] bool holds(const Dispatch& task) const;
    void leave_queue(TaskId task, AttemptNo attempt);

    Harness& world_;
    bool alive_ = true;
    std::uint64_t life_ = 1;
    std::uint64_t beats_ = 0;
    std::map<SessionId, std::deque<Work>> queues_;
};

// How a task ended.
struct Ending {
    std::variant<Deliver, Fail> how;
    TimePoint at;
    [[nodiscard]] bool ok() const { return std::holds_alternative<Deliver>(how); }
    [[nodiscard]] ApiCode code() const { return std::get<Fail>(how).refusal.code; }
    [[nodiscard]] const std::string& detail() const { return std::get<Fail>(how).refusal.detail; }
};

class Harness {
public:
    explicit Harness(CoreConfig configuration = config());

    // A transcoder that has joined and is ready.
    FakeTranscoder& transcoder(const std::string& name, std::uint32_t slots = 2);
    FakeTranscoder& silent_transcoder(const std::string& name,
                                      std::uint32_t slots = 2);  // no Hello

    // Headers and body at once.
    [[nodiscard]] UploadDecision begin(const std::string& stream, std::uint64_t seq,
                                       std::uint64_t bytes = 1000);
    [[nodiscard]] UploadDecision begin(const UploadRequest& request);
    // Let in, and its first bytes are here.
    [[nodiscard]] UploadId arriving(const std::string& stream, std::uint64_t seq);
    [[nodiscard]] UploadOutcome finish(UploadId upload, const std::string& content,
                                       std::uint64_t bytes = 1000);
    UploadOutcome push(const std::string& stream, std::uint64_t seq,
                       const std::string& content = {});
    TaskId accept(const std::string& stream, std::uint64_t seq, const std::string& content = {});
    [[nodiscard]] UploadRequest request(const std::string& stream, std::uint64_t seq) const;

    // Any other call of the core, with its effects carried out.
    void call(const std::function<void(OrchestratorCore&, TimePoint)>& what);

    void run_for(Duration d);
    // Until something is true, at most for `d`; true when it came true.
    bool run_until(const std::function<bool()>& done, Duration d = 60s);
    const Ending& ending(TaskId task, Duration within = 60s);

    // The orchestrator's process dies and starts again with what its store has; what was on its way to or from
    // the old one is lost. Transcoders live on in new processes.
    void crash(CoreConfig configuration, const std::vector<RestoredSession>& sessions);

    void later(Duration d, std::function<void()> what);
    [[nodiscard]] TimePoint now() const { return now_; }
    [[nodiscard]] CoreStatus status() const { return core_->status(); }
    [[nodiscard]] const OrchestratorCore& core() const { return *core_; }
    [[nodiscard]] std::size_t noted(Noted::What what) const;
    template <class E>
    [[nodiscard]] std::vector<E> all() const {
        std::vector<E> found;
        for (const Effect& effect : log)
            if (const auto* e = std::get_if<E>(&effect))
                found.push_back(*e);
        return found;
    }
    [[nodiscard]] std::string state_of(const std::string& name) const;
    [[nodiscard]] std::string place_of(const std::string& stream) const;  // transcoder's name

    Effects log;  // everything since the start, or since the test cleared it
    std::map<TaskId, Ending> endings;
    std::set<TaskId> accepted;
    std::set<AnswerId> answers;  // kept
    std::optional<Error> store_fails;
    bool store_answers = true;
    Duration store_takes = 2ms;
    std::vector<Commit> commits;
    std::function<void(const Commit&)> on_stored;  // when the store has it, before the core hears

private:
    friend class FakeTranscoder;
    void settle();
    void perform(const Effect& effect);
    void ended(TaskId task, std::variant<Deliver, Fail> how);

    std::unique_ptr<OrchestratorCore> core_;
    std::uint64_t life_ = 1;  // of the orchestrator
    TimePoint now_;
    std::uint64_t order_ = 0;
    std::uint64_t fresh_ = 0;
    std::map<std::pair<TimePoint, std::uint64_t>, std::function<void()>> events_;
    std::map<TranscoderKey, std::unique_ptr<FakeTranscoder>> transcoders_;
};

}  // namespace millrace::orchestrator::testing
