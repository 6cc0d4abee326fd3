/* P by affinity and quota. */
#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gc/procs.h"
#include "support/files.h"

static char root[64];

static void start(void) {
  strcpy(root, "/tmp/tri-procs-XXXXXX");
  cr_assert_not_null(mkdtemp(root));
  files_put(root, "proc/self/cgroup", "0::/box\n");
}

static void finish(void) {
  char command[100];
  snprintf(command, sizeof command, "rm -rf %s", root);
  cr_assert_eq(system(command), 0);
}

TestSuite(procs, .init = start, .fini = finish);

static unsigned cpus(void) {
  cpu_set_t set;
  cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
  return (unsigned)CPU_COUNT(&set);
}

static unsigned with_quota(const char *text, bool collect) {
  static struct tri_config config;
  config.collect = collect;
  strcpy(config.cgroup_root, root);
  if (text) files_put(root, "sys/fs/cgroup/box/cpu.max", text);
  tri_procs_init(&config);
  return tri_procs();
}

Test(procs, without_a_quota_the_affinity_counts) {
  cr_assert_eq(tri_procs(), cpus());
  cr_assert_eq(with_quota(NULL, true), cpus());
  cr_assert_eq(with_quota("max 100000\n", true), cpus());
  cr_assert_eq(tri_procs_quota(), UINT32_MAX);
}

Test(procs, half_a_cpu_is_one) {
  cr_assert_eq(with_quota("50000 100000\n", true), 1);
}

Test(procs, parts_of_a_cpu_are_rounded_up) {
  cr_assert_leq(with_quota("350000 100000\n", true), cpus());
  cr_assert_eq(tri_procs_quota(), 4);
}

Test(procs, who_does_not_collect_asks_for_none) {
  cr_assert_eq(with_quota("50000 100000\n", false), cpus());
}
