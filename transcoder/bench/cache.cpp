#include "transcoder/bench/cache.h"

#include <nlohmann/json.hpp>

namespace millrace::bench {
namespace {

using nlohmann::json;

// Prices were those of a session alone before: no number.
constexpr std::int64_t kPricesOf = 2;

json facts_json(const MachineFacts& facts) {
    return {{"cpu", facts.cpu},
            {"cores", facts.cores},
            {"driver", facts.driver},
            {"gpus", facts.gpus},
            {"version", facts.version},
            {"ffmpeg", facts.ffmpeg},
            {"sanitized", facts.sanitized}};
}

// A whole number in that place, or nothing.
std::optional<std::int64_t> number_in(const json& object, const char* key, std::int64_t low,
                                      std::int64_t high) {
    if (!object.is_object())
        return std::nullopt;
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_integer())
        return std::nullopt;
    const auto value = found->get<std::int64_t>();
    return value >= low && value <= high ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string to_cache(const MachineFacts& facts, const Measured& measured) {
    const CpuBudget& cpu = measured.capacity.cpu;
    const json document{{"machine", facts_json(facts)},      {"prices", kPricesOf},
                        {"sessions", measured.sessions},     {"decode_ps_per_pixel", cpu.decode},
                        {"scale_ps_per_pixel", cpu.scale},   {"encode_ps_per_pixel", cpu.encode},
                        {"cpu_ps_per_second", cpu.available}};
    return document.dump(2, ' ', true, json::error_handler_t::replace) + "\n";
}

std::optional<Measured> from_cache(std::string_view text, const MachineFacts& facts) {
    constexpr std::int64_t kMost = 1'000'000'000'000'000;
    const json document = json::parse(text, nullptr, false);
    // As it would be written: text that JSON cannot hold was replaced there, too.
    const auto expected =
        json::parse(facts_json(facts).dump(-1, ' ', true, json::error_handler_t::replace));
    if (!document.is_object() || document.value("machine", json()) != expected)
        return std::nullopt;
    const auto prices = number_in(document, "prices", kPricesOf, kPricesOf);
    const auto sessions = number_in(document, "sessions", 1, kSlotsMax);
    const auto decode = number_in(document, "decode_ps_per_pixel", 0, kMost);
    const auto scale = number_in(document, "scale_ps_per_pixel", 0, kMost);
    const auto encode = number_in(document, "encode_ps_per_pixel", 0, kMost);
    const auto available = number_in(document, "cpu_ps_per_second", 0, kMost);
    if (!prices || !sessions || !decode || !scale || !encode || !available)
        return std::nullopt;
    Measured measured;
    measured.sessions = static_cast<std::uint32_t>(*sessions);
    measured.capacity.cpu = {*decode, *scale, *encode, *available};
    return measured;
}

}  // namespace millrace::bench
