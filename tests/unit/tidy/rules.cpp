#include "tests/unit/tidy/rules.h"

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>

namespace millrace::tidy {
namespace {

using Texts = std::vector<std::string>;

bool starts_with_any(std::string_view text, const Texts& starts) {
    return std::any_of(starts.begin(), starts.end(), [&](const std::string& start) {
        return text.substr(0, start.size()) == start;
    });
}

// ---- who may include whom ----

struct Module {
    std::string path;  // "common/net/"
    Texts may;         // besides itself
    std::string why;
};

const std::string kBase = "common/base/";
const std::string kDomain = "common/domain/";
const std::string kWire = "common/wire/";
const std::string kRuntime = "common/runtime/";
const std::string kCoresAreQuiet =
    "cores decide on plain values: move what needs this into a shell and pass a value or an effect";

// The longest path that fits is a file's module. orchestrator/ and transcoder/ without more are shells.
const std::vector<Module>& modules() {
    static const std::vector<Module> kModules{
        {kBase, {}, "base stands on the standard library alone"},
        {kDomain, {kBase}, "domain holds plain values: base <- domain"},
        {kWire,
         {kBase, kDomain, "schemas/"},
         "wire turns bytes into domain values and nothing else"},
        {kRuntime, {kBase}, "base <- runtime: give it a plain value or a callback instead"},
        {"common/net/",
         {kBase, kDomain, kRuntime},
         "lanes carry bytes: the messages in them are wire's"},
        {"common/http/",
         {kBase, kDomain, kRuntime},
         "the server knows HTTP; what requests mean is the front's"},
        {"common/metrics/", {kBase, kDomain}, "metrics know names, not what is measured"},
        {"common/config/",
         {kBase, kDomain, "common/runtime/descriptor.h", "common/runtime/log_options.h"},
         "configuration is plain values"},
        {"orchestrator/core/", {kBase, kDomain}, kCoresAreQuiet},
        {"transcoder/core/", {kBase, kDomain}, kCoresAreQuiet},
        {"transcoder/cuda/",
         {kBase, kDomain},
         "kernels know surfaces and numbers; FFmpeg's frames are media's"},
        {"transcoder/media/",
         {kBase, kDomain, kRuntime, "transcoder/cuda/"},
         "the pipeline works on bytes in memory; who sends them is "
         "the link's or the engine's business"},
        {"orchestrator/",
         {"common/", "orchestrator/"},
         "orchestrator and transcoder never include each other: what "
         "they share is in common/"},
        {"transcoder/",
         {"common/", "transcoder/"},
         "orchestrator and transcoder never include each other: what they "
         "share is in common/"},
    };
    return kModules;
}

const Module* module_of(std::string_view path) {
    const Module* best = nullptr;
    for (const Module& module : modules())
        if (path.substr(0, module.path.size()) == module.path &&
            (best == nullptr || module.path.size() > best->path.size()))
            best = &module;
    return best;
}

// ---- libraries behind their doors ----

struct Library {
    std::regex include;
    std::string name;
    Texts doors;      // path starts
    bool in_headers;  // of those doors
    std::string remedy;
};

const std::vector<Library>& libraries() {
    const auto angle = [](const std::string& pattern) { return std::regex("[<\"]" + pattern); };
    static const std::vector<Library> kLibraries{
        {angle("zmq"),
         "ZeroMQ",
         {"common/net/", "benchmarks/", "tests/"},
         false,
         "speak through common/net"},
        {std::regex("[<\"](capnp/|kj/|.*\\.capnp\\.h)"),
         "Cap'n Proto",
         {kWire, "tests/", "benchmarks/"},
         true,
         "decode in common/wire and pass domain values"},
        {angle("(libav|libsw)"),
         "FFmpeg",
         {"transcoder/media/", "tests/"},
         true,
         "keep AV* types in transcoder/media and pass its plain values"},
        {angle("spdlog/"),
         "spdlog",
         {"common/runtime/log.cpp"},
         false,
         "log through common/runtime/log.h"},
        {angle("prometheus/"),
         "prometheus-cpp",
         {"common/metrics/"},
         false,
         "count through common/metrics/metrics.h"},
        {angle("CLI/"),
         "CLI11",
         {"common/config/command_line.cpp"},
         false,
         "add a row to a table of common/config/options.h"},
        {angle("(SQLiteCpp/|sqlite3)"),
         "SQLite",
         {"orchestrator/store/", "tests/unit/store/"},
         false,
         "store through orchestrator/store/store.h"},
        {angle("cuda"),
         "CUDA",
         {"transcoder/cuda/"},
         false,
         "launch through transcoder/cuda/device_scaler.h: other files build without the toolkit"},
        {std::regex("<nlohmann/json\\.hpp>"),
         "nlohmann/json",
         {"common/config/", "common/http/", "orchestrator/", "transcoder/", "tests/",
          "benchmarks/"},
         false,
         "headers take <nlohmann/json_fwd.hpp> or text; cores know no JSON"},
        {angle("boost/(asio|beast)"),
         "Asio and Beast",
         {kRuntime, "common/http/", "common/net/", "orchestrator/front/", "tests/", "benchmarks/"},
         true,
         "use Loop, Timer and FdWatch of common/runtime/loop.h"},
    };
    return kLibraries;
}

bool is_header(std::string_view path) {
    return path.ends_with(".h");
}

bool in_tests(std::string_view path) {
    return path.substr(0, 6) == "tests/";
}

// ---- what quiet modules must not touch ----

bool is_quiet(std::string_view path) {
    return starts_with_any(path, {kBase, kDomain, "orchestrator/core/", "transcoder/core/"});
}

const std::vector<std::pair<std::regex, std::string>>& noisy_things() {
    static const std::vector<std::pair<std::regex, std::string>> kThings{
        {std::regex("_clock::now\\s*\\("),
         "reads a clock: take the time as an argument (common/base/time.h)"},
        {std::regex(
             "#include <(thread|mutex|shared_mutex|condition_variable|future|atomic|stop_token)>"),
         "knows threads: quiet modules are single-threaded, shells bring the thread"},
        {std::regex("#include <(fstream|iostream|filesystem)>"),
         "touches files: pass values, shells read and write"},
        {std::regex(
             "#include <(sys/|unistd\\.h|poll\\.h|netinet/|arpa/|fcntl\\.h|signal\\.h|csignal)"),
         "touches the operating system: that is for shells"},
        {std::regex("\\b(std::random_device|std::rand|getenv|getrandom)\\b"),
         "asks the outside for a value: take a seed or a value as an argument (common/base/rng.h)"},
        {std::regex("#include <nlohmann/"), "knows JSON: text is read and written in shells"},
    };
    return kThings;
}

// ---- the checks, line by line ----

class File {
public:
    File(const std::string& path, std::vector<std::string>& problems)
        : path_(path), problems_(problems) {}

    void check(const std::string& line) {
        ++number_;
        static const std::regex kInclude("^\\s*#\\s*include\\s*([<\"])([^>\"]+)[>\"]");
        std::smatch found;
        if (std::regex_search(line, found, kInclude)) {
            check_include(found[1] == "\"", found[2]);
            check_library(found[1].str() + found[2].str() + (found[1] == "<" ? ">" : "\""));
            check_quiet(line);
            return;
        }
        check_quiet(code_of(line));
        check_sleep(line);
        check_promise(line);
    }

private:
    void report(const std::string& problem) {
        problems_.push_back(path_ + ":" + std::to_string(number_) + ": " + problem);
    }

    void check_include(bool ours, const std::string& target) {
        const Module* module = module_of(path_);
        if (!ours || module == nullptr || target.find('/') == std::string::npos)
            return;
        const bool own = target.substr(0, module->path.size()) == module->path;
        if (!own && !starts_with_any(target, module->may))
            report("may not include " + target + ": " + module->why);
    }

    void check_library(const std::string& include) {
        for (const Library& library : libraries()) {
            if (!std::regex_search(include, library.include))
                continue;
            if (!starts_with_any(path_, library.doors))
                report(library.name + " stays behind its door: " + library.remedy);
            else if (is_header(path_) && !library.in_headers && !in_tests(path_))
                report(library.name +
                       " does not belong into a header (compile time): " + library.remedy);
        }
    }

    void check_quiet(const std::string& code) {
        if (!is_quiet(path_))
            return;
        for (const auto& [pattern, remedy] : noisy_things())
            if (std::regex_search(code, pattern))
                report(remedy);
    }

    // A poll needs a pause, and a fault may be one: the line says so. Everything else waits for what it wants
    // to see.
    void check_sleep(const std::string& line) {
        static const std::regex kSleep("\\b(sleep_for|sleep_until|usleep|nanosleep|sleep)\\s*\\(");
        if (in_tests(path_) && std::regex_search(code_of(line), kSleep) &&
            line.find("// pause: ") == std::string::npos)
            report(
                "sleeps: wait for a condition with a deadline (where the pause is what is tested, "
                "or a poll's, say "
                "so behind it: // pause: why)");
    }

    void check_promise(const std::string& line) {
        static const std::regex kPromise("\\b(TODO|FIXME|XXX)\\b");
        if (std::regex_search(line, kPromise))
            report("leaves something undone: do it, or put it into an issue");
    }

    const std::string& path_;
    std::vector<std::string>& problems_;
    int number_ = 0;
};

// The .cpp files that a CMakeLists.txt names, as paths below the root.
void add_listed(const std::string& cmake_path, const std::string& text,
                std::set<std::string>& listed) {
    static const std::regex kSource("[^\\s()\"]+\\.cpp");
    const std::filesystem::path here = std::filesystem::path(cmake_path).parent_path();
    for (std::sregex_iterator word(text.begin(), text.end(), kSource), end; word != end; ++word) {
        std::string name = word->str();
        if (const std::size_t variable = name.find("}/"); variable != std::string::npos)
            name.erase(0, variable + 2);  // ${CMAKE_CURRENT_SOURCE_DIR}/
        listed.insert((here / name).lexically_normal().string());
    }
}

}  // namespace

std::string code_of(std::string_view line) {
    std::string code;
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (quote == 0 && line.substr(i, 2) == "//")
            break;
        if (quote != 0 && line[i] == '\\')
            ++i;
        else if (quote != 0 && line[i] == quote)
            quote = 0;
        else if (quote == 0 && line[i] == '"')
            quote = '"';
        else if (quote == 0)
            code += line[i];
    }
    return code;
}

std::vector<std::string> problems_in(const std::string& path, const std::string& text) {
    std::vector<std::string> problems;
    File file(path, problems);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        file.check(line);
    if (is_header(path) && text.substr(0, 12) != "#pragma once")
        problems.push_back(path + ":1: a header begins with #pragma once");
    return problems;
}

std::vector<std::string> unlisted_sources(const Tree& tree) {
    std::set<std::string> listed;
    for (const auto& [path, text] : tree)
        if (path.ends_with("CMakeLists.txt"))
            add_listed(path, text, listed);
    std::vector<std::string> problems;
    for (const auto& [path, text] : tree)
        if (path.ends_with(".cpp") && !listed.contains(path))
            problems.push_back(
                path + ": no CMakeLists.txt names it: nobody builds it; list it or remove it");
    return problems;
}

}  // namespace millrace::tidy
