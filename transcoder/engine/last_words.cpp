#include "transcoder/engine/last_words.h"

#include <unistd.h>

namespace millrace::engine {

void end_with(int exit_code, int words, std::int32_t number) noexcept {
    [[maybe_unused]] const ssize_t written = write(words, &number, sizeof number);
    _exit(exit_code);
}

}  // namespace millrace::engine
