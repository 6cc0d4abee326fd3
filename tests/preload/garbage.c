/*
 * A program that forgets what it allocates is collected without being asked: of a hundred thousand leaked objects, all
 * hidden, few are left, and a list that grows beside them is whole. The plainest proof that the collector runs by
 * itself.
 */
#include "support/probe.h"

#define LEAKS 100000

struct link {
  struct link *next;
  unsigned seed;
  unsigned char body[100];
};

static uintptr_t leaked[LEAKS];
static struct link *list;

NOINLINE static void grow(unsigned seed) {
  struct link *l = malloc(sizeof(*l));
  CHECK(l != NULL, "malloc");
  l->seed = seed;
  pattern_fill(l->body, sizeof(l->body), seed);
  l->next = list;
  list = l;
}

int main(void) {
  int left = 0, length = 0;
  for (int i = 0; i < LEAKS; i++) {
    leaked[i] = hidden_object(400, (unsigned)i);
    if (i % 20 == 0) grow((unsigned)i);
  }
  CHECK(!probe_live() || probe_cycles() >= 2, "%lu collections in 40 MB of garbage", probe_cycles());
  collect();
  for (struct link *l = list; l != NULL; l = l->next, length++) {
    CHECK(pattern_holds(l->body, sizeof(l->body), l->seed), "link %d was overwritten", length);
  }
  CHECK(length == LEAKS / 20, "the list has %d links", length);
  /* The content tells an object that was never reclaimed from a later one in its slot. */
  for (int i = 0; i < LEAKS; i++) left += hidden_is_object(leaked[i]) && hidden_holds(leaked[i], 400, (unsigned)i);
  CHECK(left < LEAKS / 100, "%d leaked objects are left", left);
  puts("ok");
  return 0;
}
