#include "common/config/instant.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "common/config/field_error.h"
#include "common/config/values.h"

namespace millrace::config {
namespace {

// Reads a time from left to right; once something does not fit, nothing does.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_(text) {}

    int digits(std::size_t count) {
        unsigned value = 0;
        const char* end = rest_.data() + std::min(count, rest_.size());
        const auto [stop, problem] = std::from_chars(rest_.data(), end, value);
        if (rest_.size() < count || problem != std::errc() || stop != end)
            return fail();
        rest_.remove_prefix(count);
        return static_cast<int>(value);
    }
    void expect(std::string_view any_of) {
        if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos)
            (void)fail();
        else
            rest_.remove_prefix(1);
    }
    // The digits behind a decimal point, as milliseconds; what is finer is cut.
    int fraction() {
        if (rest_.empty() || rest_.front() != '.')
            return 0;
        rest_.remove_prefix(1);
        const std::size_t count = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
        if (count == 0 || count > 9)
            return fail();
        std::string three(rest_.substr(0, std::min<std::size_t>(count, 3)));
        three.resize(3, '0');
        rest_.remove_prefix(count);
        return std::stoi(three);
    }
    // Minutes east of UTC.
    int offset() {
        const char sign = rest_.empty() ? 'Z' : rest_.front();
        expect("Zz+-");
        if (sign == 'Z' || sign == 'z')
            return 0;
        const int hours = digits(2);
        expect(":");
        const int minutes = digits(2);
        if (hours > 23 || minutes > 59)
            return fail();
        return (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
    }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] bool good() const { return good_; }

private:
    int fail() {
        good_ = false;
        rest_ = {};
        return 0;
    }

    std::string_view rest_;
    bool good_ = true;
};

std::optional<WallTime> parse_time(std::string_view text) {
    using namespace std::chrono;
    Reader reader(text);
    const int year_read = reader.digits(4);
    reader.expect("-");
    const auto month_read = static_cast<unsigned>(reader.digits(2));
    reader.expect("-");
    const year_month_day date{year{year_read}, month{month_read},
                              day{static_cast<unsigned>(reader.digits(2))}};
    if (!reader.good() || !date.ok())
        return std::nullopt;
    milliseconds time = duration_cast<milliseconds>(sys_days(date).time_since_epoch());
    if (reader.at_end())
        return WallTime{time.count()};
    reader.expect("Tt ");
    const int hour = reader.digits(2);
    reader.expect(":");
    const int minute = reader.digits(2);
    reader.expect(":");
    const int second = reader.digits(2);
    time += hours(hour) + minutes(minute) + seconds(second) + milliseconds(reader.fraction());
    time -= minutes(reader.offset());
    if (!reader.good() || !reader.at_end() || hour > 23 || minute > 59 || second > 60)
        return std::nullopt;
    return WallTime{time.count()};
}

}  // namespace

Result<Instant> parse_instant(std::string_view text) {
    if (const auto time = parse_time(text))
        return Instant{time, {}};
    if (const auto ago = parse_duration(text))
        return Instant{std::nullopt, *ago};
    return error(ErrorKind::bad_input,
                 "must be a time like 2026-11-25T04:30:00Z, a date like 2026-11-25 (UTC), or how "
                 "long ago, like 24h, not " +
                     quote(text));
}

}  // namespace millrace::config
