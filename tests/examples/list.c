/*
 * A linked structure: a list in both directions that keeps what was asked for last in front and forgets its last entry
 * when it is full. Entries move all the time, and none is ever freed: one that has left the list is garbage as soon as
 * nobody holds it.
 *
 * Each store into an entry that is in the list goes through TRI_WRITE: a collection may be marking the list at that
 * very moment. The global by_key, and an entry that only this thread has seen, may be stored into plainly.
 *
 * Build it outside this tree with: cc list.c $(pkg-config --cflags --libs tricolor)
 */
#include <stdio.h>
#include <stdlib.h>
#include <tricolor/tricolor.h>

enum { KEYS = 20000, CAPACITY = 10000, REQUESTS = 2000000 };

struct entry {
  struct entry *next, *previous;
  struct entry *answer; /* an object of its own, so that a lost one would show */
  unsigned key;
};

struct list {
  struct entry *first, *last;
  unsigned length;
};

static struct entry **by_key; /* a collected array: its slots are stored with TRI_WRITE, the global itself plainly */

static void *need(void *p) {
  if (p == NULL) {
    perror("list");
    exit(1);
  }
  return p;
}

static void unlink_entry(struct list *l, struct entry *e) {
  if (e->previous != NULL) {
    TRI_WRITE(e->previous->next, e->next);
  } else {
    TRI_WRITE(l->first, e->next);
  }
  if (e->next != NULL) {
    TRI_WRITE(e->next->previous, e->previous);
  } else {
    TRI_WRITE(l->last, e->previous);
  }
  l->length--;
}

static void put_first(struct list *l, struct entry *e) {
  TRI_WRITE(e->previous, NULL);
  TRI_WRITE(e->next, l->first);
  if (l->first != NULL) {
    TRI_WRITE(l->first->previous, e);
  } else {
    TRI_WRITE(l->last, e);
  }
  TRI_WRITE(l->first, e);
  l->length++;
}

static struct entry *make(unsigned key) {
  struct entry *e = need(tri_alloc(sizeof *e)), *answer = need(tri_alloc(sizeof *answer));
  answer->key = ~key;
  e->key = key;
  e->answer = answer; /* nobody else has seen `e` yet */
  return e;
}

/* A forgotten entry lets go of the list: else something that looks like a pointer to it would keep all that are
 * forgotten after it. */
static void forget_last(struct list *l) {
  struct entry *last = l->last;
  TRI_WRITE(by_key[last->key], NULL);
  unlink_entry(l, last);
  TRI_WRITE(last->previous, NULL);
}

static const struct entry *ask(struct list *l, unsigned key) {
  struct entry *e = by_key[key];
  if (e == NULL) {
    if (l->length == CAPACITY) forget_last(l);
    e = make(key);
    TRI_WRITE(by_key[key], e);
  } else {
    unlink_entry(l, e);
  }
  put_first(l, e);
  return e->answer;
}

int main(void) {
  struct list *l = need(tri_alloc(sizeof *l));
  unsigned long wrong = 0, length = 0;
  unsigned state = 1;
  by_key = need(tri_alloc(KEYS * sizeof *by_key));
  for (int i = 0; i < REQUESTS; i++) {
    state = state * 1103515245u + 12345u;
    unsigned key = (state >> 8) % KEYS;
    if (ask(l, key)->key != ~key) wrong++;
  }
  for (const struct entry *e = l->first; e != NULL; e = e->next) length += e->answer->key == ~e->key;

  struct tri_stats stats = {.size = sizeof stats};
  if (tri_read_stats(&stats) != 0) return 1;
  printf("%d requests, %lu wrong, %lu entries, %lu collections\n", REQUESTS, wrong, length, stats.num_gc);
  return wrong == 0 && length == CAPACITY && stats.num_gc > 1 ? 0 : 1;
}
