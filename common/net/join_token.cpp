#include "common/net/join_token.h"

#include <algorithm>
#include <optional>
#include <span>

#include <sodium.h>

#include "common/base/hex.h"
#include "common/runtime/sha256.h"

namespace millrace::net {

namespace {

constexpr std::size_t kChecked = kKeyBytes + kKeyBytes + 8 + 8;
constexpr std::size_t kChecksum = 4;
constexpr std::size_t kTokenBytes = kChecked + kChecksum;
// A multiple of three, so that every base64 character counts and no two texts mean the same token.
static_assert(kTokenBytes % 3 == 0);
constexpr std::size_t kTokenChars = kTokenBytes / 3 * 4;

using TokenBytes = std::array<std::uint8_t, kTokenBytes>;

std::array<std::uint8_t, kChecksum> checksum(std::span<const std::uint8_t> checked) {
    Sha256Hasher hasher;
    hasher.update(
        {reinterpret_cast<const std::uint8_t*>(kJoinTokenPrefix.data()), kJoinTokenPrefix.size()});
    hasher.update(checked);
    const Sha256 digest = hasher.finish();
    std::array<std::uint8_t, kChecksum> sum{};
    std::copy_n(digest.begin(), kChecksum, sum.begin());
    return sum;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n";
    const auto from = text.find_first_not_of(kBlank);
    if (from == std::string_view::npos)
        return {};
    return text.substr(from, text.find_last_not_of(kBlank) - from + 1);
}

// libsodium 1.0.18 takes some bytes above 127 for base64 characters (seen: 0xDF for "_").
bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > 0; });
}

std::optional<Secret<TokenBytes>> decode_text(std::string_view text) {
    if (!text.starts_with(kJoinTokenPrefix) || !is_ascii(text))
        return std::nullopt;
    text.remove_prefix(kJoinTokenPrefix.size());
    TokenBytes bytes{};
    std::size_t count = 0;
    if (text.size() != kTokenChars ||
        sodium_base642bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &count,
                          nullptr, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        count != kTokenBytes)
        return std::nullopt;
    return Secret(bytes);
}

Error malformed(std::string_view why) {
    return error(ErrorKind::bad_input, "malformed join token: " + std::string(why));
}

}  // namespace

std::string JoinToken::id_hex() const {
    return to_hex(id);
}

bool JoinToken::expired(WallTime now) const {
    return expires_at_s != 0 && now.ms >= 0 &&
           static_cast<std::uint64_t>(now.ms) / 1000 >= expires_at_s;
}

JoinToken make_join_token(const PublicKey& orchestrator, std::uint64_t expires_at_s) {
    JoinToken token{orchestrator, make_key_pair().secret_key, expires_at_s, {}};
    fill_random(token.id);
    return token;
}

Secret<std::string> encode(const JoinToken& token) {
    TokenBytes bytes{};
    auto at =
        std::copy(token.orchestrator.bytes.begin(), token.orchestrator.bytes.end(), bytes.begin());
    at = std::copy(token.enrolment.reveal().begin(), token.enrolment.reveal().end(), at);
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = static_cast<std::uint8_t>(token.expires_at_s >> shift);
    at = std::copy(token.id.begin(), token.id.end(), at);
    const auto sum = checksum(std::span(bytes).first(kChecked));
    std::copy(sum.begin(), sum.end(), at);

    std::array<char, kTokenChars + 1> text{};
    sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    Secret<std::string> line(std::string(kJoinTokenPrefix) + text.data());
    wipe(bytes);
    wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    return line;
}

Result<JoinToken> parse_join_token(std::string_view text) {
    const auto decoded = decode_text(trimmed(text));
    if (!decoded)
        return malformed(
            "it must be mrj1_ and 112 more characters, as printed by the orchestrator");
    const std::span<const std::uint8_t> bytes = decoded->reveal();
    const auto sum = checksum(bytes.first(kChecked));
    if (!std::equal(sum.begin(), sum.end(), bytes.begin() + kChecked))
        return malformed("its checksum does not match; a character is wrong or missing");

    JoinToken token;
    KeyBytes secret{};
    std::copy_n(bytes.begin(), kKeyBytes, token.orchestrator.bytes.begin());
    std::copy_n(bytes.begin() + kKeyBytes, kKeyBytes, secret.begin());
    token.enrolment = SecretKey(secret);
    wipe(secret);
    for (std::size_t i = 0; i < 8; ++i)
        token.expires_at_s = token.expires_at_s << 8 | bytes[2 * kKeyBytes + i];
    std::copy_n(bytes.begin() + 2 * kKeyBytes + 8, token.id.size(), token.id.begin());
    return token;
}

}  // namespace millrace::net
