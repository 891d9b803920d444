#include "orchestrator/stake/abi.h"

#include <algorithm>
#include <charconv>

#include <cryptopp/keccak.h>

#include "common/base/hex.h"

namespace millrace::orchestrator::stake {
namespace {

constexpr std::string_view kHexPrefix = "0x";
constexpr std::size_t kWordBytes = 32;
constexpr std::size_t kSelectorBytes = 4;
constexpr std::size_t kAddressPadding = 12;  // bytes before an address in its word
constexpr std::size_t kAmountPadding = 16;   // bytes before a number of 128 bits

Error wrong(std::string what) {
    return error(ErrorKind::bad_input, std::move(what));
}

bool zeros(std::span<const std::uint8_t> bytes) {
    return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// EIP-55: a letter is upper case where the hash of the lower-case digits has a high nibble.
std::string with_checksum(const std::string& digits) {
    const Word hash = keccak256(digits);
    std::string text = digits;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int nibble = i % 2 == 0 ? hash[i / 2] >> 4 : hash[i / 2] & 0xf;
        if (!is_digit(text[i]) && nibble >= 8)
            text[i] = static_cast<char>(text[i] - 'a' + 'A');
    }
    return text;
}

}  // namespace

Word keccak256(std::string_view text) {
    Word digest{};
    CryptoPP::Keccak_256 hash;
    hash.Update(reinterpret_cast<const CryptoPP::byte*>(text.data()), text.size());
    hash.Final(digest.data());
    return digest;
}

Address Address::of_bytes(const std::array<std::uint8_t, 20>& bytes) {
    Address address;
    address.bytes_ = bytes;
    return address;
}

Result<Address> Address::parse(std::string_view text) {
    const auto bad = [&] {
        return wrong("\"" + std::string(text) + "\" is not an address: 0x and 40 hex digits");
    };
    if (!text.starts_with(kHexPrefix))
        return bad();
    const std::string_view digits = text.substr(kHexPrefix.size());
    const auto bytes = from_hex(digits);
    if (!bytes || bytes->size() != 20)
        return bad();
    const std::string plain = to_hex(*bytes);
    const bool mixed =
        digits != plain && std::ranges::any_of(digits, [](char c) { return c >= 'a' && c <= 'f'; });
    if (mixed && with_checksum(plain) != digits)
        return wrong("the checksum of the address \"" + std::string(text) +
                     "\" is wrong: a digit is mistyped");
    Address address;
    std::ranges::copy(*bytes, address.bytes_.begin());
    return address;
}

std::string Address::text() const {
    return std::string(kHexPrefix) + with_checksum(to_hex(bytes_));
}

Word as_word(const Address& address) {
    Word word{};
    std::ranges::copy(address.bytes(), word.begin() + kAddressPadding);
    return word;
}

std::string call_data(std::string_view signature, std::span<const Word> arguments) {
    const Word hash = keccak256(signature);
    std::string data(kHexPrefix);
    data += to_hex(std::span(hash).first(kSelectorBytes));
    for (const Word& argument : arguments)
        data += to_hex(argument);
    return data;
}

Result<std::vector<Word>> words(std::string_view hex, std::size_t count) {
    if (!hex.starts_with(kHexPrefix) || hex.size() != kHexPrefix.size() + count * kWordBytes * 2)
        return wrong("expected " + std::to_string(count) + " words of 32 bytes, got " +
                     std::to_string(hex.size()) + " characters");
    const auto bytes = from_hex(hex.substr(kHexPrefix.size()));
    if (!bytes)
        return wrong("the answer is not hexadecimal");
    std::vector<Word> found(count);
    for (std::size_t i = 0; i < count; ++i)
        std::copy_n(bytes->begin() + static_cast<std::ptrdiff_t>(i * kWordBytes), kWordBytes,
                    found[i].begin());
    return found;
}

Result<bool> as_bool(const Word& word) {
    if (!zeros(std::span(word).first(kWordBytes - 1)) || word.back() > 1)
        return wrong("expected true or false");
    return word.back() == 1;
}

Result<std::uint64_t> as_u64(const Word& word) {
    if (!zeros(std::span(word).first(kWordBytes - 8)))
        return wrong("the number is absurdly large");
    std::uint64_t value = 0;
    for (const std::uint8_t byte : std::span(word).last(8))
        value = value << 8 | byte;
    return value;
}

Result<Address> as_address(const Word& word) {
    if (!zeros(std::span(word).first(kAddressPadding)))
        return wrong("expected an address");
    std::array<std::uint8_t, 20> bytes{};
    std::copy(word.begin() + kAddressPadding, word.end(), bytes.begin());
    return Address::of_bytes(bytes);
}

Result<Lpt> as_lpt(const Word& word) {
    if (!zeros(std::span(word).first(kAmountPadding)))
        return wrong("the amount is absurdly large");
    Lpt::Units units = 0;
    for (const std::uint8_t byte : std::span(word).subspan(kAmountPadding))
        units = units << 8 | byte;
    return Lpt::of_units(units);
}

Result<std::uint64_t> quantity(std::string_view text) {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const bool shaped = text.starts_with(kHexPrefix) && text.size() > kHexPrefix.size() &&
                        (text.size() == 3 || text[kHexPrefix.size()] != '0');
    if (!shaped)
        return wrong("expected a quantity such as 0xa4b1");
    const auto parsed = std::from_chars(text.data() + kHexPrefix.size(), end, value, 16);
    if (parsed.ec != std::errc{} || parsed.ptr != end)
        return wrong("expected a quantity of at most 64 bits");
    return value;
}

std::string as_quantity(std::uint64_t value) {
    std::array<char, 16> digits{};
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return std::string(kHexPrefix) + std::string(digits.data(), written.ptr);
}

}  // namespace millrace::orchestrator::stake
