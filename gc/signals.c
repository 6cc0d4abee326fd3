/*
 * The signal calls that could keep a thread from being stopped, interposed: the stop signal is taken out of every mask
 * that a program sets (masks for the time of a wait: gc/blocking.c), and its disposition cannot be changed. Programs do
 * not see a difference: the signal is one they did not use when they started.
 *
 * A program's handlers are called through on_program_signal, since one may interrupt a safe region and must leave it
 * before anything of the program's runs. What the program asks for its handlers is answered with its own.
 *
 * sigaltstack is watched only: a safe region asks the kernel for such a stack where the program has ever made one.
 *
 * All of these keep the C library's results and errno. Async-signal-safe, as the originals: actions_lock is held with
 * all signals blocked.
 */
#include "gc/signals.h"

#include <errno.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gc/real.h"
#include "gc/region.h"
#include "gc/runtime.h"
#include "gc/stop.h"
#include "internal/check.h"

const sigset_t *tri_signals_without_ours(const sigset_t *set, sigset_t *copy) {
  int sig = tri_stop_signal();
  if (!set || sig == 0 || !sigismember(set, sig)) return set;
  *copy = *set;
  sigdelset(copy, sig);
  return copy;
}

static uint64_t our_bit(void) {
  int sig = tri_stop_signal();
  return sig ? UINT64_C(1) << (sig - 1) : 0;
}

enum { SETXID = __SIGRTMIN + 1 };

/* By the kernel's own call: the C library would open its signal of cancellation, also in the thread that waits for it
 * as the signal of timers. That of setuid and its kin stays as it is: whoever calls these waits, under a lock of the C
 * library, for each thread to have taken it. */
uint64_t tri_signals_keep_off(void) {
  uint64_t ours = our_bit(), others = ~(ours | UINT64_C(1) << (SETXID - 1)), old = 0;
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, &others, &old, sizeof old);
  if (old & ours) syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &ours, NULL, sizeof ours);
  return old;
}

void tri_signals_let_in(uint64_t mask) {
  mask &= ~our_bit();
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

void tri_signals_let_in_setxid(void) {
  uint64_t bit = UINT64_C(1) << (SETXID - 1);
  syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &bit, NULL, sizeof bit);
}

TRI_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
  sigset_t copy;
  if (how == SIG_UNBLOCK) return tri_real()->pthread_sigmask(how, set, old);
  return tri_real()->pthread_sigmask(how, tri_signals_without_ours(set, &copy), old);
}

TRI_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old) {
  sigset_t copy;
  if (how == SIG_UNBLOCK) return tri_real()->sigprocmask(how, set, old);
  return tri_real()->sigprocmask(how, tri_signals_without_ours(set, &copy), old);
}

static tri_aint alternate_stacks; /* 1: the program has made one, perhaps */

TRI_EXPORT int sigaltstack(const stack_t *stack, stack_t *old) {
  if (stack) tri_int_store_rel(&alternate_stacks, 1);
  return tri_real()->sigaltstack(stack, old);
}

void tri_signals_note_alternate_stack(struct tri_thread *t) {
  if (tri_int_load_acq(&alternate_stacks)) {
    tri_stop_note_alternate_stack(t);
  } else {
    t->alt_stack = false;
    t->alt_base = 0;
  }
}

static bool is_ours(int sig) {
  return sig == tri_stop_signal() && sig != 0;
}

static int refuse(int sig) {
  tri_warn("signal %d stops threads for the collector and cannot be used by the program; set TRICOLOR=signal=N", sig);
  errno = EINVAL;
  return -1;
}

/* A program that looks at every signal finds ours at its default, and may set it to that or ignore it in vain. */
static int pretend(int sig, const struct sigaction *act, struct sigaction *old) {
  bool harmless = !act || (!(act->sa_flags & SA_SIGINFO) && (act->sa_handler == SIG_DFL || act->sa_handler == SIG_IGN));
  if (!harmless) return refuse(sig);
  if (old) {
    *old = (struct sigaction){0};
    old->sa_handler = SIG_DFL;
  }
  return 0;
}

/* The program's actions where the kernel has on_program_signal. */
struct program_action {
  tri_aword handler; /* a function of one or three arguments */
  tri_aint siginfo;  /* 1: of three */
};
static struct program_action actions[NSIG]; /* written under actions_lock */
static tri_aint interrupts[NSIG];           /* what siginterrupt asked for; written under actions_lock */
static struct tri_lock actions_lock = TRI_LOCK_INIT(TRI_RANK_LEAF);

/* Its holder may be a thread that the child does not have. An entry is at worst newer than the kernel's action. */
void tri_signals_after_fork(void) {
  actions_lock = (struct tri_lock)TRI_LOCK_INIT(TRI_RANK_LEAF);
}

/* A collection that begins while the handler runs finds a store that it interrupted here. */
static void note_interrupted(struct tri_thread *t, const struct tri_barrier_published *published) {
  if (tri_thread_is_registered(t)) t->interrupted[t->ninterrupted++ % TRI_INTERRUPTED] = *published;
}

/* A coroutine may go on in another thread: tri_self is asked again. */
static void on_program_signal(int sig, siginfo_t *info, void *context) {
  void (*handler)(int, siginfo_t *, void *) = (void (*)(int, siginfo_t *, void *))tri_load_acq(&actions[sig].handler);
  struct tri_region_interrupted was = tri_region_interrupt(tri_self);
  struct tri_barrier_published published = tri_barrier_save();
  note_interrupted(tri_self, &published);
  handler(sig, info, context);
  tri_barrier_restore(&published);
  tri_region_resume(tri_self, &was);
}

static uint64_t lock_actions(void) {
  uint64_t all = ~(uint64_t)0, old = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof all);
  tri_lock_acquire_unranked(&actions_lock);
  return old;
}

static void unlock_actions(uint64_t old) {
  tri_lock_release_unranked(&actions_lock);
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
}

static bool is_function(sighandler_t handler) {
  return handler != SIG_DFL && handler != SIG_IGN && handler != SIG_ERR && handler != SIG_HOLD;
}

static bool is_wrapper(sighandler_t handler) {
  return (uintptr_t)handler == (uintptr_t)on_program_signal;
}

/* A wrapper that comes back (from a raw system call) stands for what it calls already. */
static void set_action(int sig, uintptr_t handler, bool siginfo) {
  if (is_wrapper((sighandler_t)handler)) return;
  tri_store_rel(&actions[sig].handler, handler);
  tri_int_store_rel(&actions[sig].siginfo, siginfo);
}

/* What the kernel says of the action before, in the program's terms. */
static void translate(struct sigaction *old, uintptr_t handler, bool siginfo) {
  if (!old || !is_wrapper(old->sa_handler)) return;
  old->sa_handler = (sighandler_t)handler;
  if (!siginfo) old->sa_flags &= ~SA_SIGINFO;
}

static int change_action(int sig, const struct sigaction *act, struct sigaction *old) {
  uintptr_t before = tri_load_rlx(&actions[sig].handler);
  bool siginfo_before = tri_int_load_rlx(&actions[sig].siginfo);
  struct sigaction copy;
  if (act) {
    sigset_t mask;
    copy = *act;
    copy.sa_mask = *tri_signals_without_ours(&act->sa_mask, &mask);
    if (is_function(act->sa_handler)) {
      set_action(sig, (uintptr_t)act->sa_handler, (act->sa_flags & SA_SIGINFO) != 0);
      copy.sa_sigaction = on_program_signal;
      copy.sa_flags |= SA_SIGINFO;
    }
  }
  int r = tri_real()->sigaction(sig, act ? &copy : NULL, old);
  if (r != 0 && act) set_action(sig, before, siginfo_before);
  if (r == 0) translate(old, before, siginfo_before);
  return r;
}

static bool is_signal(int sig) {
  return sig > 0 && sig < NSIG;
}

TRI_EXPORT int sigaction(int sig, const struct sigaction *act, struct sigaction *old) {
  if (is_ours(sig)) return pretend(sig, act, old);
  if (!is_signal(sig)) return tri_real()->sigaction(sig, act, old);
  uint64_t mask = lock_actions();
  int r = change_action(sig, act, old);
  unlock_actions(mask);
  return r;
}

/* signal() and its kin in terms of sigaction: the kernel is always asked for SA_SIGINFO, so that a handler that takes
 * three arguments finds them also when another thread is just putting it in the place of one that takes one. */
static sighandler_t change_handler(int sig, sighandler_t handler, int flags, bool mask_itself) {
  struct sigaction act = {0}, old;
  if (handler == SIG_ERR || !is_signal(sig)) {
    errno = EINVAL;
    return SIG_ERR;
  }
  if (tri_int_load_acq(&interrupts[sig])) flags &= ~SA_RESTART;
  act.sa_handler = handler;
  act.sa_flags = flags;
  if (mask_itself) sigaddset(&act.sa_mask, sig);
  return sigaction(sig, &act, &old) == 0 ? old.sa_handler : SIG_ERR;
}

TRI_EXPORT sighandler_t signal(int sig, sighandler_t handler) {
  return change_handler(sig, handler, SA_RESTART, true);
}

sighandler_t bsd_signal(int sig, sighandler_t handler);
TRI_EXPORT sighandler_t bsd_signal(int sig, sighandler_t handler) {
  return change_handler(sig, handler, SA_RESTART, true);
}

TRI_EXPORT sighandler_t ssignal(int sig, sighandler_t handler) {
  return change_handler(sig, handler, SA_RESTART, true);
}

TRI_EXPORT sighandler_t __sysv_signal(int sig, sighandler_t handler) {
  return change_handler(sig, handler, SA_RESETHAND | SA_NODEFER, false);
}

TRI_EXPORT sighandler_t sysv_signal(int sig, sighandler_t handler) {
  return change_handler(sig, handler, SA_RESETHAND | SA_NODEFER, false);
}

static int change_mask(int how, int sig, sigset_t *old) {
  sigset_t one;
  sigemptyset(&one);
  return sigaddset(&one, sig) == 0 ? sigprocmask(how, &one, old) : -1;
}

TRI_WEAK_EXPORT int sigignore(int sig) {
  struct sigaction act = {.sa_handler = SIG_IGN};
  return sigaction(sig, &act, NULL);
}

TRI_WEAK_EXPORT int sighold(int sig) {
  return change_mask(SIG_BLOCK, sig, NULL);
}

/* The answer is the handler before, or SIG_HOLD where the signal was blocked. */
TRI_WEAK_EXPORT sighandler_t sigset(int sig, sighandler_t handler) {
  sigset_t before;
  struct sigaction act = {0}, old;
  bool hold = handler == SIG_HOLD;
  act.sa_handler = handler;
  if (sigaction(sig, hold ? NULL : &act, &old) != 0) return SIG_ERR;
  if (change_mask(hold ? SIG_BLOCK : SIG_UNBLOCK, sig, &before) != 0) return SIG_ERR;
  return sigismember(&before, sig) ? SIG_HOLD : old.sa_handler;
}

static int change_restart(int sig, bool interrupt) {
  struct sigaction act;
  if (tri_real()->sigaction(sig, NULL, &act) != 0) return -1;
  act.sa_flags = interrupt ? act.sa_flags & ~SA_RESTART : act.sa_flags | SA_RESTART;
  return tri_real()->sigaction(sig, &act, NULL);
}

TRI_EXPORT int siginterrupt(int sig, int flag) {
  if (!is_signal(sig) || is_ours(sig)) {
    errno = EINVAL;
    return -1;
  }
  uint64_t mask = lock_actions();
  tri_int_store_rel(&interrupts[sig], flag != 0);
  int r = change_restart(sig, flag != 0);
  unlock_actions(mask);
  return r;
}

/* fork without its handlers: the child may call what is async-signal-safe, sigaction for one. */
TRI_EXPORT pid_t _Fork(void) {
  pid_t pid = tri_real()->_Fork();
  if (pid == 0) tri_signals_after_fork();
  return pid;
}

TRI_EXPORT int signalfd(int fd, const sigset_t *set, int flags) {
  sigset_t copy;
  return tri_real()->signalfd(fd, tri_signals_without_ours(set, &copy), flags);
}
