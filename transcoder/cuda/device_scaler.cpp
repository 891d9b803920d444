#include "transcoder/cuda/device_scaler.h"

#include <cstring>

#include "common/base/check.h"
#include "common/base/rng.h"

namespace millrace::cuda {
namespace {

static_assert(kJobsMax == ScalePlan::kOutputsMax * kPlanesMax);

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

DeviceScaler::DeviceScaler(std::shared_ptr<Device> device, DeviceBuffer filters)
    : device_(std::move(device)), filters_(std::move(filters)) {}

Result<std::unique_ptr<DeviceScaler>> DeviceScaler::open(std::shared_ptr<Device> device,
                                                         const ScalePlan& plan) {
    Packer packer;
    for (const ScalePlan::Plane& plane : plan.planes()) {
        packer.add(plane.x);
        packer.add(plane.y);
    }
    const std::vector<std::uint8_t> bytes = packer.bytes();
    auto memory = DeviceBuffer::make(device, bytes.size());
    if (!memory)
        return memory.error();
    MR_TRY(memory->upload(bytes));
    std::unique_ptr<DeviceScaler> scaler(new DeviceScaler(std::move(device), std::move(*memory)));
    scaler->outputs_ = plan.outputs().size();
    Launch& launch = scaler->launch_;
    for (const ScalePlan::Plane& plane : plan.planes()) {
        ScalePlan::Plane bare{plane.output, plane.plane, plane.source_start, {}, {}, plane.job};
        bare.job.x = packer.next(plane.x, scaler->filters_.data());
        bare.job.y = packer.next(plane.y, scaler->filters_.data());
        const std::int32_t across = (columns(bare.job) + kTileColumns - 1) / kTileColumns;
        const std::int32_t down = (bare.job.y.outputs + kTileRows - 1) / kTileRows;
        launch.tiles_across[launch.count] = across;
        launch.first_tile[launch.count + 1] = launch.first_tile[launch.count] + across * down;
        ++launch.count;
        scaler->planes_.push_back(std::move(bare));
    }
    return scaler;
}

Result<void> DeviceScaler::enqueue(const Surface& from, std::span<const Surface> to) {
    MR_CHECK(to.size() == outputs_, "one surface for each output");
    for (std::size_t n = 0; n < planes_.size(); ++n)
        launch_.jobs[n] = planes_[n].between(from, to[planes_[n].output]);
    void* arguments[] = {&launch_};
    const Device::Current current(*device_);
    const Driver& driver = device_->driver();
    return driver.checked(
        "launching the scaler",
        driver.launch(device_->kernel(), static_cast<unsigned>(launch_.first_tile[launch_.count]),
                      1, 1, kTileColumns, kThreadRows, 1, 0, nullptr, arguments, nullptr));
}

// ---- trials

namespace {

using Bytes = std::vector<std::uint8_t>;

struct Picture {
    explicit Picture(const SurfaceSpec& spec) : layout(lay_out(spec)), bytes(layout.bytes) {}
    SurfaceLayout layout;
    Bytes bytes;
};

}  // namespace

Result<void> compare_with_host(const std::shared_ptr<Device>& device, SurfaceFormat source,
                               Size size, std::span<const SurfaceSpec> outputs) {
    const ScalePlan plan({size, source}, false, {outputs.begin(), outputs.end()});
    Picture from(plan.source());
    Rng rng(1);
    for (std::uint8_t& byte : from.bytes)
        byte = static_cast<std::uint8_t>(rng.below(256));
    auto source_memory = DeviceBuffer::make(device, from.bytes.size());
    if (!source_memory)
        return source_memory.error();
    MR_TRY(source_memory->upload(from.bytes));

    std::vector<Picture> expected(outputs.begin(), outputs.end());
    std::vector<DeviceBuffer> memory;
    std::vector<Surface> host;
    std::vector<Surface> there;
    for (Picture& picture : expected) {
        auto made = DeviceBuffer::make(device, picture.bytes.size());
        if (!made)
            return made.error();
        memory.push_back(std::move(*made));
        host.push_back(picture.layout.at(picture.bytes.data()));
        there.push_back(picture.layout.at(memory.back().data()));
    }
    scale_on_host(plan, from.layout.at(from.bytes.data()), host);
    const auto scaler = DeviceScaler::open(device, plan);
    if (!scaler)
        return scaler.error();
    MR_TRY((*scaler)->enqueue(from.layout.at(source_memory->data()), there));
    for (std::size_t n = 0; n < expected.size(); ++n) {
        Bytes back(expected[n].bytes.size());
        MR_TRY(memory[n].download(back));
        if (back != expected[n].bytes)
            return error(ErrorKind::device, "it gives other pictures than the host");
    }
    return {};
}

}  // namespace millrace::cuda
