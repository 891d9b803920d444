#pragma once
// The bytes of an upload between the thread that receives them and the loop that may send them on before the
// rest is there. Nothing is copied: pieces lie where they were received.
//
// Bounded by the body's own bound: what is not taken is a list of references into a body that is kept anyway.
//
// Thread: add() the front's edge, the rest the loop. Owner: shared by the upload and the service.

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "common/runtime/payload.h"

namespace millrace::orchestrator {

class ArrivingBody {
public:
    // Fewer bytes are not worth a message of their own.
    static constexpr std::size_t kPieceBytes = 16 * 1024;

    void add(Slice piece);
    // In order, each at most once; neighbours come as one.
    [[nodiscard]] std::vector<Slice> take();
    // `more` is called, by whoever adds, once kPieceBytes wait, and not again before take(). Must not call back
    // in here. After listen(nullptr) it is not called any more.
    void listen(std::function<void()> more);

private:
    void tell();

    std::mutex mutex_;
    std::vector<Slice> waiting_;
    std::size_t bytes_ = 0;
    std::function<void()> more_;
    bool told_ = false;
};

using ArrivingBodyPtr = std::shared_ptr<ArrivingBody>;

}  // namespace millrace::orchestrator
