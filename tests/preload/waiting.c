/*
 * Threads that wait for others, on condition variables and semaphores: nobody is woken by collections, and all else is
 * as ever: who is signalled comes back with the mutex, times run out, a cancelled waiter's cleanup holds the mutex. The
 * conditions lie in objects that only the call's arguments point to.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>

#include "support/probe.h"
#include "support/woken.h"

enum { COLLECTIONS = 20, PAIRS = 3, TURNS = 2000 };

struct meeting {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  mtx_t mtx;
  cnd_t cnd;
  sem_t sem;
  bool come;
};

static struct meeting *make_meeting(void) {
  struct meeting *m = calloc(1, sizeof *m);
  CHECK(m, "calloc");
  pthread_mutex_init(&m->mutex, NULL);
  pthread_cond_init(&m->cond, NULL);
  CHECK(mtx_init(&m->mtx, mtx_plain) == thrd_success && cnd_init(&m->cnd) == thrd_success, "cnd_init");
  sem_init(&m->sem, 0, 0);
  return m;
}

static struct timespec in_ms(clockid_t clock, long ms) {
  struct timespec t;
  clock_gettime(clock, &t);
  long ns = t.tv_nsec + ms % 1000 * 1000000;
  return (struct timespec){t.tv_sec + ms / 1000 + ns / 1000000000, ns % 1000000000};
}

enum { LONG_MS = 1000000, SHORT_MS = 20 };

static int by_cond_wait(struct meeting *m, long ms) {
  return pthread_cond_wait(&m->cond, &m->mutex);
}
static int by_cond_timedwait(struct meeting *m, long ms) {
  struct timespec until = in_ms(CLOCK_REALTIME, ms);
  return pthread_cond_timedwait(&m->cond, &m->mutex, &until);
}
static int by_cond_clockwait(struct meeting *m, long ms) {
  struct timespec until = in_ms(CLOCK_MONOTONIC, ms);
  return pthread_cond_clockwait(&m->cond, &m->mutex, CLOCK_MONOTONIC, &until);
}
static int by_cnd_wait(struct meeting *m, long ms) {
  return cnd_wait(&m->cnd, &m->mtx) == thrd_success ? 0 : -1;
}
static int by_cnd_timedwait(struct meeting *m, long ms) {
  struct timespec until = in_ms(CLOCK_REALTIME, ms);
  int r = cnd_timedwait(&m->cnd, &m->mtx, &until);
  return r == thrd_timedout ? ETIMEDOUT : r == thrd_success ? 0 : -1;
}
static int by_sem_wait(struct meeting *m, long ms) {
  return sem_wait(&m->sem) == 0 ? 0 : errno;
}
static int by_sem_timedwait(struct meeting *m, long ms) {
  struct timespec until = in_ms(CLOCK_REALTIME, ms);
  return sem_timedwait(&m->sem, &until) == 0 ? 0 : errno;
}
static int by_sem_clockwait(struct meeting *m, long ms) {
  struct timespec until = in_ms(CLOCK_MONOTONIC, ms);
  return sem_clockwait(&m->sem, CLOCK_MONOTONIC, &until) == 0 ? 0 : errno;
}

static const struct way {
  const char *name;
  int (*wait)(struct meeting *, long ms);
  bool ends; /* by itself */
} ways[] = {
    {"pthread_cond_wait", by_cond_wait, false},          {"pthread_cond_timedwait", by_cond_timedwait, true},
    {"pthread_cond_clockwait", by_cond_clockwait, true}, {"cnd_wait", by_cnd_wait, false},
    {"cnd_timedwait", by_cnd_timedwait, true},           {"sem_wait", by_sem_wait, false},
    {"sem_timedwait", by_sem_timedwait, true},           {"sem_clockwait", by_sem_clockwait, true},
};
enum { WAYS = sizeof ways / sizeof ways[0] };

static void lock(struct meeting *m) {
  pthread_mutex_lock(&m->mutex);
  mtx_lock(&m->mtx);
}

static void unlock(struct meeting *m) {
  mtx_unlock(&m->mtx);
  pthread_mutex_unlock(&m->mutex);
}

struct waiter {
  const struct way *way;
  struct meeting *m;
  atomic_int tid;
};

/* Both mutexes are held around the waits; a wait gives up the one that is its own. */
static void *wait_to_be_called(void *arg) {
  struct waiter *w = arg;
  pthread_mutex_t *other = NULL;
  mtx_t *other_mtx = NULL;
  int err = 0;
  if (w->way->wait == by_cnd_wait || w->way->wait == by_cnd_timedwait) {
    mtx_lock(other_mtx = &w->m->mtx);
  } else {
    pthread_mutex_lock(other = &w->m->mutex);
  }
  bool by_semaphore =
      w->way->wait == by_sem_wait || w->way->wait == by_sem_timedwait || w->way->wait == by_sem_clockwait;
  atomic_store(&w->tid, (int)syscall(SYS_gettid));
  if (by_semaphore) {
    pthread_mutex_unlock(other);
    err = w->way->wait(w->m, LONG_MS);
  } else {
    while (!w->m->come && err == 0) err = w->way->wait(w->m, LONG_MS);
    if (other) pthread_mutex_unlock(other);
    if (other_mtx) mtx_unlock(other_mtx);
  }
  CHECK(err == 0, "%s: %d", w->way->name, err);
  return NULL;
}

static void call(struct meeting *m) {
  lock(m);
  m->come = true;
  pthread_cond_signal(&m->cond);
  cnd_signal(&m->cnd);
  sem_post(&m->sem);
  unlock(m);
}

static void nobody_is_woken(void) {
  struct waiter waiters[WAYS];
  pthread_t threads[WAYS];
  long before[WAYS];
  for (int i = 0; i < WAYS; i++) {
    waiters[i] = (struct waiter){.way = &ways[i], .m = make_meeting()};
    CHECK(pthread_create(&threads[i], NULL, wait_to_be_called, &waiters[i]) == 0, "pthread_create");
    while (atomic_load(&waiters[i].tid) == 0) usleep(1000);
  }
  collect(); /* starts the runtime's threads */
  usleep(100000);
  for (int i = 0; i < WAYS; i++) before[i] = times_woken(waiters[i].tid);
  for (int i = 0; i < COLLECTIONS; i++) collect();
  for (int i = 0; i < WAYS; i++) {
    long n = times_woken(waiters[i].tid) - before[i];
    CHECK(!probe_live() || n <= 1, "%s was woken %ld times", ways[i].name, n);
  }
  for (int i = 0; i < WAYS; i++) call(waiters[i].m);
  for (int i = 0; i < WAYS; i++) pthread_join(threads[i], NULL);
}

static void times_run_out(void) {
  struct meeting *m = make_meeting();
  lock(m);
  for (int i = 0; i < WAYS; i++) {
    if (!ways[i].ends) continue;
    int err = ways[i].wait(m, SHORT_MS);
    CHECK(err == ETIMEDOUT, "%s: %d", ways[i].name, err);
  }
  CHECK(pthread_mutex_trylock(&m->mutex) == EBUSY && mtx_trylock(&m->mtx) == thrd_busy, "a mutex was given up");
  unlock(m);
}

static void clean_up(void *arg) {
  struct meeting *m = arg;
  pattern_fill(malloc(300), 300, 4);
  CHECK(pthread_mutex_trylock(&m->mutex) == EBUSY, "the cleanup runs without the mutex");
  m->come = true;
  pthread_mutex_unlock(&m->mutex);
}

static void *wait_to_be_cancelled(void *arg) {
  struct meeting *m = arg;
  pthread_mutex_lock(&m->mutex);
  pthread_cleanup_push(clean_up, m);
  for (;;) pthread_cond_wait(&m->cond, &m->mutex);
  pthread_cleanup_pop(0);
  return NULL;
}

static void waits_can_be_cancelled(void) {
  for (int i = 0; i < 20; i++) {
    struct meeting *m = make_meeting();
    pthread_t t;
    void *result;
    CHECK(pthread_create(&t, NULL, wait_to_be_cancelled, m) == 0, "pthread_create");
    usleep(2000);
    pthread_cancel(t);
    collect();
    CHECK(pthread_join(t, &result) == 0 && result == PTHREAD_CANCELED && m->come, "the cleanup did not run");
  }
}

/* Two and two give each other the turn while a third collects. */
struct table {
  pthread_mutex_t mutex;
  pthread_cond_t turned;
  int turn;
  sem_t sem[2];
};

struct player {
  struct table *table;
  int number;
};

static void *play(void *arg) {
  struct player *p = arg;
  struct table *t = p->table;
  for (int i = 0; i < TURNS; i++) {
    pthread_mutex_lock(&t->mutex);
    while (t->turn != p->number) pthread_cond_wait(&t->turned, &t->mutex);
    t->turn = !p->number;
    pattern_fill(malloc(100), 100, 1);
    pthread_cond_signal(&t->turned);
    pthread_mutex_unlock(&t->mutex);
    sem_post(&t->sem[!p->number]);
    CHECK(sem_wait(&t->sem[p->number]) == 0, "sem_wait: errno %d", errno);
  }
  return NULL;
}

static void turns_are_taken(void) {
  pthread_t threads[PAIRS * 2];
  static struct player players[PAIRS * 2];
  for (int i = 0; i < PAIRS * 2; i++) {
    struct table *t = i % 2 ? players[i - 1].table : calloc(1, sizeof *t);
    players[i] = (struct player){t, i % 2};
    CHECK(pthread_create(&threads[i], NULL, play, &players[i]) == 0, "pthread_create");
  }
  for (int i = 0; i < 50; i++) collect();
  for (int i = 0; i < PAIRS * 2; i++) pthread_join(threads[i], NULL);
}

int main(void) {
  times_run_out();
  nobody_is_woken();
  times_run_out(); /* with other threads about */
  waits_can_be_cancelled();
  turns_are_taken();
  puts("ok");
  return 0;
}
