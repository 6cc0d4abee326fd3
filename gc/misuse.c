/*
 * Error messages for wrong pointers given to free, realloc and malloc_usable_size. The program ends; so this may take
 * its time, but allocates nothing, and changes no state before it has decided that the call is wrong.
 *
 * A slot that the collector reclaimed and the program then frees was reachable through a hidden pointer only: said so,
 * with the way out, and not called a double free. mspan.reclaimed remembers it per slot; for spans that died whole the
 * page table's tombstone does (alloc/mheap.h).
 */
#include "gc/misuse.h"

#include <string.h>

#include "gc/maps.h"
#include "internal/check.h"

enum { LINE_BYTES = 5 << 10 };

struct place {
  uintptr_t addr;
  struct tri_mapping mapping;
  uintptr_t file_end; /* of the last mapping of a file before it */
  bool found;
};

static bool look(const struct tri_mapping *m, void *arg) {
  struct place *p = arg;
  if (p->addr >= m->hi) {
    if (m->file) p->file_end = m->hi;
    return true;
  }
  if (p->addr >= m->lo) {
    p->mapping = *m;
    p->found = true;
  }
  return false;
}

static struct place place_of(const void *p) {
  char buf[LINE_BYTES]; /* some come here at the same time, with pointers of the C library's own malloc */
  struct place place = {.addr = (uintptr_t)p};
  tri_maps_each_in(buf, sizeof buf, look, &place);
  return place;
}

bool tri_misuse_is_libc_memory(const void *p) {
  struct place place = place_of(p);
  return place.found && place.mapping.brk;
}

static const char *describe(const void *p) {
  struct place place = place_of(p);
  char here;
  uintptr_t a = (uintptr_t)p, sp = (uintptr_t)&here;
  if (!place.found) return "an address that is not mapped";
  if (place.mapping.stack || (a > sp && a - sp < ((uintptr_t)1 << 20) && place.mapping.lo <= sp))
    return "a stack address";
  if (place.mapping.brk) return "memory of the C library's malloc";
  if (place.mapping.file || place.file_end == place.mapping.lo) return "static data or code of the program";
  return "a mapping that is not the heap's";
}

#define WAS_HIDDEN                                                                                             \
  "it was reachable only through a hidden pointer; run with TRICOLOR=collect=off, or register the place that " \
  "holds it (tri_roots_add)"

_Noreturn static void reclaimed(const void *p, size_t size, const char *caller) {
  tri_fatal("%s(%p): the collector reclaimed this %zu-byte object earlier: " WAS_HIDDEN, caller, p, size);
}

static const char *what_for(const char *caller) {
  return strstr(caller, "free") ? "double free" : "used after free";
}

void tri_misuse_double_free(const void *p, const struct tri_mspan *s, const char *caller) {
  tri_fatal("%s(%p): %s: the %zu-byte object is free already", caller, p, what_for(caller), s->elemsize);
}

_Noreturn static void dead_pages(const void *p, const char *caller) {
  if (tri_mheap_page_was_reclaimed((uintptr_t)p))
    tri_fatal("%s(%p): the collector reclaimed the object and all around it earlier: " WAS_HIDDEN, caller, p);
  if (tri_mheap_page_was_freed((uintptr_t)p))
    tri_fatal("%s(%p): %s: the object and all around it are free already", caller, p, what_for(caller));
  tri_fatal("%s(%p): not an object: a part of the heap that was never handed out", caller, p);
}

void tri_misuse_bad_free(const void *p, const char *caller) {
  struct tri_slot s;
  uintptr_t a = (uintptr_t)p;
  if (a - tri_heap_range.base >= tri_heap_range.reserved_bytes)
    tri_fatal("%s(%p): not a pointer from this allocator: %s", caller, p, describe(p));
  if (!tri_slot_find(a, &s)) {
    struct tri_mspan *span = tri_mheap_span_of(a);
    if (!span || tri_int_load_acq(&span->state) == TRI_SPAN_DEAD) dead_pages(p, caller);
    tri_fatal("%s(%p): not an object: behind the last %zu-byte slot of its span", caller, p, span->elemsize);
  }
  uintptr_t start = tri_slot_start(&s);
  const char *state = tri_slot_in_use(&s) ? "in use" : s.group->reclaimed & s.bit ? "reclaimed" : "free";
  if (start != a)
    tri_fatal("%s(%p): interior pointer: %zu bytes into the %zu-byte object at %p (%s); only its start can be freed",
              caller, p, a - start, s.span->elemsize, (void *)start, state);
  if (s.group->reclaimed & s.bit) reclaimed(p, s.span->elemsize, caller);
  tri_misuse_double_free(p, s.span, caller);
}
