/*
 * The hybrid barrier's dangers, each forced: hybrid SCENARIO, with TRICOLOR=stacks=..., GOGC=off and
 * GODEBUG=clobberfree=1. tests/races/protections.py names the protection that each one fails without.
 *
 * `holder` is a global; its object's field holds X. At SCANNED the holder is grey, every stack black; at FLIPPED ragged
 * stacks are grey as well. An actor takes X to its stack, or elsewhere, in the way that the scenario is about; marking
 * goes on; then X must be there.
 */
#include "races/forced.h"

#include "barrier/wbbuf.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "tricolor/type.h"

enum { SIZE = 192, SEED = 1, MANY = 1300, BIG = 40000, SHRINKING = 1024, FIELDS = 8 };

struct node {
  void *field[FIELDS];
};

/* Of a node that was made larger than its type, too. */
static void **slot(void *object, size_t i) {
  return (void **)object + i;
}

static struct node *volatile holder, *volatile elsewhere;
static void *volatile global;

/* Ragged stacks ask for tri_write where the others allow plain stores. */
static bool ragged;

static void set_root(void *slot, void *value) {
  if (ragged) {
    tri_write(slot, value);
  } else {
    *(void *volatile *)slot = value;
  }
}

NOINLINE static void *new_x(unsigned seed) {
  void *x = tri_alloc(SIZE);
  pattern_fill(x, SIZE, seed);
  return x;
}

static void hang_in_slot(size_t holder_size, size_t i) {
  struct node *n = tri_alloc(holder_size);
  tri_write(slot(n, i), new_x(SEED));
  set_root((void *)&holder, n);
}

static void hang(struct actor *a) {
  hang_in_slot(sizeof(struct node), 0);
}

static void keep(struct actor *a) {
  *a->mine = new_x(SEED);
}

static void look(struct actor *a) {
  *a->mine = holder->field[0];
}

static void check_mine(struct actor *a) {
  CHECK(pattern_holds(*a->mine, SIZE, SEED), "X is lost");
}

static void check_global(struct actor *a) {
  CHECK(global && pattern_holds(global, SIZE, SEED), "X is lost");
}

static void check_held(struct actor *a) {
  CHECK(holder->field[0] && pattern_holds(holder->field[0], SIZE, SEED), "X is lost");
}

/* X is taken from its holder to a black stack. */

static void take_by_write(struct actor *a) {
  look(a);
  tri_write(&holder->field[0], NULL);
}

static void take_by_assignment(struct actor *a) {
  struct node empty = {{NULL}};
  look(a);
  TRI_ASSIGN(holder, &empty);
}

static void take_by_zero(struct actor *a) {
  look(a);
  tri_zero(holder, sizeof(struct node));
}

static void take_by_move(struct actor *a) {
  look(a);
  tri_memmove(&holder->field[0], &holder->field[1], sizeof(struct node) - sizeof(void *));
}

static void take_by_exchange(struct actor *a) {
  *a->mine = tri_atomic_exchange(&holder->field[0], NULL);
}

static void take_by_cas(struct actor *a) {
  look(a);
  CHECK(tri_atomic_cas(&holder->field[0], *a->mine, NULL), "nobody else has stored");
}

NOINLINE static void reuse(size_t size) {
  for (int i = 0; i < 64; i++) memset(tri_alloc(size), 0x55, size);
}

static void take_by_free(struct actor *a) {
  struct node *n = holder;
  look(a);
  set_root((void *)&holder, NULL);
  tri_free(n);
  reuse(sizeof *n);
}

static void hang_in_last(struct actor *a) {
  hang_in_slot(SHRINKING, SHRINKING / sizeof(void *) - 1);
}

static void take_by_realloc(struct actor *a) {
  *a->mine = *slot(holder, SHRINKING / sizeof(void *) - 1);
  set_root((void *)&holder, tri_realloc(holder, 2 * sizeof(void *)));
  reuse(SHRINKING);
}

/* The large one hangs on a small one, so that a marker has yet to find it. */
static void hang_in_large(struct actor *a) {
  struct node *n = tri_alloc(sizeof *n), *large = tri_alloc(BIG);
  tri_write(&large->field[0], new_x(SEED));
  tri_write(&n->field[0], large);
  set_root((void *)&holder, n);
}

static void take_by_free_of_large(struct actor *a) {
  struct node *large = holder->field[0];
  *a->mine = large->field[0];
  tri_free(large);
}

/* One step of the writer's while the runner stands there; then marking ends. */
static void step_at(int place, void (*step)(struct actor *), void (*check)(struct actor *)) {
  collect_to(place);
  act_now(WRITER, step);
  collect_from(place);
  act_now(WRITER, check);
}

/* The writer was held, and the runner is at SCANNED. */
static void helper_has_it(void) {
  finish(WRITER);
  collect_from(TRI_RACE_SCANNED);
  act_now(HELPER, check_mine);
}

static void taken_from(void (*hang_it)(struct actor *), void (*take)(struct actor *)) {
  act_now(WRITER, hang_it);
  step_at(TRI_RACE_SCANNED, take, check_mine);
}

static void by_write(void) {
  taken_from(hang, take_by_write);
}
static void by_assignment(void) {
  taken_from(hang, take_by_assignment);
}
static void by_zero(void) {
  taken_from(hang, take_by_zero);
}
static void by_move(void) {
  taken_from(hang, take_by_move);
}
static void by_exchange(void) {
  taken_from(hang, take_by_exchange);
}
static void by_cas(void) {
  taken_from(hang, take_by_cas);
}
static void by_free(void) {
  taken_from(hang, take_by_free);
}
static void by_realloc(void) {
  taken_from(hang_in_last, take_by_realloc);
}
static void by_free_of_large(void) {
  taken_from(hang_in_large, take_by_free_of_large);
}

/* More of them than the thread's buffer holds. They stay on the stack of one step. */
static void *volatile *many_taken;
static void **volatile holder_of_many;

static void hang_many(struct actor *a) {
  void **n = tri_alloc(MANY * sizeof(void *));
  set_root((void *)&holder_of_many, n);
  for (unsigned i = 0; i < MANY; i++) tri_write(&n[i], new_x(i));
}

static atomic_bool many_are_taken, many_may_be_checked;

static void take_many(struct actor *a) {
  void *volatile taken[MANY];
  many_taken = taken;
  for (unsigned i = 0; i < MANY; i++) {
    taken[i] = holder_of_many[i];
    tri_write(&holder_of_many[i], NULL);
  }
  forget();
  atomic_store(&many_are_taken, true);
  while (!atomic_load(&many_may_be_checked)) nap();
  for (unsigned i = 0; i < MANY; i++) CHECK(pattern_holds(taken[i], SIZE, i), "object %u is lost", i);
}

static void many(void) {
  act_now(WRITER, hang_many);
  collect_to(TRI_RACE_SCANNED);
  begin(WRITER, take_many);
  CHECK(becomes_within(&many_are_taken, LONG_MS), "they cannot be taken");
  collect_from(TRI_RACE_SCANNED);
  atomic_store(&many_may_be_checked, true);
  finish(WRITER);
}

/* A buffer that was looked at, is emptied, and holds as many entries again. X hangs on Y, which only another thread's
 * buffer leads to, so that it is grey and not scanned when X is taken from it. */

enum { LOOKED_AT = 300 };

static struct node *volatile y;

static void hang_y(struct actor *a) {
  struct node *n = tri_alloc(sizeof *n), *on_it = tri_alloc(sizeof *on_it);
  tri_write(&on_it->field[0], new_x(SEED));
  tri_write(&n->field[0], on_it);
  set_root((void *)&elsewhere, n);
  hang_many(a);
}

static void put_entries(unsigned from, unsigned n) {
  for (unsigned i = from; i < from + n; i++) tri_write(&holder_of_many[i], NULL);
}

static void put_few(struct actor *a) {
  put_entries(0, LOOKED_AT);
}

static void take_y(struct actor *a) {
  struct node *taken = elsewhere->field[0];
  tri_write(&elsewhere->field[0], NULL);
  set_root((void *)&y, taken);
}

static void refill_and_take(struct actor *a) {
  put_entries(LOOKED_AT, TRI_WBBUF_ENTRIES - LOOKED_AT + 1); /* the last one finds it full */
  *a->mine = y->field[0];
  tri_write(&y->field[0], NULL);
  put_entries(TRI_WBBUF_ENTRIES + 1, LOOKED_AT);
}

static void refilled(void) {
  act_now(WRITER, hang_y);
  collect_to(TRI_RACE_SCANNED);
  act_now(WRITER, put_few);
  act_now(HELPER, take_y);
  hold(COLLECTOR, TRI_RACE_LOOKED);
  let_go(TRI_RACE_SCANNED);
  wait_held(TRI_RACE_LOOKED);
  act_now(WRITER, refill_and_take);
  collect_from(TRI_RACE_LOOKED);
  act_now(WRITER, check_mine);
}

/* The cycle is cut short, and the last stop comes with the buffers never looked at. */
static void fork_and_wait(struct actor *a) {
  int child = fork();
  if (child == 0) _exit(0);
  CHECK(child > 0 && waitpid(child, NULL, 0) == child, "fork");
}

static void cut(void) {
  act_now(WRITER, hang);
  collect_to(TRI_RACE_SCANNED);
  act_now(WRITER, take_by_write);
  begin(HELPER, fork_and_wait);
  CHECK(!becomes_within(&actors[HELPER].done, MOMENT_MS), "fork does not wait for the cycle");
  collect_from(TRI_RACE_SCANNED);
  finish(HELPER);
  act_now(WRITER, check_mine);
}

/* A store that the flip interrupts half way: it has seen the barrier off. */

static void erase(struct actor *a) {
  tri_write(&holder->field[0], NULL);
}

static void take_while_half_done(int writer_is_held_at) {
  wait_held(writer_is_held_at);
  collect_to(TRI_RACE_SCANNED);
  act_now(HELPER, look);
  let_go(writer_is_held_at);
}

static void half_done(void) {
  act_now(WRITER, hang);
  hold(WRITER, TRI_RACE_STORE);
  begin(WRITER, erase);
  take_while_half_done(TRI_RACE_STORE);
  helper_has_it();
}

static void put_in_global(struct actor *a) {
  tri_write((void *)&global, *a->mine);
  *a->mine = NULL;
}

static void half_done_value(void) {
  act_now(WRITER, keep);
  hold(WRITER, TRI_RACE_STORE);
  begin(WRITER, put_in_global);
  wait_held(TRI_RACE_STORE);
  collect_to(TRI_RACE_FLIPPED);
  let_go(TRI_RACE_STORE);
  finish(WRITER);
  collect_from(TRI_RACE_FLIPPED);
  act_now(WRITER, check_global);
}

/* A handler that stores, in the middle of a store. */

static void on_signal(int sig) {
  tri_write(&elsewhere->field[0], NULL);
  at_race_point((enum tri_race_place)IN_HANDLER);
}

static int signals_left;

static void raise_it(void) {
  for (; signals_left > 0; signals_left--) raise(SIGUSR1);
}

static void hang_twice(struct actor *a) {
  hang(a);
  set_root((void *)&elsewhere, tri_alloc(sizeof(struct node)));
  signal(SIGUSR1, on_signal);
}

static void half_done_and_handled(void) {
  act_now(WRITER, hang_twice);
  before_holding = raise_it;
  signals_left = 20; /* more than the thread's block remembers */
  hold(WRITER, TRI_RACE_STORE);
  begin(WRITER, erase);
  take_while_half_done(TRI_RACE_STORE);
  helper_has_it();
}

static void half_done_in_handler(void) {
  act_now(WRITER, hang_twice);
  before_holding = raise_it;
  signals_left = 1;
  hold(WRITER, IN_HANDLER);
  hold(WRITER, TRI_RACE_STORE);
  begin(WRITER, erase);
  take_while_half_done(IN_HANDLER);
  wait_held(TRI_RACE_STORE);
  let_go(TRI_RACE_STORE);
  helper_has_it();
}

/* Between shading and storing the cycle ends. What has not been shaded by then is lost with the store. */
static void ends_half_way(void (*take)(struct actor *)) {
  act_now(WRITER, hang);
  collect_to(TRI_RACE_SCANNED);
  hold(WRITER, TRI_RACE_SHADED);
  begin(WRITER, take);
  wait_held(TRI_RACE_SHADED);
  collect_from(TRI_RACE_SCANNED);
  let_go(TRI_RACE_SHADED);
  finish(WRITER);
  act_now(WRITER, check_mine);
}

static void exchange_half_way(void) {
  ends_half_way(take_by_exchange);
}
static void cas_half_way(void) {
  ends_half_way(take_by_cas);
}

/* Bulk forms: no stop within a piece; each looks at the barrier anew. */

static void hang_behind(struct actor *a) {
  hang_in_slot(BIG, 1000);
}

static void erase_big(struct actor *a) {
  tri_zero(holder, BIG);
}

static void look_behind(struct actor *a) {
  *a->mine = *slot(holder, 1000);
}

static void bulk(void) {
  act_now(WRITER, hang_behind);
  hold(WRITER, TRI_RACE_SHADED);
  begin(WRITER, erase_big); /* in the first piece, the barrier is off */
  wait_held(TRI_RACE_SHADED);
  hold(COLLECTOR, TRI_RACE_SCANNED);
  begin(COLLECTOR, collect_step);
  CHECK(!is_held_within(TRI_RACE_SCANNED, MOMENT_MS), "the world stops within a piece");
  hold(WRITER, TRI_RACE_SHADED);
  let_go(TRI_RACE_SHADED);
  wait_held(TRI_RACE_SHADED); /* in the second, it is on */
  wait_held(TRI_RACE_SCANNED);
  act_now(HELPER, look_behind);
  let_go(TRI_RACE_SHADED);
  helper_has_it();
}

/* Objects made while marking runs, on a black stack only. */

static size_t new_size;
static void *(*new_by)(size_t);

static void make(struct actor *a) {
  *a->mine = new_by(new_size);
  pattern_fill(*a->mine, new_size, SEED);
}

static void check_made(struct actor *a) {
  CHECK(pattern_holds(*a->mine, new_size, SEED), "a new object is lost");
}

static void made(void *(*by)(size_t), size_t size) {
  new_by = by;
  new_size = size;
  act_now(WRITER, hang); /* the thread has slots of that size at hand */
  step_at(TRI_RACE_SCANNED, make, check_made);
}

static void made_at_hand(void) {
  made(tri_alloc, SIZE);
}
static void made_of_new_class(void) {
  made(tri_alloc, 1000);
}
static void made_noscan(void) {
  made(tri_alloc_noscan, 1000);
}
static void made_large(void) {
  made(tri_alloc, 200000);
}

TRI_TYPE(node_type, struct node, field);

static void *new_typed(size_t size) {
  return tri_alloc_typed(&node_type, size / sizeof(struct node));
}

static void made_typed(void) {
  made(new_typed, 3 * sizeof(struct node));
}

/* The only pointer to X moves from a stack that is grey, where stacks are ragged. */

static void move_to_new(struct actor *a) {
  struct node *n = tri_alloc(sizeof *n);
  tri_write(&n->field[0], *a->mine);
  set_root((void *)&holder, n);
  *a->mine = NULL;
}

static void from_grey_stack(void) {
  act_now(WRITER, keep);
  step_at(TRI_RACE_FLIPPED, move_to_new, check_held);
}

static void move_to_global(struct actor *a) {
  set_root((void *)&global, *a->mine);
  *a->mine = NULL;
}

static void to_global(void) {
  act_now(WRITER, keep);
  step_at(TRI_RACE_FLIPPED, move_to_global, check_global);
}

/* From a global that is scanned to a stack that is. */
static void move_from_global(struct actor *a) {
  *a->mine = global;
  set_root((void *)&global, NULL);
}

static void from_global(void) {
  act_now(WRITER, keep);
  act_now(WRITER, move_to_global);
  step_at(TRI_RACE_SCANNED, move_from_global, check_mine);
}

/* The kernel writes over X. */

static int wake[2];

static void read_into_holder(struct actor *a) {
  CHECK(read(wake[0], (void *)holder, sizeof(struct node)) == sizeof(struct node), "read");
}

static void take_by_read(struct actor *a) {
  look(a);
  read_into_holder(a);
}

static void send_nothing(void) {
  static const struct node nothing;
  CHECK(write(wake[1], &nothing, sizeof nothing) == sizeof nothing, "write");
}

static void by_read(void) {
  CHECK(pipe(wake) == 0, "pipe");
  send_nothing();
  taken_from(hang, take_by_read);
}

static void begin_to_sleep(int who, void (*step)(struct actor *)) {
  begin(who, step);
  CHECK(!becomes_within(&actors[who].done, MOMENT_MS), "it does not sleep");
}

/* The flip finds the reader asleep. */
static void read_asleep(void) {
  CHECK(pipe(wake) == 0, "pipe");
  act_now(WRITER, hang);
  begin_to_sleep(WRITER, read_into_holder);
  collect_to(TRI_RACE_SCANNED);
  act_now(HELPER, look);
  send_nothing();
  helper_has_it();
}

/* Threads that begin and end. */

static pthread_t child;
static atomic_bool child_may_go_on, child_is_ready, child_is_done;

static void *check_argument(void *argument) {
  void *volatile x = argument;
  atomic_store(&child_is_ready, true);
  while (!atomic_load(&child_may_go_on)) nap();
  CHECK(pattern_holds(x, SIZE, SEED), "a new thread's argument is lost");
  atomic_store(&child_is_done, true);
  return NULL;
}

static void hand_to_child(struct actor *a) {
  CHECK(pthread_create(&child, NULL, check_argument, *a->mine) == 0, "pthread_create");
  *a->mine = NULL;
}

static void argument(void) {
  act_now(WRITER, keep);
  hold(CHILD, TRI_RACE_THREAD_BEGINS);
  atomic_store(&child_may_go_on, true);
  act_now(WRITER, hand_to_child);
  wait_held(TRI_RACE_THREAD_BEGINS);
  act_now(COLLECTOR, collect_step);
  let_go(TRI_RACE_THREAD_BEGINS);
  CHECK(becomes_within(&child_is_done, LONG_MS), "the thread does not run");
}

/* The stack of a thread that begins while marking runs is black. */
static void argument_from_grey_stack(void) {
  act_now(WRITER, keep);
  collect_to(TRI_RACE_FLIPPED);
  act_now(WRITER, hand_to_child);
  CHECK(becomes_within(&child_is_ready, LONG_MS), "the thread does not begin");
  collect_from(TRI_RACE_FLIPPED);
  atomic_store(&child_may_go_on, true);
  CHECK(becomes_within(&child_is_done, LONG_MS), "the thread does not run");
}

/* The runner has let the program go on and does not get the CPU: who allocates is held back from then on. */

enum { RUSH_MS = 200, RUSH_BYTES = 4096, RUSH_MOST = 64 << 20 };
static uint64_t rushed_bytes;

static void rush(struct actor *a) {
  for (uint64_t end = now_ms() + RUSH_MS; now_ms() < end; rushed_bytes += RUSH_BYTES)
    CHECK(tri_alloc_noscan(RUSH_BYTES), "tri_alloc_noscan");
}

static void held_back_at_once(void) {
  tri_set_gc_percent(100);
  collect_to(TRI_RACE_FLIPPED);
  act_now(WRITER, rush);
  collect_from(TRI_RACE_FLIPPED);
  CHECK(rushed_bytes < RUSH_MOST, "%u MiB in %d ms", (unsigned)(rushed_bytes >> 20), RUSH_MS);
}

/* X is in the buffer of a thread that has ended, and on another's black stack. */
static void *pass_on(void *unused) {
  while (!atomic_load(&child_may_go_on)) nap();
  set_root((void *)&global, holder->field[0]);
  tri_write(&holder->field[0], NULL);
  return NULL;
}

static void make_passing_child(struct actor *a) {
  CHECK(pthread_create(&child, NULL, pass_on, NULL) == 0, "pthread_create");
}

static void join_and_take(struct actor *a) {
  CHECK(pthread_join(child, NULL) == 0, "pthread_join");
  move_from_global(a);
}

static void thread_ends(void) {
  act_now(WRITER, hang);
  act_now(WRITER, make_passing_child);
  collect_to(TRI_RACE_SCANNED);
  atomic_store(&child_may_go_on, true);
  act_now(HELPER, join_and_take);
  collect_from(TRI_RACE_SCANNED);
  act_now(HELPER, check_mine);
}

/* Ragged: a sleeper's stack is scanned by the runner, and held meanwhile. */

static void sleep_until_woken(struct actor *a) {
  struct pollfd p = {.fd = wake[0], .events = POLLIN};
  CHECK(poll(&p, 1, -1) == 1, "poll");
}

/* The runtime's own threads sleep as well: who is made after them is told first. */
static void scanned_asleep(void) {
  CHECK(pipe(wake) == 0, "pipe");
  act_now(COLLECTOR, collect_step);
  start_actor(CHILD);
  begin_to_sleep(CHILD, sleep_until_woken);
  collect_to(TRI_RACE_HOLDS);
  CHECK(write(wake[1], "", 1) == 1, "write");
  CHECK(!becomes_within(&actors[CHILD].done, MOMENT_MS), "it runs while its stack is scanned");
  collect_from(TRI_RACE_HOLDS);
  finish(CHILD);
}

/* It sees that its scan is due before the runner has looked where it is, scans, and goes to sleep. */
static void scanned_by_itself(void) {
  CHECK(pipe(wake) == 0, "pipe");
  act_now(COLLECTOR, collect_step);
  start_actor(CHILD);
  collect_to(TRI_RACE_TOLD);
  begin_to_sleep(CHILD, sleep_until_woken);
  collect_from(TRI_RACE_TOLD);
  CHECK(write(wake[1], "", 1) == 1, "write");
  finish(CHILD);
}

/* gccheckmark=1: what a sleeper's stack held when it was noted is overwritten by the kernel before it is marked. */

static void *volatile *sleepers_slot;

static void have_x(struct actor *a) {
  *a->mine = new_x(SEED);
}

static void read_over_mine(struct actor *a) {
  sleepers_slot = a->mine;
  CHECK(read(wake[0], (void *)a->mine, sizeof *a->mine) == sizeof *a->mine, "read");
}

static bool is_overwritten(void) {
  return *sleepers_slot == NULL;
}

static void read_over_stack(void) {
  CHECK(pipe(wake) == 0, "pipe");
  act_now(WRITER, have_x);
  begin_to_sleep(WRITER, read_over_mine);
  collect_to(TRI_RACE_NOTED);
  CHECK(*sleepers_slot != NULL, "nothing to overwrite");
  send_nothing();
  for (uint64_t end = now_ms() + LONG_MS; !is_overwritten() && now_ms() < end;) nap();
  CHECK(is_overwritten(), "the kernel did not write");
  collect_from(TRI_RACE_NOTED);
  finish(WRITER);
}

static const struct scenario scenarios[] = {
    {"write", by_write},
    {"assignment", by_assignment},
    {"zero", by_zero},
    {"move", by_move},
    {"exchange", by_exchange},
    {"cas", by_cas},
    {"free", by_free},
    {"free of large", by_free_of_large},
    {"realloc", by_realloc},
    {"read", by_read},
    {"read asleep", read_asleep},
    {"many", many},
    {"refilled", refilled},
    {"cut", cut},
    {"half done", half_done},
    {"half done, value", half_done_value},
    {"half done, handled", half_done_and_handled},
    {"half done, in handler", half_done_in_handler},
    {"exchange half way", exchange_half_way},
    {"cas half way", cas_half_way},
    {"bulk", bulk},
    {"made at hand", made_at_hand},
    {"made of new class", made_of_new_class},
    {"made noscan", made_noscan},
    {"made large", made_large},
    {"made typed", made_typed},
    {"from grey stack", from_grey_stack},
    {"to global", to_global},
    {"from global", from_global},
    {"argument", argument},
    {"argument from grey stack", argument_from_grey_stack},
    {"held back at once", held_back_at_once},
    {"thread ends", thread_ends},
    {"scanned asleep", scanned_asleep},
    {"scanned by itself", scanned_by_itself},
    {"read over stack", read_over_stack},
};

int main(int argc, char **argv) {
  const char *settings = getenv("TRICOLOR");
  ragged = settings && strstr(settings, "stacks=ragged");
  if (argc != 2) return 2;
  return run_scenario(scenarios, sizeof scenarios / sizeof *scenarios, argv[1]);
}
