/*
 * Wrong calls of free and realloc, one per run, named by the argument. Prints the address it is about to misuse, as the
 * message must name it, and exits with 3 when the misuse went through. "reclaimed" hides a pointer from the collector
 * and frees the object afterwards.
 */
#include <malloc.h>
#include <pthread.h>

#include "support/probe.h"

static char in_data[64];

static void *say(void *p) {
  printf("address 0x%lx\n", (unsigned long)(uintptr_t)p);
  fflush(stdout);
  return p;
}

static void double_free(size_t size) {
  void *volatile p = say(malloc(size));
  free(p);
  free(p);
}

static void double_free_late(void) {
  void *volatile p = say(malloc(100));
  free(p);
  for (int i = 0; i < 5; i++) {
    void *volatile q = malloc(5000);
    free(q);
  }
  free(p);
}

static void *free_it(void *p) {
  free(p);
  return NULL;
}

static void double_free_thread(bool first_here) {
  pthread_t t;
  void *volatile p = say(malloc(100));
  if (first_here) free(p);
  CHECK(pthread_create(&t, NULL, free_it, p) == 0, "pthread_create");
  pthread_join(t, NULL);
  if (!first_here) free(p);
}

static void double_free_realloc(void) {
  void *volatile p = say(malloc(100));
  free(p);
  void *volatile q = realloc(p, 200);
  (void)q;
}

static void free_interior(size_t size, size_t offset) {
  char *volatile p = malloc(size);
  free(say(p + offset));
}

static void free_stack(void) {
  char volatile local[64];
  local[0] = 1;
  void *volatile p = (void *)local;
  free(say(p));
}

static void free_static(void) {
  void *volatile p = in_data;
  free(say(p));
}

/* Hides 64 objects, but for one in `visible_every`; frees one that the collector took. */
static void free_reclaimed(size_t size, int visible_every) {
  static uintptr_t hidden[64];
  static void *visible[64];
  for (int i = 0; i < 64; i++) {
    hidden[i] = hidden_object(size, 1);
    if (visible_every > 0 && i % visible_every == 0) visible[i] = UNHIDE(hidden[i]);
  }
  collect();
  for (int i = 0; i < 64; i++) {
    if (!hidden_is_object(hidden[i])) free(say(UNHIDE(hidden[i])));
  }
  CHECK(visible[1] != NULL, "the hidden objects are still there");
}

static void realloc_interior(void) {
  char *volatile p = malloc(100);
  void *volatile q = realloc(say(p + 16), 300);
  (void)q;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  setvbuf(stdout, NULL, _IONBF, 0); /* a buffer might be made where something has just been reclaimed */
  if (strcmp(what, "double") == 0) double_free(100);
  if (strcmp(what, "double-late") == 0) double_free_late();
  if (strcmp(what, "double-large") == 0) double_free(1 << 20);
  if (strcmp(what, "double-thread") == 0) double_free_thread(true);
  if (strcmp(what, "double-remote") == 0) double_free_thread(false);
  if (strcmp(what, "double-realloc") == 0) double_free_realloc();
  if (strcmp(what, "interior") == 0) free_interior(100, 16);
  if (strcmp(what, "interior-odd") == 0) free_interior(100, 3);
  if (strcmp(what, "interior-large") == 0) free_interior(1 << 20, 65536);
  if (strcmp(what, "stack") == 0) free_stack();
  if (strcmp(what, "static") == 0) free_static();
  if (strcmp(what, "reclaimed") == 0) free_reclaimed(100, 8);
  if (strcmp(what, "reclaimed-span") == 0) free_reclaimed(5000, 0);
  if (strcmp(what, "reclaimed-large") == 0) free_reclaimed(200000, 0);
  if (strcmp(what, "realloc-interior") == 0) realloc_interior();
  return 3;
}
