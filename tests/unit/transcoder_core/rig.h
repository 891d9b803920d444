#pragma once
// A TranscoderCore in virtual time with the other side played by the test.
//
// Thread: the test's. Owner: the test.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "transcoder/core/transcoder_core.h"

namespace millrace::transcoder {

using namespace std::chrono_literals;

inline constexpr OrchestratorIndex kFirst{0};
inline constexpr OrchestratorIndex kSecond{1};
inline constexpr SlotNo kSlot0{0};
inline constexpr SlotNo kSlot1{1};

[[nodiscard]] CoreConfig a_config(std::uint32_t slots = 2, std::uint32_t orchestrators = 1);
[[nodiscard]] SessionId session(const std::string& name);
[[nodiscard]] TaskRef ref(std::uint64_t task, std::uint64_t attempt = 1,
                          OrchestratorIndex from = kFirst);
[[nodiscard]] Dispatch a_dispatch(std::uint64_t task, const std::string& session_name,
                                  std::uint64_t attempt = 1);

class Rig {
public:
    explicit Rig(CoreConfig config = a_config());

    // Plays the orchestrator's part until both lanes are up.
    void join(OrchestratorIndex which = kFirst, Epoch epoch = Epoch{7});
    void welcome(OrchestratorIndex which, Epoch epoch);
    void lane_welcome(OrchestratorIndex which);
    void receive(OrchestratorIndex from, ToTranscoder message);
    void receive(OrchestratorIndex from, Epoch epoch, ToTranscoder message);
    void event(LaneEvent event, OrchestratorIndex which = kFirst);
    // In steps of the core's own deadlines; answers heartbeats and beats of joined links if asked.
    void pass(Duration time, bool answer = true);

    void reserve(const std::string& name, OrchestratorIndex from = kFirst);
    // Reserved slot, dispatched, received: runs if the engine is free.
    void dispatch(std::uint64_t task, const std::string& name, OrchestratorIndex from = kFirst);
    void received(std::uint64_t task, OrchestratorIndex from = kFirst);
    void finish(SlotNo slot, TaskRef task);

    // Effects since the last take(); each is also looked at for nonces and heartbeats.
    [[nodiscard]] Effects take();

    // Of the effects not taken yet.
    template <class T>
    [[nodiscard]] std::vector<T> all() {
        collect();
        std::vector<T> found;
        for (const Effect& effect : seen_)
            if (const auto* it = std::get_if<T>(&effect))
                found.push_back(*it);
        return found;
    }
    template <class T>
    [[nodiscard]] std::vector<T> sent(OrchestratorIndex to = kFirst) {
        std::vector<T> found;
        for (const SendControl& control : all<SendControl>())
            if (const auto* it = std::get_if<T>(&control.message.message);
                it != nullptr && control.orchestrator == to)
                found.push_back(*it);
        return found;
    }
    template <class T>
    [[nodiscard]] std::vector<T> sent_payload(OrchestratorIndex to = kFirst) {
        std::vector<T> found;
        for (const SendPayload& payload : all<SendPayload>())
            if (const auto* it = std::get_if<T>(&payload.message.message);
                it != nullptr && payload.orchestrator == to)
                found.push_back(*it);
        return found;
    }
    [[nodiscard]] std::optional<Exit> exited();

    TranscoderCore core;
    TimePoint now{1h};
    Incarnation incarnation;

private:
    void collect();
    void note(const Effect& effect);

    struct Side {
        Epoch epoch;
        std::uint64_t nonce = 0;
        std::vector<Heartbeat> unanswered;
        bool binding = false;
    };
    std::vector<Side> sides_;
    Effects seen_;
};

}  // namespace millrace::transcoder
