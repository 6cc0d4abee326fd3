/* Limits of cgroups, read from a directory of files as the kernel shows them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gc/cgroup.h"
#include "support/files.h"

#define NONE UINT64_MAX

static char root[64];

static void start(void) {
  strcpy(root, "/tmp/tri-cgroup-XXXXXX");
  cr_assert_not_null(mkdtemp(root));
}

static void finish(void) {
  char command[100];
  snprintf(command, sizeof command, "rm -rf %s", root);
  cr_assert_eq(system(command), 0);
}

TestSuite(cgroup, .init = start, .fini = finish);

static void put(const char *name, const char *text) {
  files_put(root, name, text);
}

static uint64_t cpus(void) {
  return tri_cgroup_cpu_limit(root);
}

static uint64_t limit(void) {
  return tri_cgroup_memory_limit(root);
}

Test(cgroup, nothing_there) {
  cr_assert_eq(limit(), NONE);
  put("proc/self/cgroup", "0::/a/b\n");
  cr_assert_eq(limit(), NONE);
}

Test(cgroup, version_2_takes_the_least_on_the_way_up) {
  put("proc/self/cgroup", "0::/a/b\n");
  put("sys/fs/cgroup/a/b/memory.max", "max\n");
  cr_assert_eq(limit(), NONE);
  put("sys/fs/cgroup/a/memory.max", "1000000\n");
  cr_assert_eq(limit(), 1000000);
  put("sys/fs/cgroup/a/b/memory.max", "2000000\n");
  cr_assert_eq(limit(), 1000000);
  put("sys/fs/cgroup/a/b/memory.max", "900000\n");
  cr_assert_eq(limit(), 900000);
}

Test(cgroup, version_2_in_a_container_of_its_own_namespace) {
  put("proc/self/cgroup", "0::/\n");
  put("sys/fs/cgroup/memory.max", "536870912\n");
  cr_assert_eq(limit(), 536870912);
}

Test(cgroup, version_1) {
  put("proc/self/cgroup", "12:cpu,cpuacct:/x\n11:hugetlb,memory:/c/d\n0::/\n");
  put("sys/fs/cgroup/memory/c/d/memory.limit_in_bytes", "9223372036854771712\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "5\n");
  cr_assert_eq(limit(), NONE);
  put("sys/fs/cgroup/memory/c/d/memory.limit_in_bytes", "268435456\n");
  cr_assert_eq(limit(), 268435456);
}

Test(cgroup, version_1_whose_path_is_the_hosts) {
  put("proc/self/cgroup", "3:memory:/docker/0123\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "104857600\n");
  cr_assert_eq(limit(), 104857600);
}

Test(cgroup, rubbish_is_no_limit) {
  put("proc/self/cgroup", "0::/a\n");
  const char *texts[] = {"", "\n", "lots\n", "-5\n", "10MiB\n", "99999999999999999999\n"};
  for (size_t i = 0; i < TRI_ARRAY_LEN(texts); i++) {
    put("sys/fs/cgroup/a/memory.max", texts[i]);
    cr_expect_eq(limit(), NONE, "%s", texts[i]);
  }
}

Test(cgroup, cpus_of_version_2) {
  put("proc/self/cgroup", "0::/a/b\n");
  cr_assert_eq(cpus(), NONE);
  put("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  cr_assert_eq(cpus(), NONE);
  put("sys/fs/cgroup/a/b/cpu.max", "250000 100000\n");
  cr_assert_eq(cpus(), 2500);
  put("sys/fs/cgroup/a/cpu.max", "75000 50000\n");
  cr_assert_eq(cpus(), 1500);
  cr_assert_eq(limit(), NONE);
}

Test(cgroup, cpus_of_version_1) {
  put("proc/self/cgroup", "4:cpu,cpuacct:/x\n3:memory:/y\n");
  put("sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
  put("sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "-1\n");
  cr_assert_eq(cpus(), NONE);
  put("sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "50000\n");
  cr_assert_eq(cpus(), 500);
}

Test(cgroup, rubbish_is_no_quota) {
  put("proc/self/cgroup", "0::/a\n");
  const char *texts[] = {"", "\n", "max\n", "100000\n", "100000 0\n", "a b\n", "100000 x\n", " 5\n"};
  for (size_t i = 0; i < TRI_ARRAY_LEN(texts); i++) {
    put("sys/fs/cgroup/a/cpu.max", texts[i]);
    cr_expect_eq(cpus(), NONE, "%s", texts[i]);
  }
}
