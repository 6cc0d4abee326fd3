/*
 * GOMEMLIMIT=auto takes 90% of the cgroup's limit and follows it. The cgroup's files are those of a directory that the
 * program makes; then it runs itself again with that setting.
 */
#include "support/files.h"
#include "support/probe.h"

enum { MIB = 1 << 20 };

static int begin(char *self) {
  char root[] = "/tmp/tri-auto-XXXXXX", setting[100];
  CHECK(mkdtemp(root), "mkdtemp");
  files_put(root, "proc/self/cgroup", "0::/box\n");
  files_put(root, "sys/fs/cgroup/box/memory.max", "209715200\n");
  snprintf(setting, sizeof setting, "cgroups=%s", root);
  setenv("TRICOLOR", setting, 1);
  setenv("GOMEMLIMIT", "auto", 1);
  setenv("GOGC", "off", 1);
  execl(self, self, root, (char *)NULL);
  return 1;
}

static void expect(long long (*set_limit)(long long), long long bytes) {
  long long now = 0;
  for (int i = 0; i < 50 && (now = set_limit(-1)) != bytes; i++) usleep(100000);
  CHECK(now == bytes, "the limit is %lld, not %lld", now, bytes);
}

int main(int argc, char **argv) {
  long long (*set_limit)(long long);
  char command[100];
  if (!probe_live()) return 77;
  if (argc == 1) return begin(argv[0]);
  CHECK(probe_symbol("tri_set_memory_limit", &set_limit), "tri_set_memory_limit");
  CHECK(set_limit(-1) == 188743680, "the limit is %lld", set_limit(-1));
  char *volatile p;
  for (int i = 0; i < 64; i++) { /* 64 MiB of garbage: nothing to do for a limit of 180 */
    p = malloc(MIB);
    memset(p, 1, MIB);
  }
  CHECK(probe_cycles() == 0, "%lu collections", probe_cycles());
  files_put(argv[1], "sys/fs/cgroup/box/memory.max", "52428800\n");
  expect(set_limit, 47185920);
  for (int i = 0; i < 50 && probe_cycles() == 0; i++) usleep(100000);
  CHECK(probe_cycles() > 0, "the new limit asks for no collection");
  files_put(argv[1], "sys/fs/cgroup/box/memory.max", "max\n");
  expect(set_limit, __LONG_LONG_MAX__);
  snprintf(command, sizeof command, "rm -r %s", argv[1]);
  CHECK(system(command) == 0, "%s", command);
  puts("ok");
  return 0;
}
