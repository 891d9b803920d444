#include "orchestrator/access/tokens.h"

#include <array>
#include <optional>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "common/base/base64url.h"
#include "common/base/check.h"
#include "common/base/hex.h"

namespace millrace::orchestrator {
namespace {

constexpr std::string_view kSessionPrefix = "mrs1_";
constexpr std::string_view kAccountPrefix = "mra1_";
constexpr std::string_view kPlaybackPrefix = "mrp1_";
constexpr std::size_t kMacBytes = 32;
constexpr std::size_t kTokenMax = 1800;  // characters; four fields of 255 bytes fit

using Mac = std::array<std::uint8_t, kMacBytes>;

Mac mac_of(const TokenKey& key, std::string_view prefix, std::string_view fields) {
    const std::string message = std::string(prefix) + std::string(fields);
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

bool genuine(const TokenKeys& keys, std::uint32_t key_id, std::string_view prefix,
             std::string_view fields, std::string_view mac) {
    for (const TokenKey& key : keys)
        if (key.id == key_id)
            return CRYPTO_memcmp(mac_of(key, prefix, fields).data(), mac.data(), kMacBytes) == 0;
    return false;
}

std::string sealed(const TokenKeys& keys, std::string_view prefix, WallTime expires_at,
                   std::initializer_list<std::string_view> texts) {
    MR_CHECK(!keys.empty() && keys.front().secret.size() >= 16, "a token key is at hand");
    std::string fields;
    put_number(fields, keys.front().id, 4);
    put_number(fields, static_cast<std::uint64_t>(expires_at.ms), 8);
    for (const std::string_view text : texts)
        put_text(fields, text);
    const Mac mac = mac_of(keys.front(), prefix, fields);
    fields.append(reinterpret_cast<const char*>(mac.data()), mac.size());
    return std::string(prefix) + base64url(fields);
}

// What a token is called, how it begins, and how many text fields it has.
struct TokenKind {
    std::string_view name;
    std::string_view prefix;
    std::size_t texts;
    std::string_view remedy = "";  // what to do about one that has expired
};
constexpr TokenKind kSession{"session", kSessionPrefix, 4};
constexpr TokenKind kAccount{"account", kAccountPrefix, 2, ": sign in again"};
constexpr TokenKind kPlayback{"playback", kPlaybackPrefix, 3};

struct Opened {
    WallTime expires_at;
    std::vector<std::string> texts;
};

// The fields of a genuine token, whether or not it has expired.
std::optional<Opened> opened(const TokenKeys& keys, const TokenKind& kind, std::string_view token) {
    const std::string_view prefix = kind.prefix;
    if (!token.starts_with(prefix) || token.size() > kTokenMax)
        return std::nullopt;
    const auto bytes = from_base64url(token.substr(prefix.size()));
    if (!bytes || bytes->size() < kMacBytes)
        return std::nullopt;
    const std::string_view all = *bytes;
    const std::string_view signed_part = all.substr(0, all.size() - kMacBytes);
    Fields fields{signed_part};
    const auto key_id = static_cast<std::uint32_t>(fields.number(4));
    if (!genuine(keys, key_id, prefix, signed_part, all.substr(all.size() - kMacBytes)))
        return std::nullopt;
    Opened found{{static_cast<std::int64_t>(fields.number(8))}, {}};
    for (std::size_t i = 0; i < kind.texts; ++i)
        found.texts.push_back(fields.text());
    if (!fields.good || !fields.rest.empty())
        return std::nullopt;
    return found;
}

// bad_input: not genuine; timeout: expired.
Result<Opened> read(const TokenKeys& keys, const TokenKind& kind, std::string_view token,
                    WallTime now) {
    auto found = opened(keys, kind, token);
    const auto said = [&kind](std::string_view what, std::string_view remedy) {
        return "the " + std::string(kind.name) + " token " + std::string(what) +
               std::string(remedy);
    };
    if (!found)
        return error(ErrorKind::bad_input, said("is not valid", ""));
    if (now.ms - to_ms(kTokenLeeway) >= found->expires_at.ms)
        return error(ErrorKind::timeout, said("has expired", kind.remedy));
    return *std::move(found);
}

}  // namespace

std::string make_session_token(const TokenKeys& keys, const SessionClaims& claims) {
    return sealed(
        keys, kSessionPrefix, claims.expires_at,
        {claims.session.value, claims.stream.value, claims.account.value, claims.account_key});
}

std::string make_account_token(const TokenKeys& keys, const AccountClaims& claims) {
    return sealed(keys, kAccountPrefix, claims.expires_at,
                  {claims.account.value, claims.account_key});
}

std::string make_playback_token(const TokenKeys& keys, const PlaybackClaims& claims) {
    return sealed(keys, kPlaybackPrefix, claims.expires_at,
                  {claims.stream.value, claims.account.value, claims.account_key});
}

bool is_session_token(std::string_view text) {
    return text.starts_with(kSessionPrefix);
}

bool is_account_token(std::string_view text) {
    return text.starts_with(kAccountPrefix);
}

Result<SessionClaims> read_session_token(const TokenKeys& keys, std::string_view token,
                                         WallTime now) {
    const auto found = read(keys, kSession, token, now);
    if (!found)
        return found.error();
    const auto& texts = found->texts;
    return SessionClaims{{texts[0]}, {texts[1]}, {texts[2]}, texts[3], found->expires_at};
}

Result<AccountClaims> read_account_token(const TokenKeys& keys, std::string_view token,
                                         WallTime now) {
    const auto found = read(keys, kAccount, token, now);
    if (!found)
        return found.error();
    return AccountClaims{{found->texts[0]}, found->texts[1], found->expires_at};
}

Result<PlaybackClaims> read_playback_token(const TokenKeys& keys, std::string_view token,
                                           WallTime now) {
    const auto found = read(keys, kPlayback, token, now);
    if (!found)
        return found.error();
    const auto& texts = found->texts;
    return PlaybackClaims{{texts[0]}, {texts[1]}, texts[2], found->expires_at};
}

SessionId random_session_id() {
    std::array<std::uint8_t, 16> bytes{};
    MR_CHECK(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1,
             "the system has no random bytes");
    return {to_hex(bytes)};
}

}  // namespace millrace::orchestrator
