#pragma once
// ThreadChecker: "one thread calls this object", written as a member that is asserted on.
//
// It binds to the first thread that checks, so that an object may be built on one thread and used
// on another; detach() lets the next caller bind anew. A violation is a bug of ours and ends the
// process.
//
// Thread: any (the check itself is atomic). Owner: the object that is guarded.

#include <atomic>
#include <thread>

#include "common/base/check.h"

namespace millrace {

class ThreadChecker {
public:
    // True when the caller is the owner, or became it by this call.
    [[nodiscard]] bool is_owner() const {
        std::thread::id nobody;
        const auto self = std::this_thread::get_id();
        return owner_.compare_exchange_strong(nobody, self) || nobody == self;
    }
    void check(const char* what) const { MR_CHECK(is_owner(), what); }
    void detach() { owner_.store(std::thread::id{}); }

private:
    mutable std::atomic<std::thread::id> owner_{};
};

}  // namespace millrace
