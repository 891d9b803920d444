#pragma once
// Whether this build runs under a sanitizer, which needs more than the walls leave to an engine.
//
// Thread: any; a constant.

namespace millrace::engine {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // GCC
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)  // Clang
inline constexpr bool kSanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace millrace::engine
