#include "transcoder/memory_reader.h"

#include <algorithm>
#include <fstream>
#include <string_view>

namespace millrace::transcoder {
namespace {

// The number behind a word that begins a line: "MemTotal: 16 kB".
std::optional<double> number_behind(const std::string& file, std::string_view word) {
    std::ifstream lines(file);
    std::string first;
    for (double number = 0; lines >> first; lines.ignore(1 << 12, '\n'))
        if (first == word)
            return lines >> number ? std::optional(number) : std::nullopt;
    return std::nullopt;
}

// Of a file that is one; none: "max".
std::optional<double> number_in(const std::string& file) {
    double number = 0;
    return std::ifstream(file) >> number ? std::optional(number) : std::nullopt;
}

// "some avg10=1.23 ...", in percent.
std::optional<double> waiting_in(const std::string& file) {
    std::ifstream words(file);
    std::string some;
    std::string average;
    constexpr std::string_view kName = "avg10=";
    if (!(words >> some >> average) || some != "some" || !average.starts_with(kName))
        return std::nullopt;
    try {
        return std::stod(average.substr(kName.size())) / 100;
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

std::optional<double> left_in(const std::string& group) {
    const auto most = number_in(group + "/memory.max");
    const auto now = number_in(group + "/memory.current");
    if (!most || !now || *most <= 0)
        return std::nullopt;
    const double files = number_behind(group + "/memory.stat", "inactive_file").value_or(0);
    return std::clamp((*most - *now + files) / *most, 0.0, 1.0);
}

std::optional<double> left_of_machine(const std::string& root) {
    const auto all = number_behind(root + "/proc/meminfo", "MemTotal:");
    const auto left = number_behind(root + "/proc/meminfo", "MemAvailable:");
    return all && left && *all > 0 ? std::optional(*left / *all) : std::nullopt;
}

// Below its root, "/a/b"; empty: the root, or not known.
std::string own_group(const std::string& root) {
    std::ifstream groups(root + "/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);)
        if (line.starts_with("0::/") && line.find("/..") == std::string::npos)
            return line == "0::/" ? "" : line.substr(3);
    return "";
}

std::optional<double> least(std::optional<double> a, std::optional<double> b) {
    return a && b ? std::min(*a, *b) : a ? a : b;
}

}  // namespace

MemoryReading read_memory(const std::string& root) {
    const std::string groups = root + "/sys/fs/cgroup";
    std::string own = own_group(root);
    MemoryReading reading;
    reading.left = left_of_machine(root);
    reading.waiting = waiting_in(groups + own + "/memory.pressure");
    if (!reading.waiting)
        reading.waiting = waiting_in(root + "/proc/pressure/memory");
    for (;; own.resize(own.rfind('/'))) {
        reading.left = least(reading.left, left_in(groups + own));
        if (own.empty())
            return reading;
    }
}

}  // namespace millrace::transcoder
