#include "transcoder/engine/engine_process.h"

#include <algorithm>

#include "transcoder/engine/child.h"
#include "transcoder/engine/incoming.h"
#include "transcoder/engine/outgoing.h"

namespace millrace::engine {
namespace {

// Events handled before other descriptors get their turn.
constexpr int kEventsPerTurn = 64;

EngineDeath death_of(const ChildEnd& end) {
    switch (end.kind) {
        case EndKind::out_of_memory:
            return EngineDeath::memory;
        case EndKind::forbidden_call:
            return EngineDeath::forbidden_call;
        default:
            return EngineDeath::crash;
    }
}

// Where there is more memory the same segment may be made.
ErrorKind kind_of(EngineDeath death) {
    return death == EngineDeath::memory ? ErrorKind::overloaded : ErrorKind::internal;
}

}  // namespace

class EngineProcess::Impl {
public:
    Impl(Loop& loop, std::shared_ptr<BlockPool> pool, Callbacks callbacks, std::string executable)
        : loop_(loop),
          callbacks_(std::move(callbacks)),
          executable_(std::move(executable)),
          incoming_(std::move(pool)),
          patience_(loop),
          restart_(loop) {
        start();
    }

    void begin(const EngineTask& task) {
        MR_CHECK(stage_ == Stage::idle, "an engine has one task at a time");
        stage_ = Stage::busy;
        task_ = task;
        input_open_ = true;
        allow_memory();
        outgoing_.push(ToEngine(task));
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

    [[nodiscard]] bool can_feed() const { return outgoing_.bytes() < kQueuedBytesMax; }
    [[nodiscard]] bool busy() const { return stage_ == Stage::busy; }
    [[nodiscard]] std::uint64_t restarts() const { return starts_ > 0 ? starts_ - 1 : 0; }
    [[nodiscard]] int pid() const { return child_ ? child_->pid() : -1; }

private:
    // idle: takes a task. busy: has one. stopping: was told to drop it. replacing: died, and its
    // successor is not up yet.
    enum class Stage : std::uint8_t { idle, busy, stopping, replacing };

    void start() {
        auto child = Child::start(executable_);
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
        flush();
    }

    // What the task at hand needs; before the walls stand they would take it back.
    void allow_memory() {
        if (up_ && stage_ == Stage::busy)
            child_->allow_memory(memory_for(task_.ladder));
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
        callbacks_.on_walls(ready.walls);
        pause_ = kRestartPause;
        allow_memory();
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
    void on(const EngineSpent&) { spent_ = true; }
    void on(const EngineFinished& finished) {
        if (!task_is_over())
            return;
        callbacks_.on_finished(finished.report);
    }
    void on(const EngineFailed& failed) {
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

    // The process goes, its successor is begun, and nobody has to wait: a live source's next segment
    // comes later than that, and one that does not finds the successor on its way up.
    void replace() {
        child_->kill();
        outgoing_.clear();
        socket_watch_.reset();
        end_watch_.reset();
        leaving_.emplace(std::move(*child_));
        leaving_watch_.emplace(loop_, leaving_->pidfd());
        leaving_watch_->on_readable([this] {
            leaving_watch_.reset();
            leaving_.reset();  // reaped
        });
        child_.reset();
        start();
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
    }

    // The process has ended; whatever it still said lies in the socket and is heard first, so that
    // a result that was complete counts.
    void on_end() {
        while (take_event()) {
        }
        const ChildEnd end = child_->reap();
        socket_watch_.reset();
        end_watch_.reset();
        child_.reset();
        patience_.cancel();
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
        else if (before == Stage::idle)
            callbacks_.on_lost(death, why);
    }

    static PayloadPtr make_empty() { return std::make_shared<const Payload>(nullptr, 0); }

    Loop& loop_;
    Callbacks callbacks_;
    std::string executable_;
    Stage stage_ = Stage::idle;
    EngineTask task_;
    RenditionReport announced_;
    bool input_open_ = false;
    bool up_ = false;      // has said that it is ready
    bool doomed_ = false;  // killed, not yet reaped
    bool spent_ = false;   // has said that it should get no other task
    std::string verdict_;  // why we kill it, when it is not for stop()
    std::uint64_t starts_ = 0;
    Duration pause_ = kRestartPause;
    Outgoing outgoing_;
    Incoming incoming_;
    std::optional<Child> child_;
    std::optional<FdWatch> socket_watch_;
    std::optional<FdWatch> end_watch_;
    std::optional<Child> leaving_;  // the spent one before it, until it has ended
    std::optional<FdWatch> leaving_watch_;
    Timer patience_;
    Timer restart_;
};

EngineProcess::EngineProcess(Loop& loop, std::shared_ptr<BlockPool> pool, Callbacks callbacks,
                             std::string executable)
    : impl_(std::make_unique<Impl>(loop, std::move(pool), std::move(callbacks),
                                   std::move(executable))) {}

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

bool EngineProcess::busy() const {
    return impl_->busy();
}

std::uint64_t EngineProcess::restarts() const {
    return impl_->restarts();
}

int EngineProcess::pid() const {
    return impl_->pid();
}

}  // namespace millrace::engine
