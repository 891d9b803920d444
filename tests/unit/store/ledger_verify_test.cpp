// Whatever is changed in the file, verify() says so and says where.

#include "common/base/hex.h"
#include "tests/unit/store/ledger_fixture.h"

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

// Ten rows; one period over the first five, one over the next three.
class Booked {
public:
    Booked() {
        const auto opened = must_open(dir_.path(), mailbox_.executor());
        for (std::uint64_t seq = 1; seq <= 10; ++seq) {
            auto record = a_segment(seq);
            record.committed_at = {static_cast<std::int64_t>(seq * 100)};
            record.transcoder_name = "w" + std::to_string(seq % 2);
            record.transcoder = TranscoderKey{"key" + std::to_string(seq % 2)};
            REQUIRE(commit(*opened.store, mailbox_, record));
            if (seq == 3)
                early_head = must_read(dir_.path())->head()->chain;
        }
        REQUIRE(close_period(*opened.store, mailbox_, dir_.path(), WallTime{600}));
        REQUIRE(close_period(*opened.store, mailbox_, dir_.path(), WallTime{900}));
    }

    // What verify() says after somebody with a shell was at a copy of the file.
    [[nodiscard]] std::string after(const std::string& sql, const std::vector<Sha256>& heads = {}) {
        const std::string copy = dir_ / ("copy" + std::to_string(++copies_));
        std::filesystem::create_directory(copy);
        std::filesystem::copy(dir_ / "millrace.db", copy + "/millrace.db");
        {
            SQLite::Database db(copy + "/millrace.db", SQLite::OPEN_READWRITE);
            for (const char* trigger :
                 {"segments_stay", "segments_remain", "periods_stay", "periods_remain",
                  "period_totals_stay", "period_totals_remain"})
                db.exec(std::string("DROP TRIGGER ") + trigger);
            db.exec(sql);
        }
        const auto check = must_read(copy)->verify(heads);
        REQUIRE(check);
        return check->problem.value_or("");
    }

    Sha256 early_head{};

private:
    DataFolder dir_;
    Mailbox mailbox_;
    int copies_ = 0;
};

}  // namespace

TEST_CASE("a change of any column of any row is found, and the row is named", "[store][ledger]") {
    Booked booked;
    CHECK(booked.after("SELECT 1").empty());
    for (const char* change :
         {"session = 's2'", "run = 1", "seq = 77", "sha256 = zeroblob(32)", "account = 'acmf'",
          "transcoder = 'kez'", "transcoder_name = 'w2'", "source_bytes = source_bytes + 1",
          "duration_us = duration_us - 1", "decoded_frames = 61",
          "decoded_pixels = decoded_pixels + 1", "encoded_frames = -1",
          "encoded_pixels = encoded_pixels + 1", "encoded_bytes = 0",
          "renditions = replace(renditions, 'small', 'smalk')", "committed_ms = committed_ms + 1",
          "receipt = x''", "chain = zeroblob(32)", "chain = x'00'"})
        for (const char* row : {"1", "4", "10"}) {
            INFO(change << " of row " << row);
            const std::string problem = booked.after(std::string("UPDATE segments SET ") + change +
                                                     " WHERE position = " + row);
            CHECK_THAT(problem, Catch::StartsWith(std::string("row ") + row + " "));
        }
}

TEST_CASE("rows that are missing, added or in another order are found", "[store][ledger]") {
    Booked booked;
    const auto deleted = [](const char* which) {
        return std::string("DELETE FROM segments WHERE position ") + which;
    };
    CHECK_THAT(booked.after(deleted("= 1")), Contains("row 1 is missing"));
    CHECK_THAT(booked.after(deleted("= 5")), Contains("row 5 is missing"));
    CHECK_THAT(booked.after(deleted("= 10")), Contains("rows after row 9 are missing"));
    CHECK_THAT(booked.after(deleted("> 0")), Contains("rows after row 0 are missing"));
    CHECK_THAT(booked.after("UPDATE segments SET position = 100 WHERE position = 4;"
                            "UPDATE segments SET position = 4 WHERE position = 5;"
                            "UPDATE segments SET position = 5 WHERE position = 100"),
               Contains("row 4 ") && Contains("changed"));
    CHECK_THAT(
        booked.after(
            "INSERT INTO segments SELECT 11, session, run, 99, sha256, account, transcoder, "
            "transcoder_name, source_bytes, duration_us, decoded_frames, decoded_pixels, "
            "encoded_frames, encoded_pixels, encoded_bytes, renditions, committed_ms, receipt, "
            "chain FROM segments WHERE position = 10"),
        Contains("row 11 ") && Contains("changed"));
    CHECK_THAT(booked.after("UPDATE ledger_head SET position = 9"), Contains("rows after row 10"));
    CHECK_THAT(booked.after("UPDATE ledger_head SET chain = zeroblob(32)"),
               Contains("rows after row 10"));
}

TEST_CASE("periods that were changed, or do not fit their rows, are found", "[store][ledger]") {
    Booked booked;
    for (const char* change : {"from_ms = 1", "until_ms = 601", "closed_ms = 1", "position = 4",
                               "chain = zeroblob(32)", "seal = zeroblob(32)", "number = 7"}) {
        INFO(change);
        CHECK_THAT(booked.after(std::string("UPDATE periods SET ") + change + " WHERE number = 1"),
                   Contains("period"));
    }
    for (const char* change :
         {"account = 'x'", "transcoder = 'x'", "transcoder_name = 'x'", "segments = 9",
          "duration_us = 1", "decoded_frames = 1", "decoded_pixels = 1", "encoded_frames = 1",
          "encoded_pixels = 1", "source_bytes = 1", "encoded_bytes = 1"}) {
        INFO(change);
        CHECK_THAT(booked.after(std::string("UPDATE period_totals SET ") + change +
                                " WHERE period = 2 AND transcoder = 'key0'"),
                   Contains("period 2 was changed"));
    }
    CHECK_THAT(booked.after("DELETE FROM period_totals WHERE period = 1"),
               Contains("period 1 was changed"));
    CHECK_THAT(booked.after("DELETE FROM periods WHERE number = 1"), Contains("period 2"));
}

TEST_CASE("a head that was noted earlier has to be in the chain", "[store][ledger]") {
    Booked booked;
    CHECK(booked.after("SELECT 1", {booked.early_head}).empty());
    Sha256 foreign = booked.early_head;
    foreign[31] ^= 1;
    CHECK_THAT(booked.after("SELECT 1", {booked.early_head, foreign}), Contains(to_hex(foreign)));
}
