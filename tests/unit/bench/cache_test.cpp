// What is remembered of a machine, for whom, and who may measure now.

#include "transcoder/bench/cache.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

#include <unistd.h>

#include "tests/support/catch.h"
#include "transcoder/bench/machine_lock.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

const MachineFacts kMachine{"Zen 9", 7.5, "", {"GPU-a", "GPU-b:4"}, "0.1.0", "5.1.8", false};

Measured a_measure() {
    Measured measured;
    measured.sessions = 12;
    measured.capacity.cpu = {2'100, 640, 8'800, 1'900'000'000'000};
    return measured;
}

struct Folder {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("millrace-bench-" + std::to_string(::getpid()));
    Folder() { std::filesystem::create_directory(path); }
    ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("a measure is remembered for the machine it was made on", "[bench]") {
    const std::string text = to_cache(kMachine, a_measure());
    CHECK(from_cache(text, kMachine) == a_measure());
    for (const auto& change : std::vector<std::function<void(MachineFacts&)>>{
             [](MachineFacts& m) { m.cpu = "Zen 8"; }, [](MachineFacts& m) { m.cores = 8; },
             [](MachineFacts& m) { m.driver = "550"; }, [](MachineFacts& m) { m.gpus.pop_back(); },
             [](MachineFacts& m) { m.gpus[1] = "GPU-b:5"; },
             [](MachineFacts& m) { m.version = "0.2.0"; },
             [](MachineFacts& m) { m.ffmpeg = "6.0"; },
             [](MachineFacts& m) { m.sanitized = true; }}) {
        MachineFacts other = kMachine;
        change(other);
        CHECK_FALSE(from_cache(text, other));
    }
    MachineFacts odd = kMachine;
    odd.cpu = "broken \xff name";
    CHECK(from_cache(to_cache(odd, a_measure()), odd) == a_measure());
}

TEST_CASE("a file that says anything else is nothing known", "[bench]") {
    const std::string good = to_cache(kMachine, a_measure());
    for (std::size_t cut = 0; cut < good.size() - 2; ++cut)
        CHECK_FALSE(from_cache(good.substr(0, cut), kMachine));
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string text = good;
        return text.replace(text.find(from), from.size(), to);
    };
    for (const char* sessions : {"0", "257", "-1", "1.5", "\"12\"", "null", "1e99"})
        CHECK_FALSE(from_cache(with("\"sessions\": 12", std::string("\"sessions\": ") + sessions),
                               kMachine));
    CHECK_FALSE(from_cache(with("8800", "-1"), kMachine));
    CHECK_FALSE(from_cache(with("\"prices\": 2", "\"prices\": 1"), kMachine));
    CHECK_FALSE(from_cache(with("\"prices\": 2,", ""), kMachine));  // of a session alone
    for (const char* text : {"[]", "7", "{\"machine\":[]}", "null"})
        CHECK_FALSE(from_cache(text, kMachine));
}

TEST_CASE("one measures at a time on a machine, and whoever waits is told", "[bench]") {
    const Folder folder;
    bool waited = false;
    auto first = MachineLock::take_in(folder.path, [&] { waited = true; });
    REQUIRE(first);
    CHECK_FALSE(waited);
    // The other lets go as soon as it is known that somebody waits.
    auto second = MachineLock::take_in(folder.path, [&] {
        waited = true;
        first.reset();
    });
    CHECK(second);
    CHECK(waited);
}

TEST_CASE("who comes to a machine knows whether a transcoder is there", "[bench]") {
    const Folder folder;
    auto first = MachinePresence::enter_in(folder.path);
    REQUIRE(first);
    CHECK(first->alone());
    auto second = MachinePresence::enter_in(folder.path);
    REQUIRE(second);
    CHECK_FALSE(second->alone());
    const MachinePresence moved = std::move(*second);  // the one that stays is still seen
    second.reset();
    first.reset();
    auto third = MachinePresence::enter_in(folder.path);
    REQUIRE(third);
    CHECK_FALSE(third->alone());
    CHECK_FALSE(MachinePresence::enter_in(folder.path / "nowhere"));
}

TEST_CASE("nobody is there when all have gone", "[bench]") {
    const Folder folder;
    MachinePresence::enter_in(folder.path).reset();
    CHECK(MachinePresence::enter_in(folder.path)->alone());
}

TEST_CASE("a lock that is no plain file is nobody's", "[bench]") {
    const Folder folder;
    const auto lock = folder.path / kLockName;
    const auto target = folder.path / "precious";
    std::ofstream(target) << "kept";
    std::filesystem::create_symlink(target, lock);
    CHECK_FALSE(MachineLock::take_in(folder.path, [] {}));
    std::filesystem::remove(lock);
    std::filesystem::create_directory(lock);
    CHECK_FALSE(MachineLock::take_in(folder.path, [] {}));
    CHECK_FALSE(MachineLock::take_in(folder.path / "missing", [] {}));
    CHECK(std::filesystem::file_size(target) == 4);
}
