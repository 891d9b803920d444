#include "orchestrator/front/session_token.h"

#include <array>
#include <optional>
#include <span>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "common/base/check.h"
#include "common/base/hex.h"

namespace millrace::orchestrator {
namespace {

constexpr std::string_view kPrefix = "mrs1_";
constexpr std::size_t kMacBytes = 32;
constexpr std::size_t kTokenMax = 1400;  // characters; three fields of 255 bytes fit
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string base64url(std::string_view bytes) {
    std::string out;
    std::uint32_t bits = 0;
    int held = 0;
    for (const char c : bytes) {
        bits = (bits << 8) | static_cast<unsigned char>(c);
        for (held += 8; held >= 6; held -= 6)
            out += kDigits[(bits >> (held - 6)) & 63];
    }
    if (held > 0)
        out += kDigits[(bits << (6 - held)) & 63];
    return out;
}

// Only the one spelling of each text: leftover bits have to be zero.
std::optional<std::string> from_base64url(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    int held = 0;
    for (const char c : text) {
        const std::size_t digit = kDigits.find(c);
        if (digit == std::string_view::npos)
            return std::nullopt;
        bits = (bits << 6) | static_cast<std::uint32_t>(digit);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out += static_cast<char>((bits >> held) & 255);
        }
    }
    if (held >= 6 || (bits & ((1U << held) - 1)) != 0)
        return std::nullopt;
    return out;
}

using Mac = std::array<std::uint8_t, kMacBytes>;

Mac mac_of(const TokenKey& key, std::string_view fields) {
    const std::string message = std::string(kPrefix) + std::string(fields);
    Mac mac{};
    unsigned int size = 0;
    const auto* made = HMAC(EVP_sha256(), key.secret.data(), static_cast<int>(key.secret.size()),
                            reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                            mac.data(), &size);
    MR_CHECK(made != nullptr && size == kMacBytes, "HMAC-SHA256 is not available");
    return mac;
}

void put_number(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
        out += static_cast<char>((value >> shift) & 255);
}

void put_text(std::string& out, std::string_view text) {
    MR_CHECK(text.size() <= 255, "a token field is at most 255 bytes long");
    put_number(out, text.size(), 1);
    out += text;
}

// Takes fields off the front; `good` turns false when they do not fit.
struct Fields {
    std::string_view rest;
    bool good = true;

    std::string_view take(std::size_t bytes) {
        good = good && bytes <= rest.size();
        if (!good)
            return {};
        const std::string_view taken = rest.substr(0, bytes);
        rest.remove_prefix(bytes);
        return taken;
    }
    std::uint64_t number(std::size_t bytes) {
        std::uint64_t value = 0;
        for (const char c : take(bytes))
            value = (value << 8) | static_cast<unsigned char>(c);
        return value;
    }
    std::string text() { return std::string(take(static_cast<std::size_t>(number(1)))); }
};

bool genuine(const TokenKeys& keys, std::uint32_t key_id, std::string_view fields,
             std::string_view mac) {
    for (const TokenKey& key : keys)
        if (key.id == key_id)
            return CRYPTO_memcmp(mac_of(key, fields).data(), mac.data(), kMacBytes) == 0;
    return false;
}

}  // namespace

std::string make_session_token(const TokenKeys& keys, const SessionClaims& claims) {
    MR_CHECK(!keys.empty() && keys.front().secret.size() >= 16, "a token key is at hand");
    std::string fields;
    put_number(fields, keys.front().id, 4);
    put_number(fields, static_cast<std::uint64_t>(claims.expires_at.ms), 8);
    put_text(fields, claims.session.value);
    put_text(fields, claims.stream.value);
    put_text(fields, claims.account.value);
    const Mac mac = mac_of(keys.front(), fields);
    fields.append(reinterpret_cast<const char*>(mac.data()), mac.size());
    return std::string(kPrefix) + base64url(fields);
}

Result<SessionClaims> read_session_token(const TokenKeys& keys, std::string_view token,
                                         WallTime now) {
    const Error invalid = error(ErrorKind::bad_input, "the session token is not valid");
    if (!token.starts_with(kPrefix) || token.size() > kTokenMax)
        return invalid;
    const auto bytes = from_base64url(token.substr(kPrefix.size()));
    if (!bytes || bytes->size() < kMacBytes)
        return invalid;
    const std::string_view all = *bytes;
    const std::string_view fields_part = all.substr(0, all.size() - kMacBytes);
    Fields fields{fields_part};
    const auto key_id = static_cast<std::uint32_t>(fields.number(4));
    if (!genuine(keys, key_id, fields_part, all.substr(all.size() - kMacBytes)))
        return invalid;
    SessionClaims claims;
    claims.expires_at.ms = static_cast<std::int64_t>(fields.number(8));
    claims.session.value = fields.text();
    claims.stream.value = fields.text();
    claims.account.value = fields.text();
    if (!fields.good || !fields.rest.empty())
        return invalid;
    if (claims.expires_at <= now)
        return error(ErrorKind::timeout, "the session token has expired");
    return claims;
}

SessionId random_session_id() {
    std::array<std::uint8_t, 16> bytes{};
    MR_CHECK(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1,
             "the system has no random bytes");
    return {to_hex(bytes)};
}

}  // namespace millrace::orchestrator
