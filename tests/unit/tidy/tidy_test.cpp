// The tree keeps the rules of rules.h; and the rules notice when it does not.

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/unit/tidy/rules.h"

using namespace millrace::tidy;
using Catch::Contains;

namespace {

const std::vector<std::string> kRoots{"common", "orchestrator", "transcoder", "tests",
                                      "benchmarks"};

Tree the_tree() {
    namespace fs = std::filesystem;
    const fs::path root(MILLRACE_SOURCE_DIR);
    Tree tree;
    for (const std::string& name : kRoots) {
        for (const auto& entry : fs::recursive_directory_iterator(root / name)) {
            const std::string extension = entry.path().extension();
            const bool wanted = extension == ".cpp" || extension == ".h" || extension == ".cu" ||
                                entry.path().filename() == "CMakeLists.txt";
            if (!entry.is_regular_file() || !wanted)
                continue;
            std::ostringstream text;
            text << std::ifstream(entry.path()).rdbuf();
            tree[fs::relative(entry.path(), root).string()] = text.str();
        }
    }
    return tree;
}

bool is_source(const std::string& path) {
    return path.ends_with(".cpp") || path.ends_with(".h") || path.ends_with(".cu");
}

std::string all(const std::vector<std::string>& problems) {
    std::string text;
    for (const std::string& problem : problems)
        text += problem + "\n";
    return text;
}

std::string problems_of(const std::string& path, const std::string& text) {
    return all(problems_in(path, path.ends_with(".h") ? "#pragma once\n" + text : text));
}

}  // namespace

TEST_CASE("the tree keeps its rules", "[tidy]") {
    const Tree tree = the_tree();
    REQUIRE(tree.size() > 50);
    std::vector<std::string> problems = unlisted_sources(tree);
    for (const auto& [path, text] : tree) {
        if (!is_source(path) || path.starts_with("tests/unit/tidy/"))
            continue;
        const auto found = problems_in(path, text);
        problems.insert(problems.end(), found.begin(), found.end());
    }
    INFO(all(problems));
    CHECK(problems.empty());
}

TEST_CASE("an include against the grain is noticed with its remedy", "[tidy]") {
    CHECK_THAT(problems_of("common/base/x.h", "#include \"common/domain/rendition.h\""),
               Contains("common/base/x.h:2: may not include common/domain/rendition.h"));
    CHECK_THAT(problems_of("orchestrator/core/x.cpp", "#include \"common/net/lane.h\""),
               Contains("cores decide on plain values"));
    CHECK_THAT(problems_of("orchestrator/front/x.cpp", "#include \"transcoder/core/slots.h\""),
               Contains("never include each other"));
    CHECK_THAT(problems_of("transcoder/link/x.h", "#include \"orchestrator/core/effects.h\""),
               Contains("never include each other"));
    CHECK_THAT(problems_of("common/wire/x.cpp", "#include \"common/net/lane.h\""),
               Contains("wire turns"));
    CHECK_THAT(problems_of("common/config/x.cpp", "#include \"common/runtime/loop.h\""),
               Contains("may not include"));
    CHECK(problems_of("common/config/x.cpp", "#include \"common/runtime/log_options.h\"").empty());
    CHECK(problems_of("orchestrator/front/x.cpp",
                      "#include \"common/http/server.h\"\n"
                      "#include \"orchestrator/core/effects.h\"\n"
                      "#include <vector>")
              .empty());
    CHECK(problems_of("tests/sim/x.cpp",
                      "#include \"orchestrator/core/effects.h\"\n"
                      "#include \"transcoder/core/slots.h\"")
              .empty());
}

TEST_CASE("a library outside its door is noticed", "[tidy]") {
    const std::vector<std::pair<std::string, std::string>> wrong{
        {"orchestrator/link/x.cpp", "<zmq.h>"},
        {"common/net/x.h", "<zmq.hpp>"},
        {"orchestrator/link/x.cpp", "<capnp/message.h>"},
        {"orchestrator/link/x.cpp", "\"schemas/control.capnp.h\""},
        {"transcoder/engine/x.cpp", "<libavcodec/avcodec.h>"},
        {"transcoder/media/x.cpp", "<cuda_runtime_api.h>"},
        {"orchestrator/admin/x.cpp", "<prometheus/counter.h>"},
        {"common/metrics/x.h", "<prometheus/counter.h>"},
        {"orchestrator/store/x.h", "<SQLiteCpp/SQLiteCpp.h>"},
        {"orchestrator/front/x.h", "<nlohmann/json.hpp>"},
        {"common/domain/x.cpp", "<nlohmann/json.hpp>"},
        {"common/config/options.cpp", "<CLI/CLI.hpp>"},
        {"common/net/x.cpp", "<spdlog/spdlog.h>"},
        {"transcoder/link/x.cpp", "<boost/asio.hpp>"},
    };
    for (const auto& [path, include] : wrong) {
        INFO(path << " " << include);
        CHECK_FALSE(problems_of(path, "#include " + include).empty());
    }
    CHECK(problems_of("common/net/x.cpp", "#include <zmq.h>").empty());
    CHECK(problems_of("common/wire/x.h", "#include <capnp/message.h>").empty());
    CHECK(problems_of("orchestrator/front/x.h", "#include <nlohmann/json_fwd.hpp>").empty());
}

TEST_CASE("a core that is not quiet is noticed", "[tidy]") {
    for (const char* line :
         {"const auto t = std::chrono::steady_clock::now();", "#include <thread>",
          "#include <mutex>", "#include <sys/socket.h>", "#include <fstream>",
          "std::random_device seed;", "#include <unistd.h>", "#include <nlohmann/json_fwd.hpp>"}) {
        INFO(line);
        CHECK_FALSE(problems_of("transcoder/core/x.cpp", line).empty());
        CHECK_FALSE(problems_of("common/domain/x.h", line).empty());
        CHECK(problems_of("orchestrator/x.cpp", line).empty());
    }
    CHECK(problems_of("transcoder/core/x.cpp", "// not std::chrono::steady_clock::now() here")
              .empty());
    CHECK(problems_of("transcoder/core/x.cpp", "say(\"steady_clock::now()\");").empty());
}

TEST_CASE("a test that sleeps is noticed, a pause that says why is not", "[tidy]") {
    CHECK_THAT(problems_of("tests/unit/x/y_test.cpp", "std::this_thread::sleep_for(1s);"),
               Contains("wait for a condition with a deadline"));
    CHECK_FALSE(problems_of("tests/unit/x/y_test.cpp", "::usleep(100);").empty());
    CHECK(problems_of("tests/support/x.h", "std::this_thread::sleep_for(1ms);  // pause: of a poll")
              .empty());
    CHECK(problems_of("tests/unit/x/y_test.cpp", "// sleep_for(1s) would be wrong").empty());
}

TEST_CASE("what is left undone, and a header without its guard, are noticed", "[tidy]") {
    const std::string word = std::string("TO") + "DO";
    CHECK_FALSE(problems_of("common/net/x.cpp", "int x;  // " + word + ": later").empty());
    CHECK_FALSE(problems_in("common/net/x.h", "#include <vector>\n").empty());
}

TEST_CASE("a source file that nobody builds is noticed", "[tidy]") {
    const Tree tree{{"a/CMakeLists.txt", "module(a SOURCES one.cpp\n  deep/two.cpp)"},
                    {"a/one.cpp", ""},
                    {"a/deep/two.cpp", ""},
                    {"a/one.h", ""},
                    {"a/ne.cpp", ""},
                    {"b/CMakeLists.txt", "${CMAKE_CURRENT_SOURCE_DIR}/five.cpp ../c/four.cpp"},
                    {"b/five.cpp", ""},
                    {"c/four.cpp", ""},
                    {"b/three.cpp", ""}};
    const std::string problems = all(unlisted_sources(tree));
    CHECK_THAT(problems, Contains("a/ne.cpp: no CMakeLists.txt names it"));
    CHECK_THAT(problems, Contains("b/three.cpp"));
    CHECK_THAT(problems, !Contains("one.cpp") && !Contains("two.cpp"));
    CHECK(unlisted_sources(tree).size() == 2);
}
