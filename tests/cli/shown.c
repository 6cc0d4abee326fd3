/*
 * A program whose figures are read from outside: does what the lines of its standard input say, and answers each with
 * one line. Runs with the library preloaded, or linked with it (where nothing is malloc'ed on the collected heap).
 *
 *   collect      tri_gc                             "ok"
 *   figures      what it reads of itself            "NumGC=1 HeapSys=4194304 ... /gc/gogc:percent=100 ..."
 *   allocate N   N MiB, kept                        "ok"
 *   drop         forgets what it kept               "ok"
 *   percent N    tri_set_gc_percent                 "ok"
 *   close        every descriptor from 3 on         "ok"
 *   take         opens files on 3 and all the numbers that it closed above 100: "ok"
 *   taken        whether these are still there      "ok", "lost"
 *   fork         the child goes on, the parent waits for its end; "raw": by the bare system call  "PID"
 *   busy N       collects for N seconds beside the next commands                                  "ok"
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "support/probe.h"

enum { MIB = 1 << 20, MOST_KEPT = 1024, MOST_METRICS = 64, TAKEN_FROM = 100, MOST_FD = 16384 };

static struct {
  void *(*alloc)(size_t);
  int (*set_gc_percent)(int);
  int (*read_mem_stats)(struct tri_mem_stats *);
  size_t (*read_metrics)(struct tri_metric *, size_t);
  const char *(*metric_name)(size_t);
} f;

static void *volatile kept[MOST_KEPT];
static int nkept;
static bool is_open[MOST_FD];

static void allocate(int mib) {
  for (int i = 0; i < mib && nkept < MOST_KEPT; i++) {
    kept[nkept] = f.alloc(MIB);
    CHECK(kept[nkept], "no memory");
    memset(kept[nkept++], 1, MIB);
  }
}

static void drop(void) {
  while (nkept) kept[--nkept] = NULL;
  wipe();
}

static void print_metrics(void) {
  struct tri_metric all[MOST_METRICS];
  size_t n = 0;
  for (; n < MOST_METRICS && f.metric_name(n); n++) all[n].name = f.metric_name(n);
  CHECK(f.read_metrics(all, n) == n, "metrics");
  for (size_t i = 0; i < n; i++) {
    if (all[i].kind == TRI_METRIC_COUNT) printf(" %s=%lu", all[i].name, all[i].value.count);
    if (all[i].kind == TRI_METRIC_DOUBLE) printf(" %s=%.9g", all[i].name, all[i].value.number);
  }
}

static void print_figures(void) {
  struct tri_mem_stats m = {.size = sizeof m};
  CHECK(f.read_mem_stats(&m) == 0, "tri_read_mem_stats");
  printf("Alloc=%lu TotalAlloc=%lu Sys=%lu HeapAlloc=%lu HeapSys=%lu HeapInuse=%lu HeapIdle=%lu HeapReleased=%lu",
         m.Alloc, m.TotalAlloc, m.Sys, m.HeapAlloc, m.HeapSys, m.HeapInuse, m.HeapIdle, m.HeapReleased);
  printf(" StackSys=%lu GCSys=%lu OtherSys=%lu NextGC=%lu LastGC=%lu NumGC=%u NumForcedGC=%u", m.StackSys, m.GCSys,
         m.OtherSys, m.NextGC, m.LastGC, m.NumGC, m.NumForcedGC);
  printf(" GCCPUFraction=%.9g EnableGC=%d PauseTotalNs=%lu", m.GCCPUFraction, m.EnableGC, m.PauseTotalNs);
  unsigned last = (m.NumGC + 255) % 256;
  printf(" PauseNs=%lu PauseEnd=%lu", m.PauseNs[last], m.PauseEnd[last]);
  print_metrics();
  putchar('\n');
}

static void close_all(void) {
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
  int most = limit.rlim_cur > MOST_FD ? MOST_FD : (int)limit.rlim_cur;
  for (int fd = 3; fd < most; fd++) is_open[fd] = close(fd) == 0;
}

static void take(void) {
  int null = open("/dev/null", O_RDWR);
  CHECK(null >= 0, "/dev/null");
  for (int fd = TAKEN_FROM; fd < MOST_FD; fd++)
    if (is_open[fd]) CHECK(dup2(null, fd) == fd, "dup2 to %d", fd);
}

static bool is_taken(void) {
  struct stat null, st;
  int n = 0;
  CHECK(stat("/dev/null", &null) == 0, "stat");
  for (int fd = TAKEN_FROM; fd < MOST_FD; fd++) {
    if (!is_open[fd]) continue;
    if (fstat(fd, &st) != 0 || st.st_rdev != null.st_rdev) return false;
    n++;
  }
  return n > 0;
}

/* Both share the standard input: only the child reads it, until its end, or until a line "end". */
static void split(bool raw) {
  int status;
  pid_t pid = raw ? (pid_t)syscall(SYS_clone, 17 /* SIGCHLD */, 0, 0, 0, 0) : fork();
  CHECK(pid >= 0, "fork");
  if (pid == 0) {
    printf("%d\n", getpid());
    return;
  }
  CHECK(waitpid(pid, &status, 0) == pid && status == 0, "the child ended with %#x", status);
  puts("ok");
}

static void *collect_for(void *seconds) {
  for (time_t end = time(NULL) + (intptr_t)seconds; time(NULL) < end;) probe.gc();
  return NULL;
}

static void be_busy(int seconds) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, collect_for, (void *)(intptr_t)seconds) == 0, "pthread_create");
  pthread_detach(thread);
  puts("ok");
}

static void obey(const char *word, int n) {
  if (strcmp(word, "figures") == 0) {
    print_figures();
  } else if (strcmp(word, "fork") == 0 || strcmp(word, "raw") == 0) {
    split(word[0] == 'r');
  } else if (strcmp(word, "taken") == 0) {
    puts(is_taken() ? "ok" : "lost");
  } else if (strcmp(word, "busy") == 0) {
    be_busy(n);
  } else {
    if (strcmp(word, "collect") == 0) probe.gc();
    if (strcmp(word, "allocate") == 0) allocate(n);
    if (strcmp(word, "drop") == 0) drop();
    if (strcmp(word, "percent") == 0) f.set_gc_percent(n);
    if (strcmp(word, "close") == 0) close_all();
    if (strcmp(word, "take") == 0) take();
    puts("ok");
  }
}

int main(int argc, char **argv) {
  char line[64], word[64];
  if (!probe_live()) return 77;
  CHECK(probe_symbol("tri_alloc_noscan", &f.alloc) && probe_symbol("tri_set_gc_percent", &f.set_gc_percent) &&
            probe_symbol("tri_read_mem_stats", &f.read_mem_stats) &&
            probe_symbol("tri_read_metrics", &f.read_metrics) && probe_symbol("tri_metric_name", &f.metric_name),
        "functions");
  setvbuf(stdin, NULL, _IONBF, 0); /* a forked child must find the next line in the pipe */
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) {
    int n = 0;
    if (sscanf(line, "%63s %d", word, &n) < 1) continue;
    if (strcmp(word, "end") == 0) break;
    obey(word, n);
  }
  return 0;
}
