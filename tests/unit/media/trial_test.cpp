// Segments of VP9 that are made again: what comes out, and who hears of it meanwhile.

#include <numeric>
#include <random>

#include "tests/support/catch.h"
#include "transcoder/media/video_encoder.h"

namespace millrace::media {
namespace {

constexpr Size kSize{320, 180};
constexpr int kCalm = 20;  // grey pictures, then noise
constexpr int kPictures = 24;

av::FramePtr picture(int number) {
    av::FramePtr frame = grey_picture(kSize);
    if (number < kCalm)
        return frame;
    std::mt19937 random(static_cast<unsigned>(number));
    for (int y = 0; y < frame->height; ++y)
        for (int x = 0; x < frame->width; ++x)
            frame->data[0][y * frame->linesize[0] + x] = static_cast<std::uint8_t>(random());
    return frame;
}

// What a pulse that ends the work at the `last` call, and the encoder that it was called by, have seen.
struct Course {
    std::vector<std::int64_t> bits;
    int pulses = 0;
    Result<void> outcome;
};

Course run(std::int64_t bitrate, int last) {
    av::set_up_logging();
    Course course;
    RenditionSpec spec;
    spec.name = "noise";
    spec.codec = VideoCodec::vp9;
    spec.bitrate = bitrate;
    const av::FramePtr like = grey_picture(kSize);
    EncoderSettings settings;
    settings.spec = &spec;
    settings.shape = {kSize, AV_PIX_FMT_YUV420P};
    settings.rate = {{25, 1}, true};
    settings.headers_apart = true;
    settings.like = like.get();
    auto encoder = VideoEncoder::open(settings);
    REQUIRE(encoder);
    const auto pulse = [&] {
        return ++course.pulses == last ? Result<void>(error(ErrorKind::timeout, "cancelled"))
                                       : Result<void>();
    };
    const av::PacketPtr packet = av::make_packet();
    const auto take = [&] {
        while (true) {
            const auto pulled = (*encoder)->receive(*packet, pulse);
            if (!pulled)
                course.outcome = pulled.error();
            if (!pulled || *pulled != av::Pull::ready)
                return course.outcome.has_value();
            course.bits.push_back(std::int64_t{packet->size} * 8);
            av_packet_unref(packet.get());
        }
    };
    for (int n = 0; n < kPictures; ++n) {
        REQUIRE((*encoder)->send(*picture(n), n * kTicksPerSecond / 25, {.key = n == 0}));
        if (!take())
            return course;
    }
    (*encoder)->drain();
    take();
    return course;
}

}  // namespace

TEST_CASE("a segment that would empty the buffer at a hard cut is made again and fits",
          "[media][rate]") {
    constexpr std::int64_t kBitrate = 300'000;  // and a buffer of a second
    const Course course = run(kBitrate, 0);
    REQUIRE(course.outcome);
    REQUIRE(course.bits.size() == kPictures);
    CHECK(std::accumulate(course.bits.begin(), course.bits.end(), std::int64_t{0}) < 2 * kBitrate);
    double fill = 0.9 * kBitrate;
    for (const std::int64_t bits : course.bits) {
        fill -= static_cast<double>(bits);
        CHECK(fill > 0);
        fill = std::min<double>(kBitrate, fill + kBitrate / 25.0);
    }
    CHECK(course.pulses > kPictures + kCalm);  // all of the beginning once more
}

TEST_CASE("who waits hears of every picture that is made again, and can end it", "[media][rate]") {
    const Course whole = run(300'000, 0);
    for (const int last : {1, kPictures + kCalm / 2, whole.pulses}) {
        const Course course = run(300'000, last);
        REQUIRE_FALSE(course.outcome);
        CHECK(course.outcome.error().message == "cancelled");
        CHECK(course.pulses == last);
    }
}

}  // namespace millrace::media
