#include "orchestrator/front/sign_in.h"

#include <algorithm>
#include <optional>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "common/base/canonical.h"
#include "common/base/check.h"
#include "common/base/hex.h"
#include "orchestrator/access/eth_signature.h"
#include "orchestrator/front/answer.h"

namespace millrace::orchestrator {
namespace {

// Hex digits of the three parts of a nonce.
constexpr std::size_t kExpiryDigits = 16;
constexpr std::size_t kRandomDigits = 32;
constexpr std::size_t kProofDigits = 32;
constexpr std::size_t kNonceDigits = kExpiryDigits + kRandomDigits + kProofDigits;
constexpr std::string_view kNonceLine = "\nNonce: ";

Error refusal(std::string detail) {
    return error(ErrorKind::bad_input, std::move(detail));
}

std::string hex_of(std::uint64_t number) {
    std::array<std::uint8_t, 8> bytes{};
    for (std::size_t i = bytes.size(); i-- > 0; number >>= 8)
        bytes[i] = static_cast<std::uint8_t>(number);
    return to_hex(bytes);
}

// RFC 3986's authority.
std::string_view domain_of(std::string_view url) {
    if (const auto scheme = url.find("://"); scheme != std::string_view::npos)
        url.remove_prefix(scheme + 3);
    return url.substr(0, url.find('/'));
}

std::string text_of(const stake::Address& address, std::string_view url, std::string_view nonce,
                    WallTime expires_at) {
    const WallTime issued_at{expires_at.ms - to_ms(kChallengeLife)};
    return std::string(domain_of(url)) + " wants you to sign in with your Ethereum account:\n" +
           address.text() +
           "\n\nThis lets whoever signs push live video on the account of this address.\n\nURI: " +
           std::string(url) + "\nVersion: 1\nChain ID: 1" + std::string(kNonceLine) +
           std::string(nonce) + "\nIssued At: " + rfc3339(issued_at) +
           "\nExpiration Time: " + rfc3339(expires_at);
}

std::optional<std::string> nonce_in(std::string_view text) {
    const auto line = text.find(kNonceLine);
    if (line == std::string_view::npos)
        return std::nullopt;
    const std::string_view nonce = text.substr(line + kNonceLine.size(), kNonceDigits);
    const bool hex = std::all_of(nonce.begin(), nonce.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
    return hex && nonce.size() == kNonceDigits ? std::optional(std::string(nonce)) : std::nullopt;
}

WallTime expiry_of(std::string_view nonce) {
    const auto bytes = from_hex(nonce.substr(0, kExpiryDigits));
    std::uint64_t ms = 0;
    for (const std::uint8_t byte : *bytes)
        ms = (ms << 8) | byte;
    return {static_cast<std::int64_t>(ms)};
}

// What the account of an address is called.
AccountId account_of(const stake::Address& address) {
    return {"0x" + to_hex(address.bytes())};
}

}  // namespace

SignIn::SignIn() {
    MR_CHECK(RAND_bytes(secret_.data(), static_cast<int>(secret_.size())) == 1,
             "the system has random bytes");
}

SignIn::Nonce SignIn::nonce_of(const stake::Address& address, WallTime expires_at,
                               std::string_view random) const {
    CanonicalWriter fields("millrace-sign-in/1");
    fields.raw(address.bytes()).number(expires_at.ms).text(random);
    std::array<std::uint8_t, 32> proof{};
    unsigned int size = 0;
    const auto* made = HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
                            reinterpret_cast<const unsigned char*>(fields.bytes().data()),
                            fields.bytes().size(), proof.data(), &size);
    MR_CHECK(made != nullptr && size == proof.size(), "OpenSSL makes a proof");
    return hex_of(static_cast<std::uint64_t>(expires_at.ms)) + std::string(random) +
           to_hex(proof).substr(0, kProofDigits);
}

Challenge SignIn::challenge(const stake::Address& address, std::string_view url,
                            WallTime now) const {
    std::array<std::uint8_t, kRandomDigits / 2> random{};
    MR_CHECK(RAND_bytes(random.data(), static_cast<int>(random.size())) == 1,
             "the system has random bytes");
    const WallTime expires_at{now.ms + to_ms(kChallengeLife)};
    return {text_of(address, url, nonce_of(address, expires_at, to_hex(random)), expires_at),
            expires_at};
}

Result<AccountId> SignIn::judge(const SignInAttempt& attempt, std::string_view url,
                                WallTime now) const {
    const auto nonce = nonce_in(attempt.challenge);
    if (!nonce)
        return refusal("this is not a challenge of this service");
    const WallTime expires_at = expiry_of(*nonce);
    const Nonce ours = nonce_of(attempt.address, expires_at,
                                std::string_view(*nonce).substr(kExpiryDigits, kRandomDigits));
    if (CRYPTO_memcmp(ours.data(), nonce->data(), nonce->size()) != 0 ||
        attempt.challenge != text_of(attempt.address, url, *nonce, expires_at))
        return refusal(
            "this is not a challenge of this service for this address, or it is from "
            "before its last start");
    if (now >= expires_at)
        return error(ErrorKind::timeout, "the challenge has expired: ask for another one");
    const auto signer = signer_of(attempt.challenge, attempt.signature);
    if (!signer)
        return signer.error();
    if (*signer != attempt.address)
        return refusal("the challenge was not signed by this address");
    return account_of(attempt.address);
}

Result<void> SignIn::use_up(const SignInAttempt& attempt, WallTime now) {
    const Nonce nonce = *nonce_in(attempt.challenge);
    const std::lock_guard lock(mutex_);
    used_.erase(used_.begin(), used_.lower_bound({now.ms, ""}));
    if (used_.contains({expiry_of(nonce).ms, nonce}))
        return refusal("the challenge was used already: ask for another one");
    if (used_.size() >= kUsedMax)
        return error(ErrorKind::overloaded, "too many sign in at the moment");
    used_.emplace(expiry_of(nonce).ms, nonce);
    return {};
}

}  // namespace millrace::orchestrator
