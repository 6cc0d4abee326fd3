/* How a public function gets inside the runtime, registering its thread where needed. */
#ifndef TRI_GC_ENTER_H
#define TRI_GC_ENTER_H

#include "gc/runtime.h"
#include "gc/stop.h"
#include "gc/strangers.h"

/* The calling thread, inside the runtime; NULL without memory, or in a handler that interrupted the runtime. */
TRI_INLINE struct tri_thread *tri_enter_registered(void) {
  struct tri_thread *t = tri_self;
  if (!tri_thread_is_registered(t)) {
    if (!tri_runtime_init()) return NULL;
    t = tri_thread_register_self();
  }
  return t && tri_runtime_enter(t) ? t : NULL;
}

/* For who takes a lock of the runtime's outside of an allocation: inside the runtime, where a stop may come at all.
 * False: without memory, or in a handler that interrupted the runtime. */
TRI_INLINE bool tri_enter_stoppable(struct tri_thread **ret) {
  bool stoppable = tri_thread_is_registered(tri_self) || tri_strangers_wanted();
  *ret = stoppable ? tri_enter_registered() : NULL;
  return *ret || !stoppable;
}

TRI_INLINE void tri_leave_stoppable(struct tri_thread *t) {
  if (t) tri_runtime_leave(t);
}

#endif
