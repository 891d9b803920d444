#include "transcoder/data_dir.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>

#include "tests/support/catch.h"

namespace millrace::transcoder {
namespace {

struct TempDir {
    std::string path;
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "millrace-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~TempDir() { std::filesystem::remove_all(path); }
};

mode_t mode_of(const std::string& path) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 0777;
}

void write(const std::string& path, const std::string& text) {
    std::ofstream out(path);
    out << text;
}

}  // namespace

TEST_CASE("a data directory is made, private, and serves one transcoder", "[transcoder][data]") {
    const TempDir temp;
    const std::string path = temp.path + "/deep/w1";
    {
        const auto first = DataDir::open(path);
        REQUIRE(first);
        CHECK(mode_of(path) == 0700);
        const auto second = DataDir::open(path);
        REQUIRE_FALSE(second);
        CHECK(second.error().message.find("--data-dir") != std::string::npos);
        CHECK(second.error().message.find("--name") != std::string::npos);
    }
    CHECK(DataDir::open(path));  // the lock goes with its holder
}

TEST_CASE("key and admin token are made once and kept", "[transcoder][data]") {
    const TempDir temp;
    net::PublicKey key;
    std::string token;
    for (int start = 0; start < 2; ++start) {
        const auto directory = DataDir::open(temp.path);
        REQUIRE(directory);
        const auto pair = directory->key_pair();
        const auto admin = directory->admin_token();
        REQUIRE(pair);
        REQUIRE(admin);
        if (start == 0) {
            key = pair->public_key;
            token = admin->reveal();
            CHECK(token.size() == 64);
        }
        CHECK(pair->public_key == key);
        CHECK(admin->reveal() == token);
    }
    CHECK(mode_of(temp.path + "/curve.key") == 0600);
    CHECK(mode_of(temp.path + "/admin.token") == 0600);
}

TEST_CASE("a key file that others may read is refused", "[transcoder][data]") {
    const TempDir temp;
    const auto directory = DataDir::open(temp.path);
    REQUIRE(directory);
    REQUIRE(directory->key_pair());
    REQUIRE(::chmod((temp.path + "/curve.key").c_str(), 0644) == 0);
    const auto again = directory->key_pair();
    REQUIRE_FALSE(again);
    CHECK(again.error().message.find("--data-dir") != std::string::npos);
}

TEST_CASE("orchestrators are remembered by address", "[transcoder][data]") {
    const TempDir temp;
    const auto directory = DataDir::open(temp.path);
    REQUIRE(directory);
    REQUIRE(directory->orchestrators());
    CHECK(directory->orchestrators()->empty());
    const auto key = net::make_key_pair().public_key;
    REQUIRE(directory->save_orchestrators({{"10.0.0.1:8936", {key, "mill-2"}}}));
    const auto known = directory->orchestrators();
    REQUIRE(known);
    REQUIRE(known->size() == 1);
    CHECK(known->at("10.0.0.1:8936").key == key);
    CHECK(known->at("10.0.0.1:8936").name == "mill-2");
}

TEST_CASE("a damaged list of orchestrators is an error, not a crash and not an empty list",
          "[transcoder][data]") {
    const TempDir temp;
    const auto directory = DataDir::open(temp.path);
    REQUIRE(directory);
    for (const char* text : {"", "{", "[]", R"({"a:1": 5})", R"({"a:1": {"key": 5}})",
                             R"({"a:1": {"key": "short"}})"}) {
        INFO(text);
        write(temp.path + "/orchestrators.json", text);
        CHECK_FALSE(directory->orchestrators());
    }
}

TEST_CASE("the ports in use are written down", "[transcoder][data]") {
    const TempDir temp;
    const auto directory = DataDir::open(temp.path);
    REQUIRE(directory);
    REQUIRE(directory->save_endpoints("127.0.0.1:6935"));
    std::ifstream in(temp.path + "/endpoints.json");
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    CHECK(text.find("\"127.0.0.1:6935\"") != std::string::npos);
}

TEST_CASE("a directory that cannot be made is named with its flag", "[transcoder][data]") {
    const TempDir temp;
    write(temp.path + "/file", "x");
    const auto directory = DataDir::open(temp.path + "/file/below");
    REQUIRE_FALSE(directory);
    CHECK(directory.error().message.find("--data-dir") != std::string::npos);
}

}  // namespace millrace::transcoder
