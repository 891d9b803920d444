#pragma once
// An amount of LPT, Livepeer's token, exact: whole base units of 10^-18 LPT, as the contracts count
// it. Never a floating point number: a stake that backs exactly three sessions must back three.
//
// Thread: any; values.

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace millrace {

class Lpt {
public:
    __extension__ using Units = unsigned __int128;
    static constexpr int kDecimals = 18;
    // Whole LPT, digits before the point. Far above every supply there can be (4 * 10^7 in 2026).
    static constexpr std::size_t kWholeDigitsMax = 18;

    constexpr Lpt() = default;
    [[nodiscard]] static constexpr Lpt of_units(Units units) { return Lpt(units); }
    // "1500.25": digits, perhaps a point and 1 to 18 more. No sign, exponent, blank or group mark.
    // bad_input: anything else; the message says what is wrong.
    [[nodiscard]] static Result<Lpt> parse(std::string_view decimal);

    [[nodiscard]] constexpr Units units() const { return units_; }
    [[nodiscard]] constexpr bool zero() const { return units_ == 0; }
    // The shortest decimal that parse() reads back: "1500.25", "0".
    [[nodiscard]] std::string text() const;
    // For dashboards only; off by up to one part in 2^53.
    [[nodiscard]] double approximate() const;

    constexpr auto operator<=>(const Lpt&) const = default;

private:
    constexpr explicit Lpt(Units units) : units_(units) {}
    Units units_ = 0;
};

// floor(stake / per_session), at most 2^32 - 1. `per_session` is not zero.
[[nodiscard]] std::uint32_t sessions_backed(Lpt stake, Lpt per_session);

}  // namespace millrace
