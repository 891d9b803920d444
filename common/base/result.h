#pragma once
// Result<T>: a value or an Error, with std::expected's names so that one alias retires it later
// (GCC 12 has std::expected only from C++23 on).
//
// An Error is named by the reaction it calls for. Retry policy is a table over ErrorKind and
// nothing else: no code in this tree decides by reading a message.
//
// Thread: any; values.

#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/check.h"

namespace millrace {

enum class ErrorKind : unsigned char {
    bad_input,     // never retry, tell the caller
    overloaded,    // later, or elsewhere
    disconnected,  // reconnect, dispatch again
    timeout,       // this attempt is over; elsewhere while the deadline allows
    unsupported,   // another transcoder may be able to
    device,        // quarantine the GPU
    internal,      // a bug of ours
};
inline constexpr int kErrorKindCount = 7;

[[nodiscard]] std::string_view to_string(ErrorKind kind);

struct Error {
    ErrorKind kind = ErrorKind::internal;
    std::string message;
    std::source_location where = std::source_location::current();

    // The place is for logs; two errors are equal when they say the same.
    friend bool operator==(const Error& a, const Error& b) {
        return a.kind == b.kind && a.message == b.message;
    }
};

[[nodiscard]] inline Error error(ErrorKind kind, std::string message,
                                 std::source_location where = std::source_location::current()) {
    return Error{kind, std::move(message), where};
}

template <class T>
class [[nodiscard]] Result {
public:
    using value_type = T;

    Result(T value)
        : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit on purpose
    Result(Error problem) : state_(std::in_place_index<1>, std::move(problem)) {}  // NOLINT

    [[nodiscard]] bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    [[nodiscard]] T& value() & { return checked(), std::get<0>(state_); }
    [[nodiscard]] const T& value() const& { return checked(), std::get<0>(state_); }
    [[nodiscard]] T&& value() && { return checked(), std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    [[nodiscard]] const Error& error() const& {
        MR_CHECK(!has_value(), "error() of a Result that holds a value");
        return std::get<1>(state_);
    }
    [[nodiscard]] Error&& error() && {
        MR_CHECK(!has_value(), "error() of a Result that holds a value");
        return std::get<1>(std::move(state_));
    }

    template <class U>
    [[nodiscard]] T value_or(U&& other) const& {
        return has_value() ? std::get<0>(state_) : static_cast<T>(std::forward<U>(other));
    }

    template <class F>
    auto and_then(F&& next) && -> decltype(next(std::declval<T&&>())) {
        if (!has_value())
            return std::get<1>(std::move(state_));
        return std::forward<F>(next)(std::get<0>(std::move(state_)));
    }

    template <class F>
    auto transform(F&& next) && -> Result<decltype(next(std::declval<T&&>()))> {
        if (!has_value())
            return std::get<1>(std::move(state_));
        return std::forward<F>(next)(std::get<0>(std::move(state_)));
    }

private:
    void checked() const { MR_CHECK(has_value(), "value() of a Result that holds an error"); }

    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    using value_type = void;

    Result() = default;
    Result(Error problem) : problem_(std::move(problem)) {}  // NOLINT: implicit on purpose

    [[nodiscard]] bool has_value() const { return !problem_; }
    explicit operator bool() const { return has_value(); }
    [[nodiscard]] const Error& error() const {
        MR_CHECK(problem_.has_value(), "error() of a Result that holds success");
        return *problem_;
    }

private:
    std::optional<Error> problem_;
};

}  // namespace millrace

// Leaves the enclosing function with the error of a Result<void> expression.
#define MR_TRY(expression)                               \
    do {                                                 \
        if (auto mr_result_ = (expression); !mr_result_) \
            return mr_result_.error();                   \
    } while (false)
