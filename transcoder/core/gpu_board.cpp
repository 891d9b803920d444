#include "transcoder/core/gpu_board.h"

#include <algorithm>

#include "common/base/check.h"

namespace millrace::transcoder {

bool GpuBoard::any_ready() const {
    return std::ranges::any_of(gpus_, [](const Gpu& gpu) { return gpu.quarantine.empty(); });
}

bool GpuBoard::failed(GpuNo no, const std::string& reason, TimePoint now) {
    Gpu& gpu = gpus_.at(no.value);
    ++gpu.failures_total;
    if (!gpu.quarantine.empty())
        return false;  // what was still at work there
    gpu.failures.push_back(now);
    while (gpu.failures.front() + kFailureWindow < now)
        gpu.failures.pop_front();
    if (gpu.failures.size() < kFailuresMax)
        return false;
    gpu.quarantine = std::to_string(kFailuresMax) + " failures within " +
                     std::to_string(to_ms(kFailureWindow) / 1000) + " s; the last: " + reason;
    return true;
}

std::uint32_t GpuBoard::offered(std::uint32_t slots) const {
    if (gpus_.empty())
        return slots;
    std::uint64_t sum = 0;
    for (const Gpu& gpu : gpus_)
        if (gpu.quarantine.empty())
            sum += gpu.entry.sessions_max.value_or(slots);
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(slots, sum));
}

// Without a limit: for more slots than there can be.
std::int64_t GpuBoard::room(GpuNo no, const Taken& taken) const {
    const Gpu& gpu = gpus_.at(no.value);
    if (!gpu.quarantine.empty())
        return 0;
    return std::int64_t{gpu.entry.sessions_max.value_or(kSlotsMax)} - taken.at(no.value);
}

Place GpuBoard::roomiest(const Taken& taken, Place but) const {
    Place best;
    for (std::uint32_t no = 0; no < gpus_.size(); ++no) {
        const GpuNo gpu{no};
        if (gpu != but && room(gpu, taken) > 0 && (!best || room(gpu, taken) > room(*best, taken)))
            best = gpu;
    }
    return best;
}

GpuBoard::Taken GpuBoard::sessions_on(const std::vector<Seat>& seats) const {
    Taken taken(gpus_.size());
    for (const Seat& seat : seats)
        if (seat.held && seat.place)
            ++taken.at(seat.place->value);
    return taken;
}

std::int64_t GpuBoard::headroom(GpuNo gpu, const std::vector<Seat>& seats) const {
    return room(gpu, sessions_on(seats));
}

Place GpuBoard::instead_of(GpuNo gpu, const std::vector<Seat>& seats) const {
    return roomiest(sessions_on(seats), gpu);
}

std::vector<Place> GpuBoard::seat(const std::vector<Seat>& seats) const {
    std::vector<Place> places(seats.size());
    std::vector<bool> seated(seats.size());
    Taken taken(gpus_.size());
    const auto take = [&](std::size_t slot, Place place) {
        places[slot] = place;
        seated[slot] = place.has_value();
        if (place)
            ++taken[place->value];
    };
    for (const bool held : {true, false}) {
        for (std::size_t slot = 0; slot < seats.size(); ++slot)
            if (seats[slot].held == held && seats[slot].place &&
                room(*seats[slot].place, taken) > 0)
                take(slot, seats[slot].place);
        for (std::size_t slot = 0; slot < seats.size(); ++slot)
            if (seats[slot].held == held && !seated[slot])
                take(slot, roomiest(taken));
    }
    return places;
}

std::vector<GpuStatus> GpuBoard::status(const std::vector<Seat>& seats) const {
    const Taken sessions = sessions_on(seats);
    std::vector<GpuStatus> all;
    for (std::size_t no = 0; no < gpus_.size(); ++no)
        all.push_back({static_cast<std::uint32_t>(sessions[no]), gpus_[no].failures_total,
                       gpus_[no].quarantine});
    return all;
}

void GpuBoard::check_invariants(const std::vector<Seat>& seats) const {
    Taken taken(gpus_.size());
    for (const Seat& seat : seats) {
        if (!seat.place)
            continue;
        MR_CHECK(ready(*seat.place), "nobody sits on a GPU in quarantine");
        ++taken.at(seat.place->value);
    }
    for (std::size_t no = 0; no < gpus_.size(); ++no)
        MR_CHECK(taken[no] <= gpus_[no].entry.sessions_max.value_or(kSlotsMax),
                 "no GPU has more slots than its limit");
}

}  // namespace millrace::transcoder
