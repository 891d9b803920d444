#include "common/runtime/log.h"

#include <array>
#include <cstdio>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "tests/support/catch.h"

using namespace millrace;
using namespace std::chrono_literals;

namespace {

// What a piece of code writes to stderr.
template <class Code>
std::string stderr_of(Code code) {
    std::array<int, 2> pipe_ends{};
    REQUIRE(::pipe2(pipe_ends.data(), O_CLOEXEC) == 0);
    std::fflush(stderr);
    const int saved = ::dup(STDERR_FILENO);
    ::dup2(pipe_ends[1], STDERR_FILENO);
    ::close(pipe_ends[1]);
    code();
    std::fflush(stderr);
    ::dup2(saved, STDERR_FILENO);
    ::close(saved);
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t n = 0; (n = ::read(pipe_ends[0], buffer.data(), buffer.size())) > 0;)
        text.append(buffer.data(), static_cast<std::size_t>(n));
    ::close(pipe_ends[0]);
    return text;
}

}  // namespace

TEST_CASE("a text line has level, module, message and fields", "[runtime][log]") {
    CHECK(log::render(LogFormat::text, LogLevel::info, "transcoder", "ready",
                      {{"name", "w1"}, {"reason", "joined again"}, {"rtt", ""}}) ==
          "info  transcoder: ready name=w1 reason=\"joined again\" rtt=\"\"");
}

TEST_CASE("a JSON line has the same as members", "[runtime][log]") {
    CHECK(
        log::render(LogFormat::json, LogLevel::warn, "link", "odd \"thing\"", {{"key", "a\\b"}}) ==
        R"("level":"warn","module":"link","message":"odd \"thing\"","key":"a\\b"})");
}

TEST_CASE("what strangers send cannot break a line or drive a terminal", "[runtime][log]") {
    const std::string evil =
        "a\nERROR forged\x1b[31m\x7f\xff\xc2\x9b\xe2\x80\xa8\xed\xa0\x80 \xc3\xa9";
    const std::string text = log::render(LogFormat::text, LogLevel::info, "m", "s", {{"k", evil}});
    CHECK(text ==
          "info  m: s k=\"a\\x0aERROR "
          "forged\\x1b[31m\\x7f\\xff\\xc2\\x9b\\xe2\\x80\\xa8\\xed\\xa0\\x80 "
          "\xc3\xa9\"");
    const std::string json = log::render(LogFormat::json, LogLevel::info, "m", "s", {{"k", evil}});
    CHECK(json.find("\\u000aERROR forged\\u001b[31m\\u007f\\ufffd") != std::string::npos);
    for (const char c : json)
        CHECK((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
}

TEST_CASE("a value is cut after 1 KiB", "[runtime][log]") {
    const std::string line =
        log::render(LogFormat::text, LogLevel::info, "m", "s", {{"k", std::string(5000, 'x')}});
    CHECK(line.size() < 1100);
    CHECK(line.substr(line.size() - 3) == "...");
}

TEST_CASE("lines go to stderr from the chosen level up, each with its time", "[runtime][log]") {
    log::configure({LogLevel::warn, LogFormat::text});
    const std::string text = stderr_of([] {
        log::info("m", "unseen");
        log::error("m", "seen {} %v", {{"k", "{}"}});
    });
    CHECK_THAT(text, Catch::Matches("20[0-9-]+T[0-9:.]+Z error m: seen \\{\\} %v k=\\{\\}\n"));
    log::configure({LogLevel::info, LogFormat::json});
    const std::string json = stderr_of([] { log::info("m", "hello"); });
    CHECK_THAT(json, Catch::StartsWith("{\"time\":\"20") &&
                         Catch::EndsWith(
                             "\",\"level\":\"info\",\"module\":\"m\",\"message\":\"hello\"}\n"));
    log::configure({});
}

TEST_CASE("lines of several threads stay whole", "[runtime][log]") {
    const std::string text = stderr_of([] {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([] {
                for (int i = 0; i < 50; ++i)
                    log::info("m", "0123456789");
            });
    });
    std::size_t lines = 0;
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos;
         at = end + 1) {
        CHECK(text.substr(end - 10, 10) == "0123456789");
        ++lines;
    }
    CHECK(lines == 200);
}

TEST_CASE("a noisy peer gets a hundred lines a minute, then a count of what was left out",
          "[runtime][log]") {
    log::RateLimiter limiter;
    const auto at = [](auto since) { return TimePoint{} + since; };
    int passed = 0;
    for (int i = 0; i < 250; ++i)
        passed += limiter.pass("noisy", at(1s)).has_value();
    CHECK(passed == 100);
    CHECK(limiter.pass("calm", at(2s)) == 0U);
    CHECK_FALSE(limiter.pass("noisy", at(60s)));
    CHECK(limiter.pass("noisy", at(61s)) == 151U);
    CHECK(limiter.pass("noisy", at(62s)) == 0U);
}

TEST_CASE("many peers share one allowance beyond the bound", "[runtime][log]") {
    log::RateLimiter limiter;
    for (std::size_t i = 0; i < log::RateLimiter::kKeysMax; ++i)
        CHECK(limiter.pass(std::to_string(i), TimePoint{} + 1s));
    int passed = 0;
    for (int i = 0; i < 500; ++i)
        passed += limiter.pass("new" + std::to_string(i), TimePoint{} + 1s).has_value();
    CHECK(passed <= 101);
    CHECK(limiter.pass("later", TimePoint{} + 2min) == 0U);
}
