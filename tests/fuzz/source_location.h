#pragma once
// clang 14 lacks the builtin that libstdc++ 12 wants for std::source_location. Forced into every file of a
// fuzz build (tests/fuzz/CMakeLists.txt), and into nothing else.

#include <cstdint>

#if __has_include(<source_location>)
#include <source_location>
#endif
#ifndef __cpp_lib_source_location
namespace std {
struct source_location {
    static constexpr source_location current(const char* file = __builtin_FILE(),
                                             const char* function = __builtin_FUNCTION(),
                                             uint_least32_t line = __builtin_LINE()) {
        source_location here;
        here.file_ = file;
        here.function_ = function;
        here.line_ = line;
        return here;
    }
    constexpr const char* file_name() const { return file_; }
    constexpr const char* function_name() const { return function_; }
    constexpr uint_least32_t line() const { return line_; }
    constexpr uint_least32_t column() const { return 0; }

private:
    const char* file_ = "";
    const char* function_ = "";
    uint_least32_t line_ = 0;
};
}  // namespace std
#endif
