/*
 * The few words that every folder reads: the collector's phase, the sweep generation, the heap's live bytes and the
 * published plan. Defined in alloc/base/state.c.
 */
#ifndef TRI_INTERNAL_STATE_H
#define TRI_INTERNAL_STATE_H

#include "internal/atomic.h"

enum tri_phase {
  TRI_PHASE_OFF = 0, /* no cycle; sweeping may go on */
  TRI_PHASE_MARK,
  TRI_PHASE_MARK_TERMINATION,
};

struct tri_state {
  /* Written by the cycle's runner with the world stopped; read by anyone. */
  tri_aint phase;    /* enum tri_phase */
  tri_aint sweepgen; /* h: even, grows by 2 in each mark termination */
  tri_aint barrier;  /* what every thread's write barrier shades, see barrier/wbbuf.h; while not 0, slots are marked
                        when they are handed out */
  /* Written by the cycle's runner and by settings; read where bytes are flushed. */
  tri_aword trigger; /* live bytes at which a cycle is due; UINT64_MAX: never */
  tri_aword goal;
  tri_aint flush_bytes; /* caches count their bytes in steps of this, while threads may have to assist; 0: as usual */
  tri_aword born_marked_below; /* while marking runs beside the program: the heap's end when it began; else 0 */
  /* Any thread adds, at flushes: bytes of live objects, may be below zero for a moment. Set at mark termination. */
  tri_aword heap_live TRI_CACHE_ALIGNED;
  tri_aword total_alloc; /* bytes handed out since the start, rounded to groups of slots */
  /* Settings, constant after start-up except in tests. */
  bool clobberfree;
  bool disowning; /* free is ignored, but disowns; set once, before the first collection */
};

extern struct tri_state tri_state TRI_INTERNAL;

#endif
