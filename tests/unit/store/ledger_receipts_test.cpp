// Receipts in the ledger: kept with their rows, given out again, and whatever is changed in a row or in a receipt
// is found, also by somebody who writes the chain anew.
//
// MILLRACE_FLIPS=all turns every byte of every row once (minutes) instead of a sample.

#include <cstdlib>

#include "common/net/keys.h"
#include "common/net/signing.h"
#include "orchestrator/store/ledger_rows.h"
#include "orchestrator/store/schema.h"
#include "tests/unit/store/ledger_fixture.h"

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

constexpr std::int64_t kRows = 12;

OrchestratorKey own_key(const store::Identity& identity) {
    const auto secret = net::public_key_from_z85(identity.curve_secret_z85);
    return {net::key_pair_of(net::SecretKey(secret->bytes)).public_key.z85()};
}

// Twelve rows, two of three signed.
class SignedLedger {
public:
    SignedLedger() {
        const auto opened = must_open(dir_.path(), mailbox_.executor());
        own_ = own_key(opened.restored.identity);
        opened.store->save_enrolment({TranscoderKey{"key"}, "w", "aa", {1}, false, signer_.key()},
                                     nullptr);
        for (std::uint64_t seq = 1; seq <= kRows; ++seq) {
            auto record = a_segment(seq);
            if (seq % 3 != 0)
                record.receipt = receipt_for(record);
            REQUIRE(commit(*opened.store, mailbox_, record));
        }
    }

    [[nodiscard]] SignedReceipt receipt_for(const store::CommitRecord& record) const {
        const ReceiptParties parties{own_, record.transcoder, signer_.key()};
        const ReceiptStub stub{{5}, "millrace", "cpu", {}};
        const std::string bytes =
            signed_bytes(receipt_of(parties, record.segment, record.report, stub));
        return {bytes, signer_.sign(bytes)};
    }

    // What verify() says after somebody changed the rows and, perhaps, chained them anew.
    [[nodiscard]] std::string after(const std::string& sql, bool chained_anew) {
        SQLite::Database db(dir_ / "millrace.db", SQLite::OPEN_READWRITE, 1000);
        db.exec("BEGIN; DROP TRIGGER segments_stay; DROP TRIGGER signers_stay;");
        db.exec(sql);
        if (chained_anew)
            store::seal_ledger(db);
        db.exec("COMMIT");
        return problem();
    }

    [[nodiscard]] std::string problem() {
        const auto check = must_read(dir_.path())->verify();
        REQUIRE(check);
        return check->problem.value_or("");
    }

    [[nodiscard]] const DataFolder& dir() const { return dir_; }

private:
    DataFolder dir_;
    Mailbox mailbox_;
    net::Signer signer_{net::make_key_pair().secret_key};
    OrchestratorKey own_;
};

// One cell of the table with one bit turned, and turned back again.
class Flip {
public:
    Flip(SQLite::Database& db, std::int64_t row, int column, std::size_t bit)
        : db_(db),
          row_(row),
          name_(db.execAndGet("SELECT name FROM pragma_table_info('segments') "
                              "WHERE cid = " +
                              std::to_string(column))
                    .getString()) {
        SQLite::Statement read(db, "SELECT " + name_ + " FROM segments WHERE position = ?");
        read.bind(1, row);
        REQUIRE(read.executeStep());
        const SQLite::Column cell = read.getColumn(0);
        if (cell.isNull())
            return;
        number_ = cell.isInteger();
        text_ = cell.isText();
        bytes_ = number_ ? std::string(8, '\0') : cell.getString();
        integer_ = number_ ? cell.getInt64() : 0;
        read.reset();
        turn(bit % (bytes_.size() * 8));
    }

    // False: the tables do not take it.
    [[nodiscard]] bool write(bool turned) const {
        SQLite::Statement update(
            db_, "UPDATE OR IGNORE segments SET " + name_ + " = ?1 WHERE position = " +
                     std::to_string(name_ == "position" && !turned ? turned_integer_ : row_));
        const std::string& bytes = turned ? turned_bytes_ : bytes_;
        if (number_)
            update.bind(1, turned ? turned_integer_ : integer_);
        else if (text_)
            update.bind(1, bytes);
        else
            update.bind(1, bytes.data(), static_cast<int>(bytes.size()));
        return update.exec() == 1;
    }

    [[nodiscard]] bool there() const { return !turned_bytes_.empty(); }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }

private:
    void turn(std::size_t bit) {
        turned_bytes_ = bytes_;
        turned_bytes_[bit / 8] = static_cast<char>(turned_bytes_[bit / 8] ^ (1 << (bit % 8)));
        turned_integer_ = static_cast<std::int64_t>(static_cast<std::uint64_t>(integer_) ^
                                                    (std::uint64_t{1} << (bit % 64)));
    }

    SQLite::Database& db_;
    std::int64_t row_;
    std::string name_;
    bool number_ = false;
    bool text_ = false;
    std::int64_t integer_ = 0;
    std::int64_t turned_integer_ = 0;
    std::string bytes_;
    std::string turned_bytes_;
};

constexpr int kColumns = 19;

bool found_when_turned(SignedLedger& ledger, const Flip& flip) {
    if (!flip.write(true))
        return true;
    const bool found = !ledger.problem().empty();
    REQUIRE(flip.write(false));
    return found;
}

}  // namespace

TEST_CASE("a receipt is kept with its row and given out as it was", "[store][ledger][receipts]") {
    SignedLedger booked;
    const auto ledger = must_read(booked.dir().path());
    const auto check = ledger->verify();
    REQUIRE(check);
    CHECK(check->problem.value_or("") == "");
    CHECK(check->receipts == 8);
    const auto texts = ledger->receipts(SessionId{"s1"}, 0, 4);
    REQUIRE(texts);
    REQUIRE(texts->size() == 1);
    CHECK(receipt_from_text(texts->front()) == booked.receipt_for(a_segment(4)));
    const auto unsigned_one = ledger->receipts(SessionId{"s1"}, 0, 3);
    REQUIRE_FALSE(unsigned_one);
    CHECK_THAT(unsigned_one.error().message, Contains("signed no receipt"));
    CHECK_FALSE(ledger->receipts(SessionId{"s1"}, 1, 4));
    CHECK_FALSE(ledger->receipts(SessionId{"s2"}, 0, 4));
}

TEST_CASE("who changes a signed row is found out even when the chain is written anew",
          "[store][ledger][receipts]") {
    struct Change {
        const char* sql;
        const char* words;
    };
    for (const Change& change :
         {Change{"encoded_pixels = encoded_pixels + 1", "other figures"},
          {"encoded_frames = 0", "other figures"},
          {"encoded_bytes = encoded_bytes - 1", "other figures"},
          {"decoded_frames = 61", "other figures"},
          {"decoded_pixels = 1", "other figures"},
          {"duration_us = duration_us * 2", "other figures"},
          {"renditions = replace(renditions, '320', '640')", "other figures"},
          {"seq = 99", "another segment"},
          {"run = 1", "another segment"},
          {"session = 's2'", "another segment"},
          {"sha256 = zeroblob(32)", "another segment"},
          {"transcoder = 'kez'", "not its transcoder's"},
          {"receipt = x'00'", "cannot be read"},
          {"receipt = (SELECT receipt FROM segments WHERE position = 5)", "another segment"},
          {"receipt = CAST(substr(receipt, 1, length(receipt) - 64) || zeroblob(64) AS BLOB)",
           "does not hold"}}) {
        SignedLedger booked;
        INFO(change.sql);
        const std::string problem = booked.after(
            std::string("UPDATE segments SET ") + change.sql + " WHERE position = 4", true);
        CHECK_THAT(problem, Contains("row 4 ") && Contains("receipt") && Contains(change.words));
    }
    SignedLedger booked;
    CHECK_THAT(booked.after("UPDATE enrolments SET signer = zeroblob(32)", true),
               Contains("row 1 ") && Contains("not its transcoder's"));
    SignedLedger foreign;
    CHECK_THAT(foreign.after("UPDATE secrets SET value = CAST('rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@"
                             "{H8]yf7' AS BLOB) WHERE name = 'curve'",
                             true),
               Contains("another orchestrator's"));
}

TEST_CASE("a turned bit in any row or receipt is found", "[store][ledger][receipts]") {
    SignedLedger booked;
    SQLite::Database db(booked.dir() / "millrace.db", SQLite::OPEN_READWRITE, 1000);
    db.exec("DROP TRIGGER segments_stay");
    const char* asked = std::getenv("MILLRACE_FLIPS");
    if (asked != nullptr && std::string(asked) == "all") {
        for (std::int64_t row = 1; row <= kRows; ++row)
            for (int column = 0; column < kColumns; ++column)
                for (std::size_t byte = 0, bytes = 1; byte < bytes; ++byte) {
                    const Flip flip(db, row, column, byte * 8 + byte % 8);
                    bytes = flip.bytes();
                    INFO("row " << row << ", " << flip.name() << ", byte " << byte);
                    if (flip.there())
                        REQUIRE(found_when_turned(booked, flip));
                }
    } else {
        Rng rng(11);
        for (int round = 0; round < 15 * kColumns; ++round) {
            const auto row = 1 + static_cast<std::int64_t>(rng.below(kRows));
            const auto bit = static_cast<std::size_t>(rng.next() >> 1);
            const Flip flip(db, row, round % kColumns, bit);
            INFO("row " << row << ", " << flip.name() << ", bit " << bit);
            if (flip.there())
                REQUIRE(found_when_turned(booked, flip));
        }
    }
    CHECK(booked.problem().empty());  // turned back, all is well
}

TEST_CASE("a file of version 5 learns who signs with what, and keeps the first key told",
          "[store][ledger][receipts]") {
    const DataFolder dir;
    Mailbox mailbox;
    dir.write("millrace.db", "");
    std::filesystem::permissions(dir / "millrace.db", std::filesystem::perms(0600));
    {
        SQLite::Database db(dir / "millrace.db", SQLite::OPEN_READWRITE);
        for (std::size_t version = 0; version < 5; ++version)
            db.exec(store::kMigrations.at(version));
        db.exec("PRAGMA application_id = " + std::to_string(store::kApplicationId));
        db.exec("PRAGMA user_version = 5");
        db.exec("INSERT INTO enrolments VALUES ('k1', 'w1', 'aa', 3, 0)");
    }
    const SignerKey first{Sha256{1}};
    store::EnrolmentRow row{TranscoderKey{"k1"}, "w1", "aa", {3}, false};
    {
        const auto opened = must_open(dir.path(), mailbox.executor());
        CHECK(opened.restored.enrolments == std::vector{row});
        for (const auto& told : {std::optional(first), std::optional(SignerKey{Sha256{2}}),
                                 std::optional<SignerKey>()}) {
            row.signer = told;
            opened.store->save_enrolment(row, nullptr);
        }
        CHECK(commit(*opened.store, mailbox, a_segment(1)));
    }
    row.signer = first;
    CHECK(must_open(dir.path(), mailbox.executor()).restored.enrolments == std::vector{row});
}
