#include "orchestrator/access/accounts.h"

#include "common/base/rng.h"
#include "orchestrator/access/account_key.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace millrace;
using namespace millrace::orchestrator;

namespace {

struct Office {
    MemoryStore store;
    std::shared_ptr<AccountBook> book = std::make_shared<AccountBook>();
    std::vector<AccountId> told;
    std::vector<AccountId> gone;
    Accounts accounts{store,
                      book,
                      {[this](const AccountId& id, const AccountLimits&) { told.push_back(id); },
                       [this](const AccountId& id) { gone.push_back(id); }}};

    Result<NewAccount> add(const std::string& name, std::vector<std::string> streams = {}) {
        std::optional<Result<NewAccount>> result;
        accounts.add({{name}, {}, std::move(streams)}, [&](auto made) { result = made; });
        return *result;
    }
    Result<void> remove(const std::string& name) {
        std::optional<Result<void>> result;
        accounts.remove({name}, [&](auto done) { result = done; });
        return *result;
    }
};

}  // namespace

TEST_CASE("a key opens its account, and the store knows only its hash", "[access][accounts]") {
    Office office;
    const auto made = office.add("acme");
    REQUIRE(made);
    CHECK(made->key.starts_with("mrk1_"));
    CHECK(made->key.size() == 61);
    CHECK(office.told == std::vector<AccountId>{{"acme"}});
    const auto holder = office.book->holder_of(made->key);
    REQUIRE(holder);
    CHECK(holder->account == AccountId{"acme"});
    CHECK(office.book->has({"acme"}, holder->key_id));
    CHECK_FALSE(office.book->has({"acme"}, "another"));
    const Account& stored = office.store.accounts.at({"acme"});
    CHECK(stored == made->account);
    CHECK(made->key.find(stored.key_id) == std::string::npos);
    // What is stored is enough to know the key again after a start.
    Office later;
    later.accounts.restore({stored});
    CHECK(later.book->holder_of(made->key)->account == AccountId{"acme"});
}

TEST_CASE("a key with anything changed opens nothing", "[access][accounts]") {
    Office office;
    const std::string key = office.add("acme")->key;
    const std::string other = office.add("other")->key;
    Rng rng(1);
    int opened = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string forged = key;
        const std::size_t at = rng.below(key.size());
        switch (rng.below(3)) {
            case 0:
                forged[at] = static_cast<char>(forged[at] ^ (1 << rng.below(8)));
                break;
            case 1:
                forged.resize(at);
                break;
            default:  // the id of one and the secret of the other
                forged = key.substr(0, at) + other.substr(at);
        }
        if (forged != key && forged != other && office.book->holder_of(forged))
            ++opened;
    }
    CHECK(opened == 0);
    CHECK_FALSE(office.book->holder_of(""));
    CHECK_FALSE(office.book->holder_of(key + "A"));
    CHECK_FALSE(office.book->holder_of(make_account_key().text));
}

TEST_CASE("a removed account is nobody's at once, also when the disk is full",
          "[access][accounts]") {
    Office office;
    const auto made = office.add("acme");
    office.store.broken = true;
    CHECK(office.remove("acme").error().kind == ErrorKind::overloaded);
    CHECK_FALSE(office.book->holder_of(made->key));
    CHECK_FALSE(office.book->has({"acme"}, made->account.key_id));
    CHECK(office.gone == std::vector<AccountId>{{"acme"}});
    CHECK(office.remove("acme").error().kind == ErrorKind::bad_input);
    office.store.broken = false;
    const auto again = office.add("acme");
    REQUIRE(again);
    CHECK_FALSE(office.book->holder_of(made->key));
    CHECK_FALSE(office.book->has({"acme"}, made->account.key_id));
    CHECK(office.remove("acme"));
    CHECK(office.store.accounts.empty());
}

TEST_CASE("no account without its row, and no two of one name", "[access][accounts]") {
    Office office;
    office.store.broken = true;
    CHECK(office.add("acme").error().kind == ErrorKind::overloaded);
    CHECK(office.told.empty());
    CHECK_FALSE(office.accounts.exists({"acme"}));
    office.store.broken = false;
    CHECK(office.add("acme"));
    CHECK(office.add("acme").error().kind == ErrorKind::bad_input);
    CHECK(office.accounts.list().size() == 1);
}

TEST_CASE("an account uses the streams it was given: names, and prefixes with a star",
          "[access][accounts]") {
    Office office;
    REQUIRE(office.add("acme", {"news", "acme-*"}));
    REQUIRE(office.add("all"));
    const auto may = [&](const char* account, const char* stream) {
        return office.book->allows({account}, {stream});
    };
    CHECK(may("acme", "news"));
    CHECK(may("acme", "acme-"));
    CHECK(may("acme", "acme-cam1"));
    CHECK_FALSE(may("acme", "news2"));
    CHECK_FALSE(may("acme", "acme"));
    CHECK_FALSE(may("acme", "x-acme-cam1"));
    CHECK(may("all", "anything"));
    CHECK_FALSE(may("nobody", "news"));
    for (const char* good : {"a", "*", "a*", "A.b_c~d+e-f*"})
        CHECK(valid_stream_pattern(good));
    for (const std::string& bad : {std::string(), std::string("a*b"), std::string("**"),
                                   std::string("a/b"), std::string(129, 'a')})
        CHECK_FALSE(valid_stream_pattern(bad));
}
