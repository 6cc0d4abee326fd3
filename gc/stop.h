/* Stopping and restarting the registered threads. */
#ifndef TRI_GC_STOP_H
#define TRI_GC_STOP_H

#include "gc/thread.h"
#include "internal/race.h"

/* Chooses the signal (0: the highest free real-time signal) and installs the handler. Called once. */
void tri_stop_init(int wanted_signal);
int tri_stop_signal(void); /* 0 before tri_stop_init */

/* Stops every registered thread but the caller, outside the runtime; takes the registry lock. The caller has entered
 * the runtime or is not registered. Returns for how many nanoseconds the others ran in between, where it took more than
 * one try. looks_for_strangers: registered or not, as far as gc/strangers.h finds them. */
uint64_t tri_stop_world(bool looks_for_strangers);
/* Releases the registry lock. Returns when the threads were let go, as tri_now_ns says it. */
uint64_t tri_start_world(void);
/* Lets the threads run but keeps the registry lock: nobody registers or leaves, no other stop begins. */
uint64_t tri_start_world_keep_registry(void);

/* What gc/region.c needs: whether the calling thread should park; which alternate signal stack it has (set in its
 * block). */
bool tri_stop_wanted(const struct tri_thread *t);
void tri_stop_note_alternate_stack(struct tri_thread *t);
/* Parks if a stop wants it. Async-signal-safe. */
void tri_stop_park_self(struct tri_thread *t);

/* On the way out of the runtime with stop_pending set: parks until the world starts; then waits if the collector is far
 * behind. */
void tri_stop_self(struct tri_thread *t);
/* The same on the way out of an allocation, which may also start the collector; returns p, kept alive meanwhile. */
void *tri_stop_self_with(struct tri_thread *t, void *p);

TRI_INLINE bool tri_runtime_enter(struct tri_thread *t) {
  if (tri_unlikely(tri_int_load_rlx(&t->in_runtime))) return false;
  tri_int_store_rlx(&t->in_runtime, 1);
  tri_fence_sig();
  return true;
}

/* Clears the flag, then looks for a stop: the other order would leave a stop waiting for ever. */
TRI_INLINE void tri_runtime_leave(struct tri_thread *t) {
  tri_fence_sig();
  tri_int_store_rlx(&t->in_runtime, 0);
  tri_fence_sig();
  TRI_RACE_POINT(LEAVE);
  if (tri_unlikely(tri_int_load_rlx(&t->stop_pending))) tri_stop_self(t);
}

/* The same where signals are held off: parks for a stop, and waits for nothing else. */
TRI_INLINE void tri_runtime_leave_only(struct tri_thread *t) {
  tri_fence_sig();
  tri_int_store_rlx(&t->in_runtime, 0);
  tri_fence_sig();
  TRI_RACE_POINT(LEAVE);
  if (tri_unlikely(tri_int_load_rlx(&t->stop_pending))) tri_stop_park_self(t);
}

/* The same with what was allocated. */
TRI_INLINE void *tri_runtime_leave_with(struct tri_thread *t, void *p) {
  tri_fence_sig();
  tri_int_store_rlx(&t->in_runtime, 0);
  tri_fence_sig();
  TRI_RACE_POINT(LEAVE);
  return tri_unlikely(tri_int_load_rlx(&t->stop_pending)) ? tri_stop_self_with(t, p) : p;
}

#endif
