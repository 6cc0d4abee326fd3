/*
 * One kind of root, proved in both directions.
 *
 * keep_run stores KEEP objects in the places of one kind, so that nothing else points to them, collects, and wants
 * every object back with its content. Then it clears the places, collects again, and wants most of the objects gone:
 * were they alive for another reason, the first half would have proved nothing.
 */
#ifndef TESTS_SUPPORT_KEEP_H
#define TESTS_SUPPORT_KEEP_H

#include "support/probe.h"

#define KEEP 64

struct keep {
  const char *name;
  void (*put)(int i, void *p); /* stores p in place i; NULL clears it */
  void *(*get)(int i);
};

static uintptr_t keep_hidden[KEEP];

static size_t keep_size(int i) {
  return 40 + (size_t)(i % 8) * 72;
}

NOINLINE static void keep_store(const struct keep *kind, int i) {
  keep_hidden[i] = hidden_object(keep_size(i), (unsigned)i);
  kind->put(i, UNHIDE(keep_hidden[i]));
}

NOINLINE static void keep_check(const struct keep *kind, int i) {
  void *p = kind->get(i);
  CHECK(p == UNHIDE(keep_hidden[i]), "%s: place %d lost its pointer", kind->name, i);
  CHECK(!probe_live() || probe_base(p) == p, "%s: object %d was reclaimed", kind->name, i);
  CHECK(pattern_holds(p, keep_size(i), (unsigned)i), "%s: object %d was overwritten", kind->name, i);
}

static void keep_run(const struct keep *kind) {
  int left = 0;
  for (int i = 0; i < KEEP; i++) keep_store(kind, i);
  collect();
  churn(1 << 20);
  collect();
  for (int i = 0; i < KEEP; i++) keep_check(kind, i);
  for (int i = 0; i < KEEP; i++) kind->put(i, NULL);
  collect();
  if (probe_live()) {
    for (int i = 0; i < KEEP; i++) left += hidden_is_object(keep_hidden[i]);
    CHECK(left <= KEEP / 4, "%s: %d of %d objects stay alive without a pointer", kind->name, left, KEEP);
  }
  printf("%s\n", kind->name);
}

/* Places in a block of the program's, `stride` bytes apart. */
UNUSED static struct {
  char *block;
  size_t stride;
} keep_where;

UNUSED static void keep_put_in_block(int i, void *p) {
  *(void **)(void *)(keep_where.block + (size_t)i * keep_where.stride) = p;
}

UNUSED static void *keep_get_from_block(int i) {
  return *(void **)(void *)(keep_where.block + (size_t)i * keep_where.stride);
}

/* The last place ends with the block, or a little before. */
UNUSED static void keep_in_block(char *block, size_t bytes, const char *name) {
  struct keep kind = {name, keep_put_in_block, keep_get_from_block};
  keep_where.block = block;
  keep_where.stride = (bytes - sizeof(void *)) / (KEEP - 1) & ~(sizeof(void *) - 1);
  keep_run(&kind);
}

#endif
