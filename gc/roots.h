/* What the collector starts from. */
#ifndef TRI_GC_ROOTS_H
#define TRI_GC_ROOTS_H

#include "gc/thread.h"

struct tri_root_range {
  uintptr_t lo, hi;
  bool stack;  /* a word that equals a slot's first byte also keeps the slot before it */
  bool dirty;  /* pages of the heap that were written to: only the marked objects on them count */
  bool untold; /* pages of the heap that may have been written to: those of them that hold data */
  bool ask;    /* tracked pages of the heap: those of them that were written to */
  bool code;   /* generated machine code: a pointer may begin at any byte; hi may reach 7 bytes into the next piece */
};

/* World stopped: lists every root range. malloc_mode: the whole process; otherwise loaded objects, stacks, thread-local
 * storage and registered ranges. Between tri_pages_open and _close. False: the process's memory could not be listed, so
 * nothing may be collected. */
enum tri_stacks {
  TRI_STACKS_LISTED, /* like other roots */
  TRI_STACKS_SELF,   /* threads that are parked on their own stacks scan these before they resume */
  TRI_STACKS_LATER,  /* or are told to later; see gc/scanstack.h */
};
bool tri_roots_gather(bool malloc_mode, enum tri_stacks stacks);
/* Before a short stop: asks for the memory of what the last gathering listed, which the stop is going to read. Runner.
 */
void tri_roots_prefetch(void);
/* World stopped: lists the stacks only. */
bool tri_roots_gather_stacks(void);
/* Empties the list, as gather does first, and adds to it pages of the heap that were written to. False: no room. */
void tri_roots_clear(void);
bool tri_roots_add_dirty(uintptr_t lo, uintptr_t hi);
/* The same, for pages of which nobody says whether they were. */
bool tri_roots_add_untold(uintptr_t lo, uintptr_t hi);
/* The same, for tracked pages: the marker that takes a piece asks the kernel which of its pages were. */
bool tri_roots_add_tracked(uintptr_t lo, uintptr_t hi);
/* The i-th range, in pieces of at most 256 KiB; false past the end. */
bool tri_roots_get(size_t i, struct tri_root_range *ret);
/* There is a first one. */
bool tri_roots_any(void);

/* Parts of the heap that the program has made unreadable, as the last gathering found them. next_readable: moves *lo to
 * the first readable byte in [*lo, hi), or to hi, and returns how many bytes from there on are readable. */
bool tri_roots_any_protected(void);
size_t tri_roots_next_readable(uintptr_t *lo, uintptr_t hi);

/* Bytes of the last gathering. */
uint64_t tri_roots_list_bytes(void); /* memory of the lists of roots; any thread */
uint64_t tri_roots_stack_bytes(void);
uint64_t tri_roots_globals_bytes(void);

/* Single words that are roots: start arguments, uncollectable objects, epoll data, objects with protected pages, stacks
 * and alternate signal stacks in the heap. Calls fn for each; world stopped. */
void tri_roots_each_word(void (*fn)(uintptr_t word, void *), void *arg);

/* Registered ranges. 0, or an errno value. */
int tri_roots_register(uintptr_t lo, size_t size);
int tri_roots_unregister(uintptr_t lo, size_t size);
bool tri_roots_is_registered(uintptr_t address);
/* Uncollectable objects, by first byte. False: no memory. */
bool tri_roots_hold(uintptr_t object);
void tri_roots_drop(uintptr_t object); /* nothing if not held */

void tri_roots_lock(void); /* fork */
void tri_roots_unlock(void);

#endif
