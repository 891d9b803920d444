#pragma once
// GpuBoard: the GPUs that sessions may be put on, which of them failed, and who goes where.
//
// Rules
// - A session goes to the GPU with most headroom: its limit less the sessions on it; ties to the lower
//   number. A GPU without a limit has room for all slots.
// - Slots are seated on GPUs beforehand, as their engines open the device when they start: never more
//   on a GPU than its limit. Held slots come first, and move only where they must; free ones take what
//   is left. Who finds no seat is the CPU's.
// - A GPU that fails kFailuresMax times in kFailureWindow is in quarantine until the transcoder starts
//   again: nobody is seated there, and its sessions are not offered any more.
//   Why until then: what brought it about (heat, a driver, a card that dies) rarely goes by itself, and
//   each further try costs segments their time.
//
// Thread: transcoder loop. Owner: Work. Clock: none.

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "transcoder/core/transcoder_core.h"

namespace millrace::transcoder {

// What the board has to know of a slot.
struct Seat {
    Place place;
    bool held = false;  // by a session
    bool operator==(const Seat&) const = default;
};

class GpuBoard {
public:
    static constexpr std::size_t kFailuresMax = 3;
    static constexpr Duration kFailureWindow = std::chrono::seconds(60);

    explicit GpuBoard(std::vector<GpuEntry> gpus) : gpus_(gpus.begin(), gpus.end()) {}

    [[nodiscard]] bool any() const { return !gpus_.empty(); }
    [[nodiscard]] bool ready(GpuNo gpu) const { return gpus_.at(gpu.value).quarantine.empty(); }
    [[nodiscard]] bool any_ready() const;

    // True when that was once too often: it is in quarantine from now on.
    bool failed(GpuNo gpu, const std::string& reason, TimePoint now);

    // Of this many slots, those that may be offered.
    [[nodiscard]] std::uint32_t offered(std::uint32_t slots) const;
    // Where each slot is to be. What is right already stays.
    [[nodiscard]] std::vector<Place> seat(const std::vector<Seat>& seats) const;
    // The GPU that a session should rather be on than on this one, which has just failed it; none: it
    // may as well stay.
    [[nodiscard]] Place instead_of(GpuNo gpu, const std::vector<Seat>& seats) const;
    // Sessions that a GPU has room for.
    [[nodiscard]] std::int64_t headroom(GpuNo gpu, const std::vector<Seat>& seats) const;

    [[nodiscard]] std::vector<GpuStatus> status(const std::vector<Seat>& seats) const;
    void check_invariants(const std::vector<Seat>& seats) const;

private:
    struct Gpu {
        Gpu(GpuEntry what)
            : entry(std::move(what)) {}  // NOLINT: a list of entries becomes one of these
        GpuEntry entry;
        std::deque<TimePoint> failures;  // the last ones
        std::uint64_t failures_total = 0;
        std::string quarantine;  // why; empty: it is not
    };
    // Seats taken on each GPU while they are given out.
    using Taken = std::vector<std::int64_t>;
    [[nodiscard]] std::int64_t room(GpuNo gpu, const Taken& taken) const;
    [[nodiscard]] Place roomiest(const Taken& taken, Place but = {}) const;
    [[nodiscard]] Taken sessions_on(const std::vector<Seat>& seats) const;

    std::vector<Gpu> gpus_;
};

}  // namespace millrace::transcoder
