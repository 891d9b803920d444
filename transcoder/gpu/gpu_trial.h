#pragma once
// What a GPU was found to do, tried in a process of its own: a driver that hangs or crashes takes
// that process along and nobody else.
//
// The child is this program again (`transcoder __gpu-trial`). It sees one GPU, which is its number 0
// whatever it is called elsewhere, and nothing of our part of the environment.
//
// Thread: any that may wait; a GPU is tried at a time, as drivers make contexts one after the other
// anyway.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "transcoder/gpu/gpu_choice.h"
#include "transcoder/media/gpu_stages.h"

namespace millrace::gpu {

inline constexpr const char* kTrialArgument = "__gpu-trial";

// `full`: with what a self-test adds (self_test.h).
enum class TrialScope : std::uint8_t { stages, full };
inline constexpr const char* kFullArgument = "full";

struct Trial {
    media::GpuStages stages;  // tried, in order
    std::string failure;      // why it ended early; empty: it came to its end

    // Something of it serves a session. A GPU on which the driver hung or crashed does not,
    // whatever else it did before.
    [[nodiscard]] bool usable() const;
    // Why not, in a sentence; empty when usable.
    [[nodiscard]] std::string reason() const;
};

// What the child tells, line by line (JSON): pure, and tolerant of lines that are not its own.
class TrialReader {
public:
    void line(std::string_view text);
    // `ending`: how the child ended, in words, where it was not by itself: "crashed with signal 11".
    [[nodiscard]] Trial finish(const std::string& ending) &&;

private:
    Trial trial_;
    std::string at_;  // what it was at, "decode h264"
    bool done_ = false;
};

inline constexpr Duration kTrialTime = std::chrono::seconds(30);

[[nodiscard]] Trial try_gpu(const Chosen& gpu, Duration limit = kTrialTime,
                            const std::string& executable = "/proc/self/exe",
                            TrialScope scope = TrialScope::stages);

// The child; does not return.
[[noreturn]] void trial_main(TrialScope scope);
// By the arguments behind the program's name.
[[noreturn]] void trial_main(int argc, char** argv);

}  // namespace millrace::gpu
