#include "orchestrator/front/arriving_body.h"

#include <utility>

namespace millrace::orchestrator {

void ArrivingBody::add(Slice piece) {
    const std::lock_guard lock(mutex_);
    bytes_ += piece.bytes.size();
    if (!waiting_.empty()) {
        Slice& last = waiting_.back();
        if (last.owner == piece.owner &&
            last.bytes.data() + last.bytes.size() == piece.bytes.data()) {
            last.bytes = {last.bytes.data(), last.bytes.size() + piece.bytes.size()};
            return tell();
        }
    }
    waiting_.push_back(std::move(piece));
    tell();
}

std::vector<Slice> ArrivingBody::take() {
    const std::lock_guard lock(mutex_);
    told_ = false;
    bytes_ = 0;
    return std::exchange(waiting_, {});
}

void ArrivingBody::listen(std::function<void()> more) {
    const std::lock_guard lock(mutex_);
    more_ = std::move(more);
    told_ = false;
    tell();
}

void ArrivingBody::tell() {
    if (told_ || !more_ || bytes_ < kPieceBytes)
        return;
    told_ = true;
    more_();
}

}  // namespace millrace::orchestrator
