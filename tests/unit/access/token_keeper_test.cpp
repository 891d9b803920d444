#include "orchestrator/access/token_keeper.h"

#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace millrace;
using namespace millrace::orchestrator;

namespace {

constexpr std::int64_t kHour = 3'600'000;

struct Office {
    MemoryStore store;
    WallTime wall{100 * kHour};
    std::shared_ptr<TokenRing> ring = std::make_shared<TokenRing>(TokenKeys{});
    TokenKeeper keeper{
        store, ring, {{1, std::vector<std::uint8_t>(32, 7), {0}}}, [this] { return wall; }};

    Result<TokenKeyInfo> rotate() {
        std::optional<Result<TokenKeyInfo>> result;
        keeper.rotate([&](auto made) { result = made; });
        return *result;
    }
    [[nodiscard]] std::string token() const {
        return make_session_token(*ring->keys(),
                                  {{"s"}, {"cam"}, {}, {}, {wall.ms + to_ms(kTokenLife)}});
    }
    [[nodiscard]] bool good(const std::string& token) const {
        return read_session_token(*ring->keys(), token, wall).has_value();
    }
};

}  // namespace

// Acceptance battery, number 9: the old key's id is valid until the rotation has ended.
TEST_CASE("after a rotation the old key verifies until its last token has expired, then is gone",
          "[access][token]") {
    Office office;
    const std::string before = office.token();
    REQUIRE(office.rotate());
    const std::string after = office.token();
    CHECK(office.ring->keys()->front().id == 2);
    CHECK(office.good(before));
    CHECK(office.good(after));
    CHECK(office.store.token_keys.at(2).secret.size() == 32);
    const auto keys = office.keeper.list();
    REQUIRE(keys.size() == 2);
    CHECK_FALSE(keys[0].retires_at);
    CHECK(keys[1].id == 1);
    CHECK(keys[1].retires_at > WallTime{office.wall.ms + to_ms(kTokenLife)});
    office.wall.ms += to_ms(kTokenLife);
    office.keeper.forget_expired();
    CHECK(office.good(before));  // in the minute of leeway
    office.wall = *keys[1].retires_at;
    office.keeper.forget_expired();
    CHECK_FALSE(office.good(before));
    CHECK(office.ring->keys()->size() == 1);
    CHECK(office.keeper.list().size() == 1);
}

TEST_CASE("a key that could not be stored does not sign; too many at once are refused",
          "[access][token]") {
    Office office;
    office.store.broken = true;
    CHECK(office.rotate().error().kind == ErrorKind::overloaded);
    CHECK(office.ring->keys()->front().id == 1);
    office.store.broken = false;
    const std::string first = office.token();
    for (std::size_t i = 1; i < kTokenKeysMax; ++i)
        REQUIRE(office.rotate());
    CHECK(office.rotate().error().kind == ErrorKind::overloaded);
    CHECK(office.good(first));
    office.wall.ms += 25 * kHour;
    CHECK(office.rotate());  // those before have retired by now
    CHECK_FALSE(office.good(first));
}
