#pragma once
// Strong ids: values that cannot be mixed up, compare by value, and are ordered (ties in decisions
// are broken by id, so that a run can be replayed).
//
// Thread: any; values.

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace millrace {

template <class Tag>
struct NumberId {
    std::uint64_t value = 0;
    auto operator<=>(const NumberId&) const = default;
    [[nodiscard]] explicit operator bool() const { return value != 0; }  // 0 = "none"
};

template <class Tag>
struct NameId {
    std::string value;
    auto operator<=>(const NameId&) const = default;
    [[nodiscard]] bool empty() const { return value.empty(); }
};

// One segment to be transcoded with one ladder. Unique within an epoch.
using TaskId = NumberId<struct TaskTag>;
// One try of a task on one transcoder; counts from 1 within the task.
using AttemptNo = NumberId<struct AttemptTag>;
// One reserve/grant conversation about a slot. Unique within an epoch.
using ReservationId = NumberId<struct ReservationTag>;
// Number of starts of an orchestrator on its data directory; strictly increasing, persisted.
using Epoch = NumberId<struct EpochTag>;
// Random number of a transcoder process, drawn at its start.
using Incarnation = NumberId<struct IncarnationTag>;
// An answered segment that is still held for replay and playback. Unique within an epoch.
using AnswerId = NumberId<struct AnswerTag>;
// An upload whose headers were admitted and whose body is still arriving. Unique within an epoch.
using UploadId = NumberId<struct UploadTag>;

// A broadcaster's job: many segments, one id. 32 lower-case hex digits, made by the orchestrator.
using SessionId = NameId<struct SessionTag>;
// A live source, named by the broadcaster: [A-Za-z0-9._~+-]{1,128}, not "." or "..".
using StreamName = NameId<struct StreamTag>;
// Who pays and owns streams. Empty = nobody in particular (--auth none).
using AccountId = NameId<struct AccountTag>;
// A transcoder's identity: its CURVE public key, 40 characters of Z85.
using TranscoderKey = NameId<struct TranscoderKeyTag>;
// An orchestrator's identity: its CURVE public key, 40 characters of Z85.
using OrchestratorKey = NameId<struct OrchestratorKeyTag>;

using Sha256 = std::array<std::uint8_t, 32>;

}  // namespace millrace

template <class Tag>
struct std::hash<millrace::NumberId<Tag>> {
    std::size_t operator()(millrace::NumberId<Tag> id) const noexcept {
        return std::hash<std::uint64_t>{}(id.value);
    }
};

template <class Tag>
struct std::hash<millrace::NameId<Tag>> {
    std::size_t operator()(const millrace::NameId<Tag>& id) const noexcept {
        return std::hash<std::string>{}(id.value);
    }
};
