// What later starts find: numbers that playlists go on from, files of earlier versions, backups.

#include <atomic>
#include <filesystem>
#include <map>

#include <sys/stat.h>

#include "common/runtime/wall_clock.h"
#include "orchestrator/store/backup.h"
#include "orchestrator/store/schema.h"
#include "tests/unit/store/store_fixture.h"

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

// A file as version 1 left it: one session with two booked segments.
void write_version_1(const DataFolder& dir) {
    dir.write("millrace.db", "");
    SQLite::Database db(dir / "millrace.db", SQLite::OPEN_READWRITE);
    db.exec(store::kMigrations[0]);
    db.exec("PRAGMA application_id = " + std::to_string(store::kApplicationId));
    db.exec("PRAGMA user_version = 1");
    db.exec("INSERT INTO meta VALUES ('epoch', 41)");
    db.exec(
        "INSERT INTO sessions VALUES ('s1', 'news', 'acme', "
        "'[{\"name\":\"P240p30fps16x9\",\"width\":426,\"height\":240,\"bitrate\":600000}]', "
        "0, 8, 0, 1, " +
        std::to_string(now_ms()) + ")");
    for (const int seq : {7, 8})
        db.exec("INSERT INTO segments VALUES ('s1', 0, " + std::to_string(seq) +
                ", x'00', 'acme', 'key', 'w1', 1, 2000000, 60, 1, 60, 1, '[]', 5)");
}

}  // namespace

TEST_CASE("a file of version 1 is brought up to date and keeps what it held", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    write_version_1(dir);
    for (std::uint64_t epoch = 42; epoch < 44; ++epoch) {
        const auto opened = must_open(dir.path(), mailbox.executor());
        CHECK(opened.restored.epoch == Epoch{epoch});
        REQUIRE(opened.restored.sessions.size() == 1);
        const orchestrator::RestoredSession& session = opened.restored.sessions[0];
        CHECK(session.last_seq == 8);
        CHECK(session.stream_segments == 2);
        CHECK(session.committed == std::pair(0U, std::uint64_t{8}));
    }
    CHECK(look(dir.path(), "SELECT count(*) FROM segments") == 2);
    CHECK(look(dir.path(), "PRAGMA user_version") ==
          static_cast<std::int64_t>(store::kMigrations.size()));
}

TEST_CASE("playlists go on from the number of commits of the stream, repeats included", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        auto other = a_session("other");
        other.stream = StreamName{"sport"};
        opened.store->save_session(a_session("s1"));
        opened.store->save_session(other);
        for (const std::uint64_t seq : {3, 4, 4, 5})
            CHECK(commit(*opened.store, mailbox, a_segment(seq, "s1")));
        auto late = a_segment(1, "s1");
        late.segment.run = 1;
        CHECK(commit(*opened.store, mailbox, late));
    }
    const auto restored = must_open(dir.path(), mailbox.executor()).restored;
    REQUIRE(restored.sessions.size() == 2);
    for (const orchestrator::RestoredSession& session : restored.sessions) {
        const bool first = session.id == SessionId{"s1"};
        CHECK(session.stream_segments == (first ? 5 : 0));
        CHECK(session.committed.has_value() == first);
        if (first)
            CHECK(*session.committed == std::pair(1U, std::uint64_t{1}));
    }
}

TEST_CASE("a backup taken while the store writes starts on another directory", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    const std::string file = dir / "backup";
    const std::string elsewhere = dir / "elsewhere";
    const auto opened = must_open(dir / "data", mailbox.executor());
    opened.store->save_session(a_session("s1"));
    for (std::uint64_t seq = 0; seq < 50; ++seq)
        REQUIRE(commit(*opened.store, mailbox, a_segment(seq)));
    std::atomic<int> left = 300;
    for (std::uint64_t seq = 50; seq < 350; ++seq)
        opened.store->commit(a_segment(seq), [&](const Result<void>&) { --left; });
    REQUIRE(store::back_up(dir / "data", file));
    REQUIRE(mailbox.run_until([&] { return left == 0; }));
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);

    std::filesystem::create_directory(elsewhere);
    std::filesystem::rename(file, elsewhere + "/millrace.db");
    const auto restored = must_open(elsewhere, mailbox.executor()).restored;
    CHECK(restored.epoch == Epoch{2});
    CHECK(restored.identity.curve_secret_z85 == opened.restored.identity.curve_secret_z85);
    CHECK(restored.identity.token_keys == opened.restored.identity.token_keys);
    CHECK(restored.identity.admin_token == opened.restored.identity.admin_token);
    CHECK(restored.sessions.size() == 1);
    const auto booked = look(elsewhere, "SELECT count(*) FROM segments");
    CHECK(booked >= 50);
    CHECK(look(elsewhere, "SELECT max(seq) FROM segments") == booked - 1);
}

TEST_CASE("a backup never overwrites, and says what is wrong", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    (void)must_open(dir / "data", mailbox.executor());
    dir.write("there", "precious");
    const auto refused = store::back_up(dir / "data", dir / "there");
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, Contains("there: File exists"));
    const auto nothing = store::back_up(dir / "nowhere", dir / "new");
    REQUIRE_FALSE(nothing);
    CHECK_THAT(nothing.error().message, Contains("--data-dir"));
    CHECK_FALSE(std::filesystem::exists(dir / "new"));
}

TEST_CASE("a restart finds the stake that was read last", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    CHECK_FALSE(must_open(dir.path(), mailbox.executor()).restored.stake);
    orchestrator::KeptStake stake{
        "file:x", {*Lpt::parse("1500.000000000000000001"), true, {}}, {7}};
    for (const auto& round : {std::optional<std::uint64_t>(), std::optional(~std::uint64_t{0})}) {
        stake.reading.round = round;
        stake.read_at.ms += 1;
        must_open(dir.path(), mailbox.executor()).store->save_stake(stake, nullptr);
        CHECK(must_open(dir.path(), mailbox.executor()).restored.stake == stake);
    }
}

TEST_CASE("initialisation parts come back for a day, each the last of its stream", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto part = [](std::uint8_t fill) {
        return std::make_shared<std::vector<std::uint8_t>>(700, fill);
    };
    const WallTime now = wall_now();
    const WallTime long_ago{now.ms - std::chrono::milliseconds(std::chrono::hours(25)).count()};
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        opened.store->save_init({{"acme"}, {"cam"}, part(1), long_ago}, nullptr);
        opened.store->save_init({{"acme"}, {"cam"}, part(2), now}, nullptr);
        opened.store->save_init({{"other"}, {"cam"}, part(3), now}, nullptr);
        opened.store->save_init({{"acme"}, {"old"}, part(4), long_ago}, nullptr);
        opened.store->save_init({{"acme"}, {"ended"}, part(5), now}, nullptr);
        opened.store->forget_init({"acme"}, {"ended"}, nullptr);
    }
    const auto found = must_open(dir.path(), mailbox.executor()).restored.init_parts;
    std::map<std::string, std::vector<std::uint8_t>> by_account;
    for (const store::InitRow& row : found) {
        CHECK(row.stream == StreamName{"cam"});
        CHECK(row.used_at == now);
        by_account[row.account.value] = *row.bytes;
    }
    CHECK(by_account == std::map<std::string, std::vector<std::uint8_t>>{{"acme", *part(2)},
                                                                         {"other", *part(3)}});
    CHECK(look(dir.path(), "SELECT count(*) FROM init_parts") == 2);
}
