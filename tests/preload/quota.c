/*
 * The cgroup's share of the CPUs bounds what the collector reckons with: the trace lines say so. The cgroup's files are
 * those of a directory that the program makes; then it runs itself again with that setting.
 */
#include <dirent.h>
#include <sched.h>

#include "support/files.h"
#include "support/probe.h"

static int begin(char *self) {
  char root[] = "/tmp/tri-quota-XXXXXX", setting[200];
  CHECK(mkdtemp(root), "mkdtemp");
  files_put(root, "proc/self/cgroup", "0::/box\n");
  files_put(root, "sys/fs/cgroup/box/cpu.max", "50000 100000\n");
  snprintf(setting, sizeof setting, "cgroups=%s,log=%s/log", root, root);
  setenv("TRICOLOR", setting, 1);
  setenv("GODEBUG", "gctrace=1", 1);
  execl(self, self, root, (char *)NULL);
  return 1;
}

/* What the last line says of a collection that is made now. */
static int procs_now(const char *root) {
  char name[200], line[600], last[600] = "";
  int procs = 0;
  probe.gc();
  snprintf(name, sizeof name, "%s/log", root);
  FILE *f = fopen(name, "r");
  CHECK(f, "%s", name);
  while (fgets(line, sizeof line, f))
    if (strncmp(line, "gc ", 3) == 0) strcpy(last, line);
  fclose(f);
  char *p = strstr(last, " P");
  while (p && p > last && p[-1] >= '0' && p[-1] <= '9') p--;
  CHECK(p && sscanf(p, "%d P", &procs) == 1, "no number of CPUs in: %s", last);
  return procs;
}

static int threads_now(void) {
  int n = 0;
  DIR *d = opendir("/proc/self/task");
  CHECK(d, "/proc/self/task");
  for (const struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
  closedir(d);
  return n;
}

int main(int argc, char **argv) {
  char command[100];
  cpu_set_t set;
  CHECK(sched_getaffinity(0, sizeof set, &set) == 0, "sched_getaffinity");
  if (!probe_live() || CPU_COUNT(&set) < 2) return 77; /* nothing would be seen of a quota */
  if (argc == 1) return begin(argv[0]);
  int procs = procs_now(argv[1]);
  CHECK(procs == 1, "half a CPU counts as %d", procs);
  CHECK(threads_now() <= 3, "%d threads: markers for all CPUs were started", threads_now());
  snprintf(command, sizeof command, "rm -r %s", argv[1]);
  CHECK(system(command) == 0, "%s", command);
  puts("ok");
  return 0;
}
