/* What the kernel says of the process's memory. Needs probe.h's CHECK. */
#ifndef TESTS_SUPPORT_PROC_H
#define TESTS_SUPPORT_PROC_H

#include "support/probe.h"

/* The sum of the lines "NAME: N kB" of a file like /proc/self/status or smaps. */
UNUSED static size_t proc_kib(const char *file, const char *name) {
  char line[256];
  size_t kib = 0, one;
  FILE *f = fopen(file, "r");
  CHECK(f, "%s", file);
  while (fgets(line, sizeof line, f))
    if (strncmp(line, name, strlen(name)) == 0 && sscanf(line + strlen(name), ": %zu kB", &one) == 1) kib += one;
  fclose(f);
  return kib;
}

/* The number in the line "NAME: N" of such a file; 0: none. */
UNUSED static size_t proc_number(const char *file, const char *name) {
  char line[256];
  size_t n = 0;
  FILE *f = fopen(file, "r");
  CHECK(f, "%s", file);
  while (fgets(line, sizeof line, f))
    if (strncmp(line, name, strlen(name)) == 0 && sscanf(line + strlen(name), ": %zu", &n) == 1) break;
  fclose(f);
  return n;
}

#endif
