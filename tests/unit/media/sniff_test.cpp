#include "transcoder/media/sniff.h"

#include "tests/support/catch.h"

namespace millrace::media {
namespace {

std::vector<std::uint8_t> bytes(std::string_view text) {
    return {text.begin(), text.end()};
}

std::vector<std::uint8_t> ts_packets(std::size_t count, std::size_t junk) {
    std::vector<std::uint8_t> out(junk, 0x11);
    for (std::size_t i = 0; i < count; ++i) {
        out.push_back(0x47);
        out.resize(out.size() + 187, 0xff);
    }
    return out;
}

}  // namespace

TEST_CASE("containers are known by their bytes", "[media][sniff]") {
    CHECK(sniff(ts_packets(10, 0)) == Container::mpegts);
    CHECK(sniff(ts_packets(3, 0)) == Container::mpegts);
    CHECK(sniff(ts_packets(10, 100)) == Container::mpegts);
    CHECK(sniff(bytes({"\0\0\0\x18"
                       "ftypisom........",
                       20})) == Container::mp4);
    CHECK(sniff(bytes("\x1a\x45\xdf\xa3 webm")) == Container::matroska);
}

TEST_CASE("what is no container is described, not guessed at", "[media][sniff]") {
    CHECK(sniff({}) == Container::unknown);
    CHECK(describe({}) == "nothing at all");
    const auto page = bytes("<html>502 Bad Gateway</html>");
    CHECK(sniff(page) == Container::unknown);
    CHECK(describe(page) == "an HTML or XML text");
    CHECK(describe(bytes("FLV\x01")) == "FLV");
    CHECK(describe(bytes("#EXTM3U\n")) == "an HLS playlist");
}

TEST_CASE("the boxes of an MP4 are found as far as the bytes go", "[media][sniff]") {
    const TopBoxes boxes =
        top_boxes(bytes({"\0\0\0\x08"
                         "styp"
                         "\0\0\0\x08"
                         "moof"
                         "\0\0\1\0"
                         "mdat",
                         24}));
    CHECK(boxes.moof);
    CHECK(boxes.mdat);
    CHECK_FALSE(boxes.moov);
}

}  // namespace millrace::media
