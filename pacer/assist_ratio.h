/* Mark assists: how much an allocating thread must scan, and who pays for it. */
#ifndef TRI_PACER_ASSIST_RATIO_H
#define TRI_PACER_ASSIST_RATIO_H

#include "internal/base.h"

#define TRI_ASSIST_WORK_MIN ((int64_t)64 << 10)    /* scanned in one assist */
#define TRI_ASSIST_SURPLUS_MAX ((int64_t)64 << 10) /* what frees may leave in a thread's favour */
#define TRI_ASSIST_OFF_PERCENT 100000              /* stands for GOGC off in a cycle that runs all the same */
#define TRI_ASSIST_OVERSHOOT 1.1
#define TRI_ASSIST_REMAINING_MIN 1000

struct tri_assist_input {
  int gc_percent;
  uint64_t heap_goal;
  uint64_t triggered;
  uint64_t heap_live;
  uint64_t work_done;     /* in this cycle: heap, stacks and globals */
  uint64_t work_expected; /* what the last cycle scanned */
  uint64_t work_max;      /* if all that could be scanned were live */
};

struct tri_assist_ratio {
  double work_per_byte;
  double bytes_per_work;
};

struct tri_assist_ratio tri_assist_ratio(const struct tri_assist_input *in);

/* What a thread with a negative balance has to scan, and the bytes that this is worth. */
struct tri_assist_need {
  int64_t work;
  int64_t bytes;
};
struct tri_assist_need tri_assist_need(const struct tri_assist_ratio *ratio, int64_t balance);

/* The bytes that some scanned work adds to a balance. */
int64_t tri_assist_worth(const struct tri_assist_ratio *ratio, int64_t work);

/* The balance after so much was allocated and freed: net growth is charged. */
int64_t tri_assist_charge(int64_t balance, uint64_t allocated, uint64_t freed);

/* Takes what is needed from the background credit, as far as it goes. Returns what it took. */
int64_t tri_assist_steal(int64_t *credit, int64_t work);

/* A worker's scanned bytes pay the debt of a parked thread. False: not all of it, and the worker has nothing left. */
bool tri_assist_pay(int64_t *balance, int64_t *worker_bytes);

#endif
