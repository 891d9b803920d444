#pragma once
// Registry: who is alive. A transcoder is its CURVE key; its record says under which name it goes,
// until when its lease runs, what it claims to carry and what it carries for us.
//
// Rules
// - A name belongs to one live key. A second key with a live name becomes NAME-2 (-3, ...) and
//   keeps that as long as it wishes for the same name. A key that is not live gives its name up to
//   one that asks for it.
// - A record is joined from Hello until its lease ends, its connection dies, or it says goodbye; a
//   new incarnation of a key fences the old one. What speaks without being joined is asked who it
//   is.
// - Claims are clamped: slots to 0..kSlotsMax. Who has none now (its GPUs failed) is alive and takes no session.
// - Headroom is what the transcoder says it can carry, less what other orchestrators hold there
//   (slots - free - ours, from one and the same heartbeat), less what we have reserved.
//     Why: our count is ahead of the transcoder's by the messages under way.
// - Ready: joined, payload lane up under the same nonce, not draining, cordoned or quarantined.
//
// Thread: orchestrator loop. Owner: OrchestratorCore. Clock: none. Records stay where they are in
// memory until forgotten; only records without sessions are forgotten.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/protocol.h"
#include "orchestrator/core/answered_window.h"
#include "orchestrator/core/forecast.h"

namespace millrace::orchestrator {

// A record's handle inside the core; never reused within an epoch.
using TranscoderNo = NumberId<struct TranscoderNoTag>;

struct Transcoder {
    TranscoderNo no;
    TranscoderKey key;
    std::string name;    // as registered; empty while the name belongs to another key
    std::string wished;  // as asked for in Hello; empty after a restart
    std::string version;
    Capabilities capabilities;
    Capacity capacity;
    std::vector<Device> devices;
    std::vector<GpuReading> gpus;  // as of the last heartbeat
    std::map<std::string, std::string> labels;

    // life
    Incarnation incarnation;
    Incarnation incarnation_before;  // fenced: nothing of it counts any more
    std::uint64_t nonce = 0;         // of the control lane
    std::uint64_t nonce_before = 0;
    std::uint64_t lane_nonce = 0;  // of the payload lane
    bool lane_up = false;
    bool joined = false;
    bool shown = false;  // seen since this start, and not gone for good
    TimePoint lease_end;
    TimePoint lost_at;
    std::optional<TimePoint> lane_down_since;
    std::string lost_reason;

    // standing
    bool draining = false;
    bool told_to_leave = false;
    bool cordoned = false;
    std::optional<TimePoint> quarantined_until;
    std::string quarantine_reason;
    std::deque<TimePoint> strikes;
    std::deque<TimePoint> device_failures;

    // load
    std::uint32_t slots = 0;   // claim, clamped
    std::uint32_t others = 0;  // slots that other orchestrators' sessions hold
    std::uint32_t reserved = 0;
    Cost reserved_cost;
    Cost others_cost;  // of other orchestrators' sessions, as far as its heartbeat tells
    std::set<SessionNo> sessions;  // of ours, holding or asking for a slot here

    // record
    Speed speed;
    std::int64_t rtt_us = 0;
    std::uint64_t segments_ok = 0;
    std::uint64_t segments_failed = 0;
    std::uint64_t failures = 0;  // attempts that ended without a result here
    std::int64_t pixels = 0;     // encoded

    std::string state_told;  // as last published by TranscoderChanged
    std::string name_told;
    std::size_t capability_class = 0;  // index among the ready ones' distinct capabilities

    [[nodiscard]] bool payload_up() const { return joined && lane_up && lane_nonce == nonce; }
    [[nodiscard]] bool quarantined() const { return quarantined_until.has_value(); }
    // Tasks of a session that has its slot here may be sent.
    [[nodiscard]] bool usable() const { return payload_up() && keepable(); }
    // Sessions may stay, though nothing may be sent at this moment.
    [[nodiscard]] bool keepable() const { return joined && !draining && !quarantined(); }
    [[nodiscard]] bool ready() const { return usable() && !cordoned; }
    [[nodiscard]] std::uint32_t headroom() const;
    [[nodiscard]] Cost load() const { return reserved_cost + others_cost; }
    // ready, draining, cordoned, quarantined or lost (contract.md section 5).
    [[nodiscard]] std::string_view state() const;
};

class Registry {
public:
    // A key we enrolled before this start, and the name it keeps.
    void restore(const TranscoderKey& key, const std::string& name, bool cordoned = false);

    [[nodiscard]] Transcoder* find(const TranscoderKey& key);
    // The record that goes by this name and is shown.
    [[nodiscard]] Transcoder* find_name(std::string_view name);

    // Hello of a key. The caller has fenced an older incarnation before. Returns the record, joined.
    Transcoder& join(const TranscoderKey& key, Incarnation incarnation, const Hello& hello,
                     TimePoint now);
    // Ends the lease. The caller has taken its sessions away before.
    void lose(Transcoder& t, std::string reason, TimePoint now);
    void forget(const TranscoderKey& key);
    // Records that would have to go to keep the number of records bounded: not joined, gone longest.
    [[nodiscard]] Transcoder* surplus();
    // The key that lost its name to the last join, if any (for TranscoderChanged).
    [[nodiscard]] Transcoder* take_unnamed();

    static void claim_slots(Transcoder& t, std::uint32_t slots);
    // What a heartbeat says of others' use: slots - free - sessions of ours.
    static void note_others(Transcoder& t, std::uint32_t slots_free, std::uint32_t ours);
    // The same for cost; `ours`: of our sessions among those its heartbeat counted. Each side hears of
    // a change at another moment, so a difference below zero is none.
    static void note_others_cost(Transcoder& t, const Cost& load, const Cost& ours);
    // A wrong result, or a device failure; true when that quarantines the transcoder.
    static bool strike(Transcoder& t, TimePoint now);
    static bool device_failed(Transcoder& t, TimePoint now);

    // After any change of a record's readiness or capabilities.
    void touch() { stale_ = true; }
    // Ready transcoders by key, and their distinct capabilities.
    [[nodiscard]] std::span<Transcoder* const> ready();
    // Their slots in sum. Who claims fewer than sessions still hold there has those: else they would take away others' slots.
    [[nodiscard]] std::uint32_t slots_ready();
    [[nodiscard]] std::span<const Capabilities* const> capability_classes();

    [[nodiscard]] std::map<TranscoderKey, Transcoder>& all() { return records_; }
    [[nodiscard]] const std::map<TranscoderKey, Transcoder>& all() const { return records_; }

private:
    void assign_name(Transcoder& t, const std::string& wished);
    [[nodiscard]] Transcoder* holder_of(std::string_view name);
    void refresh();

    std::map<TranscoderKey, Transcoder> records_;
    std::map<std::string, TranscoderKey, std::less<>> names_;
    std::uint64_t last_no_ = 0;
    Transcoder* unnamed_ = nullptr;
    bool stale_ = true;
    std::vector<Transcoder*> ready_;
    std::vector<const Capabilities*> classes_;
};

}  // namespace millrace::orchestrator
