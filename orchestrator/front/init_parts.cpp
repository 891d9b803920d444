#include "orchestrator/front/init_parts.h"

#include <algorithm>

#include "common/base/check.h"

namespace millrace::orchestrator {
namespace {

// What an entry costs beside its bytes: names and nodes. Otherwise tiny ones would be free.
constexpr std::size_t kEntryBytes = 512;

}  // namespace

bool InitParts::keep(const AccountId& account, const StreamName& stream,
                     std::span<const std::uint8_t> init) {
    MR_CHECK(init.size() <= kInitBytesMax, "an initialisation part is measured before it is kept");
    const TimePoint now = clock_();
    const std::lock_guard lock(mutex_);
    const Key key{account, stream};
    if (const auto known = entries_.find(key); known != entries_.end()) {
        if (std::ranges::equal(*known->second.bytes, init)) {
            known->second.used_at = now;
            return true;
        }
        drop(known);
    }
    if (!make_room(init.size() + kEntryBytes, now))
        return false;
    bytes_ += init.size() + kEntryBytes;
    entries_[key] = {std::make_shared<std::vector<std::uint8_t>>(init.begin(), init.end()), now};
    return true;
}

InitPart InitParts::find(const AccountId& account, const StreamName& stream) {
    const TimePoint now = clock_();
    const std::lock_guard lock(mutex_);
    const auto known = entries_.find({account, stream});
    if (known == entries_.end())
        return nullptr;
    if (now - known->second.used_at > kInitKept) {
        drop(known);
        return nullptr;
    }
    known->second.used_at = now;
    return known->second.bytes;
}

// Those that were used longest ago go first.
bool InitParts::make_room(std::size_t bytes, TimePoint now) {
    while (bytes_ + bytes > bytes_max_) {
        const auto oldest = std::ranges::min_element(
            entries_, {}, [](const auto& entry) { return entry.second.used_at; });
        if (oldest == entries_.end() || now - oldest->second.used_at <= kInitInUse)
            return false;
        drop(oldest);
    }
    return true;
}

void InitParts::drop(std::map<Key, Entry>::iterator entry) {
    bytes_ -= entry->second.bytes->size() + kEntryBytes;
    entries_.erase(entry);
}

}  // namespace millrace::orchestrator
