#pragma once
// The conversation between a transcoder and one of its engine processes, as plain values;
// common/wire/engine_codec.h turns them into Cap'n Proto and back. Both ends are the same binary,
// so it needs no versions, but the engine works on hostile bytes: what it says is checked like a
// stranger's word.
//
//   transcoder: start, then the source's bytes, then input_end    (cancel at any time, give_back_memory between)
//   engine:     ready; then per task: probed, progress..., rendition + its bytes..., perhaps stages used and
//               spent, and last finished or failed
//
// Every start is followed by exactly one input_end, also when the task ended before all input was
// sent. The next start comes after finished or failed.
//
// Thread: any; values.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/domain/segment.h"
#include "common/domain/segment_limits.h"
#include "common/domain/stages_used.h"

namespace millrace {

// A stage of the engine's GPU, as its trial found it.
enum class GpuAbilityKind : std::uint8_t { decode, scale, encode };
struct GpuAbility {
    GpuAbilityKind kind = GpuAbilityKind::decode;
    std::string name;  // of a codec, "h264", of a scaler, or of an encoder, "h264_nvenc"
    bool works = false;
    std::string reason;  // why it does not
    bool operator==(const GpuAbility&) const = default;
};

// What an engine is to do.
struct EngineTask {
    Ladder ladder;
    std::uint64_t seq = 0;  // the segment's, for logs and test hooks
    SeamContext seam;
    SegmentLimits limits;
    bool allow_audio_only = false;  // a segment without video is an error only as a session's first
    std::uint32_t threads = 1;      // of the decoder and of each encoder, 1..64
    std::vector<GpuAbility> gpu;    // what it may leave to its GPU; empty: the CPU does everything
    bool operator==(const EngineTask&) const = default;
};

struct EngineInputEnd {
    bool operator==(const EngineInputEnd&) const = default;
};
struct EngineCancel {
    bool operator==(const EngineCancel&) const = default;
};

// Memory that is kept for the next task goes back to the machine at once.
struct EngineGiveBackMemory {
    bool operator==(const EngineGiveBackMemory&) const = default;
};

// What holds around an engine, as far as the machine allows it. Limits on descriptors, files and
// cores, and no new privileges, are always there.
struct EngineWalls {
    bool system_calls = false;       // seccomp; without it no engine starts
    bool namespaces = false;         // of its own, with an empty root directory
    std::uint64_t memory_bytes = 0;  // limit on private memory; 0 = none
    std::string missing;             // why something is not there; empty = everything is
    bool driver = false;             // the GPU's driver is let through them (engine/README.md)
    bool operator==(const EngineWalls&) const = default;
};

// Up, with its walls in place.
struct EngineReady {
    EngineWalls walls;
    bool operator==(const EngineReady&) const = default;
};
// The streams are known; once more as soon as the duration is known too.
struct EngineProbed {
    SourceInfo source;
    bool operator==(const EngineProbed&) const = default;
};
// Work was done since the last one; at least every 250 ms while there is work to do. The first, of
// nothing, says that the task was taken up.
struct EngineProgress {
    Duration media_done{0};   // of the source's time, decoded
    std::int64_t frames = 0;  // decoded
    bool operator==(const EngineProgress&) const = default;
};
// A rendition is complete; exactly report.bytes bytes follow.
struct EngineRendition {
    RenditionReport report;
    bool operator==(const EngineRendition&) const = default;
};
// The engine holds more memory than it should with its task behind it; the next one should be another
// process's.
struct EngineSpent {
    bool operator==(const EngineSpent&) const = default;
};
struct EngineFinished {
    TranscodeReport report;
    bool operator==(const EngineFinished&) const = default;
};
struct EngineFailed {
    ErrorKind kind = ErrorKind::internal;
    std::string message;
    bool operator==(const EngineFailed&) const = default;
};

using ToEngine = std::variant<EngineTask, EngineInputEnd, EngineCancel, EngineGiveBackMemory>;
using FromEngine = std::variant<EngineReady, EngineProbed, EngineProgress, EngineRendition,
                                StagesUsed, EngineSpent, EngineFinished, EngineFailed>;

}  // namespace millrace
