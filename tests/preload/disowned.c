/*
 * With free=ignore. What the program has freed stays as it is while something points to it; what only freed objects
 * point to goes. A queue of short length through which much passes, with a stale pointer to its first element: if
 * freed elements kept what they point to, all that ever was in the queue would stay. And what was taken out of an
 * object before it was freed stays, wherever it was put: in a root, in an old object, in a register; with the collector
 * running all the while.
 */
#include "support/probe.h"

enum { LENGTH = 100, PASSED = 400 * 1000, ROOTED = 8, CHILD_BYTES = 200, BIG_BYTES = 300 << 10, ALLOWED_MIB = 16 };

struct element {
  struct element *next;
  char *child;
  char fill[80];
};

static struct element *stale, *head, *tail;
static char *rooted[ROOTED];
static char **in_an_old_object;

static char *new_child(unsigned seed) {
  char *c = malloc(CHILD_BYTES);
  CHECK(c != NULL, "malloc");
  pattern_fill(c, CHILD_BYTES, seed);
  return c;
}

static void append(unsigned seed) {
  struct element *e = malloc(sizeof *e);
  CHECK(e != NULL, "malloc");
  e->next = NULL;
  e->child = new_child(seed);
  pattern_fill(e->fill, sizeof e->fill, seed);
  if (tail) tail->next = e;
  tail = e;
  if (!head) head = e;
}

/* Its child outlives it for ROOTED more turns, half of the time in a global, else in an object. */
static void take_first(unsigned seed) {
  struct element *e = head;
  char *child = e->child;
  char **place = seed % 2 ? &rooted[seed % ROOTED] : &in_an_old_object[seed % ROOTED];
  CHECK(pattern_holds(e->fill, sizeof e->fill, seed), "element %u", seed);
  head = e->next;
  free(e);
  if (seed >= ROOTED) CHECK(pattern_holds(*place, CHILD_BYTES, seed - ROOTED), "child %u", seed - ROOTED);
  free(*place);
  *place = child;
}

static size_t live_mib(void) {
  struct tri_stats s;
  memset(&s, 0, sizeof s);
  s.size = sizeof s;
  return probe.read_stats != NULL && probe.read_stats(&s) == 0 ? s.heap_alloc >> 20 : 0;
}

/* Large objects have their bit elsewhere. */
NOINLINE static uintptr_t freed_large(void) {
  char **big = malloc(BIG_BYTES);
  CHECK(big != NULL, "malloc");
  memset(big, 0, BIG_BYTES);
  big[1000] = new_child(7);
  uintptr_t child = HIDE(big[1000]);
  rooted[0] = (char *)big;
  free(big);
  return child;
}

int main(int argc, char **argv) {
  bool ignored = argc > 1 && strcmp(argv[1], "ignored") == 0;
  in_an_old_object = calloc(ROOTED, sizeof *in_an_old_object);
  CHECK(in_an_old_object != NULL, "calloc");
  for (unsigned i = 0; i < LENGTH; i++) append(i);
  stale = head;
  for (unsigned i = 0; i < PASSED; i++) {
    append(i + LENGTH);
    take_first(i);
  }
  uintptr_t child = freed_large();
  collect();
  if (probe_live() && ignored) {
    CHECK(probe_base(stale) == stale && pattern_holds(stale->fill, sizeof stale->fill, 0), "what is pointed to stays");
    CHECK(!hidden_is_object(child), "only a freed object points to it");
    CHECK(live_mib() <= ALLOWED_MIB, "%zu MiB live", live_mib());
  }
  puts("ok");
  return 0;
}
