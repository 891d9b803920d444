#include "common/net/keys.h"

#include <fstream>
#include <set>
#include <type_traits>

#include <sys/stat.h>

#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::net;

namespace {

class Directory {
public:
    Directory()
        : path_(std::filesystem::temp_directory_path() / ("millrace-keys-" + random_hex(8))) {
        std::filesystem::create_directory(path_);
    }
    ~Directory() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::filesystem::path file(const char* name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

void write(const std::filesystem::path& file, const std::string& text, ::mode_t mode) {
    std::ofstream(file) << text;
    REQUIRE(::chmod(file.c_str(), mode) == 0);
}

template <class T>
concept Printable = requires(std::ostream& out, const T& value) {
    out << value;
};

}  // namespace

TEST_CASE("a secret has no output operator and converts to nothing") {
    STATIC_REQUIRE_FALSE(Printable<SecretKey>);
    STATIC_REQUIRE_FALSE(Printable<Secret<std::string>>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<Secret<std::string>, std::string>);
}

TEST_CASE("the public key follows from the secret one, and survives Z85") {
    const KeyPair pair = make_key_pair();
    CHECK(key_pair_of(pair.secret_key).public_key == pair.public_key);
    const auto again = public_key_from_z85(pair.public_key.z85());
    REQUIRE(again);
    CHECK(*again == pair.public_key);
    CHECK(make_key_pair().public_key != pair.public_key);
}

TEST_CASE("text that is not a key is refused") {
    const std::string good = make_key_pair().public_key.z85();
    CHECK_FALSE(public_key_from_z85(""));
    CHECK_FALSE(public_key_from_z85(good.substr(1)));
    CHECK_FALSE(public_key_from_z85(good + "a"));
    CHECK_FALSE(public_key_from_z85(std::string(40, '"')));
    CHECK_FALSE(public_key_from_z85(std::string(40, '\0')));
    CHECK_FALSE(public_key_from_z85(std::string(40, '#')));  // above 2^32 in each group
}

TEST_CASE("random numbers differ") {
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i)
        seen.insert(random_u64());
    CHECK(seen.size() == 1000);
    CHECK(random_hex(16).size() == 32);
}

TEST_CASE("a key file is made once, with mode 0600, and loads again") {
    const Directory directory;
    const auto file = directory.file("curve.key");
    const auto first = load_or_make_key_pair(file);
    REQUIRE(first);
    struct stat facts {};
    REQUIRE(::stat(file.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
    const auto second = load_or_make_key_pair(file);
    REQUIRE(second);
    CHECK(second->public_key == first->public_key);
    CHECK(second->secret_key.reveal() == first->secret_key.reveal());
    CHECK_FALSE(save_secret_key(file, make_key_pair().secret_key));
    CHECK(load_key_pair(file)->public_key == first->public_key);
}

TEST_CASE("a key file that others may touch is refused, and the message says why") {
    const Directory directory;
    const auto file = directory.file("curve.key");
    REQUIRE(save_secret_key(file, make_key_pair().secret_key));
    for (const ::mode_t mode : {0640U, 0604U, 0620U, 0602U}) {
        REQUIRE(::chmod(file.c_str(), mode) == 0);
        const auto loaded = load_key_pair(file);
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().message.find("0600") != std::string::npos);
        CHECK_FALSE(load_or_make_key_pair(file));
    }
}

TEST_CASE("a file that does not hold exactly one key is refused and left alone") {
    const Directory directory;
    for (const std::string& text :
         std::vector<std::string>{"", "\n", std::string(40, 'x'), std::string(41, 'x'),
                                  std::string(40, ' ') + "\n", std::string(40, 'a') + "\nmore"}) {
        const auto file = directory.file("bad.key");
        write(file, text, 0600);
        CHECK_FALSE(load_or_make_key_pair(file));
        CHECK(std::filesystem::file_size(file) == text.size());
    }
    CHECK_FALSE(load_key_pair(directory.file("absent.key")));
    CHECK_FALSE(load_key_pair(directory.file("")));
    CHECK_FALSE(load_or_make_key_pair(directory.file("no-such-directory/curve.key")));
}
