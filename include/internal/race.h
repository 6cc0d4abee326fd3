/*
 * Race points: named places of the runtime where a test can hold a thread until others have done something, so that an
 * interleaving which comes once in a million happens every time (tests/races); and where the stress setting gives the
 * CPU away at random. After libpas. Nothing is left of them unless the build has -Drace_points=true.
 */
#ifndef TRI_INTERNAL_RACE_H
#define TRI_INTERNAL_RACE_H

#include <stdbool.h>

#include "internal/base.h"

enum tri_race_place {
  TRI_RACE_STORE,         /* tri_write has looked at its state, and has not stored (tricolor/barrier.h) */
  TRI_RACE_SHADED,        /* what is overwritten is shaded, and not overwritten yet */
  TRI_RACE_LEAVE,         /* leaving the runtime: no longer inside, has not looked for a stop */
  TRI_RACE_REGION_IN,     /* entering a safe region: counts as inside, has not looked for a stop */
  TRI_RACE_REGION_BACK,   /* has seen that a stop is wanted, and still counts as inside */
  TRI_RACE_THREAD_BEGINS, /* a new thread that is not registered */
  TRI_RACE_THREAD_JOINS,  /* it has the registry's lock, and is not in the list */
  TRI_RACE_REQUESTED,     /* the runner has asked a thread to stop, and not looked where it is */
  TRI_RACE_SIGNALS,       /* the runner is about to signal a thread that it has found outside of safe regions */
  TRI_RACE_STOPPED,       /* the runner: all threads are stopped */
  TRI_RACE_NOTED,         /* the runner, gccheckmark: what is reachable is noted; no root is marked yet */
  TRI_RACE_FLIPPED,       /* the runner: the first stop is over; ragged stacks are grey */
  TRI_RACE_SCANNED,       /* the runner, hybrid barrier: so are the scans that it asks for; nothing is marked yet */
  TRI_RACE_TOLD,          /* the runner has said that a scan is due, and has not looked where the thread is */
  TRI_RACE_HOLDS,         /* the runner holds a sleeper and has not scanned its stack */
  TRI_RACE_LOOKED,        /* the runner has looked at the buffers of running threads */
  TRI_RACE_LAST_STOP,     /* the runner: marking beside the program is over, the last stop comes */
  TRI_RACE_FORK_LOCKED,   /* the forking thread has the cycle lock, and is not inside the runtime yet */
  TRI_RACE_FORK_GIVES,    /* it has it still, and is not inside any more; in the parent */
  TRI_RACE_PLACES,
};

#ifdef TRI_RACE_POINTS
/* Set before there are threads, or with nothing going on. Called in the thread that comes by, perhaps in a signal
 * handler of the runtime. */
extern TRI_EXPORT void (*tri_race_hook)(enum tri_race_place);
extern TRI_EXPORT bool tri_race_yields; /* where there is no hook: now and then the CPU is given away */
void tri_race_point(enum tri_race_place);
#define TRI_RACE_POINT(place) tri_race_point(TRI_RACE_##place)
#define TRI_RACE_YIELDS(on) (tri_race_yields = (on))
#else
#define TRI_RACE_POINT(place) ((void)0)
#define TRI_RACE_YIELDS(on) ((void)(on))
#endif

#endif
