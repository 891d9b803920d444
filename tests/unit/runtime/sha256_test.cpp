#include "common/runtime/sha256.h"

#include <string_view>
#include <vector>

#include "common/base/hex.h"
#include "tests/support/catch.h"

using namespace millrace;

namespace {

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST_CASE("SHA-256 agrees with the examples of FIPS 180-2") {
    CHECK(to_hex(sha256_of({})) ==
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(to_hex(sha256_of(bytes_of("abc"))) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("the digest does not depend on how the bytes were cut, and a hasher can be used again") {
    std::vector<std::uint8_t> bytes(1000);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::uint8_t>(i * 7);
    const Sha256 whole = sha256_of(bytes);
    Sha256Hasher hasher;
    for (std::size_t step = 1; step < 300; step += 37) {
        for (std::size_t at = 0; at < bytes.size(); at += step)
            hasher.update(std::span(bytes).subspan(at, std::min(step, bytes.size() - at)));
        CHECK(hasher.finish() == whole);
    }
}
