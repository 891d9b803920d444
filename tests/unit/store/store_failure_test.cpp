// Disks that are full or broken: nothing is acknowledged that is not on disk, and the store says so.

#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/store/store_fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

// No file of this process may grow beyond this while the object lives: what a full disk does to writes.
class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
        rlimit limit = before_;
        limit.rlim_cur = bytes;
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
    }
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

private:
    void (*handler_)(int);
    rlimit before_{};
};

// The descriptor under which this process has a file open.
int descriptor_of(const std::string& path) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        if (std::filesystem::read_symlink(entry.path(), gone) == path)
            return std::stoi(entry.path().filename());
    }
    return -1;
}

}  // namespace

TEST_CASE("a full disk stops the store, and room starts it again", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    std::vector<bool> changes;
    opened.store->on_available([&](bool now) { changes.push_back(now); });
    REQUIRE(commit(*opened.store, mailbox, a_segment(0)));
    std::uint64_t acknowledged = 1;
    {
        const auto used = std::filesystem::file_size(dir / "millrace.db-wal");
        const FileSizeLimit full(used + 64 * 1024);
        Result<void> result;
        for (std::uint64_t seq = 1; seq < 1000 && result; ++seq)
            if ((result = commit(*opened.store, mailbox, a_segment(seq))))
                ++acknowledged;
        REQUIRE_FALSE(result);
        CHECK(result.error().kind == ErrorKind::overloaded);
        CHECK_FALSE(opened.store->available());
        CHECK(opened.store->errors() >= 1);
        opened.store->save_session(a_session("kept"));
        std::optional<bool> written;
        opened.store->sessions_written(
            [&](const Result<void>& done) { written = static_cast<bool>(done); });
        REQUIRE(mailbox.run_until([&] { return written.has_value(); }));
        CHECK_FALSE(*written);
        const auto while_full = commit(*opened.store, mailbox, a_segment(5000));
        REQUIRE_FALSE(while_full);
        CHECK(while_full.error().kind == ErrorKind::overloaded);
        CHECK(look(dir.path(), "SELECT count(*) FROM segments") ==
              static_cast<std::int64_t>(acknowledged));
    }
    REQUIRE(mailbox.run_until([&] { return changes == std::vector<bool>{false, true}; }));
    CHECK(opened.store->available());
    CHECK(commit(*opened.store, mailbox, a_segment(6000)));
    CHECK(look(dir.path(), "SELECT count(*) FROM segments") ==
          static_cast<std::int64_t>(acknowledged + 1));
    CHECK(look(dir.path(), "SELECT count(*) FROM sessions WHERE id = 'kept'") == 1);
    CHECK(look(dir.path(), "SELECT count(*) FROM segments WHERE seq = 5000") == 0);
}

TEST_CASE("after an I/O error the store stays stopped and acknowledges nothing", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        REQUIRE(commit(*opened.store, mailbox, a_segment(0)));
        // The log's descriptor turns into one that cannot be written: EBADF, as a lost disk would give EIO.
        const int wal = descriptor_of(dir / "millrace.db-wal");
        REQUIRE(wal >= 0);
        const int saved = ::dup(wal);
        const int broken = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        REQUIRE(::dup2(broken, wal) == wal);
        const auto result = commit(*opened.store, mailbox, a_segment(1));
        REQUIRE_FALSE(result);
        CHECK(result.error().kind == ErrorKind::internal);
        CHECK_FALSE(opened.store->available());
        REQUIRE(::dup2(saved, wal) == wal);
        ::close(saved);
        ::close(broken);
        // The disk is back; this process still must not trust it.
        CHECK_FALSE(commit(*opened.store, mailbox, a_segment(2)));
        CHECK_FALSE(opened.store->available());
    }
    const auto reopened = must_open(dir.path(), mailbox.executor());
    CHECK(look(dir.path(), "SELECT count(*) FROM segments") == 1);
    CHECK(commit(*reopened.store, mailbox, a_segment(2)));
}

TEST_CASE("another program that holds the file delays writes, it does not break them", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    SQLite::Database operator_shell(dir / "millrace.db", SQLite::OPEN_READWRITE);
    operator_shell.exec("BEGIN IMMEDIATE");
    bool answered = false;
    opened.store->commit(a_segment(1), [&](const Result<void>& result) {
        CHECK(result);
        answered = true;
    });
    operator_shell.exec("ROLLBACK");
    CHECK(mailbox.run_until([&] { return answered; }));
    CHECK(opened.store->available());
}

TEST_CASE("a row that cannot be written fails alone", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    SQLite::Database(dir / "millrace.db", SQLite::OPEN_READWRITE)
        .exec(
            "CREATE TRIGGER odd BEFORE INSERT ON segments WHEN NEW.seq = 13 BEGIN "
            "SELECT RAISE(ABORT, 'unlucky'); END");
    std::vector<std::pair<std::uint64_t, bool>> answers;
    for (std::uint64_t seq = 10; seq < 16; ++seq)
        opened.store->commit(a_segment(seq), [&answers, seq](const Result<void>& result) {
            answers.emplace_back(seq, result.has_value());
        });
    REQUIRE(mailbox.run_until([&] { return answers.size() == 6; }));
    for (std::size_t i = 0; i < answers.size(); ++i)
        CHECK(answers[i] == std::pair<std::uint64_t, bool>(10 + i, i != 3));
    CHECK(opened.store->available());
    CHECK(look(dir.path(), "SELECT count(*) FROM segments") == 5);
}
