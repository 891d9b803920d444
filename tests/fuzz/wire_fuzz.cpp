// Any bytes through every decoder of the link; what decodes must survive being written and read
// again.

#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "common/wire/codec.h"

namespace {

template <class Message>
void try_one(millrace::Decoded<Message> (*decode)(std::span<const std::uint8_t>),
             std::span<const std::uint8_t> bytes) {
    const auto first = decode(bytes);
    if (!first || !std::holds_alternative<Message>(*first))
        return;
    const auto second = decode(millrace::encode(std::get<Message>(*first)));
    MR_CHECK(second.has_value() && std::holds_alternative<Message>(*second) &&
                 std::get<Message>(*second) == std::get<Message>(*first),
             "a decoded message does not survive being encoded");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::uint8_t> bytes(data, size);
    try_one(millrace::decode_from_transcoder, bytes);
    try_one(millrace::decode_from_orchestrator, bytes);
    try_one(millrace::decode_payload, bytes);
    return 0;
}
