// Which rendition is scaled from which, and what comes of it.

#include "transcoder/media/cascade.h"

#include "tests/support/catch.h"
#include "tests/unit/media/transcoded.h"

using namespace millrace;
using namespace millrace::media;

namespace {

constexpr Size kFullHd{1920, 1080};

CascadeStep step(Size size, bool cascaded, AVPixelFormat format = AV_PIX_FMT_YUV420P) {
    return {Shape{size, format}, cascaded};
}

// Sizes from the one a rendition has to the one that is made of the source.
std::vector<Size> way_of(const std::optional<Shape>& shape) {
    std::vector<Size> way;
    for (const Shape* at = &shape.value(); at != nullptr; at = at->from.get())
        way.push_back(at->size);
    return way;
}

}  // namespace

TEST_CASE("a cascaded rendition is scaled from the next larger one, whatever their order",
          "[media][cascade]") {
    const std::vector<CascadeStep> ladder{step({426, 240}, true),
                                          step({1280, 720}, true),
                                          {std::nullopt, true},
                                          step({640, 360}, true)};
    const auto shapes = cascade(ladder, kFullHd);
    REQUIRE(shapes.size() == 4);
    CHECK(way_of(shapes[1]) == std::vector<Size>{{1280, 720}});
    CHECK(way_of(shapes[3]) == std::vector<Size>{{640, 360}, {1280, 720}});
    CHECK(way_of(shapes[0]) == std::vector<Size>{{426, 240}, {640, 360}, {1280, 720}});
    CHECK_FALSE(shapes[2]);
}

TEST_CASE("a direct rendition stays so and serves others", "[media][cascade]") {
    const std::vector<CascadeStep> ladder{step({1280, 720}, true), step({640, 360}, false),
                                          step({320, 180}, true)};
    const auto shapes = cascade(ladder, kFullHd);
    CHECK(way_of(shapes[1]) == std::vector<Size>{{640, 360}});
    CHECK(way_of(shapes[2]) == std::vector<Size>{{320, 180}, {640, 360}});
}

TEST_CASE("no picture is made of one that has less of it", "[media][cascade]") {
    // Another format, another shape, the same size, and one blown up from a smaller source.
    const std::vector<CascadeStep> ladder{step({1280, 720}, false, AV_PIX_FMT_YUV420P10),
                                          step({400, 900}, false), step({640, 360}, true),
                                          step({640, 360}, true), step({3840, 2160}, false)};
    const auto shapes = cascade(ladder, kFullHd);
    CHECK(way_of(shapes[2]).size() == 1);
    CHECK(way_of(shapes[3]).size() == 1);
    CHECK(*shapes[2] == *shapes[3]);
}
