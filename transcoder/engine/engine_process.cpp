#include "transcoder/engine/engine_process.h"

#include <algorithm>
#include <iterator>
#include <list>

#include "common/runtime/process_usage.h"
#include "transcoder/engine/child.h"
#include "transcoder/engine/incoming.h"
#include "transcoder/engine/outgoing.h"
#include "transcoder/engine/standstill.h"

namespace millrace::engine {
namespace {

// Events handled before other descriptors get their turn.
constexpr int kEventsPerTurn = 64;
// While a task runs.
constexpr Duration kLookEvery = std::chrono::milliseconds(50);

EngineDeath death_of(const ChildEnd& end) {
    switch (end.kind) {
        case EndKind::out_of_memory:
            return EngineDeath::memory;
        case EndKind::forbidden_call:
            return EngineDeath::forbidden_call;
        case EndKind::no_device:
            return EngineDeath::device;
        default:
            return EngineDeath::crash;
    }
}

// Where there is more memory, or another GPU, the same segment may be made.
ErrorKind kind_of(EngineDeath death) {
    switch (death) {
        case EngineDeath::memory:
            return ErrorKind::overloaded;
        case EngineDeath::device:
            return ErrorKind::device;
        default:
            return ErrorKind::internal;
    }
}

}  // namespace

class EngineProcess::Impl {
public:
    Impl(Loop& loop, std::shared_ptr<BlockPool> pool, Callbacks callbacks, std::string executable,
         std::string gpu, Duration opens_within)
        : loop_(loop),
          callbacks_(std::move(callbacks)),
          executable_(std::move(executable)),
          gpu_(std::move(gpu)),
          opens_within_(opens_within),
          incoming_(std::move(pool)),
          patience_(loop),
          restart_(loop),
          opening_(loop),
          look_(loop) {
        if (!gpu_.empty())
            stage_ = Stage::replacing;
        start();
    }

    void begin(const EngineTask& task) {
        MR_CHECK(stage_ == Stage::idle, "an engine has one task at a time");
        stage_ = Stage::busy;
        task_ = task;
        input_open_ = true;
        taken_up();
        outgoing_.push(ToEngine(task));
        moved();
        look_later();
        flush();
    }

    void feed(const PayloadPtr& source) {
        if (!input_open_)
            return;  // the task is over; what was left of its source is of no use
        outgoing_.push(source);
        flush();
    }

    void end_input() {
        if (!std::exchange(input_open_, false))
            return;
        outgoing_.push(ToEngine(EngineInputEnd{}));
        flush();
    }

    void stop() {
        if (stage_ != Stage::busy)
            return;
        stage_ = Stage::stopping;
        outgoing_.push(ToEngine(EngineCancel{}));
        end_input();
        patience_.set(loop_.now() + (up_ ? kObeyWithin : kUpWithin), [this] { kill(); });
        flush();
    }

    void give_back_memory() {
        if (stage_ != Stage::idle || !up_)
            return;
        outgoing_.push(ToEngine(EngineGiveBackMemory{}));
        flush();
    }

    void move_to(std::string gpu) {
        MR_CHECK(stage_ != Stage::busy, "an engine is moved between two tasks");
        gpu_ = std::move(gpu);
        stage_ = Stage::replacing;
        verdict_.clear();
        patience_.cancel();
        restart_.cancel();
        pause_ = kRestartPause;
        replace();
    }

    [[nodiscard]] bool can_feed() const { return outgoing_.bytes() < kQueuedBytesMax; }
    [[nodiscard]] bool busy() const { return stage_ == Stage::busy; }
    [[nodiscard]] bool idle() const { return stage_ == Stage::idle; }
    [[nodiscard]] std::uint64_t restarts() const { return starts_ > 0 ? starts_ - 1 : 0; }
    [[nodiscard]] int pid() const { return child_ ? child_->pid() : -1; }

private:
    // idle: takes a task. busy: has one. stopping: was told to drop it. replacing: died, and its
    // successor is not up yet.
    enum class Stage : std::uint8_t { idle, busy, stopping, replacing };

    void start() {
        auto child = Child::start(executable_, gpu_);
        if (!child) {
            start_later();
            return;
        }
        ++starts_;
        child_.emplace(std::move(*child));
        incoming_.reset();
        doomed_ = false;
        up_ = false;
        spent_ = false;
        socket_watch_.emplace(loop_, child_->socket());
        socket_watch_->on_readable([this] { on_readable(); });
        end_watch_.emplace(loop_, child_->pidfd());
        end_watch_->on_readable([this] { on_end(); });
        if (!gpu_.empty())
            opening_.set(loop_.now() + opens_within_, [this] { not_opened(); });
        flush();
    }

    // By a process that is up: before its walls stand they would take the memory back, and what it takes of the CPU to
    // start is none of the task's.
    void taken_up() {
        if (!up_ || stage_ != Stage::busy)
            return;
        child_->allow_memory(memory_for(task_.ladder));
        cpu_before_ = cpu_time_of(child_->pid());
    }

    void moved() {
        if (child_ && stage_ == Stage::busy)
            standstill_.moved(loop_.now(), cpu_time_of(child_->pid()));
    }

    void look_later() {
        look_.set(loop_.now() + kLookEvery, [this] { look_for_standstill(); });
    }

    // The core decides when it has had its time. Until then it should not take that of others; and a process that
    // cannot get its priority back is of no use for another task.
    void look_for_standstill() {
        on_readable();  // where the loop was late, what it has said may lie there
        if (stage_ != Stage::busy || !child_)
            return;
        if (!up_ || !standstill_.lasts(loop_.now(), cpu_time_of(child_->pid())))
            return look_later();
        child_->step_back();
        spent_ = true;
    }

    void start_later() {
        restart_.set(loop_.now() + pause_, [this] { start(); });
        pause_ = std::min(2 * pause_, kRestartPauseMax);
    }

    void flush() {
        if (!child_)
            return;
        switch (outgoing_.flush(child_->socket())) {
            case Outgoing::Flush::done:
                socket_watch_->stop_writable();
                break;
            case Outgoing::Flush::blocked:
                socket_watch_->on_writable([this] { flush(); });
                break;
            case Outgoing::Flush::broken:  // it is dying: on_end() follows
                socket_watch_->stop_writable();
                outgoing_.clear();
                break;
        }
    }

    void on_readable() {
        for (int i = 0; i < kEventsPerTurn && take_event(); ++i) {
        }
    }

    // False when there is no more to take.
    bool take_event() {
        if (!child_ || doomed_)
            return false;
        Incoming::Event event = incoming_.next(child_->socket());
        if (std::holds_alternative<Incoming::Nothing>(event))
            return false;
        if (std::holds_alternative<Incoming::Closed>(event)) {
            socket_watch_->stop_readable();  // on_end() follows
            return false;
        }
        moved();
        if (auto* message = std::get_if<FromEngine>(&event))
            std::visit([this](const auto& one) { on(one); }, *message);
        else if (auto* payload = std::get_if<PayloadPtr>(&event))
            on_rendition(std::move(*payload));
        else
            misbehaved(std::get<Incoming::Broken>(event).how);
        return true;
    }

    void on(const EngineReady& ready) {
        up_ = true;
        opening_.cancel();
        callbacks_.on_walls(ready.walls);
        pause_ = kRestartPause;
        taken_up();
        if (stage_ == Stage::replacing)
            become_idle_and_say_so();
        else if (stage_ == Stage::stopping)
            patience_.set(loop_.now() + kObeyWithin, [this] { kill(); });
    }
    void on(const EngineProbed& probed) {
        if (stage_ == Stage::busy)
            callbacks_.on_probed(probed.source);
    }
    void on(const EngineProgress& progress) {
        if (stage_ == Stage::busy)
            callbacks_.on_progress(progress);
    }
    void on(const EngineRendition& rendition) {
        const RenditionReport& report = rendition.report;
        const bool working = stage_ == Stage::busy || stage_ == Stage::stopping;
        if (!working || report.index >= task_.ladder.size() ||
            report.name != task_.ladder[report.index].name ||
            report.bytes > task_.limits.output_bytes)
            return misbehaved("a rendition that nobody asked for");
        announced_ = report;
        incoming_.expect_rendition(report.bytes);
        if (report.bytes == 0)
            on_rendition(make_empty());
    }
    void on(const StagesUsed& stages) {
        if (stage_ == Stage::busy && callbacks_.on_stages)
            callbacks_.on_stages(stages);
    }
    void on(const EngineSpent&) { spent_ = true; }
    // Its CPU is counted here: what works on hostile bytes is not asked what it takes.
    void on(const EngineFinished& finished) {
        TranscodeReport report = finished.report;
        report.cpu_us = std::chrono::duration_cast<std::chrono::microseconds>(
                            cpu_time_of(child_->pid()) - cpu_before_)
                            .count();
        if (!task_is_over())
            return;
        callbacks_.on_finished(report);
    }
    void on(const EngineFailed& failed) {
        if (failed.kind == ErrorKind::device)
            return lost_its_gpu(failed.message);
        if (!task_is_over())
            return;
        callbacks_.on_failed(error(failed.kind, failed.message), std::nullopt);
    }

    void on_rendition(PayloadPtr payload) {
        if (stage_ == Stage::busy)
            callbacks_.on_rendition(announced_, std::move(payload));
    }

    // The engine is through with its task. True when somebody still waits for the outcome.
    bool task_is_over() {
        if (stage_ != Stage::busy && stage_ != Stage::stopping) {
            misbehaved("the end of a task that was not begun");
            return false;
        }
        const bool wanted = stage_ == Stage::busy;
        end_input();
        patience_.cancel();
        if (spent_)
            replace();
        if (wanted)
            stage_ = Stage::idle;
        else
            become_idle_and_say_so();
        return wanted;
    }

    // A context that failed fails for good: only another process gets a new one.
    void lost_its_gpu(const std::string& message) {
        if (stage_ != Stage::busy && stage_ != Stage::stopping)
            return misbehaved("a failing GPU without a task");
        const bool wanted = std::exchange(stage_, Stage::replacing) == Stage::busy;
        input_open_ = false;
        patience_.cancel();
        replace();
        if (wanted)
            callbacks_.on_failed(error(ErrorKind::device, message), EngineDeath::device);
    }

    // The process goes, its successor is begun, and nobody has to wait: a live source's next segment
    // comes later than that, and one that does not finds the successor on its way up.
    void replace() {
        let_go();
        start();
    }

    // Whenever it ends, nobody waits for it.
    void let_go() {
        outgoing_.clear();
        opening_.cancel();
        socket_watch_.reset();
        end_watch_.reset();
        if (!child_)
            return;
        child_->kill();
        leaving_.emplace_back(std::move(*child_), loop_);
        child_.reset();
        const auto gone = std::prev(leaving_.end());
        gone->watch.on_readable([this, gone] { leaving_.erase(gone); });  // and reaped
    }

    void not_opened() {
        const bool wanted = std::exchange(stage_, Stage::replacing) == Stage::busy;
        input_open_ = false;
        patience_.cancel();
        let_go();
        start_later();
        const std::string why = "the engine did not open its GPU in time";
        if (wanted)
            callbacks_.on_failed(error(ErrorKind::device, why), EngineDeath::device);
        else
            callbacks_.on_lost(EngineDeath::device, why);
    }

    void become_idle_and_say_so() {
        stage_ = Stage::idle;
        callbacks_.on_ready();
    }

    void misbehaved(const std::string& how) {
        verdict_ = "broke the conversation: " + how;
        kill();
    }

    void kill() {
        if (!child_) {  // it never came up: there is nothing to wait for
            outgoing_.clear();
            if (stage_ == Stage::stopping)
                become_idle_and_say_so();
            return;
        }
        doomed_ = true;  // what it says from here on is not heard
        child_->kill();
        socket_watch_->stop_readable();
        if (stage_ == Stage::stopping)
            patience_.set(loop_.now() + kDiesWithin, [this] {
                stage_ = Stage::replacing;
                replace();
            });
    }

    // The process has ended; whatever it still said lies in the socket and is heard first, so that
    // a result that was complete counts.
    void on_end() {
        const std::uint64_t which = starts_;
        while (take_event()) {
        }
        if (!child_ || starts_ != which)
            return;  // it was replaced over what it still said
        const ChildEnd end = child_->reap();
        socket_watch_.reset();
        end_watch_.reset();
        child_.reset();
        patience_.cancel();
        opening_.cancel();
        outgoing_.clear();
        input_open_ = false;
        const std::string why =
            "the engine " + (verdict_.empty() ? end.sentence() : std::exchange(verdict_, {}));
        const Stage before = std::exchange(stage_, Stage::replacing);
        if (before == Stage::replacing)
            start_later();  // died before it was up: not in a tight circle
        else
            start();
        const EngineDeath death = death_of(end);
        if (before == Stage::busy)
            callbacks_.on_failed(error(kind_of(death), why), death);
        else if (before == Stage::idle || death == EngineDeath::device)
            callbacks_.on_lost(death, why);
    }

    static PayloadPtr make_empty() { return std::make_shared<const Payload>(nullptr, 0); }

    Loop& loop_;
    Callbacks callbacks_;
    std::string executable_;
    std::string gpu_;  // empty: none
    Duration opens_within_;
    Stage stage_ = Stage::idle;
    EngineTask task_;
    RenditionReport announced_;
    bool input_open_ = false;
    bool up_ = false;      // has said that it is ready
    bool doomed_ = false;  // killed, not yet reaped
    bool spent_ = false;   // should get no other task
    std::string verdict_;  // why we kill it, when it is not for stop()
    std::uint64_t starts_ = 0;
    Duration pause_ = kRestartPause;
    Outgoing outgoing_;
    Incoming incoming_;
    std::optional<Child> child_;
    std::optional<FdWatch> socket_watch_;
    std::optional<FdWatch> end_watch_;
    // Those before it, until they have ended: a driver may take its time to let one go.
    struct Leaving {
        Leaving(Child gone, Loop& loop) : child(std::move(gone)), watch(loop, child.pidfd()) {}
        Child child;
        FdWatch watch;
    };
    std::list<Leaving> leaving_;
    Timer patience_;
    Timer restart_;
    Timer opening_;           // of the GPU
    Duration cpu_before_{0};  // the process's, when it took the task up
    Standstill standstill_;
    Timer look_;
};

EngineProcess::EngineProcess(Loop& loop, std::shared_ptr<BlockPool> pool, Callbacks callbacks,
                             std::string executable, std::string gpu, Duration opens_within)
    : impl_(std::make_unique<Impl>(loop, std::move(pool), std::move(callbacks),
                                   std::move(executable), std::move(gpu), opens_within)) {}

EngineProcess::~EngineProcess() = default;

void EngineProcess::begin(const EngineTask& task) {
    impl_->begin(task);
}

void EngineProcess::feed(PayloadPtr source) {
    impl_->feed(source);
}

void EngineProcess::end_input() {
    impl_->end_input();
}

bool EngineProcess::can_feed() const {
    return impl_->can_feed();
}

void EngineProcess::stop() {
    impl_->stop();
}

void EngineProcess::give_back_memory() {
    impl_->give_back_memory();
}

void EngineProcess::move_to(std::string gpu) {
    impl_->move_to(std::move(gpu));
}

bool EngineProcess::busy() const {
    return impl_->busy();
}

bool EngineProcess::idle() const {
    return impl_->idle();
}

std::uint64_t EngineProcess::restarts() const {
    return impl_->restarts();
}

int EngineProcess::pid() const {
    return impl_->pid();
}

}  // namespace millrace::engine
