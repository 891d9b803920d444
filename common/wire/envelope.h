#pragma once
// The envelope around every message: fence, union, and the edge where decoding's exceptions end.
// Internal to common/wire/*.cpp.
//
// Thread: any; free functions without state.

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <capnp/message.h>

#include "common/wire/codec.h"
#include "common/wire/fields.h"

namespace millrace::wire {

// Room for most messages of the control lane in one segment of the builder.
inline constexpr unsigned kControlSegmentWords = 256;

// Free text for people: cut when written, bounded when read.
[[nodiscard]] inline std::string sentence(capnp::Text::Reader in, std::string_view field) {
    return text(in, kSentenceBytesMax, field);
}
template <class Set>
void set_sentence(Set set, const std::string& value) {
    set(as_text(clipped(value, kSentenceBytesMax)));
}

// `put_message(root builder, message)` fills the union.
template <class Schema, class Own, class Put>
std::vector<std::uint8_t> encode_envelope(const Own& own, unsigned first_segment_words,
                                          Put put_message) {
    capnp::MallocMessageBuilder message(first_segment_words);
    auto root = message.initRoot<Schema>();
    root.setEpoch(own.fence.epoch.value);
    root.setIncarnation(own.fence.incarnation.value);
    std::visit([&](const auto& one) { put_message(root, one); }, own.message);
    return to_bytes(message);
}

// `get_message(root reader)` reads the union.
template <class Schema, class Own, class Get>
Decoded<Own> decode_envelope(std::span<const std::uint8_t> bytes, std::size_t bytes_max,
                             Get get_message) {
    using Outcome = std::variant<Own, Ignored>;
    Fence fence;
    return open_message(
        bytes, bytes_max,
        [&](capnp::MessageReader& reader) -> Outcome {
            const auto root = reader.getRoot<Schema>();
            fence = {Epoch{root.getEpoch()}, Incarnation{root.getIncarnation()}};
            return Own{fence, get_message(root)};
        },
        [&](std::string what) -> Outcome {
            return Ignored{fence, std::move(what)};
        });
}

}  // namespace millrace::wire
