#pragma once
// A value that must not be shown: it has no stream operator, compares in constant time, and its
// bytes are wiped when it goes.
//
// Thread: its owner's.

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace millrace::config {

class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    ~Secret();
    Secret(const Secret&) = default;
    Secret& operator=(const Secret&);
    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret&& other) noexcept;

    [[nodiscard]] bool empty() const { return value_.empty(); }
    // For the one place that must have it.
    [[nodiscard]] const std::string& reveal() const { return value_; }
    friend bool operator==(const Secret& a, const Secret& b);

private:
    void wipe();
    std::string value_;
};

inline constexpr std::size_t kSecretBytesMax = 16 * 1024;

// "@FILE" reads the file's first line; anything else is the secret itself. A file that others may
// read is refused (0640 passes: that is how orchestration systems hand files to a group).
[[nodiscard]] Result<Secret> parse_secret(std::string_view text);
[[nodiscard]] Result<Secret> read_secret_file(const std::string& path);

// For files that a library reads: the path of one that is there and, for the key, that others may
// not read (by the same rule).
[[nodiscard]] Result<std::string> parse_readable_file(std::string_view text);
[[nodiscard]] Result<std::string> parse_key_file(std::string_view text);

}  // namespace millrace::config
