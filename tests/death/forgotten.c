/*
 * What becomes of a program that forgets tri_write: a table of a million pointers in which pairs are swapped, the
 * second half of each swap by a plain store ("second"), or both ("both"). While a collection goes along the table, a
 * pointer that such a swap brings from behind the marker to before it is missed: with so many swaps some are in each
 * collection, and GODEBUG=gccheckmark=1 must end the program. "none" forgets nothing, and must pass. "taken": what is
 * overwritten plainly lives on in a local array only, where no other object leads to it.
 *
 * With stacks=ragged the tri_write of the first half shades both pointers: forgetting the second does no harm there.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tricolor/tricolor.h>

enum { ITEMS = 1 << 20, STEPS = 2000000, HELD = 1000 };

static void **table;

static void *need(void *p) {
  if (p == NULL) abort();
  return p;
}

static uint64_t next_random(void) {
  static uint64_t state = 1;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static void store(void **slot, void *value, bool forgotten) {
  if (forgotten) {
    *(void *volatile *)slot = value;
  } else {
    tri_write(slot, value);
  }
}

static void swap(void **a, void **b, int nforgotten) {
  void *was = *a;
  store(a, *b, nforgotten == 2);
  store(b, was, nforgotten >= 1);
}

static void take(void *volatile *held) {
  void **slot = &table[next_random() % ITEMS];
  *held = *slot;
  store(slot, need(tri_alloc(16)), true);
}

int main(int argc, char **argv) {
  void *volatile held[HELD] = {NULL};
  const char *which = argc > 1 ? argv[1] : "none";
  int nforgotten = strcmp(which, "both") == 0 ? 2 : strcmp(which, "second") == 0;
  bool taken = strcmp(which, "taken") == 0;
  tri_write(&table, need(tri_alloc(ITEMS * sizeof *table)));
  for (size_t i = 0; i < ITEMS; i++) tri_write(&table[i], need(tri_alloc(16)));
  for (int i = 0; i < STEPS; i++) {
    if (taken) {
      take(&held[i % HELD]);
    } else {
      swap(&table[next_random() % ITEMS], &table[next_random() % ITEMS], nforgotten);
    }
    tri_keep_alive(need(tri_alloc(64)));
  }
  puts("ok");
  return 0;
}
