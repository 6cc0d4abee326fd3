/*
 * How threads are stopped (gc/stop.c, gc/region.c), interleaving by interleaving: stops SCENARIO, with GOGC=off.
 * tests/races/protections.py names the protection that each one fails without.
 */
#include "races/forced.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

enum { SIZE = 64 };

static int wake[2];
static void *volatile block;
static int polled;

static void allocate(struct actor *a) {
  *a->mine = tri_alloc(SIZE);
}

static void clear_block(struct actor *a) {
  tri_zero(block, SIZE);
}

static void make_block(struct actor *a) {
  block = tri_alloc(SIZE);
}

/* Not interrupted: EINTR is for the program's own signals. */
static void sleep_until_woken(struct actor *a) {
  struct pollfd p = {.fd = wake[0], .events = POLLIN};
  polled = poll(&p, 1, -1);
}

static void begin_to_sleep(int who) {
  begin(who, sleep_until_woken);
  CHECK(!becomes_within(&actors[who].done, MOMENT_MS), "it does not sleep");
}

static void wake_up(void) {
  CHECK(write(wake[1], "", 1) == 1, "write");
}

/* Held between its last step inside the runtime and the look for a stop: the signal stops it there. */
static void leaving(void) {
  hold(WRITER, TRI_RACE_LEAVE);
  begin(WRITER, allocate);
  wait_held(TRI_RACE_LEAVE);
  act_now(COLLECTOR, collect_step);
  let_go(TRI_RACE_LEAVE);
  finish(WRITER);
}

/* A stop that finds it inside waits for it, and it does not come out of the runtime without looking. */
static void inside(void) {
  act_now(WRITER, make_block);
  hold(WRITER, TRI_RACE_SHADED);
  begin(WRITER, clear_block);
  wait_held(TRI_RACE_SHADED);
  hold(COLLECTOR, TRI_RACE_STOPPED);
  begin(COLLECTOR, collect_step);
  CHECK(!is_held_within(TRI_RACE_STOPPED, MOMENT_MS), "a stop finds a thread inside the runtime and goes on");
  let_go(TRI_RACE_SHADED);
  wait_held(TRI_RACE_STOPPED);
  CHECK(!becomes_within(&actors[WRITER].done, MOMENT_MS), "it comes out of the runtime without looking for the stop");
  let_go(TRI_RACE_STOPPED);
  finish(WRITER);
  finish(COLLECTOR);
}

/* Woken in the stopped world it does not run before that is over. */
static void sleeps_on(int who) {
  wake_up();
  CHECK(!becomes_within(&actors[who].done, MOMENT_MS), "it runs in the stopped world");
  collect_from(TRI_RACE_STOPPED);
  finish(who);
  CHECK(polled == 1, "poll returned %d", polled);
}

/* A sleeper that is woken in the stopped world. */
static void woken(void) {
  begin_to_sleep(WRITER);
  collect_to(TRI_RACE_STOPPED);
  sleeps_on(WRITER);
}

/* Asleep to the runner, and not asleep yet. */
static void going_in(void) {
  hold(WRITER, TRI_RACE_REGION_IN);
  begin(WRITER, sleep_until_woken);
  wait_held(TRI_RACE_REGION_IN);
  collect_to(TRI_RACE_STOPPED);
  let_go(TRI_RACE_REGION_IN);
  sleeps_on(WRITER);
}

/* The newest thread is asked first; the runtime's own are older then. */
static void start_first_in_line(void) {
  act_now(COLLECTOR, collect_step);
  start_actor(CHILD);
}

/* The runner has found it awake; it goes to sleep before the signal comes. */
static void going_in_late(void) {
  start_first_in_line();
  collect_to(TRI_RACE_SIGNALS);
  begin(CHILD, sleep_until_woken);
  CHECK(!becomes_within(&actors[CHILD].done, MOMENT_MS), "it does not sleep");
  collect_from(TRI_RACE_SIGNALS);
  wake_up();
  finish(CHILD);
  CHECK(polled == 1, "poll was interrupted");
}

/* It is about to turn back for a stop when the runner finds it asleep. */
static void turning_back(void) {
  start_first_in_line();
  collect_to(TRI_RACE_REQUESTED);
  hold(CHILD, TRI_RACE_REGION_BACK);
  begin(CHILD, sleep_until_woken);
  wait_held(TRI_RACE_REGION_BACK);
  hold(COLLECTOR, TRI_RACE_STOPPED);
  let_go(TRI_RACE_REQUESTED);
  wait_held(TRI_RACE_STOPPED);
  let_go(TRI_RACE_REGION_BACK);
  sleeps_on(CHILD);
}

/* A thread that begins in the stopped world. */

static atomic_bool child_ran;

static void *run(void *unused) {
  atomic_store(&child_ran, true);
  return unused;
}

static void make_child(struct actor *a) {
  pthread_t child;
  CHECK(pthread_create(&child, NULL, run, NULL) == 0, "pthread_create");
}

static void beginning(void) {
  hold(CHILD, TRI_RACE_THREAD_BEGINS);
  act_now(WRITER, make_child);
  wait_held(TRI_RACE_THREAD_BEGINS);
  collect_to(TRI_RACE_STOPPED);
  let_go(TRI_RACE_THREAD_BEGINS);
  CHECK(!becomes_within(&child_ran, MOMENT_MS), "a thread joins the stopped world");
  collect_from(TRI_RACE_STOPPED);
  CHECK(becomes_within(&child_ran, LONG_MS), "the thread does not run");
}

/* A handler may allocate and wait for a cycle, which the forking thread holds up while it has the lock; and it may
 * fork, which needs the registry. */

static atomic_bool handled;

static void on_signal(int sig) {
  (void)sig;
  atomic_store(&handled, true);
}

static void fork_and_wait(struct actor *a) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  CHECK(child > 0 && waitpid(child, NULL, 0) == child, "fork");
}

static void no_handler_runs_in(pthread_t thread, int place) {
  CHECK(pthread_kill(thread, SIGUSR1) == 0, "pthread_kill");
  CHECK(!becomes_within(&handled, MOMENT_MS), "a handler runs while its thread holds a lock of the runtime");
  let_go(place);
  CHECK(becomes_within(&handled, LONG_MS), "the handler does not run");
}

static void no_handler_runs_at(int place) {
  signal(SIGUSR1, on_signal);
  hold(WRITER, place);
  begin(WRITER, fork_and_wait);
  wait_held(place);
  no_handler_runs_in(actors[WRITER].thread, place);
  finish(WRITER);
}

static pthread_t held_thread;

static void note_held_thread(void) {
  held_thread = pthread_self();
}

/* Its maker may have to wait for the registry, and tells its number only then. */
static void joining(void) {
  signal(SIGUSR1, on_signal);
  before_holding = note_held_thread;
  hold(CHILD, TRI_RACE_THREAD_JOINS);
  begin(WRITER, make_child);
  wait_held(TRI_RACE_THREAD_JOINS);
  no_handler_runs_in(held_thread, TRI_RACE_THREAD_JOINS);
  CHECK(becomes_within(&child_ran, LONG_MS), "the thread does not run");
  finish(WRITER);
}

static void forking(void) {
  no_handler_runs_at(TRI_RACE_FORK_LOCKED);
}

static void forked(void) {
  no_handler_runs_at(TRI_RACE_FORK_GIVES);
}

static const struct scenario scenarios[] = {
    {"leaving", leaving},
    {"inside", inside},
    {"woken", woken},
    {"going in", going_in},
    {"going in late", going_in_late},
    {"turning back", turning_back},
    {"beginning", beginning},
    {"joining", joining},
    {"forking", forking},
    {"forked", forked},
};

int main(int argc, char **argv) {
  if (argc != 2 || pipe(wake) != 0) return 2;
  return run_scenario(scenarios, sizeof scenarios / sizeof *scenarios, argv[1]);
}
