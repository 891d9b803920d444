#include "orchestrator/store/store.h"

#include <fstream>
#include <thread>

#include <sys/stat.h>

#include "tests/unit/store/store_fixture.h"

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

TEST_CASE("the epoch grows by one with every start, and the secrets stay", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    store::Identity first;
    for (std::uint64_t start = 1; start <= 3; ++start) {
        const auto opened = must_open(dir.path(), mailbox.executor());
        CHECK(opened.restored.epoch == Epoch{start});
        const store::Identity& identity = opened.restored.identity;
        if (start == 1)
            first = identity;
        CHECK(identity.curve_secret_z85 == first.curve_secret_z85);
        CHECK(identity.token_keys == first.token_keys);
        CHECK(identity.admin_token == first.admin_token);
    }
    CHECK(first.curve_secret_z85.size() == 40);
    CHECK(first.token_keys.at(0).secret.size() == 32);
    CHECK(first.token_keys.at(0).id == 1);
    CHECK(first.admin_token.size() == 32);
    std::string token;
    std::ifstream(dir / "admin.token") >> token;
    CHECK(token == first.admin_token);
}

TEST_CASE("two data directories have nothing in common", "[store]") {
    const DataFolder a;
    const DataFolder b;
    Mailbox mailbox;
    const auto one = must_open(a.path(), mailbox.executor()).restored.identity;
    const auto other = must_open(b.path(), mailbox.executor()).restored.identity;
    CHECK(one.curve_secret_z85 != other.curve_secret_z85);
    CHECK(one.token_keys.at(0).secret != other.token_keys.at(0).secret);
    CHECK(one.admin_token != other.admin_token);
}

TEST_CASE("what holds secrets is closed to others, and refused when it is not", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    const std::string data = dir / "a/b";
    (void)must_open(data, mailbox.executor());
    struct stat status {};
    REQUIRE(::stat(data.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
    for (const char* name : {"/millrace.db", "/admin.token", "/lock"}) {
        REQUIRE(::stat((data + name).c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0600);
    }
    ::chmod((data + "/millrace.db").c_str(), 0644);
    const auto refused = store::open_sqlite(data, mailbox.executor());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::bad_input);
    CHECK_THAT(refused.error().message, Contains("--data-dir") && Contains("chmod 600"));
}

TEST_CASE("a second orchestrator on the directory is refused by name of the flag", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        const auto second = store::open_sqlite(dir.path(), mailbox.executor());
        REQUIRE_FALSE(second);
        CHECK(second.error().kind == ErrorKind::bad_input);
        CHECK_THAT(second.error().message, Contains("--data-dir") && Contains("in use"));
    }
    CHECK(must_open(dir.path(), mailbox.executor()).restored.epoch == Epoch{2});
}

TEST_CASE("a directory that cannot be ours is refused by name of the flag", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    dir.write("file", "x");
    for (const std::string& path : {dir / "file", dir / "file/below"}) {
        const auto refused = store::open_sqlite(path, mailbox.executor());
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind == ErrorKind::bad_input);
        CHECK_THAT(refused.error().message, Catch::StartsWith("--data-dir: "));
    }
}

TEST_CASE("a file that is not ours, or a later version's, is left alone", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    dir.write("text/millrace.db", std::string(5000, 'x'));
    const auto text = store::open_sqlite(dir / "text", mailbox.executor());
    REQUIRE_FALSE(text);
    CHECK_THAT(text.error().message, Contains("--data-dir") && Contains("not an orchestrator's"));

    dir.write("other/millrace.db", "");
    SQLite::Database(dir / "other/millrace.db", SQLite::OPEN_READWRITE).exec("CREATE TABLE t (a)");
    const auto other = store::open_sqlite(dir / "other", mailbox.executor());
    REQUIRE_FALSE(other);
    CHECK_THAT(other.error().message, Contains("not an orchestrator's"));

    (void)must_open(dir / "later", mailbox.executor());
    SQLite::Database(dir / "later/millrace.db", SQLite::OPEN_READWRITE)
        .exec("PRAGMA user_version = 99");
    const auto later = store::open_sqlite(dir / "later", mailbox.executor());
    REQUIRE_FALSE(later);
    CHECK_THAT(later.error().message, Contains("--data-dir") && Contains("later version"));
    CHECK(look(dir / "later", "SELECT value FROM meta WHERE key = 'epoch'") == 1);
}

TEST_CASE("a committed segment is booked once, however often it is committed", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    CHECK(commit(*opened.store, mailbox, a_segment(7)));
    auto again = a_segment(7);
    again.transcoder_name = "w2";
    CHECK(commit(*opened.store, mailbox, again));
    auto next_run = a_segment(7);
    next_run.segment.run = 1;
    CHECK(commit(*opened.store, mailbox, next_run));
    CHECK(look(dir.path(), "SELECT count(*) FROM segments") == 2);
    CHECK(look(dir.path(), "SELECT count(*) FROM segments WHERE transcoder_name = 'w1'") == 2);
    CHECK(look(dir.path(), "SELECT sum(encoded_pixels) FROM segments") == 2 * 2 * 60 * 320 * 180);
    CHECK(look(dir.path(), "SELECT max(duration_us) FROM segments") == 2'000'000);
    CHECK(look(dir.path(), "SELECT length(sha256) FROM segments") == 32);
    CHECK(look(dir.path(), "SELECT json_extract(renditions, '$[1].bytes') FROM segments") == 500);
}

TEST_CASE("answers come through the executor, in the order of the calls", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    std::vector<std::uint64_t> answered;
    for (std::uint64_t seq = 0; seq < 1000; ++seq)
        opened.store->commit(a_segment(seq), [&answered, seq](const Result<void>& result) {
            CHECK(result);
            answered.push_back(seq);
        });
    CHECK(answered.empty());
    REQUIRE(mailbox.run_until([&] { return answered.size() == 1000; }));
    CHECK(std::is_sorted(answered.begin(), answered.end()));
    CHECK(look(dir.path(), "SELECT count(*) FROM segments") == 1000);
    CHECK(opened.store->errors() == 0);
}

TEST_CASE("a restart finds sessions, tokens and enrolments as they were", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    const store::JoinTokenRow token{"aa", "enrolment", {1}, {2}, true, false};
    store::JoinTokenRow revoked{"bb", "other", {2}, {0}, false, false};
    const store::EnrolmentRow worker{TranscoderKey{"k1"}, "w1", "aa", {3}, false,
                                     std::nullopt,        true};
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        int answers = 0;
        const auto count = [&](const Result<void>& result) {
            CHECK(result);
            ++answers;
        };
        opened.store->save_join_token(token, count);
        opened.store->save_join_token(revoked, count);
        revoked.revoked = true;
        opened.store->save_join_token(revoked, count);
        opened.store->save_enrolment({TranscoderKey{"k1"}, "old name", "aa", {3}, false}, count);
        opened.store->save_enrolment(worker, count);
        opened.store->save_session(a_session("live"));
        auto ended = a_session("ended");
        ended.ended = true;
        opened.store->save_session(ended);
        auto old = a_session("old");
        old.updated_at.ms -= 25 * 3600 * 1000;
        opened.store->save_session(old);
        opened.store->commit(a_segment(41, "live"), count);
        REQUIRE(mailbox.run_until([&] { return answers == 6; }));
    }
    const auto restored = must_open(dir.path(), mailbox.executor()).restored;
    CHECK(restored.tokens == std::vector<store::JoinTokenRow>{token, revoked});
    CHECK(restored.enrolments == std::vector<store::EnrolmentRow>{worker});
    REQUIRE(restored.sessions.size() == 2);
    CHECK(restored.sessions[0].id == SessionId{"live"});
    CHECK(restored.sessions[0].stream == StreamName{"news"});
    CHECK(restored.sessions[0].ladder == a_session("x").ladder);
    CHECK(restored.sessions[0].has_seq);
    CHECK(restored.sessions[0].last_seq == 41);
    CHECK_FALSE(restored.sessions[0].ended);
    CHECK(restored.sessions[1].ended);
    CHECK_FALSE(restored.sessions[1].has_seq);
}

TEST_CASE("a session resumes from its newest committed segment", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        auto row = a_session("s1");
        row.has_seq = true;
        row.last_seq = 9;
        opened.store->save_session(row);
        CHECK(commit(*opened.store, mailbox, a_segment(8)));
        CHECK(commit(*opened.store, mailbox, a_segment(12)));
        auto restarted = a_segment(1);
        restarted.segment.run = 1;
        CHECK(commit(*opened.store, mailbox, restarted));
        CHECK(commit(*opened.store, mailbox, a_segment(13)));  // a late one of the run before
    }
    const auto restored = must_open(dir.path(), mailbox.executor()).restored;
    REQUIRE(restored.sessions.size() == 1);
    CHECK(restored.sessions[0].run == 1);
    CHECK(restored.sessions[0].last_seq == 1);
}

TEST_CASE("sequence numbers keep all 64 bits", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        auto row = a_session("s1");
        row.has_seq = true;
        row.last_seq = 0xFFFF'FFFF'FFFF'FFF0ULL;
        opened.store->save_session(row);
    }
    CHECK(must_open(dir.path(), mailbox.executor()).restored.sessions.at(0).last_seq ==
          0xFFFF'FFFF'FFFF'FFF0ULL);
}

TEST_CASE("sessions are told to be written when they are on disk", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    for (int n = 0; n < 3; ++n) {
        opened.store->save_session(a_session("s" + std::to_string(n)));
        bool written = false;
        opened.store->sessions_written([&](const Result<void>& done) {
            written = true;
            CHECK(done);
            CHECK(look(dir.path(), "SELECT count(*) FROM sessions") == n + 1);
        });
        REQUIRE(mailbox.run_until([&] { return written; }));
    }
}

TEST_CASE("closing the store writes what waits", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        for (std::uint64_t seq = 0; seq < 600; ++seq)
            opened.store->commit(a_segment(seq), nullptr);
        opened.store->save_session(a_session("s9"));
    }
    CHECK(look(dir.path(), "SELECT count(*) FROM segments") == 600);
    CHECK(look(dir.path(), "SELECT count(*) FROM sessions") == 1);
}

TEST_CASE("names that strangers chose are data, not SQL", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    auto record = a_segment(1, "x'); DROP TABLE segments; --");
    record.report.renditions[0].name = "\xff\"\n";
    CHECK(commit(*opened.store, mailbox, record));
    CHECK(look(dir.path(), "SELECT count(*) FROM segments") == 1);
}

TEST_CASE("free space of the data directory is told", "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    const auto opened = must_open(dir.path(), mailbox.executor());
    CHECK(opened.store->free_bytes() > 0);
    CHECK(opened.store->available());
}

TEST_CASE("accounts and token keys come back as they were, and go when they are removed",
          "[store]") {
    const DataFolder dir;
    Mailbox mailbox;
    orchestrator::Account limited{
        {"acme"}, "0011", Sha256{9, 8}, {3, 60, 1'000'000, kAccountRateMax}, {"news", "a*"}, {77}};
    orchestrator::Account plain{{"other"}, "0022", Sha256{7}, {}, {}, {78}};
    const store::TokenKeyRow key{2, std::vector<std::uint8_t>(32, 5), {99}};
    int done = 0;
    const auto count = [&](const Result<void>& result) { done += result ? 1 : 0; };
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        CHECK(opened.restored.accounts.empty());
        opened.store->save_account(plain, count);
        opened.store->save_account(limited, count);
        opened.store->save_token_key(key, count);
        REQUIRE(mailbox.run_until([&] { return done == 3; }));
    }
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        CHECK(opened.restored.accounts == std::vector<orchestrator::Account>{limited, plain});
        REQUIRE(opened.restored.identity.token_keys.size() == 2);
        CHECK(opened.restored.identity.token_keys[0] == key);
        opened.store->remove_account({"acme"}, count);
        opened.store->remove_account({"nobody"}, count);
        opened.store->forget_token_key(1, count);
        REQUIRE(mailbox.run_until([&] { return done == 6; }));
    }
    const auto opened = must_open(dir.path(), mailbox.executor());
    CHECK(opened.restored.accounts == std::vector<orchestrator::Account>{plain});
    CHECK(opened.restored.identity.token_keys == std::vector<store::TokenKeyRow>{key});
}
