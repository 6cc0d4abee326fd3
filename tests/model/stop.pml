/*
 * Stopping threads: who may run when the world counts as stopped, and who waits for whom. Run by run.py with the
 * switches of variants.txt; spin -a stop.pml alone checks the right protocol.
 *
 * Modelled: THREADS threads that are born, register, run the program, enter and leave the runtime (there under the
 * heap's lock), enter and leave safe regions, fork (thread 0), compute for ever without calling us, and exit; a
 * collector that stops and restarts the world without end. Each thread has its signal handler as a process of its own:
 * while it runs (interrupted[t]) the thread makes no step. A signal falls between any two steps; with SPURIOUS thread 0
 * also gets signals that nobody asked for.
 *
 *   model                          code
 *   in_runtime, pending            tri_thread.in_runtime, .stop_pending (gc/stop.h: tri_runtime_enter, _leave)
 *   request, acked, acks, resumed  tri_thread.stop_request, .acked_stop; acks, resumed (gc/stop.c)
 *   handler, park, stop_self       on_stop_signal, park, tri_stop_self
 *   stop_world, start_world        tri_stop_world with wait_for_acks and reap_dead; tri_start_world
 *   registry, listed, dead         tri_registry_lock, the list of threads, tgkill says ESRCH (gc/thread.c)
 *   cycle, heap                    cycle_lock (gc/cycle.c), mheap's lock for all locks below the registry's
 *   do_fork                        prepare and in_parent (gc/fork.c)
 *   region                         the word of a safe region (design.md 5.3): OUT, IN, HELD by the collector
 *
 * Numbers of stops are kept modulo 2: between stops request == acked == resumed for each registered thread,
 * also for one that was held in a region or made the stop itself (in the code its numbers may stay old). With
 * TWO_FLAGS the region is a flag of the thread's and a flag of the collector's, each behind a store buffer of one entry
 * as on x86; a fence waits for the buffer. A signal drains the buffer of the core that it interrupts.
 *
 * Checked: [runs] no thread makes a step outside a wait while the world counts as stopped; [fork] the forking thread
 * holds every lock at the fork; nobody waits for ever (invalid end state: a thread may stop calling us at any time).
 * Not modelled: a thread that gets a dead one's number (answer_for_namesake), vfork, the main thread's exit.
 */

#ifndef THREADS
#define THREADS 2
#endif
#define COLLECTOR THREADS
#define NOBODY 7

#define OUT 0
#define IN 1
#define HELD 2

bit interrupted[THREADS + 1]; /* the collector's never is */
bit masked[THREADS];
bit signalled[THREADS];
bit in_runtime[THREADS];
bit pending[THREADS];
bit request[THREADS];
bit acked[THREADS];
bit listed[THREADS];
bit dead[THREADS];
byte region[THREADS];
bit epoch, resumed;
byte acks, wanted;
byte registry = NOBODY, cycle = NOBODY, heap = NOBODY;
/* Two flags: the collector's, and what waits in the store buffers; 2: empty. */
#ifdef TWO_FLAGS
bit stop_flag;
byte thread_buffer[THREADS] = 2;
byte collector_buffer = 2;
#endif
/* Only assertions read these. */
bit stopped;
bit runs;
bit fork_unlocked;

/* A step of thread t, or of the collector. */
#define STEP(t, x) atomic { !interrupted[t] -> x }
#define WAIT(t, condition, x) atomic { !interrupted[t] && (condition) -> x }
#define LOCK(t, l) WAIT(t, l == NOBODY, l = t)
#define UNLOCK(t, l) STEP(t, l = NOBODY)
#define RUN(t) STEP(t, runs = stopped; assert(!runs))
#define WANTED(t) (request[t] != resumed && acked[t] != request[t])

/* ---- being stopped ---- */

inline park(t) {
  /* acked: the number that was answered. The next stop may have begun before this thread wakes. */
  atomic { acked[t] = request[t]; acks++ };
  resumed == acked[t]
}

proctype handler(byte t) {
end:
  do
  :: atomic {
      signalled[t] && !interrupted[t] && !masked[t] && !dead[t] ->
      signalled[t] = 0;
      interrupted[t] = 1;
#ifdef TWO_FLAGS
      if
      :: thread_buffer[t] != 2 -> region[t] = thread_buffer[t]; thread_buffer[t] = 2
      :: else
      fi
#endif
    };
    if
#ifdef HANDLER_DOES_NOT_CHECK
    :: listed[t] ->
#else
    :: listed[t] && WANTED(t) ->
#endif
      if
#ifndef HANDLER_PARKS_IN_RUNTIME
      :: in_runtime[t] -> pending[t] = 1
#endif
      :: else -> park(t)
      fi
    :: else
    fi;
    interrupted[t] = 0
  od
}

inline stop_self(t) {
  STEP(t, pending[t] = 0);
  if
  :: WAIT(t, WANTED(t), skip) ->
#ifndef PARK_UNMASKED
    STEP(t, masked[t] = 1);
#endif
    if
    :: WAIT(t, WANTED(t), skip) ->
      STEP(t, acked[t] = request[t]; acks++);
      WAIT(t, resumed == acked[t], skip)
    :: WAIT(t, !WANTED(t), skip)
    fi;
    STEP(t, masked[t] = 0)
  :: WAIT(t, !WANTED(t), skip)
  fi
}

inline enter_runtime(t) {
  STEP(t, in_runtime[t] = 1)
}

inline leave_runtime(t) {
#ifdef TEST_BEFORE_CLEARING
  if
  :: WAIT(t, pending[t], in_runtime[t] = 0) -> stop_self(t)
  :: WAIT(t, !pending[t], skip) -> STEP(t, in_runtime[t] = 0)
  fi
#else
  STEP(t, in_runtime[t] = 0);
  if
  :: WAIT(t, pending[t], skip) -> stop_self(t)
  :: WAIT(t, !pending[t], skip)
  fi
#endif
}

/* ---- safe regions ---- */

#ifdef TWO_FLAGS
#define BUFFERED(t, value) WAIT(t, thread_buffer[t] == 2, thread_buffer[t] = value)
#if defined(FENCE_THREAD)
#define FENCE_OF_THREAD(t) WAIT(t, thread_buffer[t] == 2, skip)
#else
#define FENCE_OF_THREAD(t) skip
#endif

inline enter_region(t) {
  BUFFERED(t, IN)
}

inline leave_region(t) {
  BUFFERED(t, OUT);
  FENCE_OF_THREAD(t);
  WAIT(t, !stop_flag, skip)
}

active proctype memory() {
  byte i;
end:
  do
  :: atomic { thread_buffer[0] != 2 -> region[0] = thread_buffer[0]; thread_buffer[0] = 2 }
#if THREADS > 1
  :: atomic { thread_buffer[1] != 2 -> region[1] = thread_buffer[1]; thread_buffer[1] = 2 }
#endif
  :: atomic { collector_buffer != 2 -> stop_flag = collector_buffer; collector_buffer = 2 }
  od
}
#else
inline enter_region(t) {
  STEP(t, region[t] = IN)
}

inline leave_region(t) {
#ifdef LEAVE_WITHOUT_WAITING
  STEP(t, region[t] = OUT)
#else
  WAIT(t, region[t] == IN, region[t] = OUT)
#endif
}
#endif

/* ---- stopping the world ---- */

inline stop_one(runner, other) {
  if
  :: WAIT(runner, !listed[other] && other != runner, skip)
  :: WAIT(runner, other == runner, acked[other] = epoch; request[other] = epoch)
#ifdef DEAD_NOT_REAPED
  :: WAIT(runner, listed[other] && other != runner, skip) ->
#else
  :: WAIT(runner, listed[other] && other != runner && dead[other], listed[other] = 0)
  :: WAIT(runner, listed[other] && other != runner && !dead[other], skip) ->
#endif
#ifdef REQUEST_BEFORE_REGION
    STEP(runner, request[other] = epoch);
#endif
    if
#ifdef TWO_FLAGS
    :: WAIT(runner, region[other] == IN, acked[other] = epoch) -> STEP(runner, request[other] = epoch)
#else
    /* Held before the request is written: a handler in the region must not answer as well. */
    :: WAIT(runner, region[other] == IN, region[other] = HELD) -> STEP(runner, acked[other] = epoch); STEP(runner, request[other] = epoch)
#endif
    :: WAIT(runner, region[other] != IN, skip) ->
      STEP(runner, request[other] = epoch);
      STEP(runner, signalled[other] = 1; wanted++)
    fi
  fi
}

inline stop_world(self) {
  LOCK(self, registry);
  STEP(self, epoch = !epoch; acks = 0; wanted = 0);
#ifdef TWO_FLAGS
  collector_buffer = 1;
#ifdef FENCE_COLLECTOR
  WAIT(self, collector_buffer == 2, skip);
#endif
#endif
  stop_one(self, 0);
#if THREADS > 1
  stop_one(self, 1);
#endif
  do
  :: WAIT(self, acks >= wanted, stopped = 1; break)
#ifndef DEAD_NOT_REAPED
  :: WAIT(self, listed[0] && dead[0] && acked[0] != epoch, listed[0] = 0; wanted--)
#if THREADS > 1
  :: WAIT(self, listed[1] && dead[1] && acked[1] != epoch, listed[1] = 0; wanted--)
#endif
#endif
  od
}

inline start_world(self) {
  STEP(self, stopped = 0; resumed = epoch);
#ifdef TWO_FLAGS
  WAIT(self, collector_buffer == 2, collector_buffer = 0);
  WAIT(self, collector_buffer == 2, skip)
#else
  STEP(self, if :: region[0] == HELD -> region[0] = IN :: else fi);
#if THREADS > 1
  STEP(self, if :: region[1] == HELD -> region[1] = IN :: else fi)
#endif
#endif
}

/* ---- the threads ---- */

inline do_fork(t) {
#ifdef FORK_REGISTRY_FIRST
  LOCK(t, registry);
  LOCK(t, cycle);
  UNLOCK(t, registry);
#else
  LOCK(t, cycle);
#endif
#ifdef FORK_LOCKS_BEFORE_STOP
  LOCK(t, heap);
  stop_world(t);
#else
  stop_world(t);
#ifndef FORK_WITHOUT_LOCKS
  LOCK(t, heap);
#endif
#endif
  start_world(t);
  STEP(t, fork_unlocked = (heap != t || registry != t || cycle != t); assert(!fork_unlocked));
  UNLOCK(t, heap);
  UNLOCK(t, registry);
  UNLOCK(t, cycle)
}

proctype thread(byte t) {
end_unborn:
  do
  :: WAIT(t, !listed[t], dead[t] = 0) ->
    /* tri_thread_register; the program's function runs after it */
#ifdef REGISTER_IN_RUNTIME
    STEP(t, in_runtime[t] = 1; request[t] = epoch; acked[t] = epoch; listed[t] = 1);
    LOCK(t, registry);
    STEP(t, in_runtime[t] = 0);
#else
#ifndef REGISTER_WITHOUT_LOCK
    LOCK(t, registry);
#endif
    STEP(t, request[t] = resumed; acked[t] = resumed; pending[t] = 0; listed[t] = 1);
#endif
#ifndef REGISTER_WITHOUT_LOCK
    UNLOCK(t, registry);
#endif
    do
    :: RUN(t)
    :: enter_region(t);
#ifdef HANDLER_RUNS_IN_REGION
      RUN(t);
#endif
      leave_region(t);
      RUN(t)
    :: enter_runtime(t);
#ifdef LOCK_OUTSIDE_RUNTIME
      STEP(t, in_runtime[t] = 0);
#endif
      LOCK(t, heap);
      RUN(t);
      UNLOCK(t, heap);
      leave_runtime(t)
#ifndef NO_FORK
    :: t == 0 -> do_fork(t)
#endif
    :: STEP(t, skip) -> break
    od;
    if
    :: STEP(t, skip) ->
end_computing:
      false /* only signals from here on */
    :: STEP(t, skip)
    fi;
    /* tri_thread_leave: the C library still frees memory on this thread afterwards */
#ifdef REGISTRY_INSIDE_RUNTIME
    enter_runtime(t);
    LOCK(t, registry);
    UNLOCK(t, registry);
    leave_runtime(t);
#else
    LOCK(t, registry);
#ifdef UNREGISTER_AT_LEAVING
    STEP(t, listed[t] = 0);
#endif
    UNLOCK(t, registry);
#endif
    RUN(t);
    STEP(t, dead[t] = 1; signalled[t] = 0; pending[t] = 0)
#ifdef TWO_FLAGS
    ;
    WAIT(t, thread_buffer[t] == 2, skip)
#endif
  od
}

active proctype collector() {
end:
  do
  :: LOCK(COLLECTOR, cycle) ->
    stop_world(COLLECTOR);
    LOCK(COLLECTOR, heap);
    UNLOCK(COLLECTOR, heap);
    start_world(COLLECTOR);
    UNLOCK(COLLECTOR, registry);
    UNLOCK(COLLECTOR, cycle)
  od
}

#ifdef SPURIOUS
active proctype somebody() {
end:
  do
  :: !signalled[0] -> signalled[0] = 1
  od
}
#endif

init {
  atomic {
    run thread(0);
    run handler(0);
#if THREADS > 1
    run thread(1);
    run handler(1)
#endif
  }
}
