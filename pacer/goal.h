/* How far the heap may grow: by percent, by the memory limit, by what frees promise. */
#ifndef TRI_PACER_GOAL_H
#define TRI_PACER_GOAL_H

#include "internal/base.h"

#define TRI_HEAP_MINIMUM ((uint64_t)4 << 20) /* at GOGC=100 */
#define TRI_NO_LIMIT UINT64_MAX              /* as a memory limit and as a goal */
#define TRI_LIMIT_HEADROOM_PERCENT 3
#define TRI_LIMIT_HEADROOM_MIN ((uint64_t)1 << 20)
#define TRI_TRUST_MAX ((uint64_t)64 << 20) /* what trust in frees adds to the goal at most */

struct tri_goal_input {
  uint64_t heap_marked; /* in the last cycle, the ballast included */
  uint64_t stack_bytes; /* scanned in the last cycle */
  uint64_t globals_bytes;
  uint64_t heap_minimum;   /* at GOGC=100; it is scaled */
  uint64_t heap_reclaimed; /* what the last cycle found dead, without what the program freed itself */
  int gc_percent;          /* negative: off */
  bool frees_honoured;     /* free() frees: heap_live falls with it */
};

struct tri_memory {
  uint64_t limit;        /* TRI_NO_LIMIT: none */
  uint64_t mapped_ready; /* all memory of the runtime that is mapped and not given back; off-heap memory included */
  uint64_t heap_free;    /* free runs of pages not given back */
  uint64_t heap_alloc;   /* objects, without the ballast */
  uint64_t ballast;      /* takes nothing of the limit */
};

uint64_t tri_goal_percent(const struct tri_goal_input *in);
uint64_t tri_goal_limit(const struct tri_memory *memory, uint64_t heap_marked);

/* Frees are honoured, and the last cycle found next to nothing else dead. */
bool tri_goal_trusts_frees(const struct tri_goal_input *in);

/* The percent goal of a heap of which the program has freed so much since that only heap_live is left. */
uint64_t tri_goal_after_frees(const struct tri_goal_input *in, uint64_t heap_live);

#endif
