#include "common/config/cpu_budget.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <thread>

#include <sched.h>

#include "common/domain/capacity.h"

namespace millrace::config {
namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

std::optional<std::string> first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (!file || !std::getline(file, line))
        return std::nullopt;
    return line;
}

double ratio(double quota, double period) {
    return quota > 0 && period > 0 ? quota / period : kUnlimited;
}

// cgroup v2: "max 100000" or "150000 100000" (microseconds).
double quota_v2(const std::string& directory) {
    const auto line = first_line(directory + "/cpu.max");
    double quota = 0;
    double period = 0;
    if (line && std::istringstream(*line) >> quota >> period)
        return ratio(quota, period);
    return kUnlimited;  // no such file, or "max"
}

double quota_v1(const std::string& directory) {
    const auto number = [&](const char* name) {
        double value = 0;
        const auto line = first_line(directory + name);
        return line && std::istringstream(*line) >> value ? value : 0.0;
    };
    return ratio(number("/cpu.cfs_quota_us"), number("/cpu.cfs_period_us"));
}

// The quota of a group and of every group above it, up to where the hierarchy is mounted.
template <class Quota>
double least_upwards(const std::string& mount, std::string path, Quota quota) {
    double least = quota(mount);
    while (!path.empty() && path != "/") {
        least = std::min(least, quota(mount + path));
        path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
    return least;
}

bool names_cpu(const std::string& controllers) {
    std::stringstream list(controllers);
    for (std::string name; std::getline(list, name, ',');)
        if (name == "cpu")
            return true;
    return false;
}

// One line of /proc/self/cgroup: "ID:CONTROLLERS:PATH".
double quota_of_line(const std::string& root, const std::string& line) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos)
        return kUnlimited;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty())
        return least_upwards(root + "/sys/fs/cgroup", path, quota_v2);
    if (names_cpu(controllers))
        return std::min(least_upwards(root + "/sys/fs/cgroup/" + controllers, path, quota_v1),
                        least_upwards(root + "/sys/fs/cgroup/cpu", path, quota_v1));
    return kUnlimited;
}

std::uint32_t affinity() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return static_cast<std::uint32_t>(CPU_COUNT(&set));
    return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

double cpu_budget(const std::string& root, std::uint32_t affinity_cores) {
    double cores = affinity_cores;
    std::ifstream groups(root + "/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);)
        cores = std::min(cores, quota_of_line(root, line));
    return std::max(0.01, cores);
}

double cpu_budget() {
    return cpu_budget("", affinity());
}

std::uint32_t slots_for(double cores) {
    return static_cast<std::uint32_t>(std::clamp(cores / 2.0, 1.0, static_cast<double>(kSlotsMax)));
}

}  // namespace millrace::config
