// The kernel on a device against the host, byte for byte. Where nothing can be launched the reason
// is printed and the test passes.

#include <iostream>

#include "tests/support/catch.h"
#include "tests/support/surfaces.h"
#include "transcoder/cuda/device_scaler.h"

namespace millrace::cuda {
namespace {

using test::MemorySurface;

bool device_is_missing() {
    const Result<std::string> name = device_name();
    if (name)
        std::cerr << "device: " << *name << "\n";
    else
        std::cerr << "\n*** SKIPPED: no kernel can be launched: " << name.error().message
                  << " ***\n\n";
    return !name;
}

// A surface on the device, laid out as the one in memory.
class DeviceSurface {
public:
    explicit DeviceSurface(const MemorySurface& like) : strides_(like.strides) {
        for (const auto& plane : like.planes) {
            auto buffer = DeviceBuffer::make(plane.size());
            REQUIRE(buffer);
            REQUIRE(buffer->upload(plane));
            planes_.push_back(std::move(*buffer));
        }
    }
    [[nodiscard]] Surface view() const {
        return {{planes_[0].data(), planes_[1].data()}, {strides_[0], strides_[1]}};
    }
    void download(MemorySurface& to) const {
        for (std::size_t plane = 0; plane < planes_.size(); ++plane)
            REQUIRE(planes_[plane].download(to.planes[plane]));
    }

private:
    std::vector<DeviceBuffer> planes_;
    std::array<std::int64_t, kPlanes> strides_;
};

void compare(const SurfaceSpec& source, bool full_range, const std::vector<SurfaceSpec>& outputs) {
    Rng rng(static_cast<std::uint64_t>(source.size.width));
    MemorySurface from(source);
    from.fill_at_random(rng);
    std::vector<MemorySurface> expected(outputs.begin(), outputs.end());
    std::vector<MemorySurface> got = expected;
    const ScalePlan plan(source, full_range, outputs);
    std::vector<Surface> host_views;
    for (MemorySurface& surface : expected)
        host_views.push_back(surface.view());
    scale_on_host(plan, from.view(), host_views);

    const DeviceSurface from_device(from);
    std::vector<DeviceSurface> to_device(got.begin(), got.end());
    std::vector<Surface> device_views;
    for (const DeviceSurface& surface : to_device)
        device_views.push_back(surface.view());
    auto scaler = DeviceScaler::open(plan);
    REQUIRE(scaler);
    const auto launched = (*scaler)->enqueue(from_device.view(), device_views, nullptr);
    REQUIRE(launched);
    REQUIRE(DeviceScaler::wait(nullptr));
    for (std::size_t n = 0; n < outputs.size(); ++n) {
        CAPTURE(n, outputs[n].size.width, outputs[n].size.height);
        to_device[n].download(got[n]);
        CHECK(got[n].planes == expected[n].planes);
    }
}

constexpr SurfaceFormat kNv12 = SurfaceFormat::nv12;
constexpr SurfaceFormat kP010 = SurfaceFormat::p010;

}  // namespace

TEST_CASE("without a device every call says so and nothing crashes", "[gpu][device]") {
    if (device_name())
        return;
    const auto buffer = DeviceBuffer::make(16);
    REQUIRE_FALSE(buffer);
    CHECK(buffer.error().kind == ErrorKind::unsupported);
    CHECK_FALSE(buffer.error().message.empty());
    const auto scaler =
        DeviceScaler::open(ScalePlan({{64, 64}, kNv12}, false, {{{32, 32}, kNv12}}));
    REQUIRE_FALSE(scaler);
    CHECK(scaler.error().kind == ErrorKind::unsupported);
}

TEST_CASE("one launch makes the bytes of the host for every rendition", "[gpu][device]") {
    if (device_is_missing())
        return;
    SECTION("a ladder of eight") {
        compare({{1920, 1080}, kNv12}, false,
                {{{1280, 720}, kNv12},
                 {{854, 480}, kNv12},
                 {{640, 360}, kNv12},
                 {{426, 240}, kNv12},
                 {{256, 144}, kNv12},
                 {{1920, 1080}, kNv12},
                 {{2560, 1440}, kNv12},
                 {{2, 2}, kNv12}});
    }
    SECTION("ten bits in and out, and out in eight") {
        compare({{1280, 720}, kP010}, false,
                {{{640, 360}, kP010}, {{640, 360}, kNv12}, {{1920, 1080}, kP010}});
    }
    SECTION("odd sizes, portrait and full range") {
        compare({{161, 121}, kNv12}, true, {{{77, 59}, kNv12}, {{323, 241}, kP010}});
        compare({{360, 641}, kNv12}, true, {{{135, 240}, kNv12}, {{720, 1280}, kNv12}});
        compare({{1, 1}, kNv12}, false, {{{33, 17}, kNv12}});
    }
    SECTION("a ratio at which a tile's lines do not fit at once") {
        compare({{4096, 2304}, kNv12}, false, {{{64, 36}, kNv12}, {{16, 2}, kP010}});
    }
}

}  // namespace millrace::cuda
