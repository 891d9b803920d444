// The stake file: what is read, and what is refused by name.

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "orchestrator/stake/file_source.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::stake;

namespace {

struct TemporaryFile {
    std::string path = (std::filesystem::temp_directory_path() /
                        ("millrace-stake-" + std::to_string(::getpid()) + ".json"))
                           .string();
    ~TemporaryFile() { std::filesystem::remove(path); }
    void write(std::string_view text) const {
        std::ofstream(path + ".new") << text;
        std::filesystem::rename(path + ".new", path);
    }
};

}  // namespace

TEST_CASE("a stake file says how much and whether active", "[stake]") {
    const auto reading = parse_stake_file(R"({"tokens": "1500.25", "active": true})");
    REQUIRE(reading.has_value());
    CHECK(*reading == StakeReading{*Lpt::parse("1500.25"), true, std::nullopt});
}

TEST_CASE("a wrong stake file is refused and the key named", "[stake]") {
    const std::vector<std::pair<std::string, std::string>> table{
        {"", "JSON object"},
        {"[]", "JSON object"},
        {"{\"tokens\": \"1\"", "JSON object"},
        {R"({"active": true})", "tokens"},
        {R"({"tokens": 1500.25, "active": true})", "tokens"},
        {R"({"tokens": "-1", "active": true})", "tokens"},
        {R"({"tokens": "1e9", "active": true})", "tokens"},
        {R"({"tokens": "1"})", "active"},
        {R"({"tokens": "1", "active": "yes"})", "active"},
        {R"({"tokens": "1", "active": true, "stake": 2})", "stake"}};
    for (const auto& [text, named] : table) {
        INFO(text);
        const auto reading = parse_stake_file(text);
        REQUIRE_FALSE(reading.has_value());
        CHECK(reading.error().message.find(named) != std::string::npos);
    }
}

TEST_CASE("the file is read anew each time, and its absence is named", "[stake]") {
    const TemporaryFile file;
    FileSource source(file.path);
    CHECK(source.read().error().message.find(file.path) != std::string::npos);
    file.write(R"({"tokens": "1", "active": true})");
    CHECK(source.read()->tokens == *Lpt::parse("1"));
    file.write(R"({"tokens": "2", "active": false})");
    CHECK(source.read()->tokens == *Lpt::parse("2"));
    file.write(std::string(100'000, ' '));
    CHECK(source.read().error().message.find("too long") != std::string::npos);
}
