// personal_sign signatures made by another implementation (ethers 6.17), and what is wrong with some.

#include "orchestrator/access/eth_signature.h"

#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::orchestrator;

namespace {

// Of the key 0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318.
constexpr const char* kAddress = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23";
constexpr const char* kText = "mill.example wants you to sign in";
const std::string kScalars =
    "0x22300d9889421e5f900bacc7cfbfcf4a4352bedb18254ca3ff5436fcf5771ffb"
    "3f3b9e1a9f57230acfd7c511525e1a4332c96ab0502589f96066fb3bf4ce6677";

std::string refusal(const std::string& signature, std::string_view text = kText) {
    const auto signer = signer_of(text, signature);
    return signer ? "signed by " + signer->text() : signer.error().message;
}

}  // namespace

TEST_CASE("the signer of a text is found, with each spelling of v", "[access][sign-in]") {
    for (const char* v : {"1b", "00"})
        CHECK(signer_of(kText, kScalars + v).value().text() == kAddress);
    CHECK(signer_of("",
                    "0x8a68b4e66cd2b575338e16069d7b65f6f67c7ceae8945dccf8cb7bdb06278d93"
                    "3dd9c888f3444ca4698464079a067ad3cfffe96d493b8ecf56885169d0fdfe7d1b")
              .value()
              .text() == kAddress);
    // The length in front counts bytes, not characters.
    CHECK(signer_of("na\u00efve \u20ac\n",
                    "0xf6ea16ff54a00cbdcd095b34217565321fa2e9ef0eaa5534a811cf4e62dd942d"
                    "363a93e07f9cadee3f676dfc0f4f1dd49959c4d8b9486e77b37df6240193324f1b")
              .value()
              .text() == kAddress);
}

TEST_CASE("another text or another v is another signer, or nobody", "[access][sign-in]") {
    CHECK(refusal(kScalars + "1b", "mill.example wants you to sign out") !=
          std::string("signed by ") + kAddress);
    CHECK(refusal(kScalars + "1c") != std::string("signed by ") + kAddress);
}

TEST_CASE("the mirror image of a signature is refused", "[access][sign-in]") {
    CHECK_THAT(refusal("0x22300d9889421e5f900bacc7cfbfcf4a4352bedb18254ca3ff5436fcf5771ffb"
                       "c0c461e560a8dcf530283aeeada1e5bb87e572365f2316425f6b6350db67daca1c"),
               Catch::Contains("upper half"));
}

TEST_CASE("what is no signature is told why", "[access][sign-in]") {
    const std::string good = kScalars + "1b";
    for (const std::string& wrong :
         {std::string(), std::string("0x"), good.substr(2), good.substr(0, good.size() - 2),
          good + "00", "0X" + good.substr(2), kScalars + "1g", std::string(100'000, 'a')})
        CHECK_THAT(refusal(wrong), Catch::Contains("130 hex digits"));
    for (const char* v : {"02", "1a", "1d", "25", "ff"})
        CHECK_THAT(refusal(kScalars + v), Catch::Contains("27, 28, 0 or 1"));
    const std::string zeros(64, '0');
    const std::string order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    const std::string r = kScalars.substr(2, 64);
    const std::string s = kScalars.substr(66);
    for (const auto& [left, right] : {std::pair(zeros, s),
                                      {r, zeros},
                                      {zeros, zeros},
                                      {order, s},
                                      {r, order},
                                      {std::string(64, 'f'), s}})
        CHECK_THAT(refusal("0x" + left + right + "1b"), Catch::StartsWith("the signature "));
}
