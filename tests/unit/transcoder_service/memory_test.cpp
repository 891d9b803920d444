// When memory counts as short, and what the kernel's files say.

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "tests/support/catch.h"
#include "transcoder/memory_pressure.h"
#include "transcoder/memory_reader.h"
#include "transcoder/memory_watch.h"

using namespace millrace;
using namespace millrace::transcoder;
using namespace std::chrono_literals;

namespace {

TimePoint at(Duration since) {
    return TimePoint{} + 1h + since;
}

struct Root {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("millrace-memory-" + std::to_string(::getpid()));
    ~Root() { std::filesystem::remove_all(path); }
    void write(const std::string& file, const std::string& text) const {
        std::filesystem::create_directories((path / file).parent_path());
        std::ofstream(path / file) << text;
    }
    [[nodiscard]] MemoryReading read() const { return read_memory(path.string()); }
};

}  // namespace

TEST_CASE("memory is short when little is left or somebody waits", "[transcoder][memory]") {
    struct Row {
        MemoryReading reading;
        bool is_short;
    };
    for (const Row& row : std::vector<Row>{
             {{}, false},
             {{0.5, 0.0}, false},
             {{0.10, 0.10}, false},
             {{0.099, 0.0}, true},
             {{0.5, 0.11}, true},
             {{{}, 0.11}, true},
             {{0.05, {}}, true},
         }) {
        MemoryPressure pressure;
        CHECK(pressure.told(row.reading, at(0s)) == row.is_short);
        CHECK(pressure.is_short() == row.is_short);
    }
}

TEST_CASE("it is over when enough was left for a while without a break", "[transcoder][memory]") {
    MemoryPressure pressure;
    REQUIRE(pressure.told({0.05, 0.0}, at(0s)));
    CHECK_FALSE(pressure.told({0.05, 0.0}, at(1s)));  // still
    CHECK_FALSE(pressure.told({0.14, 0.0}, at(20s)));
    CHECK_FALSE(pressure.told({0.15, 0.0}, at(21s)));
    CHECK_FALSE(pressure.told({0.50, 0.0}, at(30s)));
    CHECK_FALSE(pressure.told({0.50, 0.05}, at(30500ms)));  // somebody waited: from the beginning
    CHECK_FALSE(pressure.told({0.50, 0.0}, at(31s)));
    CHECK_FALSE(pressure.told({0.50, 0.0}, at(40900ms)));
    CHECK(pressure.is_short());
    CHECK(pressure.told({0.50, 0.0}, at(41s)));
    CHECK_FALSE(pressure.is_short());
    CHECK(pressure.told({0.05, 0.0}, at(42s)));
}

TEST_CASE("the kernel's files tell what is left, of the least that bounds us",
          "[transcoder][memory]") {
    const Root root;
    CHECK_FALSE(root.read().left);
    CHECK_FALSE(root.read().waiting);
    root.write("proc/meminfo",
               "MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:    600 kB\n");
    CHECK(*root.read().left == Approx(0.6));
    // A group of its own, and one above with a limit; its own has none.
    root.write("proc/self/cgroup", "1:name=systemd:/old\n0::/farm.slice/millrace.service\n");
    const std::string slice = "sys/fs/cgroup/farm.slice";
    root.write(slice + "/millrace.service/memory.max", "max\n");
    root.write(slice + "/millrace.service/memory.current", "900\n");
    CHECK(*root.read().left == Approx(0.6));
    root.write(slice + "/memory.max", "1000\n");
    root.write(slice + "/memory.current", "900\n");
    CHECK(*root.read().left == Approx(0.1));
    root.write(slice + "/memory.stat", "anon 500\ninactive_file 200\nactive_file 5\n");
    CHECK(*root.read().left == Approx(0.3));
    // A container: its own group is the root that it sees.
    root.write("proc/self/cgroup", "0::/\n");
    CHECK(*root.read().left == Approx(0.6));
    root.write("sys/fs/cgroup/memory.max", "1000\n");
    root.write("sys/fs/cgroup/memory.current", "1500\n");
    CHECK(*root.read().left == 0);
}

TEST_CASE("who waits for memory is told by our group, else by the machine",
          "[transcoder][memory]") {
    const Root root;
    root.write("proc/pressure/memory",
               "some avg10=12.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=1.00\n");
    CHECK(*root.read().waiting == Approx(0.125));
    root.write("proc/self/cgroup", "0::/own\n");
    root.write("sys/fs/cgroup/own/memory.pressure", "some avg10=3.00 avg60=0.00\n");
    CHECK(*root.read().waiting == Approx(0.03));
    for (const char* text :
         {"", "some", "some avg10=", "some avg10=x", "full avg10=3.00", "\n\n"}) {
        root.write("sys/fs/cgroup/own/memory.pressure", text);
        CHECK(*root.read().waiting == Approx(0.125));
    }
}

TEST_CASE("a watch looks again and again and says what changed", "[transcoder][memory]") {
    Loop loop;
    int looked = 0;
    int changes = 0;
    MemoryWatch watch(
        loop, [&] { ++changes; },
        [&] {
            return ++looked < 3 ? MemoryReading{0.5, {}} : MemoryReading{0.05, {}};
        },
        1ms);
    REQUIRE(loop.run_until([&] { return looked >= 5; }, loop.now() + 10s));
    CHECK(changes == 1);
    CHECK(watch.is_short());
}
