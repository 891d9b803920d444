#pragma once
// InitParts: the initialisation parts that fragments are waiting to be put behind. A packager sends
// one for a whole stream and then fragments that make no sense without it (CMAF, HLS with fMP4).
//
// Rules
// - One for each (account, stream): the last one that came, as a body of its own or at the head of a
//   segment. Two accounts that push under one name never see each other's.
// - It outlives the session by design: a source that paused, and whose token opens its session again,
//   does not send it twice. It goes kInitKept after it was used last.
// - Bounded by kInitBytesMax each and kAllInitBytesMax together. One that was used within kInitInUse is
//   not given up for another: when there is no room the newcomer is refused.
//
// Thread: any. Owner: shared by the front and its uploads.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "orchestrator/front/mp4_boxes.h"

namespace millrace::orchestrator {

inline constexpr std::size_t kAllInitBytesMax = 64UL * 1024 * 1024;
inline constexpr Duration kInitKept = std::chrono::hours(24);  // as a session token lives
inline constexpr Duration kInitInUse =
    std::chrono::seconds(70);  // as a session without a segment lives

using InitPart = std::shared_ptr<const std::vector<std::uint8_t>>;

class InitParts {
public:
    using Clock = std::function<TimePoint()>;
    explicit InitParts(Clock clock = std::chrono::steady_clock::now,
                       std::size_t bytes_max = kAllInitBytesMax)
        : clock_(std::move(clock)), bytes_max_(bytes_max) {}

    // False: no room. `init` is at most kInitBytesMax long.
    [[nodiscard]] bool keep(const AccountId& account, const StreamName& stream,
                            std::span<const std::uint8_t> init);
    // Null: none known.
    [[nodiscard]] InitPart find(const AccountId& account, const StreamName& stream);

private:
    using Key = std::pair<AccountId, StreamName>;
    struct Entry {
        InitPart bytes;
        TimePoint used_at;
    };
    [[nodiscard]] bool make_room(std::size_t bytes, TimePoint now);
    void drop(std::map<Key, Entry>::iterator entry);

    const Clock clock_;
    const std::size_t bytes_max_;
    std::mutex mutex_;
    std::map<Key, Entry> entries_;
    std::size_t bytes_ = 0;
};

}  // namespace millrace::orchestrator
