#include "transcoder/memory_watch.h"

#include <cmath>
#include <string>
#include <utility>

#include "common/runtime/log.h"
#include "transcoder/memory_reader.h"

namespace millrace::transcoder {
namespace {

std::string percent(const std::optional<double>& share) {
    return share ? std::to_string(std::lround(100 * *share)) + "%" : "not known";
}

}  // namespace

MemoryWatch::MemoryWatch(Loop& loop, std::function<void()> changed, Read read, Duration every)
    : loop_(loop),
      changed_(std::move(changed)),
      read_(read ? std::move(read) : [] { return read_memory(); }),
      every_(every),
      next_(loop) {
    next_.set(loop_.now() + every_, [this] { look(); });
}

void MemoryWatch::look() {
    const MemoryReading now = read_();
    if (pressure_.told(now, loop_.now())) {
        log::write(is_short() ? LogLevel::warn : LogLevel::info, "memory",
                   is_short() ? "short: engines without a task give back what they keep"
                              : "there is enough again",
                   {{"left", percent(now.left)}, {"waiting", percent(now.waiting)}});
        changed_();
    }
    next_.set(loop_.now() + every_, [this] { look(); });
}

}  // namespace millrace::transcoder
