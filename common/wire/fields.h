#pragma once
// Single fields between Cap'n Proto and plain values, with their checks, and the frame around a
// message. Internal to common/wire/*.cpp: nothing else may include this.
//
// Decoding throws inside the codec and nowhere else: Malformed for bytes that break a rule,
// Unfamiliar for a later minor's message. open_message() is the edge where both (and kj's
// exceptions) end.
//
// Thread: any; free functions without state.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <capnp/message.h>
#include <capnp/serialize.h>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/wire/limits.h"

namespace millrace::wire {

struct Malformed : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct Unfamiliar : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[noreturn]] void malformed(std::string_view field, std::string_view problem);

// ---- enums: explicit pairs, so that neither side's order binds the other ----

template <class Own, class Wire, std::size_t N>
using EnumTable = std::array<std::pair<Own, Wire>, N>;

template <class Own, class Wire, std::size_t N>
[[nodiscard]] Wire to_wire(const EnumTable<Own, Wire, N>& table, Own value) {
    for (const auto& [own, wire] : table)
        if (own == value)
            return wire;
    MR_CHECK(false, "an enumerator that the schema lacks");
    return table[0].second;
}

template <class Own, class Wire, std::size_t N>
[[nodiscard]] std::optional<Own> from_wire(const EnumTable<Own, Wire, N>& table, Wire value) {
    for (const auto& [own, wire] : table)
        if (wire == value)
            return own;
    return std::nullopt;
}

// For what asks for work: half of what was asked is worse than nothing.
template <class Own, class Wire, std::size_t N>
[[nodiscard]] Own known(const EnumTable<Own, Wire, N>& table, Wire value, std::string_view field) {
    if (const auto own = from_wire(table, value))
        return *own;
    throw Unfamiliar("unknown " + std::string(field));
}

// For what describes or explains.
template <class Own, class Wire, std::size_t N>
[[nodiscard]] Own known_or(const EnumTable<Own, Wire, N>& table, Wire value, Own otherwise) {
    return from_wire(table, value).value_or(otherwise);
}

// ---- numbers ----

// value >= 0, or Malformed.
[[nodiscard]] std::int64_t non_negative(std::int64_t value, std::string_view field);
[[nodiscard]] std::int32_t non_negative32(std::int32_t value, std::string_view field);
[[nodiscard]] std::int64_t within(std::int64_t value, std::int64_t low, std::int64_t high,
                                  std::string_view field);

// ---- texts ----

[[nodiscard]] std::string text(capnp::Text::Reader value, std::size_t bytes_max,
                               std::string_view field);
// 1..bytes_max of [A-Za-z0-9._~+-], not "." or ".."; safe as a path component.
[[nodiscard]] std::string name_text(capnp::Text::Reader value, std::size_t bytes_max,
                                    std::string_view field);
// `value` cut to `bytes_max` bytes, not inside a UTF-8 sequence.
[[nodiscard]] std::string clipped(std::string_view value, std::size_t bytes_max);
[[nodiscard]] inline capnp::Text::Reader as_text(const std::string& value) {
    return {value.c_str(), value.size()};
}

[[nodiscard]] Sha256 sha256(capnp::Data::Reader value, std::string_view field);
[[nodiscard]] inline capnp::Data::Reader as_data(const Sha256& value) {
    return {value.data(), value.size()};
}

// ---- lists ----

template <class List>
[[nodiscard]] List bounded(List list, std::size_t max, std::string_view field) {
    if (list.size() > max)
        malformed(field, "has too many entries");
    return list;
}

[[nodiscard]] inline unsigned list_size(std::size_t size) {
    return static_cast<unsigned>(size);
}

// ---- the message around them ----

[[nodiscard]] std::vector<std::uint8_t> to_bytes(capnp::MessageBuilder& message);

// Opens `bytes` as one message of at most `bytes_max` and hands its reader to `read`; every
// exception ends here. Unfamiliar becomes `ignored(what)`.
template <class Read, class Ignore>
[[nodiscard]] auto open_message(std::span<const std::uint8_t> bytes, std::size_t bytes_max,
                                Read read, Ignore ignored)
    -> Result<std::remove_cvref_t<decltype(ignored(std::string()))>>;

// The non-template half: a copy at the alignment Cap'n Proto demands. libzmq hands out frames of
// less than 8 KiB unaligned nearly always, and Cap'n Proto 0.9 throws on those.
[[nodiscard]] kj::Array<capnp::word> aligned_copy(std::span<const std::uint8_t> bytes);
[[nodiscard]] capnp::ReaderOptions reader_options(std::size_t words);
// Throws Malformed unless the size is a positive multiple of 8 and at most `bytes_max`.
void check_frame(std::span<const std::uint8_t> bytes, std::size_t bytes_max);

template <class Read, class Ignore>
auto open_message(std::span<const std::uint8_t> bytes, std::size_t bytes_max, Read read,
                  Ignore ignored) -> Result<std::remove_cvref_t<decltype(ignored(std::string()))>> {
    try {
        check_frame(bytes, bytes_max);
        const auto words = aligned_copy(bytes);
        capnp::FlatArrayMessageReader reader(words, reader_options(words.size()));
        if (reader.getEnd() != words.end())
            malformed("message", "has bytes behind its end");
        return read(reader);
    } catch (const Unfamiliar& problem) {
        return ignored(problem.what());
    } catch (const Malformed& problem) {
        return error(ErrorKind::bad_input, problem.what());
    } catch (const kj::Exception& problem) {
        // Not what(): that one resolves a stack trace.
        return error(ErrorKind::bad_input,
                     "damaged message: " + std::string(problem.getDescription().cStr()));
    } catch (const std::exception& problem) {
        return error(ErrorKind::bad_input, std::string("damaged message: ") + problem.what());
    }
}

}  // namespace millrace::wire
