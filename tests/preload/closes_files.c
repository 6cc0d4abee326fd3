/*
 * A daemon's manners: closes every descriptor, with close, close_range and dup2 over them, several times while
 * collections run, reopens 0 to 2 on /dev/null and goes on. The library's own descriptors must not be hurt, nor
 * mistaken for others.
 */
#include <fcntl.h>
#include <sys/resource.h>

#include "support/probe.h"

/* A collection that goes on has the lowest free number for some microseconds where it opens a descriptor anew, and
 * keeps it no longer. */
static void open_as_lowest(void) {
  enum { TRIES = 50 };
  int fd = open("/dev/null", O_RDWR);
  for (int i = 0; i < TRIES && fd > 0; i++) {
    close(fd);
    usleep(2000);
    fd = open("/dev/null", O_RDWR);
  }
  CHECK(fd == 0, "descriptor 0 is taken");
}

int main(void) {
  struct rlimit limit;
  int out = dup(1);
  char *volatile kept = malloc(400);
  pattern_fill(kept, 400, 6);
  CHECK(out >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
  int most = limit.rlim_cur > 65536 ? 65536 : (int)limit.rlim_cur;
  for (int round = 0; round < 4; round++) {
    churn(4 << 20);
    collect();
    for (int fd = 0; fd < most; fd++) {
      if (fd != out && fd != 1 && fd != 2) close(fd);
    }
    if (round == 2) close_range((unsigned)(out > 2 ? out : 2) + 1, ~0u, 0);
    open_as_lowest();
  }
  collect();
  if (!pattern_holds(kept, 400, 6)) return 1;
  return write(out, "ok\n", 3) == 3 ? 0 : 1;
}
