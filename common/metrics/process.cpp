#include "common/metrics/process.h"

#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <vector>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

namespace millrace::metrics {
namespace {

// Fields of /proc/self/stat behind the command's closing parenthesis (proc(5): the first is state, 3).
std::vector<std::string> stat_fields() {
    std::ifstream file("/proc/self/stat");
    const std::string text(std::istreambuf_iterator<char>(file), {});
    const std::size_t close = text.rfind(')');
    if (close == std::string::npos)
        return {};
    std::istringstream rest(text.substr(close + 1));
    return {std::istream_iterator<std::string>(rest), {}};
}

double number(const std::string& text) {
    return std::strtod(text.c_str(), nullptr);
}

std::optional<double> boot_time() {
    std::ifstream file("/proc/stat");
    for (std::string key; file >> key;) {
        double value = 0;
        if (key == "btime" && file >> value)
            return value;
        file.ignore(1 << 16, '\n');
    }
    return std::nullopt;
}

std::optional<double> open_descriptors() {
    DIR* directory = ::opendir("/proc/self/fd");
    if (directory == nullptr)
        return std::nullopt;
    double count = -3;  // ".", ".." and the one this loop has open
    while (::readdir(directory) != nullptr)
        ++count;
    ::closedir(directory);
    return count;
}

class Page {
public:
    Page() { out_.precision(15); }
    void add(const char* name, const char* type, const char* help, std::optional<double> value) {
        if (!value)
            return;
        out_ << "# HELP " << name << ' ' << help << "\n# TYPE " << name << ' ' << type << '\n'
             << name << ' ' << *value << '\n';
    }
    [[nodiscard]] std::string text() const { return out_.str(); }

private:
    std::ostringstream out_;
};

void add_stat(Page& page) {
    // Places in stat_fields(): proc(5)'s number minus 3.
    constexpr std::size_t kUser = 11;
    constexpr std::size_t kSystem = 12;
    constexpr std::size_t kThreads = 17;
    constexpr std::size_t kStart = 19;
    constexpr std::size_t kVirtual = 20;
    constexpr std::size_t kResident = 21;
    const std::vector<std::string> fields = stat_fields();
    if (fields.size() <= kResident)
        return;
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    const auto page_size = static_cast<double>(::sysconf(_SC_PAGESIZE));
    page.add("process_cpu_seconds_total", "counter", "CPU time of this process",
             (number(fields[kUser]) + number(fields[kSystem])) / ticks);
    page.add("process_resident_memory_bytes", "gauge", "Resident memory",
             number(fields[kResident]) * page_size);
    page.add("process_virtual_memory_bytes", "gauge", "Virtual memory", number(fields[kVirtual]));
    page.add("process_threads", "gauge", "Threads", number(fields[kThreads]));
    if (const auto boot = boot_time())
        page.add("process_start_time_seconds", "gauge", "Start, seconds since the Unix epoch",
                 *boot + number(fields[kStart]) / ticks);
}

}  // namespace

std::string process_exposition() {
    Page page;
    add_stat(page);
    page.add("process_open_fds", "gauge", "Open file descriptors", open_descriptors());
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
        page.add("process_max_fds", "gauge", "File descriptors that may be open",
                 static_cast<double>(limit.rlim_cur));
    return page.text();
}

}  // namespace millrace::metrics
