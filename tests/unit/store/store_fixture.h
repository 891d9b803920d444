#pragma once
// What the tests of the store share: a mailbox as executor, rows, and a look into the file from outside.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>
#include <unistd.h>

#include "orchestrator/store/store.h"
#include "tests/support/catch.h"
#include "tests/unit/config/temp_dir.h"

namespace millrace::test {

namespace store = orchestrator::store;

// A folder in memory where there is one: a kill does not lose what the kernel has, so these tests need
// no disk, and waiting for one would be most of their time.
class DataFolder : public TempDir {
public:
    DataFolder()
        : TempDir(::access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                                  : std::filesystem::temp_directory_path()) {}
};

// Collects what the store posts; the test runs it when it likes.
class Mailbox {
public:
    [[nodiscard]] store::Executor executor() {
        return [this](std::function<void()> task) {
            const std::lock_guard lock(mutex_);
            tasks_.push_back(std::move(task));
            arrived_.notify_one();
        };
    }
    // Runs what arrives until done() holds; false after ten seconds.
    template <class Done>
    bool run_until(Done done) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!done()) {
            std::unique_lock lock(mutex_);
            if (!arrived_.wait_until(lock, deadline, [this] { return !tasks_.empty(); }))
                return false;
            const auto task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            task();
        }
        return true;
    }

private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<std::function<void()>> tasks_;
};

inline store::Opened must_open(const std::string& dir, store::Executor executor) {
    auto opened = store::open_sqlite(dir, std::move(executor));
    INFO((opened ? std::string() : opened.error().message));
    REQUIRE(opened);
    return *std::move(opened);
}

inline store::CommitRecord a_segment(std::uint64_t seq, const std::string& session = "s1") {
    store::CommitRecord record;
    record.segment = {SessionId{session}, 0, seq, Sha256{1, 2, 3}};
    record.stream = StreamName{"news"};
    record.account = AccountId{"acme"};
    record.transcoder = TranscoderKey{"key"};
    record.transcoder_name = "w1";
    record.source_bytes = 1000;
    record.report.source.frames = 60;
    record.report.source.pixels = 60 * 1280 * 720;
    record.report.source.duration = std::chrono::seconds(2);
    RenditionReport rendition;
    rendition.name = "small";
    rendition.size = {320, 180};
    rendition.frames = 60;
    rendition.pixels = 60 * 320 * 180;
    rendition.bytes = 500;
    record.report.renditions = {rendition, rendition};
    record.committed_at = {1'000'000 + static_cast<std::int64_t>(seq)};
    return record;
}

inline std::int64_t now_ms() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

inline store::SessionRow a_session(const std::string& id) {
    store::SessionRow row;
    row.id = SessionId{id};
    row.stream = StreamName{"news"};
    row.account = AccountId{"acme"};
    row.ladder = {*preset_rendition("P240p30fps16x9")};
    row.updated_at = {now_ms()};
    return row;
}

// Commits and waits for the answer.
inline Result<void> commit(store::Store& store, Mailbox& mailbox, store::CommitRecord record) {
    std::optional<Result<void>> answer;
    store.commit(std::move(record), [&](const Result<void>& result) { answer = result; });
    REQUIRE(mailbox.run_until([&] { return answer.has_value(); }));
    return *answer;
}

// One number out of the database, read by another connection.
inline std::int64_t look(const std::string& dir, const std::string& query) {
    SQLite::Database db(dir + "/millrace.db", SQLite::OPEN_READONLY, 1000);
    return db.execAndGet(query).getInt64();
}

}  // namespace millrace::test
