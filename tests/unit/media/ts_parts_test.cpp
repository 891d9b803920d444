#include "transcoder/media/ts_parts.h"

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"

namespace millrace::media {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Hands out so many bytes at a time.
class Trickle final : public ByteSource {
public:
    Trickle(const Bytes& bytes, std::size_t step) : bytes_(bytes), step_(step) {}
    std::size_t read(std::span<std::uint8_t> out) override {
        const std::size_t count = std::min({step_, out.size(), bytes_.size() - at_});
        std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), count, out.begin());
        at_ += count;
        return count;
    }

private:
    const Bytes& bytes_;
    std::size_t step_;
    std::size_t at_ = 0;
};

std::vector<Bytes> parts_of(const Bytes& bytes, std::size_t step) {
    Trickle source(bytes, step);
    TsParts parts(source);
    std::vector<Bytes> all;
    do {
        Bytes part;
        Bytes some(700);
        while (const std::size_t count = parts.read(some))
            part.insert(part.end(), some.begin(),
                        some.begin() + static_cast<std::ptrdiff_t>(count));
        CHECK(parts.read(some) == 0);
        all.push_back(std::move(part));
    } while (parts.next());
    return all;
}

Bytes piece(const std::string& codec, int pid = 256) {
    return test::made_by("-f lavfi -i testsrc2=size=64x36:rate=25 -t 0.12 -pix_fmt yuv420p -c:v " +
                         codec + " -streamid 0:" + std::to_string(pid) + " -f mpegts pipe:1");
}

// The first programme map in it.
Bytes::iterator map_in(Bytes& ts) {
    for (std::size_t at = 0; at + TsParts::kPacket <= ts.size(); at += TsParts::kPacket)
        if ((ts[at + 1] & 0x1f) == 0x10 && ts[at + 2] == 0)
            return ts.begin() + static_cast<std::ptrdiff_t>(at);
    FAIL("no map");
    return ts.end();
}

}  // namespace

TEST_CASE("a stream is cut where its video changes, however it arrives", "[media][parts]") {
    const Bytes first = piece("libx264");
    for (const Bytes& second : {piece("mpeg2video"), piece("libx264", 400)}) {
        const Bytes whole = test::joined({first, second, first});
        for (const std::size_t step : {std::size_t{1}, std::size_t{187}, std::size_t{1} << 20}) {
            INFO(step);
            const auto parts = parts_of(whole, step);
            REQUIRE(parts.size() == 3);
            Bytes together = parts[0];
            for (std::size_t n = 1; n < parts.size(); ++n) {
                REQUIRE(parts[n].size() > 2 * TsParts::kPacket);
                CHECK((parts[n][1] & 0x1f) == 0);  // its table of programmes, once more
                CHECK(parts[n][2] == 0);
                together.insert(together.end(), parts[n].begin() + TsParts::kPacket,
                                parts[n].end());
            }
            CHECK(together == whole);
        }
    }
}

TEST_CASE("a stream whose video goes on stays in one part", "[media][parts]") {
    const Bytes avc = piece("libx264");
    Bytes damaged = piece("mpeg2video");
    map_in(damaged)[17] ^= 1;  // the type of the video, and no longer what the CRC says
    Bytes shifted = test::joined({avc, piece("mpeg2video")});
    shifted.insert(shifted.begin() + static_cast<std::ptrdiff_t>(avc.size() / 2), 0);
    Bytes cut = avc;
    cut.resize(cut.size() - 50);
    const Bytes text(1000, 'x');
    for (const Bytes& bytes : {avc, test::joined({avc, avc}), test::joined({avc, damaged}), shifted,
                               cut, text, Bytes{}}) {
        const auto parts = parts_of(bytes, 300);
        REQUIRE(parts.size() == 1);
        CHECK(parts[0] == bytes);
    }
}

TEST_CASE("the number of parts is bounded", "[media][parts]") {
    std::vector<Bytes> pieces;
    const Bytes avc = piece("libx264");
    const Bytes mpeg2 = piece("mpeg2video");
    for (int n = 0; n < 2 * TsParts::kPartsMax; ++n)
        pieces.push_back(n % 2 == 0 ? avc : mpeg2);
    CHECK(parts_of(test::joined(pieces), 4096).size() == TsParts::kPartsMax);
}

}  // namespace millrace::media
