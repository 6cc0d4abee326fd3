/* Limits of cgroups, read from a directory of files as the kernel shows them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gc/cgroup.h"

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
  char path[300];
  snprintf(path, sizeof path, "%s/%s", root, name);
  for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
    *p = 0;
    mkdir(path, 0755);
    *p = '/';
  }
  FILE *f = fopen(path, "w");
  cr_assert_not_null(f, "%s", path);
  fputs(text, f);
  fclose(f);
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
