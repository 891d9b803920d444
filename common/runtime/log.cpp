#include "common/runtime/log.h"

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "common/runtime/log_text.h"

namespace millrace::log {
namespace {

// The whole line but its time is ours; spdlog keeps time, locks and writes.
struct Output {
    std::atomic<LogLevel> level{LogLevel::info};
    std::atomic<LogFormat> format{LogFormat::text};
    std::shared_ptr<spdlog::sinks::stderr_sink_mt> sink =
        std::make_shared<spdlog::sinks::stderr_sink_mt>();
    spdlog::logger logger{"millrace", sink};
    std::mutex limiter_mutex;
    RateLimiter limiter;

    Output() { configure(LogOptions{}); }

    void configure(const LogOptions& options) {
        level = options.level;
        format = options.format;
        const bool text = options.format == LogFormat::text;
        constexpr const char* kText = "%Y-%m-%dT%H:%M:%S.%eZ %v";
        constexpr const char* kJson = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v)";
        logger.set_level(spdlog::level::trace);
        logger.flush_on(spdlog::level::trace);
        logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(
            text ? kText : kJson, spdlog::pattern_time_type::utc));
    }
};

// Never destroyed: threads may still log while the process ends.
Output& output() {
    static Output* const instance = new Output;
    return *instance;
}

constexpr std::array<std::string_view, 5> kLevelNames{"trace", "debug", "info", "warn", "error"};

std::string_view level_name(LogLevel level) {
    return kLevelNames[static_cast<std::size_t>(level) % kLevelNames.size()];
}

std::string render_text(LogLevel level, std::string_view module, std::string_view message,
                        Fields fields) {
    std::string line(level_name(level));
    line.resize(6, ' ');
    append_plain(line, module);
    line += ": ";
    append_plain(line, message);
    for (const Field& field : fields) {
        line += ' ';
        append_plain(line, field.key);
        line += '=';
        append_value(line, field.value);
    }
    return line;
}

void add_member(std::string& line, std::string_view key, std::string_view value) {
    append_json(line, key);
    line += ':';
    append_json(line, value);
}

std::string render_json(LogLevel level, std::string_view module, std::string_view message,
                        Fields fields) {
    std::string line;
    add_member(line, "level", level_name(level));
    line += ',';
    add_member(line, "module", module);
    line += ',';
    add_member(line, "message", message);
    for (const Field& field : fields) {
        line += ',';
        add_member(line, field.key, field.value);
    }
    return line + "}";
}

}  // namespace

void configure(const LogOptions& options) {
    output().configure(options);
}

bool enabled(LogLevel level) noexcept {
    return level >= output().level;
}

std::string render(LogFormat format, LogLevel level, std::string_view module,
                   std::string_view message, Fields fields) {
    return format == LogFormat::text ? render_text(level, module, message, fields)
                                     : render_json(level, module, message, fields);
}

void write(LogLevel level, std::string_view module, std::string_view message,
           Fields fields) noexcept {
    try {
        if (!enabled(level))
            return;
        const std::string line = render(output().format, level, module, message, fields);
        output().logger.log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
    } catch (...) {
        // Out of memory, or stderr is gone: there is nobody left to tell.
    }
}

void write_limited(std::string_view key, LogLevel level, std::string_view module,
                   std::string_view message, Fields fields) noexcept {
    try {
        if (!enabled(level))
            return;
        std::optional<std::uint64_t> left_out;
        {
            const std::lock_guard lock(output().limiter_mutex);
            left_out = output().limiter.pass(key, std::chrono::steady_clock::now());
        }
        if (!left_out)
            return;
        if (*left_out > 0)
            write(level, module, "similar lines were left out",
                  {{"key", std::string(key)}, {"lines", std::to_string(*left_out)}});
        write(level, module, message, fields);
    } catch (...) {
        // As in write().
    }
}

// ---- rate limit ----

struct RateLimiter::State {
    struct Window {
        TimePoint since;
        std::uint32_t lines = 0;
        std::uint64_t left_out = 0;
    };
    std::map<std::string, Window, std::less<>> windows;

    Window& window(std::string_view key, TimePoint now) {
        if (const auto found = windows.find(key); found != windows.end())
            return found->second;
        if (windows.size() >= kKeysMax)
            std::erase_if(windows, [&](const auto& entry) {
                return now - entry.second.since >= std::chrono::minutes(1);
            });
        return windows[windows.size() < kKeysMax ? std::string(key) : std::string()];
    }
};

RateLimiter::RateLimiter() : state_(std::make_unique<State>()) {}
RateLimiter::~RateLimiter() = default;

std::optional<std::uint64_t> RateLimiter::pass(std::string_view key, TimePoint now) {
    State::Window& window = state_->window(key, now);
    const bool fresh = window.lines == 0 || now - window.since >= std::chrono::minutes(1);
    if (fresh) {
        const std::uint64_t left_out = window.left_out;
        window = {now, 1, 0};
        return left_out;
    }
    if (window.lines >= kLinesPerMinute) {
        ++window.left_out;
        return std::nullopt;
    }
    ++window.lines;
    return 0;
}

}  // namespace millrace::log
