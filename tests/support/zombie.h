/* Whether a thread has ended. Plain C. */
#ifndef TESTS_SUPPORT_ZOMBIE_H
#define TESTS_SUPPORT_ZOMBIE_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

/* A process's first thread stays as a zombie; others are gone. */
static inline bool is_zombie(pid_t tid) {
  char path[64], line[256];
  snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
  FILE *f = fopen(path, "r");
  if (f == NULL) return true;
  char *name_end = fgets(line, sizeof(line), f) != NULL ? strrchr(line, ')') : NULL;
  fclose(f);
  return name_end != NULL && name_end[2] == 'Z';
}

#endif
