/*
 * The runtime's memory by classes, as Go's /memory/classes: for the memory limit (gc/plan.c), the scavenger and the
 * statistics. Not counted: the program's image, its own mappings and stacks, and the ballast, which is no memory.
 *
 * [MEMORY-1] the parts add up to the total, in each answer. Live bytes are counted in steps, beside the heap's own
 * figures, so they are held between nothing and what spans have.
 * No lock of its own; below it the heap's. No memory order.
 */
#include "gc/memory.h"

#include "alloc/mheap.h"
#include "gc/roots.h"
#include "gc/stop.h"
#include "gc/worker.h"
#include "internal/state.h"
#include "tricolor/tricolor.h"

static uint64_t objects_in(uint64_t inuse_bytes, uint64_t ballast) {
  int64_t live = (int64_t)(tri_load_rlx(&tri_state.heap_live) - ballast);
  return live < 0 ? 0 : tri_min((uint64_t)live, inuse_bytes);
}

void tri_memory_read(struct tri_memory_use *ret, uint64_t ballast) {
  struct tri_mheap_stats heap;
  struct tri_thread *t = tri_self;
  bool entered = tri_thread_is_registered(t) && tri_runtime_enter(t); /* no stop may find the heap's lock held */
  tri_mheap_read_stats(&heap);
  if (entered) tri_runtime_leave(t);
  uint64_t objects = objects_in(heap.inuse_bytes, ballast);
  *ret = (struct tri_memory_use){.objects = objects,
                                 .unused = heap.inuse_bytes - objects,
                                 .free = heap.free_bytes,
                                 .released = heap.released_bytes,
                                 .meta = heap.meta_bytes + tri_roots_list_bytes(),
                                 .stacks = tri_worker_stack_bytes(),
                                 .offheap = tri_offheap_bytes()};
  ret->mapped = ret->objects + ret->unused + ret->free + ret->meta + ret->stacks + ret->offheap;
  ret->total = ret->mapped + ret->released;
}
