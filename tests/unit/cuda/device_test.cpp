// The kernel on a device against the host, byte for byte. Where nothing can be launched the reason
// is printed and the test passes.

#include <iostream>

#include "tests/support/catch.h"
#include "tests/support/surfaces.h"
#include "transcoder/cuda/device_scaler.h"

namespace millrace::cuda {
namespace {

using test::MemorySurface;

// Null: there is none, which is said once.
std::shared_ptr<Device> device() {
    static const std::shared_ptr<Device> the_device = [] {
        const auto opened = Device::open();
        if (opened)
            std::cerr << "device: " << (*opened)->name() << "\n";
        else
            std::cerr << "\n*** SKIPPED: no kernel can be launched: " << opened.error().message
                      << " ***\n\n";
        return opened ? *opened : nullptr;
    }();
    return the_device;
}

// A surface on the device, laid out as the one in memory.
class DeviceSurface {
public:
    explicit DeviceSurface(const MemorySurface& like) : strides_(like.strides) {
        for (int plane = 0; plane < planes_of(like.spec.format); ++plane) {
            auto buffer = DeviceBuffer::make(device(), like.planes[plane].size());
            REQUIRE(buffer);
            REQUIRE(buffer->upload(like.planes[plane]));
            planes_.push_back(std::move(*buffer));
        }
    }
    [[nodiscard]] Surface view() const {
        Surface surface;
        for (std::size_t plane = 0; plane < planes_.size(); ++plane) {
            surface.planes[plane] = planes_[plane].data();
            surface.strides[plane] = strides_[plane];
        }
        return surface;
    }
    void download(MemorySurface& to) const {
        for (std::size_t plane = 0; plane < planes_.size(); ++plane)
            REQUIRE(planes_[plane].download(to.planes[plane]));
    }

private:
    std::vector<DeviceBuffer> planes_;
    std::array<std::int64_t, kPlanesMax> strides_;
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
    auto scaler = DeviceScaler::open(device(), plan);
    REQUIRE(scaler);
    REQUIRE((*scaler)->enqueue(from_device.view(), device_views));
    REQUIRE(device()->wait());
    for (std::size_t n = 0; n < outputs.size(); ++n) {
        CAPTURE(n, outputs[n].size.width, outputs[n].size.height);
        to_device[n].download(got[n]);
        const bool same = got[n].planes == expected[n].planes;  // nobody wants to read them
        CHECK(same);
    }
}

constexpr SurfaceFormat kNv12 = SurfaceFormat::nv12;
constexpr SurfaceFormat kP010 = SurfaceFormat::p010;
constexpr SurfaceFormat kI420 = SurfaceFormat::i420;

}  // namespace

TEST_CASE("without a device opening one says why", "[gpu][device]") {
    const auto opened = Device::open();
    if (opened)
        return;
    CHECK(opened.error().kind == ErrorKind::unsupported);
    CHECK_FALSE(opened.error().message.empty());
}

TEST_CASE("one launch makes the bytes of the host for every rendition", "[gpu][device]") {
    if (device() == nullptr)
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
    SECTION("chroma in two planes, as software encoders take it") {
        compare({{1280, 720}, kNv12}, false,
                {{{640, 360}, kI420}, {{427, 241}, kI420}, {{640, 360}, kNv12}});
        compare({{161, 121}, kP010}, true, {{{77, 59}, kI420}});
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
