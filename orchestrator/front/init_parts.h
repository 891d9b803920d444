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
// - It outlives the process as well, where InitMemory is given: durable before its upload is answered. One
//   that came at the head of a segment is written down when the first fragment needs it; most are never
//   needed, as each segment brings its own.
//
// Thread: any. Owner: shared by the front and its uploads (a shared_ptr holds it where there is a memory).

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
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

// How much later than it was used a written one may seem to have been used.
inline constexpr Duration kInitWrittenEvery = std::chrono::hours(1);

using InitPart = std::shared_ptr<const std::vector<std::uint8_t>>;

// What remembers them beyond the process. Called from any thread, inside the calls below.
struct InitMemory {
    using Saved = std::function<void(bool durable)>;  // may be empty; from any thread, later
    std::function<void(const AccountId&, const StreamName&, InitPart, Saved)> save = nullptr;
    std::function<void(const AccountId&, const StreamName&)> forget = nullptr;
};

class InitParts : public std::enable_shared_from_this<InitParts> {
public:
    using Clock = std::function<TimePoint()>;
    explicit InitParts(Clock clock = std::chrono::steady_clock::now,
                       std::size_t bytes_max = kAllInitBytesMax, InitMemory memory = {})
        : clock_(std::move(clock)), bytes_max_(bytes_max), memory_(std::move(memory)) {}

    // What another process left; `age` since it was used. Before everything else.
    void restore(const AccountId& account, const StreamName& stream,
                 std::span<const std::uint8_t> init, Duration age);

    // False: no room. `init` is at most kInitBytesMax long.
    [[nodiscard]] bool keep(const AccountId& account, const StreamName& stream,
                            std::span<const std::uint8_t> init);
    // The one that is kept survives a restart once `saved` has said so; at once, where nothing remembers.
    void make_durable(const AccountId& account, const StreamName& stream, InitMemory::Saved saved);
    // Null: none known.
    [[nodiscard]] InitPart find(const AccountId& account, const StreamName& stream);

private:
    using Key = std::pair<AccountId, StreamName>;
    struct Entry {
        InitPart bytes;
        TimePoint used_at;
        std::optional<TimePoint> written_at = std::nullopt;
    };
    [[nodiscard]] bool make_room(std::size_t bytes, TimePoint now);
    void put(const Key& key, std::span<const std::uint8_t> init, Entry entry);
    void drop(std::map<Key, Entry>::iterator entry);
    [[nodiscard]] bool wants_writing(const Entry& entry, TimePoint now) const;
    void write(const Key& key, const InitPart& bytes, InitMemory::Saved saved);
    void written(const Key& key, const InitPart& bytes, TimePoint at);

    const Clock clock_;
    const std::size_t bytes_max_;
    const InitMemory memory_;
    std::mutex mutex_;
    std::map<Key, Entry> entries_;
    std::size_t bytes_ = 0;
};

}  // namespace millrace::orchestrator
