#pragma once
// The arithmetic of our scaler, compiled for host and device: integers only, so that both give the
// same bytes.
//
// A plane is filtered across, into lines of kLineBits, and the lines are filtered down. Weights have
// kWeightBits and sum to 1, or to the gain that takes full range to limited; see scale_plan.h. The
// largest sum (255 * 128 across, 1.3 times that where a cubic overshoots, the same again down) stays
// below 2^30.
//
// Thread: any; pure functions.

#include <cstddef>
#include <cstdint>

#ifdef __CUDACC__
#define MR_HOST_AND_DEVICE __host__ __device__
#else
#define MR_HOST_AND_DEVICE
#endif

namespace millrace::cuda {

inline constexpr int kWeightBits = 14;
inline constexpr int kLineBits = 15;
inline constexpr int kSumBits = kWeightBits + kLineBits;
// A deep sample is a 16-bit word with its ten bits at the top, as P010 has it.
inline constexpr int kDeepShift = 6;

// The filters of one axis. Output n is made of the samples from first[n] on, `taps` of them, which
// all exist; weights[tap * outputs + n] belongs to it.
struct AxisView {
    const std::int32_t* first = nullptr;
    const std::int16_t* weights = nullptr;
    std::int32_t taps = 0;
    std::int32_t outputs = 0;
};

// One plane of one rendition.
struct PlaneJob {
    const std::uint8_t* from = nullptr;
    std::uint8_t* to = nullptr;
    std::int64_t from_stride = 0;  // bytes
    std::int64_t to_stride = 0;    // bytes
    AxisView x;
    AxisView y;
    std::int32_t offset = 0;    // to the sum of the second filter: what range conversion adds
    std::int32_t channels = 1;  // written, interleaved in a row: 2 in NV12's chroma
    std::int32_t step = 1;  // samples from one of a channel to its next in the source: 2 in chroma
    bool deep_in = false;
    bool deep_out = false;
};

[[nodiscard]] MR_HOST_AND_DEVICE inline std::int32_t columns(const PlaneJob& job) {
    return job.x.outputs * job.channels;
}

// Row `row` of the source filtered across for one column of the output, the columns of interleaved
// chroma being Cb and Cr by turns. (Where one channel alone is written, `from` points to its first.)
[[nodiscard]] MR_HOST_AND_DEVICE inline std::int32_t filter_across(const PlaneJob& job,
                                                                   std::int32_t row,
                                                                   std::int32_t column) {
    const std::int32_t output = column / job.channels;
    const std::int64_t start = std::int64_t{job.x.first[output]} * job.step + column % job.channels;
    const std::int16_t* weight = job.x.weights + output;
    const std::uint8_t* line = job.from + row * job.from_stride;
    std::int32_t sum = 0;
    if (job.deep_in) {
        const auto* sample = reinterpret_cast<const std::uint16_t*>(line) + start;
        for (std::int32_t tap = 0; tap < job.x.taps; ++tap, weight += job.x.outputs)
            sum += *weight * (sample[tap * job.step] >> kDeepShift);
        return (sum + (1 << 8)) >> 9;  // 10 bits and those of the weights, to those of a line
    }
    const std::uint8_t* sample = line + start;
    for (std::int32_t tap = 0; tap < job.x.taps; ++tap, weight += job.x.outputs)
        sum += *weight * sample[tap * job.step];
    return (sum + (1 << 6)) >> 7;
}

// The part of a sum down that the line `tap` of output row `row` gives.
[[nodiscard]] MR_HOST_AND_DEVICE inline std::int32_t filter_down(const PlaneJob& job,
                                                                 std::int32_t row, std::int32_t tap,
                                                                 std::int32_t line) {
    return job.y.weights[tap * job.y.outputs + row] * line;
}

// Writes the sum of filter_down() over all taps.
MR_HOST_AND_DEVICE inline void put_sample(const PlaneJob& job, std::int32_t row,
                                          std::int32_t column, std::int32_t sum) {
    const int depth = job.deep_out ? 10 : 8;
    const int shift = kSumBits - depth;
    const std::int32_t most = (1 << depth) - 1;
    std::int32_t value = (sum + job.offset + (1 << (shift - 1))) >> shift;
    value = value < 0 ? 0 : value > most ? most : value;
    std::uint8_t* line = job.to + row * job.to_stride;
    if (job.deep_out)
        reinterpret_cast<std::uint16_t*>(line)[column] =
            static_cast<std::uint16_t>(value << kDeepShift);
    else
        line[column] = static_cast<std::uint8_t>(value);
}

}  // namespace millrace::cuda
