#pragma once
// MR_CHECK: contracts between our own modules, on in every build.
//
// A failed check is a bug in this program: it prints what and where and aborts, because running on
// with a broken invariant would hand somebody a wrong segment. Never check what a peer, a file or a
// user sent: that is input, and bad input gets an Error (result.h).

#include <source_location>
#include <string_view>

namespace millrace {

[[noreturn]] void check_failed(std::string_view condition, std::string_view what,
                               std::source_location where = std::source_location::current());

}  // namespace millrace

#define MR_CHECK(condition, what)                       \
    do {                                                \
        if (!(condition)) [[unlikely]]                  \
            ::millrace::check_failed(#condition, what); \
    } while (false)
