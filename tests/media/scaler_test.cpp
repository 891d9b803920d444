// The host build of our scaler beside swscale's bicubic on pictures that nobody here made: as good
// to half a dB, up and down, and nearly the same picture.
//
// What is as good: a picture made smaller and brought back by the same third way (swscale's Lanczos),
// or a small one made larger, is compared with the original. Prints the figures with
// MILLRACE_SHOW_FIGURES=1.

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/support/surfaces.h"
#include "tests/unit/media/clips.h"
#include "transcoder/media/av.h"

namespace millrace::cuda {
namespace {

using test::MemorySurface;
namespace fs = std::filesystem;

const fs::path kMedia = MILLRACE_SHARED_MEDIA;

struct Clip {
    const char* file;
    double seconds;  // which picture
    SurfaceFormat format;
};

// Natural and drawn, odd, portrait (turned by ffmpeg), full range, ten bits.
const std::vector<Clip> kClips{{"bbb_1080p25_hls/seg_003.ts", 0.0, SurfaceFormat::nv12},
                               {"dog_720p2997_aac.mp4", 2.0, SurfaceFormat::nv12},
                               {"talk_vp9_720p25.webm", 3.0, SurfaceFormat::nv12},
                               {"bear_vp9_161x121_odd.webm", 0.5, SurfaceFormat::nv12},
                               {"keyboard_rot90.mov", 0.0, SurfaceFormat::nv12},
                               {"rooftops_240p60_aac.mp4", 2.0, SurfaceFormat::nv12},
                               {"roadtrip_vp9_10bit.webm", 1.0, SurfaceFormat::p010},
                               {"phone_hevc10_hlg_rot90.mp4", 0.1, SurfaceFormat::p010}};

AVPixelFormat av_format(SurfaceFormat format) {
    return format == SurfaceFormat::p010 ? AV_PIX_FMT_P010LE : AV_PIX_FMT_NV12;
}

MemorySurface picture_of(const Clip& clip) {
    const std::string path = (kMedia / clip.file).string();
    const std::string at = "-ss " + std::to_string(clip.seconds) + " -i " + path + " -frames:v 1 ";
    const bool deep = clip.format == SurfaceFormat::p010;
    // A PGM begins "P5\n640 360\n255\n": the size after turning.
    const std::vector<std::uint8_t> pgm =
        test::made_by(at + "-f image2pipe -c:v pgm -pix_fmt gray -");
    REQUIRE(pgm.size() > 32);
    std::istringstream head(std::string(pgm.begin(), pgm.begin() + 32));
    std::string magic;
    Size size;
    head >> magic >> size.width >> size.height;
    REQUIRE(magic == "P5");
    const std::vector<std::uint8_t> raw =
        test::made_by(at + "-vf scale=in_range=tv:out_range=tv -f rawvideo -pix_fmt " +
                      (deep ? "p010le" : "nv12") + " -");
    MemorySurface surface({size, clip.format}, 0);
    REQUIRE(raw.size() == surface.planes[0].size() + surface.planes[1].size());
    const auto middle = raw.begin() + static_cast<std::ptrdiff_t>(surface.planes[0].size());
    surface.planes[0].assign(raw.begin(), middle);
    surface.planes[1].assign(middle, raw.end());
    return surface;
}

MemorySurface by_swscale(MemorySurface& from, const SurfaceSpec& to, int flags) {
    MemorySurface made(to);
    const media::av::ScalerPtr context(sws_getContext(
        from.spec.size.width, from.spec.size.height, av_format(from.spec.format), to.size.width,
        to.size.height, av_format(to.format), flags, nullptr, nullptr, nullptr));
    REQUIRE(context);
    const Surface in = from.view();
    const Surface out = made.view();
    const int in_strides[2] = {static_cast<int>(in.strides[0]), static_cast<int>(in.strides[1])};
    const int out_strides[2] = {static_cast<int>(out.strides[0]), static_cast<int>(out.strides[1])};
    REQUIRE(sws_scale(context.get(), in.planes, in_strides, 0, from.spec.size.height, out.planes,
                      out_strides) > 0);
    return made;
}

MemorySurface by_us(MemorySurface& from, const SurfaceSpec& to) {
    MemorySurface made(to);
    const Surface view = made.view();
    scale_on_host(ScalePlan(from.spec, false, {to}), from.view(), {&view, 1});
    return made;
}

// In dB, of one plane; 100 when they are the same.
double psnr(const MemorySurface& a, const MemorySurface& b, int plane) {
    REQUIRE(a.spec == b.spec);
    double sum = 0;
    for (int row = 0; row < a.height(plane); ++row)
        for (int column = 0; column < a.samples(plane); ++column) {
            const double off = a.sample(plane, row, column) - b.sample(plane, row, column);
            sum += off * off;
        }
    const double mean = sum / a.height(plane) / a.samples(plane);
    const double peak = a.deep() ? 1023 : 255;
    return mean == 0 ? 100 : 10 * std::log10(peak * peak / mean);
}

SurfaceSpec scaled_by(const SurfaceSpec& from, double ratio) {
    const auto side = [&](int length) {
        return std::max(2, static_cast<int>(std::lround(length * ratio)));
    };
    return {{side(from.size.width), side(from.size.height)}, from.format};
}

void compare(const char* what, const MemorySurface& ours, const MemorySurface& theirs,
             const MemorySurface& truth) {
    for (int plane = 0; plane < planes_of(ours.spec.format); ++plane) {
        const double mine = psnr(ours, truth, plane);
        const double reference = psnr(theirs, truth, plane);
        if (std::getenv("MILLRACE_SHOW_FIGURES") != nullptr)
            std::printf("  %s %s: ours %.2f dB, swscale %.2f dB\n", what,
                        plane == 0 ? "luma" : "chroma", mine, reference);
        CAPTURE(what, plane, mine, reference);
        CHECK(mine >= reference - 0.5);
    }
}

}  // namespace

TEST_CASE("real pictures are scaled as well as by swscale's bicubic", "[cuda][quality]") {
    if (!fs::is_directory(kMedia)) {
        std::cerr << "\n*** SKIPPED: no clips at " << kMedia << " ***\n\n";
        return;
    }
    for (const Clip& clip : kClips) {
        CAPTURE(clip.file);
        MemorySurface truth = picture_of(clip);
        for (const double ratio : {0.74, 0.5, 0.333, 0.222}) {
            const SurfaceSpec small = scaled_by(truth.spec, ratio);
            CAPTURE(small.size.width, small.size.height);
            if (std::getenv("MILLRACE_SHOW_FIGURES") != nullptr)
                std::printf("%s %dx%d <-> %dx%d\n", clip.file, truth.spec.size.width,
                            truth.spec.size.height, small.size.width, small.size.height);
            MemorySurface ours = by_us(truth, small);
            MemorySurface theirs = by_swscale(truth, small, SWS_BICUBIC);
            CHECK(psnr(ours, theirs, 0) > 40);
            compare("down", by_swscale(ours, truth.spec, SWS_LANCZOS),
                    by_swscale(theirs, truth.spec, SWS_LANCZOS), truth);

            MemorySurface reduced = by_swscale(truth, small, SWS_AREA);
            compare("up", by_us(reduced, truth.spec), by_swscale(reduced, truth.spec, SWS_BICUBIC),
                    truth);
        }
    }
}

}  // namespace millrace::cuda
