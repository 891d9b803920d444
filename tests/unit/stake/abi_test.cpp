// ABI words and addresses against values published elsewhere.

#include "orchestrator/stake/abi.h"

#include "common/base/hex.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::orchestrator::stake;

TEST_CASE("keccak-256 is Ethereum's, not SHA3-256", "[stake]") {
    CHECK(to_hex(keccak256("")) ==
          "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
}

TEST_CASE("selectors and arguments make the data of a call", "[stake]") {
    // The ERC-20 selector that every block explorer shows.
    const auto who = *Address::parse("0x00000000000000000000000000000000000000ff");
    CHECK(call_data("balanceOf(address)", {{as_word(who)}}) ==
          "0x70a08231" + std::string(62, '0') + "ff");
    CHECK(call_data("totalSupply()", {}) == "0x18160ddd");
}

TEST_CASE("addresses carry the checksums of EIP-55", "[stake]") {
    // The examples of the proposal.
    for (const std::string text : {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
                                   "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
                                   "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
                                   "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"}) {
        const auto address = Address::parse(text);
        REQUIRE(address.has_value());
        CHECK(address->text() == text);
    }
    CHECK(Address::parse("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed").has_value());
    CHECK(Address::parse("0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED").has_value());
}

TEST_CASE("a mistyped address is refused", "[stake]") {
    for (const std::string text :
         {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
          "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA", "0x", "",
          "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg"}) {
        INFO(text);
        CHECK_FALSE(Address::parse(text).has_value());
    }
}

TEST_CASE("words that do not hold their type are refused", "[stake]") {
    Word word{};
    word[31] = 2;
    CHECK_FALSE(as_bool(word).has_value());
    CHECK(*as_u64(word) == 2);
    word[23] = 1;
    CHECK_FALSE(as_u64(word).has_value());
    CHECK(as_address(word).has_value());
    word[11] = 1;
    CHECK_FALSE(as_address(word).has_value());
    CHECK(as_lpt(word).has_value() == false);
}

TEST_CASE("an amount of 128 bits is read to the last unit", "[stake]") {
    Word word{};
    std::fill(word.begin() + 16, word.end(), std::uint8_t{0xff});
    CHECK(as_lpt(word)->units() == ~Lpt::Units{0});
}

TEST_CASE("answers of the wrong length are no words", "[stake]") {
    CHECK(words("0x" + std::string(64, 'A'), 1).has_value());
    for (const std::string& text :
         {std::string("0x"), std::string(66, '0'), "0x" + std::string(62, '0'),
          "0x" + std::string(128, '0'), "0x" + std::string(63, '0') + "g"}) {
        INFO(text);
        CHECK_FALSE(words(text, 1).has_value());
    }
}

TEST_CASE("quantities are written as JSON-RPC wants them and read strictly", "[stake]") {
    CHECK(as_quantity(0) == "0x0");
    CHECK(as_quantity(42161) == "0xa4b1");
    CHECK(*quantity("0xa4b1") == 42161);
    CHECK(*quantity("0xffffffffffffffff") == UINT64_MAX);
    for (const std::string text :
         {"", "0x", "0x00", "0x0a", "a4b1", "0x10000000000000000", "0xg", "0x1 ", "-0x1"}) {
        INFO(text);
        CHECK_FALSE(quantity(text).has_value());
    }
}
