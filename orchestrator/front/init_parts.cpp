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
    put(key, init, {nullptr, now});
    return true;
}

void InitParts::restore(const AccountId& account, const StreamName& stream,
                        std::span<const std::uint8_t> init, Duration age) {
    const std::lock_guard lock(mutex_);
    if (init.size() > kInitBytesMax || bytes_ + init.size() + kEntryBytes > bytes_max_)
        return;
    const TimePoint used_at = clock_() - age;
    put({account, stream}, init, {nullptr, used_at, used_at});
}

void InitParts::put(const Key& key, std::span<const std::uint8_t> init, Entry entry) {
    bytes_ += init.size() + kEntryBytes;
    entry.bytes = std::make_shared<std::vector<std::uint8_t>>(init.begin(), init.end());
    entries_[key] = std::move(entry);
}

void InitParts::make_durable(const AccountId& account, const StreamName& stream,
                             InitMemory::Saved saved) {
    const Key key{account, stream};
    InitPart unwritten;
    {
        const std::lock_guard lock(mutex_);
        const auto known = entries_.find(key);
        if (known != entries_.end() && wants_writing(known->second, clock_()))
            unwritten = known->second.bytes;
    }
    if (unwritten)
        write(key, unwritten, std::move(saved));
    else
        saved(true);
}

InitPart InitParts::find(const AccountId& account, const StreamName& stream) {
    const TimePoint now = clock_();
    const Key key{account, stream};
    std::unique_lock lock(mutex_);
    const auto known = entries_.find(key);
    if (known == entries_.end())
        return nullptr;
    if (now - known->second.used_at > kInitKept) {
        drop(known);
        return nullptr;
    }
    known->second.used_at = now;
    const InitPart found = known->second.bytes;
    const bool unwritten = wants_writing(known->second, now);
    lock.unlock();
    if (unwritten)
        write(key, found, nullptr);
    return found;
}

bool InitParts::wants_writing(const Entry& entry, TimePoint now) const {
    return memory_.save && (!entry.written_at || now - *entry.written_at > kInitWrittenEvery);
}

void InitParts::write(const Key& key, const InitPart& bytes, InitMemory::Saved saved) {
    memory_.save(key.first, key.second, bytes,
                 [parts = weak_from_this(), key, bytes, at = clock_(),
                  saved = std::move(saved)](bool durable) {
                     if (const auto self = parts.lock(); self && durable)
                         self->written(key, bytes, at);
                     if (saved)
                         saved(durable);
                 });
}

// Unless another one has taken its place meanwhile.
void InitParts::written(const Key& key, const InitPart& bytes, TimePoint at) {
    const std::lock_guard lock(mutex_);
    const auto known = entries_.find(key);
    if (known != entries_.end() && known->second.bytes == bytes)
        known->second.written_at = at;
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
    if (memory_.forget)
        memory_.forget(entry->first.first, entry->first.second);
    entries_.erase(entry);
}

}  // namespace millrace::orchestrator
