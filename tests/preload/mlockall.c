/*
 * mlockall before most allocation: the reserved range must not become resident, and allocation must go on.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "support/probe.h"

int main(void) {
  struct rusage usage;
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    printf("mlockall: %s\n", strerror(errno));
    return errno == EPERM || errno == ENOMEM ? 77 : 1;
  }
  uintptr_t hidden = hidden_object(100, 1);
  char *volatile visible = UNHIDE(hidden);
  churn(32 << 20);
  collect();
  CHECK(pattern_holds(visible, 100, 1), "object lost");
  getrusage(RUSAGE_SELF, &usage);
  CHECK(usage.ru_maxrss < 512 * 1024, "peak RSS is %ld KiB", usage.ru_maxrss);
  puts("ok");
  return 0;
}
