#include "common/http/chunked.h"

#include <string>

#include "common/base/rng.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::http;

namespace {

struct Decoded {
    ChunkedDecoder::Step last = ChunkedDecoder::Step::need_more;
    std::string data;
    std::string rest;
};

// Feeds `text` in pieces of at most `piece` bytes.
Decoded decode(const std::string& text, std::size_t piece) {
    ChunkedDecoder decoder;
    Decoded result;
    std::string held;
    std::size_t offered = 0;
    while (true) {
        std::span<const std::uint8_t> in(reinterpret_cast<const std::uint8_t*>(held.data()),
                                         held.size());
        result.last = decoder.advance(in);
        held.erase(0, held.size() - in.size());
        if (result.last == ChunkedDecoder::Step::data && !held.empty()) {
            const std::size_t bytes = std::min<std::size_t>(held.size(), decoder.data_left());
            result.data += held.substr(0, bytes);
            held.erase(0, bytes);
            decoder.took(bytes);
            continue;
        }
        const bool wants = result.last == ChunkedDecoder::Step::data ||
                           result.last == ChunkedDecoder::Step::need_more;
        if (!wants || offered == text.size())
            break;
        held += text.substr(offered, piece);
        offered = std::min(text.size(), offered + piece);
    }
    result.rest = held + text.substr(offered);
    return result;
}

}  // namespace

TEST_CASE("chunks decode to the same bytes however they are cut", "[http][chunked]") {
    const std::string text =
        "5\r\nhello\r\nA;name=value\r\n, world!!!\r\n0\r\nTrailer: x\r\n\r\nGET /";
    const auto piece = GENERATE(1U, 2U, 3U, 7U, 1000U);
    const Decoded decoded = decode(text, piece);
    CHECK(decoded.last == ChunkedDecoder::Step::done);
    CHECK(decoded.data == "hello, world!!!");
    CHECK(decoded.rest == "GET /");
}

TEST_CASE("broken framing is refused", "[http][chunked]") {
    const auto text = GENERATE(as<std::string>{}, "\r\n", "-5\r\nhello\r\n", "+5\r\n", "0x5\r\n",
                               "g\r\n", ";a\r\n", " 5\r\n", "5\nhello", "5\rxhello",
                               "5\r\nhelloX\r\n", "5\r\nhello\n0\r\n\r\n", "ffffffffffffffff\r\n",
                               "10000000000000000\r\n", "0\r\n\n", "0\r\nA: b\n\r\n");
    INFO(text);
    CHECK(decode(text, 3).last == ChunkedDecoder::Step::malformed);
}

TEST_CASE("extensions and trailers are bounded over the whole body", "[http][chunked]") {
    CHECK(decode("5;" + std::string(kChunkOverheadMax + 1, 'x'), 4096).last ==
          ChunkedDecoder::Step::malformed);
    CHECK(decode("0\r\n" + std::string(kChunkOverheadMax + 1, 'x'), 4096).last ==
          ChunkedDecoder::Step::malformed);
    std::string many;
    for (int i = 0; i < 20; ++i)
        many += "1;" + std::string(1024, 'x') + "\r\na\r\n";
    CHECK(decode(many, 4096).last == ChunkedDecoder::Step::malformed);
}

TEST_CASE("random bytes never do more than be refused", "[http][chunked]") {
    Rng rng(7);
    static constexpr std::string_view kAlphabet = "0123456789abcdef\r\n; xg";
    for (int round = 0; round < 2000; ++round) {
        std::string text;
        for (std::uint64_t i = rng.below(60); i > 0; --i)
            text += kAlphabet[rng.below(kAlphabet.size())];
        const Decoded decoded = decode(text, 1 + rng.below(8));
        CHECK(decoded.data.size() <= text.size());
    }
}
