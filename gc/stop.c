/*
 * Stopping the world: a real-time signal to every registered thread; each parks in its handler, on its own stack, so
 * that the signal frame (all registers, vector ones too) is scanned with the stack.
 *
 *   runner:  lock registry -> request = ++epoch, tgkill each -> wait for acks ........ resumed = epoch, wake all
 *   thread:  handler: outside the runtime -> sp, ack -> wait until resumed >= request -> return
 *                     inside the runtime  -> stop_pending = 1 -> return; on the way out: tri_stop_self -> as above
 *   strangers, in unmodified programs: looked for when all others have parked (gc/strangers.c)
 *   asleep in a safe region (gc/region.c): not signalled, counts as parked, held there until the stop ends
 *   where a scan of its own stack is due (gc/scanstack.c), the thread does that before it goes on; the signal alone
 *   asks for no more
 *
 * Invariants:
 *   [STOP-1] nobody is stopped holding a runtime lock: locks are held inside the runtime only (or, the registry's,
 *            by a thread that no stop can be under way for).
 *   [STOP-2] a stopped thread's sp lies below everything it uses: the handler's frame, or tri_stop_self's with the
 *            callee-saved registers spilled above it.
 *   [STOP-3] a stop that ends before a late signal arrives is seen by its number: the handler compares request with
 *            resumed and returns.
 *   [STOP-4] a leaving thread, or one that the C library makes a thread of its own in, blocks all signals and then
 *            takes the C library's lock of cached stacks, which a parked thread may hold, or one that waits for the
 *            registry at its first free. When only leaving threads are missing, or some wait for the registry, for two
 *            milliseconds, or others are missing for fifty, all may run for a moment, the registry's lock is given up,
 *            and the stop begins anew: when those who waited for it are in, or a tenth of a second later. Where CPUs
 *            are scarce, both those that park once more and those that hold a lock get one late: tries and pauses grow
 *            with what the stop has taken, or they would not end. The count of acks may then contain one of the try
 *            before, so the world is stopped only when each thread has acked this request.
 *   [STOP-5] no handler of the program's runs on the runner in the stopped world: it might wait for a stopped thread.
 *
 * Memory ordering: ack is a release (fetch-add) that the runner's acquire load reads, resumed the other way round; so
 * the runner sees all that stopped threads did, and they all that it did.
 * Async-signal context: the handler uses futex(2) only, keeps errno, and runs with all signals blocked, the one that
 * pthread_cancel sends included: a thread that is cancelled while it is parked would unwind in the stopped world.
 * A thread that is dead (ESRCH) is reaped. A stop that lasts over five seconds says which thread it waits for, and
 * waits.
 */
#include "gc/stop.h"

#include <errno.h>
#include <setjmp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gc/collector.h"
#include "gc/cycle.h"
#include "gc/real.h"
#include "gc/region.h"
#include "gc/scanstack.h"
#include "gc/signals.h"
#include "gc/strangers.h"
#include "gc/worker.h"
#include "internal/check.h"
#include "internal/clock.h"
#include "internal/race.h"
#include "internal/rawcall.h"

/* Longer than a loaded machine keeps a runnable thread waiting, short enough for somebody who looks at a hang. */
#define REPORT_NS ((uint64_t)5 * 1000 * 1000 * 1000)
/* How long is waited at first where the missing may wait for somebody who is stopped, and where they mostly want a CPU
 * or memory only. And how long all may run at first before the next try. */
#define LITTLE_PATIENCE_NS ((uint64_t)2 * 1000 * 1000)
#define PATIENCE_NS ((uint64_t)50 * 1000 * 1000)
#define PAUSE_NS ((uint64_t)200 * 1000)
/* So long the runner spins. Were it asleep, the CPU might go idle before the last thread has parked, and to wake an
 * idle one takes as long as all else in a short stop, and more where a hypervisor is asked. It does not yield in a
 * loop: Linux charges a slice for each yield, or where sessions have groups of their own lets this one's threads, which
 * wake and yield to each other, keep a CPU from all others for seconds. */
#define AWAKE_NS ((uint64_t)20 * 1000)
enum { SPINS = 20 };

static int stop_signal;
static tri_aint epoch;   /* number of the latest stop; runner, under the registry lock */
static tri_aint resumed; /* number of the latest stop that ended; threads wait on it */
static tri_aint acks;    /* threads parked for the present stop; the runner waits on it */
static tri_aint awaited; /* so many are enough to wake the runner; 0: it has not begun to wait */

static uint64_t report_at;              /* for the present stop; runner only */
static uint64_t runner_mask;            /* of signals, when it does not stop others; runner, under the registry lock */
static const struct tri_thread *runner; /* of the present stop; who is stopped reads it */

int tri_stop_signal(void) {
  return stop_signal;
}

/* An alternate signal stack may lie in the thread's own stack, above the frames that were interrupted. */
void tri_stop_note_alternate_stack(struct tri_thread *t) {
  stack_t ss = {.ss_flags = SS_DISABLE};
  tri_raw_call(SYS_sigaltstack, 0, (long)&ss, 0, 0);
  t->alt_stack = (ss.ss_flags & SS_ONSTACK) != 0;
  t->alt_base = ss.ss_flags & SS_DISABLE ? 0 : (uintptr_t)ss.ss_sp;
}

/* Woken once, not by each, the runner does not take the CPU from those that are still on their way. It looks at `acks`
 * after it has stored `awaited`, or the kernel does. */
static void ack(struct tri_thread *t, unsigned request) {
  tri_int_store_rel(&t->acked_stop, request);
  unsigned n = tri_int_fetch_add_acq_rel(&acks, 1) + 1, enough = tri_int_load_seq(&awaited);
  if (enough != 0 && n >= enough) tri_raw_futex_wake(&acks, 1);
}

/* Touches no thread-local storage, since a stranger may share another thread's. */
static void park(struct tri_thread *t, uintptr_t sp) {
  unsigned request = tri_int_load_acq(&t->stop_request);
  t->sp = sp;
  tri_stop_note_alternate_stack(t);
  ack(t, request);
  for (;;) {
    unsigned r = tri_int_load_acq(&resumed);
    if ((int)(r - request) >= 0) break;
    tri_raw_futex_wait(&resumed, r);
  }
}

bool tri_stop_wanted(const struct tri_thread *t) {
  unsigned request = tri_int_load_acq(&t->stop_request);
  return (int)(request - tri_int_load_acq(&resumed)) > 0 && tri_int_load_rlx(&t->acked_stop) != request;
}

/* The signal was meant for a thread that has died; this one, not registered yet, got its number. In this handler it
 * cannot register, and as long as the number is in use the dead one's record stays, so it may answer for the dead.
 * Others may go meanwhile if the stop begins anew: their memory remains records', and leads back into the list. */
static void answer_for_namesake(void) {
  int tid = (int)syscall(SYS_gettid);
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) {
    if (t->tid != tid || !tri_int_load_acq(&t->leaving) || !tri_stop_wanted(t)) continue;
    ack(t, tri_int_load_acq(&t->stop_request));
    return;
  }
}

static void stop_here_or_later(struct tri_thread *t, uintptr_t sp) {
  if (tri_int_load_rlx(&t->in_runtime)) {
    tri_int_store_rlx(&t->stop_pending, 1);
  } else {
    if (tri_stop_wanted(t)) park(t, sp);
    tri_scanstack_self(t, sp);
  }
}

TRI_NOINLINE static void stop_self_or_namesake(void) {
  struct tri_thread *t = tri_self;
  int saved_errno = errno;
  if (tri_thread_is_registered(t)) {
    struct tri_region_interrupted was = tri_region_interrupt(t); /* held: waits, and the runner has answered */
    if (tri_stop_wanted(t) || tri_scanstack_is_due(t)) stop_here_or_later(t, (uintptr_t)__builtin_frame_address(0));
    tri_region_resume(t, &was);
  } else if (t == &tri_thread_none && tri_int_load_acq(&epoch) != tri_int_load_acq(&resumed)) {
    answer_for_namesake();
  }
  errno = saved_errno;
}

static void on_stop_signal(int sig, siginfo_t *info, void *context) {
  struct tri_thread *stranger = tri_strangers_self();
  if (!stranger) {
    stop_self_or_namesake();
  } else if (tri_stop_wanted(stranger) && !tri_strangers_is_inside(runner)) { /* else it is asked again */
    park(stranger, (uintptr_t)__builtin_frame_address(0));
  }
}

TRI_NOINLINE static void park_spilled(struct tri_thread *t, jmp_buf *regs) {
  __asm__ __volatile__("" : : "r"(regs) : "memory");
  stop_here_or_later(t, (uintptr_t)__builtin_frame_address(0));
}

TRI_NOINLINE void tri_stop_park_self(struct tri_thread *t) {
  int saved_errno = errno;
  jmp_buf regs;
  __builtin_unwind_init();
  (void)_setjmp(regs);
  tri_int_store_rlx(&t->stop_pending, 0);
  tri_fence_sig();
  if (tri_stop_wanted(t) || tri_scanstack_is_due(t)) {
    uint64_t all = UINT64_MAX, old; /* as the kernel has it: the C library would leave its own signals unblocked */
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &old, sizeof old);
    park_spilled(t, &regs);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
  }
  errno = saved_errno;
}

void tri_stop_self(struct tri_thread *t) {
  tri_stop_park_self(t);
  tri_collector_wait();
}

void *tri_stop_self_with(struct tri_thread *t, void *p) {
  tri_stop_park_self(t);
  tri_collector_help();
  return p;
}

static bool signal_is_free(int sig) {
  struct sigaction old;
  return tri_real()->sigaction(sig, NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL;
}

#ifdef TRI_CHECKS_FULL
/* A marker is not stopped, nor where strangers are not who is not registered; one that runs a cycle stops the others.
 */
static bool cannot_be_stopped(void) {
  struct tri_thread *t = tri_self;
  if (tri_cycle_is_mine()) return true;
  if (tri_thread_is_registered(t)) return tri_int_load_rlx(&t->in_runtime) != 0;
  return !tri_strangers_wanted() || tri_worker_has_tid((int)syscall(SYS_gettid));
}
#endif

void tri_stop_init(int wanted_signal) {
  int sig = wanted_signal ? wanted_signal : SIGRTMAX - 1;
  if (!wanted_signal)
    while (sig > SIGRTMIN && !signal_is_free(sig)) sig--;
  struct sigaction sa;
  memset(&sa, 0, sizeof sa);
  sa.sa_sigaction = on_stop_signal;
  sa.sa_flags = SA_SIGINFO | SA_RESTART;
  memset(&sa.sa_mask, 0xff, sizeof sa.sa_mask); /* sigfillset leaves out the signal of pthread_cancel */
  if (tri_real()->sigaction(sig, &sa, NULL) != 0)
    tri_fatal("signal %d cannot be used to stop threads; set TRICOLOR=signal=N", sig);
  stop_signal = sig;
#ifdef TRI_CHECKS_FULL
  tri_lock_is_safe = cannot_be_stopped;
#endif
}

static void pause_ns(uint64_t ns) {
  static tri_aint never;
  tri_futex_wait(&never, 0, ns);
}

static bool is_missing(const struct tri_thread *t, unsigned request) {
  return t != tri_self && tri_int_load_acq(&t->acked_stop) != request && t->excused_stop != request;
}

/* One line, however many they are. */
static void report_slow(unsigned request) {
  const struct tri_thread *first = NULL;
  unsigned n = 0;
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) {
    if (!is_missing(t, request)) continue;
    if (!first) first = t;
    n++;
  }
  if (!first) return;
  const char *why = "signal not delivered: blocked, or in the kernel";
  if (tri_int_load_rlx(&first->in_runtime)) why = "inside the runtime";
  char others[32] = "";
  if (n > 1) tri_format(others, sizeof others, " and %u more", n - 1);
  tri_warn("stopping the world has taken over five seconds; thread %d%s: not stopped (%s); waiting on", first->tid,
           others, why);
}

static void report_if_due(unsigned request) {
  uint64_t now = tri_now_ns();
  if (now < report_at) return;
  report_slow(request);
  report_at = now + REPORT_NS;
}

/* Dead threads do not answer: they are taken out, and the number of acks to wait for falls. */
static unsigned reap_dead(unsigned request) {
  unsigned n = 0;
  for (struct tri_thread *t = tri_thread_first(), *next; t; t = next) {
    next = t->next;
    if (!is_missing(t, request) || !tri_thread_is_dead(t)) continue;
    tri_thread_reap(t);
    n++;
  }
  return n;
}

/* Asks a stranger that has taken the signal once more, and does not wait for one that blocks it. */
static bool is_excused(struct tri_thread *t, unsigned request, unsigned tries) {
  enum { PATIENT_TRIES = 5 };
  enum tri_stranger_hears hears = tri_strangers_hears(t);
  if (hears == TRI_STRANGER_HEARD) syscall(SYS_tgkill, getpid(), t->tid, stop_signal);
  if (hears != TRI_STRANGER_DEAF || tries < PATIENT_TRIES) return false;
  t->unheard = true;
  t->excused_stop = request;
  return true;
}

/* Leaving threads end soon, some with signals blocked: they are watched closely. So are strangers, who may have taken
 * the signal where they could not park. Returns how many are dead or not waited for. */
static unsigned chase_leaving(unsigned request, unsigned tries, bool *ret_some) {
  unsigned n = 0;
  *ret_some = false;
  for (struct tri_thread *t = tri_thread_first(), *next; t; t = next) {
    next = t->next;
    bool leaving = tri_int_load_acq(&t->leaving) != 0;
    if (!is_missing(t, request) || !(leaving || t->stranger)) continue;
    *ret_some |= leaving;
    if (tri_thread_is_dead(t)) {
      tri_thread_reap(t);
      n++;
    } else if (t->stranger) {
      n += tries % 2 == 1 && is_excused(t, request, tries);
    } else if (tries % 256 == 255) {
      syscall(SYS_tgkill, getpid(), t->tid, stop_signal);
    }
  }
  return n;
}

static bool all_parked(unsigned request) {
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next)
    if (is_missing(t, request)) return false;
  return true;
}

static bool only_leaving_missing(unsigned request) {
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next)
    if (is_missing(t, request) && !tri_int_load_acq(&t->leaving)) return false;
  return true;
}

static bool all_have_acked(unsigned wanted, unsigned request) {
  return tri_int_load_acq(&acks) >= wanted && all_parked(request);
}

static bool all_ack_while_it_spins(unsigned wanted, unsigned request) {
  uint64_t start = tri_now_ns();
  do {
    if (all_have_acked(wanted, request)) return true;
    for (int i = 0; i < SPINS; i++) tri_spin_pause();
  } while (tri_now_ns() - start < AWAKE_NS);
  return false;
}

/* Some thread may hold a lock until the world runs, and another wait for it. */
static bool is_suspicious(unsigned request, bool leaving) {
  return tri_thread_number_waiting() > 0 || (leaving && only_leaving_missing(request));
}

/* before_ns: what the stop has taken so far. False: some thread does not answer, perhaps because it waits for one
 * that is parked. [STOP-4] */
static bool wait_for_acks(unsigned wanted, unsigned request, uint64_t before_ns) {
  uint64_t start = tri_now_ns();
  if (all_ack_while_it_spins(wanted, request)) return true;
  for (unsigned tries = 0;; tries++) {
    unsigned n = tri_int_load_acq(&acks);
    bool leaving;
    wanted -= chase_leaving(request, tries, &leaving);
    if (all_have_acked(wanted, request)) return true;
    uint64_t waited = tri_now_ns() - start;
    if (waited > tri_max(PATIENCE_NS, before_ns / 2)) return false;
    if (waited > tri_max(LITTLE_PATIENCE_NS, before_ns / 8) && is_suspicious(request, leaving)) return false;
    if (waited > PATIENCE_NS) report_if_due(request); /* not of those who were asked just now */
    tri_int_exchange_seq(&awaited, wanted);
    tri_futex_wait(&acks, n, leaving ? 50 * 1000 : LITTLE_PATIENCE_NS);
    if (waited > 5 * 1000 * 1000) wanted -= reap_dead(request);
  }
}

/* False: the thread is dead. The user's queue of pending signals may be full (RLIMIT_SIGPENDING): that passes. */
static bool send_stop(const struct tri_thread *t) {
  uint64_t start = tri_now_ns();
  bool told = false;
  while (syscall(SYS_tgkill, getpid(), t->tid, stop_signal) != 0) {
    if (errno == ESRCH) return false;
    if (!told && tri_now_ns() - start > REPORT_NS) {
      told = true;
      tri_warn("stopping the world: signal %d cannot be sent to thread %d (errno %d; RLIMIT_SIGPENDING?); trying on",
               stop_signal, t->tid, errno);
    }
    pause_ns(100 * 1000);
  }
  return true;
}

static uint64_t resume_all(void) {
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) tri_region_release(t);
  tri_int_store_rel(&resumed, tri_int_load_rlx(&epoch));
  uint64_t now = tri_now_ns(); /* who wakes threads on a busy machine gets the CPU back when these have had it */
  tri_futex_wake(&resumed, INT_MAX);
  return now;
}

uint64_t tri_start_world_keep_registry(void) {
  uint64_t now = resume_all();
  tri_signals_let_in(runner_mask);
  return now;
}

uint64_t tri_start_world(void) {
  uint64_t now = resume_all(), mask = runner_mask;
  tri_thread_release_registry_to_all();
  tri_signals_let_in(mask);
  return now;
}

/* Not when one is on its way, nor when the stranger runs this: it shares our thread-local storage. */
static bool needs_signal(struct tri_thread *stranger, unsigned request) {
  bool is_runner = stranger->tid == (int)syscall(SYS_gettid);
  enum tri_stranger_hears hears = stranger->unheard ? tri_strangers_hears(stranger) : TRI_STRANGER_HEARD;
  if (is_runner || hears == TRI_STRANGER_DEAF) stranger->excused_stop = request;
  if (hears == TRI_STRANGER_HEARD) stranger->unheard = false;
  return !is_runner && hears == TRI_STRANGER_HEARD;
}

/* False: it is stopped, or counts as stopped, or was dead and is reaped. A stranger that has blocked its signals is not
 * waited for: it may run on, until it takes the signal and parks before anything else of the program's. */
static bool will_answer(struct tri_thread *t, unsigned request) {
  tri_int_store_rel(&t->stop_request, request);
  TRI_RACE_POINT(REQUESTED);
  if (tri_region_hold(t)) {
    tri_int_store_rel(&t->acked_stop, request);
    return false;
  }
  if (t->stranger && !needs_signal(t, request)) return t->excused_stop != request;
  TRI_RACE_POINT(SIGNALS);
  if (send_stop(t)) return true;
  tri_thread_reap(t);
  return false;
}

/* Returns how many of those that were not asked before will answer. */
static unsigned ask_all(unsigned request) {
  unsigned n = 0;
  for (struct tri_thread *t = tri_thread_first(), *next; t; t = next) {
    next = t->next;
    if (t != tri_self && tri_int_load_rlx(&t->stop_request) != request) n += will_answer(t, request);
  }
  return n;
}

/* Under the registry lock. False: not all of them stopped, see wait_for_acks. */
static bool stop_all(uint64_t before_ns, bool looks_for_strangers) {
  unsigned request = tri_int_load_rlx(&epoch) + 1;
  if (request == 0) request = 1; /* 0: who was never asked */
  runner = tri_self;
  tri_int_store_rel(&epoch, request);
  tri_int_store_rel(&awaited, 0);
  tri_int_store_rel(&acks, 0);
  do {
    unsigned before = tri_int_load_acq(&acks);
    if (!wait_for_acks(before + ask_all(request), request, before_ns)) return false;
  } while (looks_for_strangers && tri_strangers_adopt() > 0);
  return true;
}

/* Our signal is on its way to these, and one is enough: they queue up. */
static void note_unheard(unsigned request) {
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next)
    if (t->stranger && is_missing(t, request)) t->unheard = true;
}

/* Returns how long they could. */
static uint64_t let_all_run(uint64_t stop_ns) {
  enum { LOOKS = 100 };
  uint64_t start = tri_start_world();
  pause_ns(tri_max(PAUSE_NS, stop_ns / 8));
  for (int i = 0; i < LOOKS && tri_thread_number_waiting() > 0; i++) pause_ns(1000 * 1000);
  runner_mask = tri_thread_take_registry();
  return tri_now_ns() - start;
}

uint64_t tri_stop_world(bool looks_for_strangers) {
  uint64_t start = tri_now_ns(), ran_ns = 0;
  report_at = start + REPORT_NS;
  runner_mask = tri_thread_take_registry();
  while (!stop_all(tri_now_ns() - start, looks_for_strangers)) {
    report_if_due(tri_int_load_rlx(&epoch));
    note_unheard(tri_int_load_rlx(&epoch));
    ran_ns += let_all_run(tri_now_ns() - start);
  }
  if (tri_thread_is_registered(tri_self)) tri_stop_note_alternate_stack(tri_self);
  TRI_RACE_POINT(STOPPED);
  return ran_ns;
}
