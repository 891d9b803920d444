#include "orchestrator/front/sniff.h"

#include <string>

#include "common/base/rng.h"
#include "tests/support/catch.h"
#include "tests/unit/front/media.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::test;

namespace {

Sniffed whole(const std::string& text) {
    Sniffer sniffer;
    sniffer.feed({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    return sniffer.finish();
}

std::string with_gap(const std::string& ts, std::size_t gap) {
    std::string out;
    for (std::size_t at = 0; at < ts.size(); at += 188)
        out += ts.substr(at, 188) + std::string(gap, '\x01');
    return out;
}

}  // namespace

TEST_CASE("transport streams are known by their grid", "[front][sniff]") {
    CHECK(whole(ts_bytes(1)) == Sniffed::mpegts);
    CHECK(whole(ts_bytes(3)) == Sniffed::mpegts);
    CHECK(whole(ts_bytes(100)) == Sniffed::mpegts);
    CHECK(whole("junk in front" + ts_bytes(20)) == Sniffed::mpegts);
    CHECK(whole(with_gap(ts_bytes(20), 4)) == Sniffed::mpegts);
    CHECK(whole(with_gap(ts_bytes(20), 16)) == Sniffed::mpegts);
    CHECK(whole(ts_bytes(20).substr(0, 3000)) == Sniffed::mpegts);
}

TEST_CASE("mp4 and webm are known by their first bytes", "[front][sniff]") {
    for (const auto* box : {"ftyp", "styp", "moof", "sidx", "moov"})
        CHECK(whole(std::string("\0\0\0\x18", 4) + box + std::string(16, '\0')) == Sniffed::mp4);
    CHECK(whole("\x1a\x45\xdf\xa3 and so on") == Sniffed::matroska);
}

TEST_CASE("text, garbage and nothing are turned away", "[front][sniff]") {
    CHECK(whole("") == Sniffed::nothing);
    CHECK(whole("hello, this is not a segment\n") == Sniffed::nothing);
    // A perfect grid of sync bytes, but no packet: adaptation_field_control of 'G' is reserved.
    CHECK(whole("GET / HTTP/1.1\r\n" + std::string(10'000, 'G')) == Sniffed::nothing);
    CHECK(whole("<html>" + std::string(5000, ' ') + "</html>") == Sniffed::nothing);
    CHECK(whole(std::string(5000, '\0')) == Sniffed::nothing);
    CHECK(whole(std::string("\0\0\0\x02", 4) + "ftyp") == Sniffed::nothing);
    CHECK(whole(ts_bytes(1).substr(0, 150)) == Sniffed::nothing);
    Rng rng(3);
    for (int round = 0; round < 200; ++round) {
        std::string noise;
        for (int i = 0; i < 5000; ++i)
            noise += static_cast<char>(rng.below(256));
        CHECK(whole(noise) == Sniffed::nothing);
    }
}

TEST_CASE("the verdict comes as soon as it is sure, however the bytes arrive", "[front][sniff]") {
    const std::string ts = ts_bytes(40);
    Sniffer sniffer;
    std::size_t fed = 0;
    while (sniffer.verdict() == Sniffed::undecided && fed < ts.size())
        sniffer.feed({reinterpret_cast<const std::uint8_t*>(ts.data()) + fed++, 1});
    CHECK(sniffer.verdict() == Sniffed::mpegts);
    CHECK(fed <= 5 * 188);
    Sniffer text;
    const std::string words(kSniffBytes, 'w');
    text.feed({reinterpret_cast<const std::uint8_t*>(words.data()), words.size() - 1});
    CHECK(text.verdict() == Sniffed::undecided);
    text.feed({reinterpret_cast<const std::uint8_t*>(words.data()), 1});
    CHECK(text.verdict() == Sniffed::nothing);
}
