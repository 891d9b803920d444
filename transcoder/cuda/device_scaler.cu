#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include <cuda_runtime_api.h>

#include "transcoder/cuda/device_scaler.h"

namespace millrace::cuda {
namespace {

constexpr int kTileColumns = 32;  // a warp writes one row of a tile
constexpr int kThreadRows = 8;
constexpr int kRowsPerThread = 2;
constexpr int kTileRows = kThreadRows * kRowsPerThread;
// Lines that a tile holds in shared memory at a time: 8 KiB, whatever the ratio.
constexpr int kLinesHeld = 64;
constexpr std::size_t kJobsMax = ScalePlan::kOutputsMax * kPlanes;

// Tiles of all planes of all renditions, one after the other; passed by value, within the 4 KiB that
// a kernel's parameters may have on every device.
struct Launch {
    PlaneJob jobs[kJobsMax];
    std::int32_t tiles_across[kJobsMax];
    std::int32_t first_tile[kJobsMax + 1];
    std::int32_t count;
};
static_assert(sizeof(Launch) <= 4096);

__device__ int job_of(const Launch& launch, int tile) {
    int job = 0;
    while (job + 1 < launch.count && tile >= launch.first_tile[job + 1])
        ++job;
    return job;
}

// A block makes one tile: lines are filtered across into shared memory, kLinesHeld at a time, and
// every thread adds up what they give to its output rows.
__global__ void __launch_bounds__(kTileColumns* kThreadRows)
    scale_all(const __grid_constant__ Launch launch) {
    __shared__ std::int32_t lines[kLinesHeld][kTileColumns];
    const int which = job_of(launch, static_cast<int>(blockIdx.x));
    const PlaneJob& job = launch.jobs[which];
    const int tile = static_cast<int>(blockIdx.x) - launch.first_tile[which];
    const int column =
        tile % launch.tiles_across[which] * kTileColumns + static_cast<int>(threadIdx.x);
    const int top = tile / launch.tiles_across[which] * kTileRows;
    const int bottom = min(top + kTileRows, job.y.outputs);
    const int lines_end = job.y.first[bottom - 1] + job.y.taps;
    const bool inside = column < columns(job);
    std::int32_t sums[kRowsPerThread] = {};
    for (int base = job.y.first[top]; base < lines_end; base += kLinesHeld) {
        const int held = min(kLinesHeld, lines_end - base);
        if (inside)
            for (int n = static_cast<int>(threadIdx.y); n < held; n += kThreadRows)
                lines[n][threadIdx.x] = filter_across(job, base + n, column);
        __syncthreads();
        for (int r = 0; r < kRowsPerThread; ++r) {
            const int row = top + static_cast<int>(threadIdx.y) + r * kThreadRows;
            if (!inside || row >= bottom)
                continue;
            const int first = job.y.first[row];
            const int from = max(first, base);
            const int until = min(first + job.y.taps, base + held);
            for (int line = from; line < until; ++line)
                sums[r] += filter_down(job, row, line - first, lines[line - base][threadIdx.x]);
        }
        __syncthreads();
    }
    for (int r = 0; r < kRowsPerThread; ++r) {
        const int row = top + static_cast<int>(threadIdx.y) + r * kThreadRows;
        if (inside && row < bottom)
            put_sample(job, row, column, sums[r]);
    }
}

Error failure(const char* operation, cudaError_t rc) {
    const std::string text = std::string(operation) + ": " + cudaGetErrorString(rc);
    switch (rc) {
        case cudaErrorMemoryAllocation:
            return error(ErrorKind::overloaded, text);
        case cudaErrorInsufficientDriver:
        case cudaErrorNoDevice:
        case cudaErrorInvalidDevice:
        case cudaErrorNoKernelImageForDevice:
        case cudaErrorUnsupportedPtxVersion:
            return error(ErrorKind::unsupported, text);
        default:
            return error(ErrorKind::device, text);
    }
}

Result<void> checked(const char* operation, cudaError_t rc) {
    return rc == cudaSuccess ? Result<void>() : Result<void>(failure(operation, rc));
}

}  // namespace

Result<std::string> device_name() {
    cudaDeviceProp properties{};
    if (const cudaError_t rc = cudaGetDeviceProperties(&properties, 0); rc != cudaSuccess)
        return failure("cudaGetDeviceProperties", rc);
    cudaFuncAttributes code{};
    if (const cudaError_t rc = cudaFuncGetAttributes(&code, scale_all); rc != cudaSuccess)
        return failure("cudaFuncGetAttributes", rc);
    return std::string(properties.name);
}

Result<DeviceBuffer> DeviceBuffer::make(std::size_t bytes) {
    void* data = nullptr;
    if (const cudaError_t rc = cudaMalloc(&data, bytes); rc != cudaSuccess)
        return failure("cudaMalloc", rc);
    return DeviceBuffer(static_cast<std::uint8_t*>(data), bytes);
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

DeviceBuffer::~DeviceBuffer() {
    if (data_ != nullptr)
        cudaFree(data_);
}

Result<void> DeviceBuffer::upload(std::span<const std::uint8_t> from) {
    MR_CHECK(from.size() <= bytes_, "more than the buffer holds");
    return checked("cudaMemcpy",
                   cudaMemcpy(data_, from.data(), from.size(), cudaMemcpyHostToDevice));
}

Result<void> DeviceBuffer::download(std::span<std::uint8_t> to) const {
    MR_CHECK(to.size() <= bytes_, "more than the buffer holds");
    return checked("cudaMemcpy", cudaMemcpy(to.data(), data_, to.size(), cudaMemcpyDeviceToHost));
}

struct DeviceScaler::Impl {
    struct Target {
        std::size_t output;
        int plane;
    };
    std::vector<Target> targets;  // of the launch's jobs
    std::size_t outputs = 0;
    Launch launch{};
    DeviceBuffer filters;

    explicit Impl(DeviceBuffer memory) : filters(std::move(memory)) {}
};

namespace {

// Lays the filters one after the other; what has four bytes first, so that all are aligned.
class Packer {
public:
    void add(const Axis& axis) {
        firsts_.insert(firsts_.end(), axis.first.begin(), axis.first.end());
        weights_.insert(weights_.end(), axis.weights.begin(), axis.weights.end());
    }
    [[nodiscard]] std::vector<std::uint8_t> bytes() const {
        const std::size_t firsts = firsts_.size() * sizeof(firsts_[0]);
        const std::size_t weights = weights_.size() * sizeof(weights_[0]);
        std::vector<std::uint8_t> all(firsts + weights);
        std::memcpy(all.data(), firsts_.data(), firsts);
        std::memcpy(all.data() + firsts, weights_.data(), weights);
        return all;
    }
    // Call in the order of add().
    [[nodiscard]] AxisView next(const Axis& axis, const std::uint8_t* base) {
        const auto* firsts = reinterpret_cast<const std::int32_t*>(base);
        const auto* weights =
            reinterpret_cast<const std::int16_t*>(base + firsts_.size() * sizeof(firsts_[0]));
        const AxisView view{firsts + first_at_, weights + weight_at_, axis.taps,
                            static_cast<std::int32_t>(axis.first.size())};
        first_at_ += axis.first.size();
        weight_at_ += axis.weights.size();
        return view;
    }

private:
    std::vector<std::int32_t> firsts_;
    std::vector<std::int16_t> weights_;
    std::size_t first_at_ = 0;
    std::size_t weight_at_ = 0;
};

}  // namespace

DeviceScaler::DeviceScaler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DeviceScaler::~DeviceScaler() = default;

Result<std::unique_ptr<DeviceScaler>> DeviceScaler::open(const ScalePlan& plan) {
    Packer packer;
    for (const ScalePlan::Plane& plane : plan.planes()) {
        packer.add(plane.x);
        packer.add(plane.y);
    }
    const std::vector<std::uint8_t> bytes = packer.bytes();
    auto memory = DeviceBuffer::make(bytes.size());
    if (!memory)
        return memory.error();
    MR_TRY(memory->upload(bytes));
    auto impl = std::make_unique<Impl>(std::move(*memory));
    impl->outputs = plan.outputs().size();
    Launch& launch = impl->launch;
    for (const ScalePlan::Plane& plane : plan.planes()) {
        PlaneJob& job = launch.jobs[launch.count];
        job = plane.job;
        job.x = packer.next(plane.x, impl->filters.data());
        job.y = packer.next(plane.y, impl->filters.data());
        const std::int32_t across = (columns(job) + kTileColumns - 1) / kTileColumns;
        const std::int32_t down = (job.y.outputs + kTileRows - 1) / kTileRows;
        launch.tiles_across[launch.count] = across;
        launch.first_tile[launch.count + 1] = launch.first_tile[launch.count] + across * down;
        ++launch.count;
        impl->targets.push_back({plane.output, plane.plane});
    }
    return std::unique_ptr<DeviceScaler>(new DeviceScaler(std::move(impl)));
}

Result<void> DeviceScaler::enqueue(const Surface& from, std::span<const Surface> to, void* stream) {
    MR_CHECK(to.size() == impl_->outputs, "one surface for each output");
    Launch& launch = impl_->launch;
    for (std::size_t n = 0; n < impl_->targets.size(); ++n) {
        const auto [output, plane] = impl_->targets[n];
        PlaneJob& job = launch.jobs[n];
        job.from = from.planes[plane];
        job.from_stride = from.strides[plane];
        job.to = to[output].planes[plane];
        job.to_stride = to[output].strides[plane];
    }
    const dim3 blocks(static_cast<unsigned>(launch.first_tile[launch.count]));
    const dim3 threads(kTileColumns, kThreadRows);
    void* arguments[] = {&launch};
    return checked("launching the scaler",
                   cudaLaunchKernel(reinterpret_cast<const void*>(&scale_all), blocks, threads,
                                    arguments, 0, static_cast<cudaStream_t>(stream)));
}

Result<void> DeviceScaler::wait(void* stream) {
    return checked("scaling", cudaStreamSynchronize(static_cast<cudaStream_t>(stream)));
}

}  // namespace millrace::cuda
