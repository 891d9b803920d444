#pragma once
// The pipeline's door: one segment in, all renditions of a ladder out, in memory from end to end.
//
// Promises
// - Decodes once. Every rendition leaves as soon as it is complete, smallest picture first.
// - A rendition depends on the segment, the ladder and the seam context alone. Its times are the
//   source's; MPEG-TS output carries the very timestamps that came in.
// - No file is opened and no address contacted, whatever the bytes say. Limits are counted, never
//   taken from a header.
// - Errors: bad_input with a sentence for the broadcaster; unsupported for a ladder this version
//   or machine cannot do; timeout when cancelled; overloaded when memory was not to be had (the GPU's
//   too); device when the GPU failed; internal for our own mistakes.
//
// Thread: transcode() blocks its caller, which gets all observer calls. It reads the source on a
// thread of its own, which has ended when it returns. Several calls may run at once.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/domain/segment.h"
#include "common/domain/segment_limits.h"
#include "common/runtime/payload.h"
#include "transcoder/media/gpu_plan.h"

namespace millrace::media {

using Limits = SegmentLimits;

// A flag that any thread may raise; copies share it.
class CancelToken {
public:
    void cancel() const { raised_->store(true, std::memory_order_relaxed); }
    [[nodiscard]] bool cancelled() const { return raised_->load(std::memory_order_relaxed); }

private:
    std::shared_ptr<std::atomic<bool>> raised_ = std::make_shared<std::atomic<bool>>(false);
};

// Where the segment's bytes come from, in order, perhaps while they still arrive.
class ByteSource {
public:
    virtual ~ByteSource() = default;
    // Blocks until at least one byte is there; 0 = the end, or stopped.
    virtual std::size_t read(std::span<std::uint8_t> out) = 0;
    // Total length where it is known beforehand.
    [[nodiscard]] virtual std::optional<std::uint64_t> size() const { return std::nullopt; }
    // Makes a blocked read() return 0, now and ever after. Called from another thread.
    virtual void stop() {}
};

class PayloadSource final : public ByteSource {
public:
    explicit PayloadSource(PayloadPtr payload) : payload_(std::move(payload)) {}
    std::size_t read(std::span<std::uint8_t> out) override;
    [[nodiscard]] std::optional<std::uint64_t> size() const override { return payload_->size(); }

private:
    PayloadPtr payload_;
    std::size_t at_ = 0;
};

class Gpu;
// The GPU that this process sees (CUDA_VISIBLE_DEVICES), and what a trial found it to do. May be shared by
// any number of segments. device: the driver does not give it to us.
[[nodiscard]] Result<std::shared_ptr<Gpu>> open_gpu(GpuStages found);
// The same GPU, of which something else was found.
[[nodiscard]] std::shared_ptr<Gpu> with_stages(const Gpu& gpu, GpuStages found);
// Has the driver load and open now what it would at its first picture (its libraries stay for good):
// for a process that may open nothing later.
void warm_up(const Gpu& gpu);

struct TranscodeRequest {
    Ladder ladder{};
    std::uint64_t seq = 0;
    SeamContext seam{};
    Limits limits{};
    int threads = 1;                // for the decoder and for each encoder; 1 on a full machine
    bool allow_audio_only = false;  // a segment without video is an error only as a session's first
    std::shared_ptr<Gpu> gpu{};     // null: all stages are the CPU's
};

struct Progress {
    Duration media_done{0};   // of the source's time, decoded
    std::int64_t frames = 0;  // decoded
};

class TranscodeObserver {
public:
    virtual ~TranscodeObserver() = default;
    // Once when the streams are known (duration 0 unless it is known too), and once more as soon as
    // the duration is known.
    virtual void probed(const SourceInfo&) {}
    virtual void progress(const Progress&) {}
    // Once, at the end of a segment that had a GPU and pictures.
    virtual void stages_used(const StagesUsed&) {}
    // The renditions' reports arrive complete but for sha256, which is whoever's that moves bytes.
    virtual void rendition_done(RenditionReport report, std::vector<std::uint8_t> bytes) = 0;
};

// The report's renditions are those handed to the observer (sha256 zero), in ladder order.
[[nodiscard]] Result<TranscodeReport> transcode(ByteSource& source, const TranscodeRequest& request,
                                                TranscodeObserver& observer,
                                                const CancelToken& cancel);

}  // namespace millrace::media
