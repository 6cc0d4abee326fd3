/*
 * The hybrid barrier's cycle, after Go's (Yuasa's deletion barrier; Dijkstra's insertion barrier where stacks are
 * grey):
 *
 *   first stop:  barrier on for every thread; what a half-done store is about to overwrite is shaded; current groups of
 *                slots are blackened; then the roots are marked (gc/cycle.c, gc/beside.c)
 *   stacks:      in the first stop; or by each thread before it resumes; or, ragged, one after the other while the
 *                program runs (gc/scanstack.c)
 *   beside:      markers drain grey work; the runner looks at the threads' buffers until nothing new is in them
 *   last stop:   what has come into the buffers since, what is grey is marked to the end, barrier off
 *
 * So a stack is black before its thread runs again, and an object that was reachable in the first stop is marked in the
 * end: whoever takes away a pointer to it shades it. Objects made in between are born marked. Hence no root is scanned
 * again, and plain stores into globals, locals and fresh objects are allowed. Ragged stacks are grey for a while: then
 * stores shade the new pointer too, and the program has promised tri_write for globals and fresh objects.
 * tests/model/hybrid.pml, schemes A, A' and C.
 *
 * Invariants:
 *   [HYBRID-1] the barrier's state is the same for all threads, and changes in a stop only, with the phase.
 *   [HYBRID-2] marking ends in the last stop: what is found before is no proof, since buffers of running threads are
 *              looked at while they change.
 *   [HYBRID-3] a store that a signal handler has interrupted is shaded for like one that a stop has: what was published
 *              is kept in the thread's block while the handler's own stores publish theirs.
 *
 * Locks: none of its own; the stop holds the registry's. A look at running threads takes that lock, so that no thread's
 * block goes away; a stop that fork or another runner wants waits for it.
 */
#include "gc/hybrid.h"

#include "alloc/mheap.h"
#include "gc/assist.h"
#include "gc/kernel_writes.h"
#include "gc/scanstack.h"
#include "gc/shade.h"
#include "gc/slot.h"
#include "gc/thread.h"
#include "internal/race.h"
#include "internal/state.h"

enum { SCAN_WAIT_NS = 1000 * 1000, ASSIST_WAIT_NS = 100 * 1000 };
/* While a look goes on, entries come. What is left after the last is shaded in the stop. */
enum { FEW_ENTRIES = 64, MAX_LOOKS = 4 };

static struct tri_shader shader; /* the runner's */

static void set_state(unsigned state) {
  tri_int_store_rel(&tri_state.barrier, state);
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next)
    if (t->barrier) t->barrier->state = state;
}

/* Only a slot in the heap can be read without fear, and only those are not scanned as roots in this very stop. The
 * object may be gone since the store: then nothing is lost by looking. */
static void shade_slot(uintptr_t slot) {
  struct tri_slot s;
  if (slot % sizeof(void *) != 0 || !tri_slot_find(slot, &s) || !tri_slot_in_use(&s)) return;
  tri_shade_word(&shader, tri_load_rlx((const tri_aword *)slot));
}

static void shade_store(uintptr_t slot, uintptr_t value, bool value_too) {
  shade_slot(slot);
  if (value_too) tri_shade_word(&shader, value);
}

/* The store under way, and those that signal handlers are in the middle of. [HYBRID-3] */
static void shade_published(const struct tri_thread *t, bool values_too) {
  tri_kernel_writes_shade(t, &shader);
  if (!t->barrier) return;
  shade_store(tri_barrier_slot(t->barrier), tri_barrier_value(t->barrier), values_too);
  for (int i = 0; i < TRI_INTERRUPTED; i++)
    shade_store((uintptr_t)t->interrupted[i].slot, (uintptr_t)t->interrupted[i].value, values_too);
}

void tri_hybrid_begin_stw(bool stacks_are_grey) {
  tri_shade_take_bytes();
  set_state(stacks_are_grey ? TRI_BARRIER_OLD | TRI_BARRIER_NEW : TRI_BARRIER_OLD);
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) {
    tri_wbbuf_empty(&t->wbbuf);
    tri_mcache_blacken_stw(&t->mcache);
    shade_published(t, stacks_are_grey);
  }
  tri_shade_put_up(&shader);
}

bool tri_hybrid_scan_stacks(void) {
  do {
    tri_scanstack_tell();
  } while (!tri_scanstack_finished(SCAN_WAIT_NS));
  return !tri_scanstack_strayed();
}

static size_t shade_new_entries(struct tri_wbbuf *b) {
  const tri_aword *first;
  size_t n = tri_wbbuf_look(b, &first);
  tri_shade(&shader, first, n);
  return n;
}

static size_t look_once(void) {
  size_t n = 0;
  tri_lock_acquire(&tri_registry_lock);
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) n += shade_new_entries(&t->wbbuf);
  tri_lock_release(&tri_registry_lock);
  TRI_RACE_POINT(LOOKED);
  return n;
}

bool tri_hybrid_look(void) {
  bool scanned = tri_scanstack_finished(SCAN_WAIT_NS);
  bool assisted = tri_assist_is_under_way(ASSIST_WAIT_NS);
  for (unsigned looks = 0; looks < MAX_LOOKS && look_once() > FEW_ENTRIES; looks++) continue;
  bool found = shader.marked_bytes > 0;
  tri_shade_put_up(&shader);
  return found || !scanned || assisted || tri_work_available();
}

void tri_hybrid_end_stw(void) {
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) {
    shade_new_entries(&t->wbbuf);
    tri_wbbuf_empty(&t->wbbuf);
    tri_shade_put_up(&t->shader);
  }
  tri_shade_take_nested(&shader);
  tri_shade_put_up(&shader);
  set_state(0);
}
