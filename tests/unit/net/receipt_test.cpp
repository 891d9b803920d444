// The bytes of a receipt, and its signature.

#include "common/domain/receipt.h"

#include <chrono>

#include "common/base/hex.h"
#include "common/base/rng.h"
#include "common/net/signing.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::net;

namespace {

std::array<std::uint8_t, 32> counting(std::uint8_t from) {
    std::array<std::uint8_t, 32> bytes{};
    for (auto& byte : bytes)
        byte = from++;
    return bytes;
}

Signer a_signer(std::uint8_t seed = 0) {
    return Signer(SecretKey(counting(seed)));
}

Receipt a_receipt() {
    TranscodeReport report;
    report.source.frames = 60;
    report.source.pixels = 55'296'000;
    report.source.duration = std::chrono::milliseconds(2002);
    RenditionReport rendition;
    rendition.name = "240p";
    rendition.size = {426, 240};
    rendition.bytes = 150'000;
    rendition.frames = 60;
    rendition.pixels = 6'134'400;
    rendition.sha256 = counting(64);
    RenditionReport copy = rendition;
    copy.name = "source";
    copy.copied = true;
    copy.pixels = 0;
    report.renditions = {rendition, copy};
    report.times = {1, 2, 3, 4, 5, 6};
    return receipt_of({{"orchestrator"}, {"transcoder"}, a_signer().key()},
                      {SessionId{"s1"}, 2, 0xffff'ffff'ffff'fff0, counting(128)}, report,
                      {{1'764'240'000'000}, "millrace 0.1, ffmpeg 5.1", "cpu x", {}});
}

SignedReceipt signed_one() {
    const std::string bytes = signed_bytes(a_receipt());
    return {bytes, a_signer().sign(bytes)};
}

bool holds(std::string_view text) {
    const auto kept = receipt_from_text(text);
    const auto receipt = kept ? receipt_from(kept->bytes) : std::nullopt;
    return receipt && signature_holds(receipt->parties.signer, kept->bytes, kept->signature);
}

std::string hex(std::string_view bytes) {
    return to_hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

}  // namespace

// Written down by another program from the form in receipt.h. Never to change: receipts that people keep would not hold any more. A change is a new form.
TEST_CASE("the signed bytes of a receipt are these", "[net][receipt]") {
    CHECK(hex(signed_bytes(a_receipt())) ==
          "00000000000000126d696c6c726163652d726563656970742f31000000000000000c6f7263686573"
          "747261746f72000000000000000a7472616e73636f64657203a107bff3ce10be1d70dd18e74bc099"
          "67e4d6309ba50d5f1ddc8664125531b8000000000000000273310000000000000002ffffffffffff"
          "fff0808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f000000000000"
          "003c00000000034bc000000000007754188000000000000000020000000000000004323430700000"
          "0000000001aa00000000000000f000000000000249f0000000000000003c00000000005d9a800000"
          "000000000000404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f0000"
          "000000000006736f7572636500000000000001aa00000000000000f000000000000249f000000000"
          "0000003c00000000000000000000000000000001404142434445464748494a4b4c4d4e4f50515253"
          "5455565758595a5b5c5d5e5f00000000000000010000000000000002000000000000000300000000"
          "00000004000000000000000500000000000000060000019ac4e6040000000000000000186d696c6c"
          "7261636520302e312c2066666d70656720352e3100000000000000056370752078");
}

TEST_CASE("a receipt comes back from its bytes and from its text", "[net][receipt]") {
    const SignedReceipt receipt = signed_one();
    CHECK(receipt_from(receipt.bytes) == a_receipt());
    CHECK(from_stored_form(stored_form(receipt)) == receipt);
    CHECK(receipt_from_text(to_text(receipt)) == receipt);
    CHECK(holds(to_text(receipt)));
}

TEST_CASE("a signature is the one that RFC 8032 gives", "[net][receipt]") {
    // Section 7.1, test 2.
    KeyBytes seed{};
    const auto bytes =
        *from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    std::copy(bytes.begin(), bytes.end(), seed.begin());
    const Signer signer{SecretKey(seed)};
    CHECK(to_hex(signer.key().bytes) ==
          "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    CHECK(to_hex(signer.sign("\x72")) ==
          "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
          "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
}

TEST_CASE("any byte of a receipt that is changed breaks it", "[net][receipt]") {
    const std::string stored = stored_form(signed_one());
    for (std::size_t at = 0; at < stored.size(); ++at) {
        std::string changed = stored;
        changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
        INFO("byte " << at);
        const auto kept = from_stored_form(changed);
        REQUIRE(kept);
        const auto receipt = receipt_from(kept->bytes);
        CHECK_FALSE(
            (receipt && signature_holds(receipt->parties.signer, kept->bytes, kept->signature)));
    }
}

TEST_CASE("a signature of another key, or over other bytes, does not hold", "[net][receipt]") {
    const SignedReceipt receipt = signed_one();
    CHECK_FALSE(signature_holds(a_signer(1).key(), receipt.bytes, receipt.signature));
    CHECK_FALSE(signature_holds(a_signer().key(), receipt.bytes + "x", receipt.signature));
    CHECK_FALSE(signature_holds(SignerKey{}, receipt.bytes, receipt.signature));
    CHECK_FALSE(signature_holds(a_signer().key(), receipt.bytes, Signature{}));
}

TEST_CASE("what is no receipt is told from one", "[net][receipt]") {
    const std::string text = to_text(signed_one());
    for (const std::string& wrong :
         {std::string(), std::string("mrr1_"), text.substr(1), text.substr(0, text.size() - 1),
          text + "A", "mrr2_" + text.substr(5), text + " " + text,
          "mrr1_" + std::string(20'000, 'A')})
        CHECK_FALSE(holds(wrong));
    const std::string bytes = signed_bytes(a_receipt());
    CHECK_FALSE(receipt_from(bytes + '\0'));
    CHECK_FALSE(receipt_from(""));
    Receipt crowded = a_receipt();
    crowded.renditions.resize(kRenditionsMax + 1);
    CHECK_FALSE(receipt_from(signed_bytes(crowded)));
    Rng rng(5);
    for (int round = 0; round < 2'000; ++round) {
        std::string junk = bytes.substr(0, rng.below(bytes.size() + 1));
        for (auto flips = 1 + rng.below(8); flips > 0 && !junk.empty(); --flips)
            junk[rng.below(junk.size())] = static_cast<char>(rng.next());
        if (const auto receipt = receipt_from(junk))
            CHECK(signed_bytes(*receipt) == junk);  // one spelling
    }
}

TEST_CASE("texts in a receipt are short and fit for a terminal", "[net][receipt]") {
    CHECK(receipt_text("a\x1b[2Jb\n") == "a?[2Jb?");
    CHECK(receipt_text(std::string(500, 'x')).size() == kReceiptTextMax);
}
