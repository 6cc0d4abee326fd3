/*
 * The environment, read once at start into struct tri_config, by the thread that initialises the runtime.
 *
 * Pure but for its messages: reads only the list it is given, sets only the struct. The first of several variables of
 * one name counts, as for getenv and Go; within a variable the last of several settings counts. TRICOLOR_BALLAST is
 * read before TRICOLOR, so TRICOLOR=ballast=SIZE wins. strict=1 is looked for before anything else is read: it applies
 * wherever it stands.
 *
 * Bad values: GODEBUG is Go's and is treated as Go does, unknown keys and bad integers are silently ignored. All else
 * goes through reject(): one line that names variable, value, what is accepted and what holds instead. A setting that
 * this version does not implement is not an accepted value.
 * Forbidden here: allocation, stdio, locks; this runs inside the first malloc of the process.
 */
#include "gc/config.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "gc/parse.h"
#include "internal/check.h"

#define DEFAULT_GOGC 100
#define DEFAULT_PERIOD 120
#define SIZES "digits with an optional B, KiB, MiB, GiB or TiB"

void tri_config_init_defaults(struct tri_config *c) {
  memset(c, 0, sizeof(*c));
  c->gc_percent = DEFAULT_GOGC;
  c->collect = true;
  c->stats_page = true;
  c->strangers = true;
  c->free_mode = TRI_FREE_NOW;
  c->madvdontneed = 1;
  c->barrier = TRI_BARRIER_AUTO;
  c->memory_limit = UINT64_MAX;
  c->period_seconds = DEFAULT_PERIOD;
}

/* `where` is the variable, or the variable and its key, up to the value. */
static void reject(const struct tri_config *c, const char *where, struct tri_slice value, const char *accepted,
                   const char *instead) {
  const size_t shown = 40;
  tri_warn("bad setting %s=%.*s%s: accepted: %s; %s%s", where, (int)tri_min(value.n, shown), value.p,
           value.n > shown ? "..." : "", accepted, c->strict ? "stopping, since strict=1, instead of " : "", instead);
  if (c->strict) _exit(2);
}

/* TRICOLOR keys. Each sets its field to the default when it returns false. */

static bool set_size(struct tri_slice v, size_t *field) {
  uint64_t n = 0;
  bool ok = tri_parse_size(v, &n);
  *field = ok ? n : 0;
  return ok;
}

static bool set_ballast(struct tri_config *c, struct tri_slice v) {
  return set_size(v, &c->ballast_bytes);
}

static bool set_stress(struct tri_config *c, struct tri_slice v) {
  return set_size(v, &c->stress_bytes);
}

static bool set_collect(struct tri_config *c, struct tri_slice v) {
  c->collect = !tri_slice_is(v, "off");
  return !c->collect || tri_slice_is(v, "on");
}

static bool set_stats(struct tri_config *c, struct tri_slice v) {
  c->stats_page = !tri_slice_is(v, "off");
  return !c->stats_page || tri_slice_is(v, "on");
}

static bool set_free(struct tri_config *c, struct tri_slice v) {
  c->free_mode = tri_slice_is(v, "ignore") ? TRI_FREE_IGNORE : TRI_FREE_NOW;
  return c->free_mode == TRI_FREE_IGNORE || tri_slice_is(v, "now");
}

static bool set_barrier(struct tri_config *c, struct tri_slice v) {
  c->barrier = tri_slice_is(v, "stw")      ? TRI_BARRIER_STW
               : tri_slice_is(v, "page")   ? TRI_BARRIER_PAGE
               : tri_slice_is(v, "hybrid") ? TRI_BARRIER_HYBRID
                                           : TRI_BARRIER_AUTO;
  return c->barrier != TRI_BARRIER_AUTO || tri_slice_is(v, "auto");
}

static bool set_stacks(struct tri_config *c, struct tri_slice v) {
  c->stacks = tri_slice_is(v, "together") ? TRI_SET_STACKS_TOGETHER
              : tri_slice_is(v, "ragged") ? TRI_SET_STACKS_RAGGED
                                          : TRI_SET_STACKS_SNAPSHOT;
  return c->stacks != TRI_SET_STACKS_SNAPSHOT || tri_slice_is(v, "snapshot");
}

static bool set_path(struct tri_slice v, char field[TRI_CONFIG_PATH_SIZE]) {
  bool ok = v.n > 0 && v.n < TRI_CONFIG_PATH_SIZE;
  size_t n = ok ? v.n : 0;
  memcpy(field, v.p, n);
  field[n] = 0;
  return ok;
}

static bool set_log(struct tri_config *c, struct tri_slice v) {
  return set_path(v, c->log_path);
}

static bool set_cgroups(struct tri_config *c, struct tri_slice v) {
  return set_path(v, c->cgroup_root);
}

static bool set_signal(struct tri_config *c, struct tri_slice v) {
  int32_t n;
  bool ok = tri_parse_int32(v, &n) && n >= SIGRTMIN && n <= SIGRTMAX;
  c->signal = ok ? n : 0;
  return ok;
}

static bool set_period(struct tri_config *c, struct tri_slice v) {
  int32_t n;
  bool ok = tri_parse_int32(v, &n) && n >= 0;
  c->period_seconds = ok ? n : DEFAULT_PERIOD;
  return ok;
}

static bool set_strangers(struct tri_config *c, struct tri_slice v) {
  c->strangers = !tri_slice_is(v, "off");
  return !c->strangers || tri_slice_is(v, "on");
}

/* The value was taken over by find_strict; here it is only judged. */
static bool set_strict(struct tri_config *c, struct tri_slice v) {
  return tri_slice_is(v, "1") || tri_slice_is(v, "0");
}

static const struct key {
  const char *name;
  bool (*set)(struct tri_config *c, struct tri_slice value);
  const char *accepted;
  const char *fallback;
} keys[] = {
    {"ballast", set_ballast, SIZES, "using no ballast"},
    {"collect", set_collect, "on, off", "using on"},
    {"free", set_free, "now, ignore", "using now"},
    {"barrier", set_barrier, "auto, page, hybrid, stw", "using auto"},
    {"stacks", set_stacks, "snapshot, together, ragged", "using snapshot"},
    {"cgroups", set_cgroups, "a directory name of 1 to 511 bytes", "using the system's files"},
    {"log", set_log, "a file name of 1 to 511 bytes", "using stderr"},
    {"period", set_period, "seconds", "using 120"},
    {"signal", set_signal, "the number of a real-time signal", "choosing one"},
    {"stats", set_stats, "on, off", "using on"},
    {"strangers", set_strangers, "on, off", "using on"},
    {"strict", set_strict, "0, 1", "using 0"},
    {"stress", set_stress, SIZES, "using no stress"},
};

static const struct key *find_key(struct tri_slice name) {
  for (size_t i = 0; i < TRI_ARRAY_LEN(keys); i++)
    if (tri_slice_is(name, keys[i].name)) return &keys[i];
  return NULL;
}

static void apply_tricolor(struct tri_config *c, struct tri_slice setting) {
  struct tri_slice value = setting;
  struct tri_slice name = tri_slice_cut(&value, '=');
  const struct key *k = name.n < setting.n ? find_key(name) : NULL;
  if (!k) {
    reject(c, "TRICOLOR", setting,
           "ballast=SIZE, collect=on/off, free=now/ignore, barrier=auto/page/hybrid/stw, "
           "stacks=snapshot/together/ragged, cgroups=DIR, log=FILE, period=SECONDS, signal=N, stats=on/off, "
           "strangers=on/off, strict=0/1, stress=SIZE",
           "ignoring it");
  } else if (!k->set(c, value)) {
    char where[32];
    tri_format(where, sizeof(where), "TRICOLOR=%s", k->name);
    reject(c, where, value, k->accepted, k->fallback);
  }
}

static void parse_tricolor(struct tri_config *c, const char *text) {
  struct tri_slice rest = tri_slice_of(text);
  while (rest.n) {
    struct tri_slice setting = tri_slice_cut(&rest, ',');
    if (setting.n) apply_tricolor(c, setting);
  }
}

static bool find_strict(const char *text) {
  bool strict = false;
  struct tri_slice rest = tri_slice_of(text);
  while (rest.n) {
    struct tri_slice value = tri_slice_cut(&rest, ',');
    struct tri_slice name = tri_slice_cut(&value, '=');
    if (tri_slice_is(name, "strict")) strict = tri_slice_is(value, "1");
  }
  return strict;
}

static void apply_godebug(struct tri_config *c, struct tri_slice name, struct tri_slice value) {
  const struct {
    const char *name;
    int *field;
  } vars[] = {
      {"gctrace", &c->gctrace},           {"gcstoptheworld", &c->gcstoptheworld}, {"gccheckmark", &c->gccheckmark},
      {"gcpacertrace", &c->gcpacertrace}, {"scavtrace", &c->scavtrace},           {"clobberfree", &c->clobberfree},
      {"madvdontneed", &c->madvdontneed}, {"disablethp", &c->disablethp},
  };
  int32_t n;
  for (size_t i = 0; i < TRI_ARRAY_LEN(vars); i++)
    if (tri_slice_is(name, vars[i].name) && tri_parse_int32(value, &n)) *vars[i].field = n;
}

static void parse_godebug(struct tri_config *c, const char *text) {
  struct tri_slice rest = tri_slice_of(text);
  while (rest.n) {
    struct tri_slice value = tri_slice_cut(&rest, ',');
    struct tri_slice name = tri_slice_cut(&value, '=');
    apply_godebug(c, name, value);
  }
}

static void parse_gogc(struct tri_config *c, struct tri_slice value) {
  if (value.n && !tri_parse_gogc(value, &c->gc_percent)) {
    c->gc_percent = DEFAULT_GOGC;
    reject(c, "GOGC", value, "a whole number of percent, off", "using 100");
  }
}

static void parse_gomemlimit(struct tri_config *c, struct tri_slice value) {
  if (value.n && !tri_parse_limit(value, &c->memory_limit, &c->limit_is_auto))
    reject(c, "GOMEMLIMIT", value, SIZES ", off, auto", "using no limit");
}

/* The value of a variable; empty when it is not set, as Go sees it. */
static const char *find_variable(char *const *environ_list, const char *name) {
  size_t n = strlen(name);
  for (; environ_list && *environ_list; environ_list++)
    if (strncmp(*environ_list, name, n) == 0 && (*environ_list)[n] == '=') return *environ_list + n + 1;
  return "";
}

void tri_config_parse(struct tri_config *c, char *const *environ_list) {
  const char *tricolor = find_variable(environ_list, "TRICOLOR");
  struct tri_slice ballast = tri_slice_of(find_variable(environ_list, "TRICOLOR_BALLAST"));
  struct tri_slice limit = tri_slice_of(find_variable(environ_list, "GOMEMLIMIT"));

  c->strict = find_strict(tricolor);
  parse_gogc(c, tri_slice_of(find_variable(environ_list, "GOGC")));
  parse_gomemlimit(c, limit);
  parse_godebug(c, find_variable(environ_list, "GODEBUG"));
  if (ballast.n && !set_ballast(c, ballast)) reject(c, "TRICOLOR_BALLAST", ballast, SIZES, "using no ballast");
  parse_tricolor(c, tricolor);
}
