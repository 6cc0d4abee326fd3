/*
 * What the programs under test share: plain C, no test framework, no link to the library.
 *
 * The programs run under any malloc. What only a collector can answer (is this an object, collect now) goes through
 * functions looked up by name at run time; without the library probe_live() is false and these parts are passed over.
 * An address that must not keep its object alive is held as HIDE(p), and what computes with addresses stands in
 * functions of its own that are never inlined, so that wipe() can clear what they left on the stack.
 * A failed CHECK prints one line on stderr and ends the program with status 1; stdout ends with "ok" otherwise.
 */
#ifndef TESTS_SUPPORT_PROBE_H
#define TESTS_SUPPORT_PROBE_H

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tricolor/tricolor.h"

#define NOINLINE __attribute__((noinline))
#define UNUSED __attribute__((unused))

#define CHECK(cond, ...)                                         \
  do {                                                           \
    if (!(cond)) {                                               \
      fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond); \
      fprintf(stderr, __VA_ARGS__);                              \
      fputc('\n', stderr);                                       \
      _exit(1);                                                  \
    }                                                            \
  } while (0)

/* A system call of the C library that is to fail. */
#define CHECK_FAILS(call, error)                          \
  do {                                                    \
    errno = 0;                                            \
    CHECK((call) == -1 && errno == (error), "%d", errno); \
  } while (0)

#define PROBE_MASK ((uintptr_t)0xa5a5a5a5a5a5a5a5ull)
#define HIDE(p) ((uintptr_t)(p) ^ PROBE_MASK)
#define UNHIDE(h) ((void *)((h) ^ PROBE_MASK))

/* The address of a symbol of the process, stored into a function pointer of any type. */
UNUSED static bool probe_symbol(const char *name, void *function_pointer) {
  void *found = dlsym(RTLD_DEFAULT, name);
  memcpy(function_pointer, &found, sizeof(found));
  return found != NULL;
}

/* Looked up once, before main: dlsym takes the loader's lock, which a dl_iterate_phdr callback must not wait for. */
static struct {
  void (*gc)(void);
  void *(*base)(const void *);
  int (*read_stats)(struct tri_stats *);
} probe;

__attribute__((constructor(101))) static void probe_init(void) {
  probe_symbol("tri_gc", &probe.gc);
  probe_symbol("tri_base", &probe.base);
  probe_symbol("tri_read_stats", &probe.read_stats);
}

UNUSED static bool probe_live(void) {
  return probe.gc != NULL;
}

UNUSED static void *probe_base(const void *p) {
  return probe.base != NULL ? probe.base(p) : NULL;
}

UNUSED static unsigned long probe_cycles(void) {
  struct tri_stats stats;
  memset(&stats, 0, sizeof(stats));
  stats.size = sizeof(stats);
  return probe.read_stats != NULL && probe.read_stats(&stats) == 0 ? stats.num_gc : 0;
}

/* Overwrites what earlier calls left on the stack and in the caller-saved registers. */
UNUSED NOINLINE static void wipe(void) {
  volatile char below[48 * 1024];
  for (size_t i = 0; i < sizeof(below); i++) below[i] = 0;
}

UNUSED NOINLINE static void collect(void) {
  wipe();
  if (probe.gc == NULL) return;
  probe.gc();
  probe.gc();
  wipe();
}

/* Content that names its owner: any overwriting, by the collector or by another object, is seen. */
UNUSED NOINLINE static void pattern_fill(void *p, size_t size, unsigned seed) {
  unsigned char *bytes = p;
  for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)(seed * 31 + i * 7 + 1);
}

UNUSED NOINLINE static bool pattern_holds(const void *p, size_t size, unsigned seed) {
  const unsigned char *bytes = p;
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] != (unsigned char)(seed * 31 + i * 7 + 1)) return false;
  }
  return true;
}

UNUSED NOINLINE static uintptr_t hidden_object(size_t size, unsigned seed) {
  void *p = malloc(size);
  CHECK(p != NULL, "malloc(%zu)", size);
  pattern_fill(p, size, seed);
  return HIDE(p);
}

UNUSED NOINLINE static bool hidden_is_object(uintptr_t hidden) {
  return probe_base(UNHIDE(hidden)) == UNHIDE(hidden);
}

UNUSED NOINLINE static bool hidden_holds(uintptr_t hidden, size_t size, unsigned seed) {
  return pattern_holds(UNHIDE(hidden), size, seed);
}

/* Garbage in all small sizes, so that slots freed in error are also handed out again. */
UNUSED NOINLINE static void churn(size_t bytes) {
  for (size_t done = 0, i = 0; done < bytes; i++) {
    size_t size = 16 + (i * 48) % 2032;
    char *volatile p = malloc(size);
    CHECK(p != NULL, "malloc(%zu)", size);
    memset(p, 0x77, size);
    free(p);
    done += size;
  }
}

UNUSED static uint64_t probe_random(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

#endif
