#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benchmarks/pipeline.h"
#include "transcoder/engine/engine_process.h"

extern char** environ;

namespace millrace::bench {
namespace {

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

void give_up(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(1);
}

Held held_by(int pid) {
    const std::string at = "/proc/" + std::to_string(pid);
    Held held;
    std::ifstream status(at + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:"))
            held.resident_mib = std::stod(line.substr(6)) / 1024;
        if (line.starts_with("VmHWM:"))
            held.peak_mib = std::stod(line.substr(6)) / 1024;
        if (line.starts_with("RssFile:"))
            held.files_mib = std::stod(line.substr(8)) / 1024;
        if (line.starts_with("Threads:"))
            held.threads = std::stoi(line.substr(8));
    }
    std::error_code problem;
    for ([[maybe_unused]] const auto& fd : std::filesystem::directory_iterator(at + "/fd", problem))
        ++held.descriptors;
    return held;
}

Engine::Engine(Loop& loop, const std::string& executable) : loop_(loop) {
    engine::EngineProcess::Callbacks callbacks;
    callbacks.on_probed = [](const SourceInfo&) {};
    callbacks.on_progress = [](const EngineProgress&) {};
    callbacks.on_rendition = [this](const RenditionReport& report, PayloadPtr bytes) {
        files_.emplace_back(report.name, std::move(bytes));
        held_ = held_by(process_->pid());
    };
    callbacks.on_finished = [this](const TranscodeReport& report) { finished(report); };
    callbacks.on_failed = [](const Error& problem, std::optional<engine::EngineDeath>) {
        give_up("a segment failed: " + problem.message);
    };
    callbacks.on_ready = [] {};
    callbacks.on_lost = [](engine::EngineDeath, const std::string& why) { give_up(why); };
    callbacks.on_walls = [](const EngineWalls&) {};
    process_ =
        std::make_unique<engine::EngineProcess>(loop, pool_, std::move(callbacks), executable);
}

Engine::~Engine() = default;

void Engine::begin(const EngineTask& task, const std::vector<std::uint8_t>& source) {
    files_.clear();
    cost_ = {};
    begun_ = loop_.now();
    process_->begin(task);
    process_->feed(make_payload(pool_, source));
    process_->end_input();
}

void Engine::finished(const TranscodeReport& report) {
    cost_.wall_s = to_seconds(loop_.now() - begun_);
    cost_.engine_s = static_cast<double>(report.cpu_us) / 1e6;
    cost_.cpu_s = cost_.engine_s;
    // A spent engine has been replaced by now: what the last rendition was seen at is its own.
    cost_.peak_mib = held_.peak_mib;
    cost_.own_mib = held_.peak_mib - held_.files_mib;
    const StageTimes& times = report.times;
    cost_.inside_s = static_cast<double>(times.decode_us + times.scale_us + times.encode_us) / 1e6;
}

bool Engine::busy() const {
    return process_->busy();
}

int Engine::pid() const {
    return process_->pid();
}

std::uint64_t Engine::restarts() const {
    return process_->restarts();
}

Process::Process(std::vector<std::string> words) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    if (::posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ) != 0)
        give_up("cannot start " + words[0]);
    posix_spawn_file_actions_destroy(&actions);
}

bool Process::wait(Cost& cost) {
    // Nobody counts the pages of files at the peak: looked at meanwhile. Once a program has begun they hardly change.
    constexpr int kLookEveryMs = 50;
    double files_mib = 0;
    pollfd ended{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)), POLLIN, 0};
    while (ended.fd >= 0 && ::poll(&ended, 1, kLookEveryMs) == 0)
        files_mib = std::max(files_mib, held_by(pid_).files_mib);
    ::close(ended.fd);
    int status = 0;
    rusage usage{};
    if (::wait4(pid_, &status, 0, &usage) != pid_)
        return false;
    cost.cpu_s += seconds(usage.ru_utime) + seconds(usage.ru_stime);
    const double peak_mib = static_cast<double>(usage.ru_maxrss) / 1024;
    cost.peak_mib = std::max(cost.peak_mib, peak_mib);
    cost.own_mib = std::max(cost.own_mib, peak_mib - files_mib);
    return status == 0;
}

double quantile(std::vector<double> values, double share) {
    if (values.empty())
        return std::nan("");
    std::sort(values.begin(), values.end());
    const auto last = static_cast<double>(values.size() - 1);
    return values[static_cast<std::size_t>(share * last + 0.5)];
}

std::vector<std::uint8_t> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.empty())
        give_up("cannot read " + path);
    return bytes;
}

void write_file(const std::string& path, const Payload& bytes) {
    std::ofstream file(path, std::ios::binary);
    for (std::size_t n = 0; n < bytes.block_count(); ++n)
        file.write(reinterpret_cast<const char*>(bytes.block(n).data()),
                   static_cast<std::streamsize>(bytes.block(n).size()));
    if (!file.flush())
        give_up("cannot write " + path);
}

void print_machine() {
    std::string cpu = "unknown CPU", load;
    std::ifstream facts("/proc/cpuinfo");
    for (std::string line; std::getline(facts, line);)
        if (line.starts_with("model name")) {
            cpu = line.substr(line.find(':') + 2);
            break;
        }
    std::getline(std::ifstream("/proc/loadavg"), load);
    utsname system{};
    uname(&system);
    std::printf("machine     %s, %u CPUs, %s %s, load %s\n", cpu.c_str(),
                std::thread::hardware_concurrency(), system.sysname, system.release,
                load.substr(0, load.find(' ')).c_str());
}

}  // namespace millrace::bench
