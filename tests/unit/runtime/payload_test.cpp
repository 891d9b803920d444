#include "common/runtime/payload.h"

#include <algorithm>
#include <vector>

#include "tests/support/catch.h"

using namespace millrace;

namespace {

std::vector<std::uint8_t> pattern(std::size_t size) {
    std::vector<std::uint8_t> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::uint8_t>(i * 131 + i / 251);
    return bytes;
}

}  // namespace

TEST_CASE("a payload gives back what was appended, around every block boundary") {
    const auto pool = std::make_shared<BlockPool>();
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kBlockBytes - 1, kBlockBytes,
                                   kBlockBytes + 1, 3 * kBlockBytes}) {
        const auto bytes = pattern(size);
        const PayloadPtr payload = make_payload(pool, bytes);
        REQUIRE(payload->size() == size);
        CHECK(payload->block_count() == (size + kBlockBytes - 1) / kBlockBytes);
        std::vector<std::uint8_t> joined;
        for (std::size_t i = 0; i < payload->block_count(); ++i)
            joined.insert(joined.end(), payload->block(i).begin(), payload->block(i).end());
        CHECK(joined == bytes);
        std::vector<std::uint8_t> part(1000);
        const std::size_t from = size > 500 ? size - 500 : 0;
        part.resize(payload->read(from, part));
        CHECK(std::equal(part.begin(), part.end(), bytes.begin() + static_cast<long>(from),
                         bytes.end()));
    }
    CHECK(pool->bytes_in_use() == 0);
}

TEST_CASE("blocks return to the pool with the last reader, and from builders that are given up") {
    const auto pool = std::make_shared<BlockPool>();
    PayloadPtr first = make_payload(pool, pattern(kBlockBytes + 1));
    PayloadPtr second = first;
    CHECK(pool->bytes_in_use() == 2 * kBlockBytes);
    first.reset();
    CHECK(pool->bytes_in_use() == 2 * kBlockBytes);
    second.reset();
    CHECK(pool->bytes_in_use() == 0);
    {
        PayloadBuilder abandoned(pool);
        abandoned.append(pattern(10));
        CHECK(pool->bytes_in_use() == kBlockBytes);
    }
    CHECK(pool->bytes_in_use() == 0);
}

TEST_CASE("room taken but not filled leaves no empty block behind") {
    const auto pool = std::make_shared<BlockPool>();
    PayloadBuilder builder(pool);
    builder.append(pattern(kBlockBytes));
    CHECK(builder.room().size() == kBlockBytes);
    const PayloadPtr payload = builder.seal();
    CHECK(payload->block_count() == 1);
    CHECK(pool->bytes_in_use() == kBlockBytes);
    CHECK(builder.size() == 0);
}
