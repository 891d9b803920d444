#pragma once
// LedgerDesk: one thread that asks the ledger, so that nobody else has to wait for it.
//
// Bounds: kQuestionsMax wait; more are turned away. A desk that is taken down ends the question it is at and
// drops those that wait.
//
// Thread: ask() from any. Owner: the admin server.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "orchestrator/store/ledger.h"

namespace millrace::orchestrator::store {

class LedgerDesk {
public:
    static constexpr std::size_t kQuestionsMax = 16;
    // Runs on the desk's thread.
    using Question = std::function<void(Result<std::unique_ptr<Ledger>>)>;

    explicit LedgerDesk(std::string data_dir);
    ~LedgerDesk();
    LedgerDesk(const LedgerDesk&) = delete;
    LedgerDesk& operator=(const LedgerDesk&) = delete;

    // False: too many wait.
    [[nodiscard]] bool ask(Question question);

private:
    void run(const std::stop_token& stop);

    std::string data_dir_;
    std::mutex mutex_;  // guards the queue
    std::condition_variable_any wake_;
    std::deque<Question> queue_;
    std::jthread thread_;  // last: starts when everything else is there
};

}  // namespace millrace::orchestrator::store
