#include "common/domain/lpt.h"

#include <algorithm>
#include <limits>

namespace millrace {
namespace {

constexpr Lpt::Units kOneLpt = 1'000'000'000'000'000'000U;
constexpr std::size_t kDecimalsMax = Lpt::kDecimals;

bool all_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

Lpt::Units number(std::string_view digits) {
    Lpt::Units value = 0;
    for (const char digit : digits)
        value = value * 10 + static_cast<unsigned>(digit - '0');
    return value;
}

std::string digits_of(Lpt::Units value) {
    std::string digits;
    do {
        digits.push_back(static_cast<char>('0' + static_cast<int>(value % 10)));
        value /= 10;
    } while (value != 0);
    std::ranges::reverse(digits);
    return digits;
}

}  // namespace

Result<Lpt> Lpt::parse(std::string_view decimal) {
    const std::size_t point = decimal.find('.');
    const std::string_view whole = decimal.substr(0, point);
    const std::string_view fraction =
        point == std::string_view::npos ? "0" : decimal.substr(point + 1);
    if (!all_digits(whole) || !all_digits(fraction))
        return millrace::error(ErrorKind::bad_input,
                               "an amount of LPT is a decimal number such as 1500.25");
    if (whole.size() > kWholeDigitsMax)
        return millrace::error(ErrorKind::bad_input, "more LPT than there can be");
    if (fraction.size() > kDecimalsMax)
        return millrace::error(ErrorKind::bad_input, "LPT has at most 18 decimal places");
    Units parts = number(fraction);
    for (std::size_t place = fraction.size(); place < kDecimalsMax; ++place)
        parts *= 10;
    return Lpt(number(whole) * kOneLpt + parts);
}

std::string Lpt::text() const {
    std::string text = digits_of(units_ / kOneLpt);
    if (const Units parts = units_ % kOneLpt; parts != 0) {
        std::string fraction = digits_of(parts);
        fraction.insert(0, kDecimalsMax - fraction.size(), '0');
        fraction.erase(fraction.find_last_not_of('0') + 1);
        text += "." + fraction;
    }
    return text;
}

double Lpt::approximate() const {
    return static_cast<double>(units_) / static_cast<double>(kOneLpt);
}

std::uint32_t sessions_backed(Lpt stake, Lpt per_session) {
    MR_CHECK(!per_session.zero(), "a session costs some stake");
    constexpr Lpt::Units kMost = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(std::min(stake.units() / per_session.units(), kMost));
}

}  // namespace millrace
