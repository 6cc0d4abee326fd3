/*
 * Pointer stores while no collection runs, for tools/bench-barrier, which counts the instructions of each function:
 *
 *   plain      a release store and nothing else
 *   published  slot and value are published first, as a barrier that does not wait for every thread must
 *   write      tri_write
 *
 * Each in a loop, where the compiler keeps the address of the thread's block in a register, and as a function of its
 * own. The argument is the number of stores by each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tricolor/tricolor.h>

#define KEPT __attribute__((noinline))

struct object {
  void *slot[8];
};

static inline __attribute__((always_inline)) void store_plain(void *slot, const void *value) {
  __atomic_store_n((const void **)slot, value, __ATOMIC_RELEASE);
  __asm__ __volatile__("" : : : "memory");
}

static inline __attribute__((always_inline)) void store_published(void *slot, const void *value) {
  struct tri_barrier *b = &tri_barrier_self;
  b->slot = slot;
  b->value = value;
  __asm__ __volatile__("" : : : "memory");
  store_plain(slot, value);
}

#define BOTH_FORMS(name, store)                                        \
  KEPT static void call_##name(void *slot, const void *value) {        \
    store(slot, value);                                                \
  }                                                                    \
  KEPT static void loop_##name(struct object *o, unsigned long n) {    \
    for (unsigned long i = 0; i < n; i++) store(&o->slot[i % 8], o);   \
  }                                                                    \
  KEPT static void run_##name(struct object *o, unsigned long n) {     \
    loop_##name(o, n);                                                 \
    for (unsigned long i = 0; i < n; i++) call_##name(&o->slot[0], o); \
  }

BOTH_FORMS(plain, store_plain)
BOTH_FORMS(published, store_published)
BOTH_FORMS(write, tri_write)

int main(int argc, char **argv) {
  unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
  struct object *o = tri_alloc(sizeof *o); /* registers the thread, and so finds the barrier off */
  if (o == NULL) return 1;
  tri_write(&o->slot[0], o);
  run_plain(o, n);
  run_published(o, n);
  run_write(o, n);
  return o->slot[0] == o && puts("ok") >= 0 ? 0 : 1;
}
