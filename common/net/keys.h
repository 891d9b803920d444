#pragma once
// CURVE key pairs, random bytes, and secrets that do not leak into logs.
//
// Keys travel as 32 bytes; people and logs see public keys as 40 characters of Z85 (ZeroMQ RFC 32).
//
// Thread: any; values.

#include <array>
#include <compare>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"

namespace millrace::net {

inline constexpr std::size_t kKeyBytes = 32;
inline constexpr std::size_t kKeyZ85Chars = 40;
using KeyBytes = std::array<std::uint8_t, kKeyBytes>;

// Overwrites in a way the compiler does not remove.
void wipe(std::span<std::uint8_t> bytes);

// A value that is shown only where somebody writes reveal(): it has no output operator and no
// conversion, and its memory is overwritten when it goes. T: a contiguous range of bytes or chars.
template <class T>
class Secret {
public:
    Secret() = default;
    explicit Secret(T value) : value_(std::move(value)) {}
    Secret(const Secret&) = default;
    Secret& operator=(const Secret&) = default;
    Secret(Secret&& other) noexcept : value_(other.value_) {}
    Secret& operator=(Secret&& other) noexcept {
        value_ = other.value_;
        return *this;
    }
    ~Secret() { wipe({reinterpret_cast<std::uint8_t*>(value_.data()), value_.size()}); }

    [[nodiscard]] const T& reveal() const { return value_; }

private:
    T value_{};
};

struct PublicKey {
    KeyBytes bytes{};
    auto operator<=>(const PublicKey&) const = default;
    [[nodiscard]] std::string z85() const;
};

using SecretKey = Secret<KeyBytes>;

struct KeyPair {
    PublicKey public_key;
    SecretKey secret_key;
};

[[nodiscard]] KeyPair make_key_pair();
// The pair that a secret key belongs to.
[[nodiscard]] KeyPair key_pair_of(const SecretKey& secret);
// bad_input unless the text is the Z85 form of 32 bytes.
[[nodiscard]] Result<PublicKey> public_key_from_z85(std::string_view text);

// From the kernel's generator; fit for keys, ids and nonces.
void fill_random(std::span<std::uint8_t> out);
[[nodiscard]] std::uint64_t random_u64();
// `bytes` random bytes as 2 * bytes lower-case hex digits.
[[nodiscard]] std::string random_hex(std::size_t bytes);

// A key file holds the secret key in Z85 and a newline, mode 0600. Loading refuses (bad_input) a
// file that group or others may touch, or that holds anything else. Saving never replaces a file,
// and leaves either the whole file or none.
[[nodiscard]] Result<SecretKey> load_secret_key(const std::filesystem::path& file);
[[nodiscard]] Result<KeyPair> load_key_pair(const std::filesystem::path& file);
[[nodiscard]] Result<void> save_secret_key(const std::filesystem::path& file, const SecretKey& key);
// What every daemon does at start: loads, or makes and saves when there is no file yet.
[[nodiscard]] Result<SecretKey> load_or_make_secret_key(const std::filesystem::path& file);
[[nodiscard]] Result<KeyPair> load_or_make_key_pair(const std::filesystem::path& file);

}  // namespace millrace::net
