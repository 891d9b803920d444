#include "common/config/cpu_budget.h"

#include "tests/support/catch.h"
#include "tests/unit/config/temp_dir.h"

using namespace millrace::config;
using millrace::test::TempDir;

TEST_CASE("without control groups the scheduling mask decides", "[config][cpu]") {
    const TempDir root;
    CHECK(cpu_budget(root.path(), 6) == 6.0);
    CHECK(cpu_budget() >= 0.01);
}

TEST_CASE("the tightest cgroup v2 quota on the way up decides", "[config][cpu]") {
    const TempDir root;
    root.write("proc/self/cgroup", "0::/kube/pod/box\n");
    root.write("sys/fs/cgroup/kube/pod/box/cpu.max", "max 100000\n");
    CHECK(cpu_budget(root.path(), 8) == 8.0);
    root.write("sys/fs/cgroup/kube/pod/cpu.max", "150000 100000\n");
    CHECK(cpu_budget(root.path(), 8) == 1.5);
    root.write("sys/fs/cgroup/cpu.max", "50000 100000\n");
    CHECK(cpu_budget(root.path(), 8) == 0.5);
}

TEST_CASE("a container that sees itself as the root group is still limited", "[config][cpu]") {
    const TempDir root;
    root.write("proc/self/cgroup", "0::/\n");
    root.write("sys/fs/cgroup/cpu.max", "300000 100000\n");
    CHECK(cpu_budget(root.path(), 8) == 3.0);
    CHECK(cpu_budget(root.path(), 2) == 2.0);
}

TEST_CASE("cgroup v1 quotas count too", "[config][cpu]") {
    const TempDir root;
    root.write("proc/self/cgroup", "3:memory:/x\n4:cpu,cpuacct:/x\n");
    root.write("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "400000\n");
    root.write("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
    CHECK(cpu_budget(root.path(), 8) == 4.0);
    root.write("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "-1\n");
    CHECK(cpu_budget(root.path(), 8) == 8.0);
}

TEST_CASE("nonsense in those files limits nothing", "[config][cpu]") {
    const TempDir root;
    root.write("proc/self/cgroup", "0::/../..\nx\n::::\n\n");
    root.write("sys/fs/cgroup/cpu.max", "0 0\n");
    CHECK(cpu_budget(root.path(), 8) == 8.0);
}

TEST_CASE("auto gives half of the cores as slots, at least one", "[config][cpu]") {
    CHECK(slots_for(0.5) == 1);
    CHECK(slots_for(3.9) == 1);
    CHECK(slots_for(4.0) == 2);
    CHECK(slots_for(100'000) == 256);
}
