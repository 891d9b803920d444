#pragma once
// Mistakes in what a person wrote, all of them at once, each with the place it is in.
//
// Thread: any; values.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::config {

// `path` is where: a JSON path ("[1].bitrate", "ladder[0].name") or "" for the whole text.
// `detail` is a sentence a person can act on; what it quotes is shortened and free of control
// bytes.
struct FieldError {
    std::string path;
    std::string detail;
    bool operator==(const FieldError&) const = default;
};

// A value, or at least one mistake.
template <class T>
class [[nodiscard]] Parsed {
public:
    Parsed(T value) : value_(std::move(value)) {}                           // NOLINT: implicit
    Parsed(std::vector<FieldError> errors) : errors_(std::move(errors)) {}  // NOLINT: implicit

    [[nodiscard]] bool has_value() const { return value_.has_value(); }
    explicit operator bool() const { return has_value(); }
    [[nodiscard]] const T& value() const& { return value_.value(); }
    [[nodiscard]] T&& value() && { return std::move(value_).value(); }
    const T& operator*() const& { return value(); }
    const T* operator->() const { return &value(); }
    [[nodiscard]] const std::vector<FieldError>& errors() const { return errors_; }

private:
    std::optional<T> value_;
    std::vector<FieldError> errors_;
};

// "[1].bitrate: must be ...; [2].name: ..." for logs and one-line answers.
[[nodiscard]] std::string to_string(const std::vector<FieldError>& errors);

// `text` for a message: at most 64 bytes, control bytes and broken UTF-8 as '?', in single quotes.
[[nodiscard]] std::string quote(std::string_view text);

}  // namespace millrace::config
