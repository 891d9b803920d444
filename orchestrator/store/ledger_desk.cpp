#include "orchestrator/store/ledger_desk.h"

#include <utility>

namespace millrace::orchestrator::store {

LedgerDesk::LedgerDesk(std::string data_dir)
    : data_dir_(std::move(data_dir)), thread_([this](const std::stop_token& stop) { run(stop); }) {}
LedgerDesk::~LedgerDesk() = default;

bool LedgerDesk::ask(Question question) {
    {
        const std::lock_guard lock(mutex_);
        if (queue_.size() >= kQuestionsMax)
            return false;
        queue_.push_back(std::move(question));
    }
    wake_.notify_one();
    return true;
}

void LedgerDesk::run(const std::stop_token& stop) {
    for (;;) {
        std::unique_lock lock(mutex_);
        if (!wake_.wait(lock, stop, [this] { return !queue_.empty(); }) || stop.stop_requested())
            return;
        const Question question = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        question(Ledger::open(data_dir_, stop));
    }
}

}  // namespace millrace::orchestrator::store
