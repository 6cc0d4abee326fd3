/* Every parser by table, every setting, and the line that a bad one is answered with. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gc/config.h"
#include "gc/parse.h"

/* Parses with descriptor 2 in a pipe; what was printed is in `said`. */
static char said[4096];

static struct tri_config parse(char *const *env) {
  int p[2], old = dup(2);
  struct tri_config c;
  cr_assert_eq(pipe(p), 0);
  dup2(p[1], 2);
  close(p[1]);
  tri_config_init_defaults(&c);
  tri_config_parse(&c, env);
  dup2(old, 2);
  close(old);
  ssize_t n = read(p[0], said, sizeof(said) - 1);
  said[n < 0 ? 0 : n] = 0;
  close(p[0]);
  return c;
}

#define PARSE(...) parse((char *[]){__VA_ARGS__, NULL})

static int lines_said(void) {
  int n = 0;
  for (const char *s = said; *s; s++) n += *s == '\n';
  return n;
}

Test(parse, gogc_as_go) {
  static const struct {
    const char *text;
    bool ok;
    int percent;
  } t[] = {{"off", true, -1},
           {"100", true, 100},
           {"+50", true, 50},
           {"0", true, 0},
           {"-0", true, 0},
           {"-1", true, -1},
           {"-77", true, -1},
           {"2147483647", true, INT32_MAX},
           {"-2147483648", true, -1},
           {"007", true, 7},
           {"", false, 0},
           {" ", false, 0},
           {"OFF", false, 0},
           {"50%", false, 0},
           {"1e3", false, 0},
           {"2147483648", false, 0},
           {"-2147483649", false, 0},
           {"0x10", false, 0},
           {"+", false, 0},
           {"-", false, 0},
           {"99999999999999999999", false, 0},
           {"1 ", false, 0},
           {"of", false, 0},
           {"offf", false, 0}};
  for (size_t i = 0; i < TRI_ARRAY_LEN(t); i++) {
    int percent = 12345;
    cr_expect_eq(tri_parse_gogc(tri_slice_of(t[i].text), &percent), t[i].ok, "'%s'", t[i].text);
    cr_expect_eq(percent, t[i].ok ? t[i].percent : 12345, "'%s'", t[i].text);
  }
}

Test(parse, sizes_as_go) {
  static const struct {
    const char *text;
    bool ok;
    uint64_t size;
  } t[] = {{"0", true, 0},
           {"100", true, 100},
           {"100B", true, 100},
           {"1KiB", true, 1024},
           {"5MiB", true, 5 << 20},
           {"2GiB", true, (uint64_t)2 << 30},
           {"3TiB", true, (uint64_t)3 << 40},
           {"+5", true, 5},
           {"-0", true, 0},
           {"9223372036854775807", true, INT64_MAX},
           {"8388607TiB", true, (uint64_t)8388607 << 40},
           {"8388608TiB", false, 0},
           {"9223372036854775808", false, 0},
           {"OFF", false, 0},
           {"off", false, 0},
           {"1KB", false, 0},
           {"1MB", false, 0},
           {"1kib", false, 0},
           {"1.5GiB", false, 0},
           {" 1GiB", false, 0},
           {"1 GiB", false, 0},
           {"1PiB", false, 0},
           {"1iB", false, 0},
           {"B", false, 0},
           {"iB", false, 0},
           {"KiB", false, 0},
           {"-5", false, 0},
           {"1Ki", false, 0},
           {"1BB", false, 0},
           {"", false, 0}};
  for (size_t i = 0; i < TRI_ARRAY_LEN(t); i++) {
    uint64_t size = 12345;
    cr_expect_eq(tri_parse_size(tri_slice_of(t[i].text), &size), t[i].ok, "'%s'", t[i].text);
    cr_expect_eq(size, t[i].ok ? t[i].size : 12345, "'%s': %lu", t[i].text, size);
  }
}

Test(parse, slices) {
  struct tri_slice rest = tri_slice_of("a=1,,b");
  cr_assert(tri_slice_is(tri_slice_cut(&rest, ','), "a=1"));
  cr_assert(tri_slice_is(tri_slice_cut(&rest, ','), ""));
  cr_assert(tri_slice_is(tri_slice_cut(&rest, ','), "b"));
  cr_assert_eq(rest.n, 0);
}

static void assert_defaults(const struct tri_config *c) {
  struct tri_config d;
  tri_config_init_defaults(&d);
  cr_assert_eq(c->gc_percent, d.gc_percent);
  cr_assert_eq(c->ballast_bytes, d.ballast_bytes);
  cr_assert_eq(c->collect, d.collect);
  cr_assert_eq(c->free_mode, d.free_mode);
  cr_assert_eq(c->gctrace, d.gctrace);
  cr_assert_eq(c->gcstoptheworld, d.gcstoptheworld);
  cr_assert_eq(c->gccheckmark, d.gccheckmark);
  cr_assert_eq(c->clobberfree, d.clobberfree);
  cr_assert_eq(c->madvdontneed, d.madvdontneed);
  cr_assert_eq(c->disablethp, d.disablethp);
  cr_assert_eq(c->signal, d.signal);
  cr_assert_eq(c->strict, d.strict);
  cr_assert_eq(c->stats_page, d.stats_page);
  cr_assert_eq(c->stress_bytes, d.stress_bytes);
  cr_assert_eq(c->period_seconds, d.period_seconds);
  cr_assert_eq(c->barrier, d.barrier);
  cr_assert_str_eq(c->log_path, d.log_path);
  cr_assert_str_eq(c->cgroup_root, d.cgroup_root);
  cr_assert_eq(c->memory_limit, d.memory_limit);
  cr_assert_eq(c->limit_is_auto, d.limit_is_auto);
}

Test(config, defaults) {
  struct tri_config c = PARSE("PATH=/bin", "GOGCX=5", "XGOGC=6");
  assert_defaults(&c);
  cr_assert_eq(c.gc_percent, 100);
  cr_assert(c.collect);
  cr_assert(c.stats_page);
  cr_assert_eq(c.free_mode, TRI_FREE_NOW);
  cr_assert_eq(c.madvdontneed, 1);
  cr_assert_str_empty(said);
  c = parse(NULL);
  assert_defaults(&c);
}

Test(config, empty_variables_are_unset) {
  struct tri_config c = PARSE("GOGC=", "GOMEMLIMIT=", "GODEBUG=", "TRICOLOR=", "TRICOLOR_BALLAST=");
  assert_defaults(&c);
  cr_assert_str_empty(said);
}

Test(config, everything_at_once) {
  char sig[128];
  snprintf(sig, sizeof(sig),
           "TRICOLOR=collect=off,free=ignore,barrier=stw,stacks=ragged,log=/tmp/a.%%p,signal=%d,stress=64KiB,stats=off",
           SIGRTMIN + 3);
  struct tri_config c =
      PARSE("GOGC=50", "GODEBUG=gctrace=2,gcstoptheworld=1,gccheckmark=1,clobberfree=1,madvdontneed=0,disablethp=1",
            sig, "TRICOLOR_BALLAST=4GiB", "GOMEMLIMIT=200MiB");
  cr_assert_str_empty(said);
  cr_assert_eq(c.gc_percent, 50);
  cr_assert_eq(c.gctrace, 2);
  cr_assert_eq(c.gcstoptheworld, 1);
  cr_assert_eq(c.gccheckmark, 1);
  cr_assert_eq(c.clobberfree, 1);
  cr_assert_eq(c.madvdontneed, 0);
  cr_assert_eq(c.disablethp, 1);
  cr_assert_eq(c.ballast_bytes, (size_t)4 << 30);
  cr_assert_not(c.collect);
  cr_assert_eq(c.free_mode, TRI_FREE_IGNORE);
  cr_assert_eq(c.barrier, TRI_BARRIER_STW);
  cr_assert_eq(c.stacks, TRI_SET_STACKS_RAGGED);
  cr_assert_str_eq(c.log_path, "/tmp/a.%p");
  cr_assert_eq(c.signal, SIGRTMIN + 3);
  cr_assert_eq(c.stress_bytes, 65536);
  cr_assert_not(c.stats_page);
  cr_assert_eq(c.memory_limit, 200 << 20);
  cr_assert_not(c.limit_is_auto);
}

Test(config, memory_limit) {
  struct tri_config c =
      PARSE("GOMEMLIMIT=auto", "TRICOLOR=cgroups=/tmp/x,period=7", "GODEBUG=scavtrace=1,gcpacertrace=2");
  cr_assert_str_empty(said);
  cr_assert(c.limit_is_auto);
  cr_assert_eq(c.memory_limit, UINT64_MAX);
  cr_assert_str_eq(c.cgroup_root, "/tmp/x");
  cr_assert_eq(c.scavtrace, 1);
  cr_assert_eq(c.period_seconds, 7);
  cr_assert_eq(c.gcpacertrace, 2);
  c = PARSE("GOMEMLIMIT=off");
  cr_assert_str_empty(said);
  cr_assert_eq(c.memory_limit, UINT64_MAX);
  c = PARSE("GOMEMLIMIT=0");
  cr_assert_str_empty(said);
  cr_assert_eq(c.memory_limit, 0);
}

Test(config, last_setting_wins_first_variable_wins) {
  struct tri_config c = PARSE("TRICOLOR=ballast=1MiB,collect=off,ballast=2MiB,collect=on,", "TRICOLOR=collect=off",
                              "GODEBUG=gctrace=1,gctrace=3", "GOGC=7", "GOGC=8");
  cr_assert_str_empty(said);
  cr_assert_eq(c.ballast_bytes, 2 << 20);
  cr_assert(c.collect);
  cr_assert_eq(c.gctrace, 3);
  cr_assert_eq(c.gc_percent, 7);
}

Test(config, ballast_in_tricolor_beats_the_short_variable) {
  struct tri_config c = PARSE("TRICOLOR=ballast=2MiB", "TRICOLOR_BALLAST=1MiB");
  cr_assert_eq(c.ballast_bytes, 2 << 20);
}

Test(config, godebug_ignores_in_silence) {
  struct tri_config c =
      PARSE("GODEBUG=gctrace=1,gctrace=x,gctrace=,gctrace,nosuch=1,gctrace=99999999999,=,,http2debug=1");
  cr_assert_str_empty(said);
  cr_assert_eq(c.gctrace, 1);
}

Test(config, bad_settings_are_named_and_give_the_default) {
  static const struct {
    const char *setting;
    const char *words[4];
  } t[] = {
      {"GOGC=50%", {"GOGC=50%", "percent", "off", "using 100"}},
      {"GOGC=OFF", {"GOGC=OFF", "using 100"}},
      {"GOGC= ", {"GOGC= ", "using 100"}},
      {"GOMEMLIMIT=1GB", {"GOMEMLIMIT=1GB", "GiB", "auto", "using no limit"}},
      {"GOMEMLIMIT=AUTO", {"GOMEMLIMIT=AUTO", "off", "using no limit"}},
      {"TRICOLOR=cgroups=", {"cgroups=: ", "directory", "system's"}},
      {"TRICOLOR_BALLAST=1GB", {"TRICOLOR_BALLAST=1GB", "GiB", "no ballast"}},
      {"TRICOLOR=ballast=lots", {"TRICOLOR=ballast=lots", "GiB", "no ballast"}},
      {"TRICOLOR=ballast=1GiB,ballast=lots", {"ballast=lots", "no ballast"}},
      {"TRICOLOR=collect=yes", {"collect=yes", "on, off", "using on"}},
      {"TRICOLOR=collect=off,collect=", {"collect=: ", "on, off", "using on"}},
      {"TRICOLOR=free=quarantine", {"free=quarantine", "now, ignore", "using now"}},
      {"TRICOLOR=barrier=pages", {"barrier=pages", "auto, page, hybrid, stw", "using auto"}},
      {"TRICOLOR=stacks=deep", {"stacks=deep", "snapshot, together, ragged", "using snapshot"}},
      {"TRICOLOR=heaps=many", {"heaps=many", "collect=on/off", "stacks=", "ignoring"}},
      {"TRICOLOR=verbose", {"TRICOLOR=verbose", "ballast=SIZE", "ignoring"}},
      {"TRICOLOR=collect", {"TRICOLOR=collect: ", "ignoring"}},
      {"TRICOLOR=Collect=off", {"Collect=off", "ignoring"}},
      {"TRICOLOR=log=", {"log=: ", "file name", "stderr"}},
      {"TRICOLOR=period=-1", {"period=-1", "seconds", "using 120"}},
      {"TRICOLOR=signal=9", {"signal=9", "real-time", "choosing"}},
      {"TRICOLOR=signal=65", {"signal=65", "real-time"}},
      {"TRICOLOR=signal=x", {"signal=x", "real-time"}},
      {"TRICOLOR=strict=yes", {"strict=yes", "0, 1", "using 0"}},
      {"TRICOLOR=stats=yes", {"stats=yes", "on, off", "using on"}},
      {"TRICOLOR=strangers=maybe", {"strangers=maybe", "on, off", "using on"}},
      {"TRICOLOR=stats=off,stats=", {"stats=: ", "on, off", "using on"}},
      {"TRICOLOR=heap=1", {"stats=on/off", "ignoring"}},
      {"TRICOLOR=stress=-1", {"stress=-1", "GiB", "no stress"}},
  };
  for (size_t i = 0; i < TRI_ARRAY_LEN(t); i++) {
    struct tri_config c = PARSE((char *)t[i].setting);
    assert_defaults(&c);
    cr_expect_eq(lines_said(), 1, "%s: %s", t[i].setting, said);
    cr_expect(strncmp(said, "tricolor: bad setting ", 22) == 0, "%s", said);
    for (int w = 0; w < 4 && t[i].words[w]; w++)
      cr_expect_not_null(strstr(said, t[i].words[w]), "%s: %s", t[i].setting, said);
  }
}

Test(config, one_bad_setting_spoils_no_other) {
  struct tri_config c = PARSE("TRICOLOR=free=never,collect=off,nosuch=1,ballast=1MiB", "GOGC=x", "GODEBUG=gctrace=1");
  cr_assert_eq(lines_said(), 3);
  cr_assert_not(c.collect);
  cr_assert_eq(c.ballast_bytes, 1 << 20);
  cr_assert_eq(c.gctrace, 1);
}

Test(config, long_bad_value_is_cut) {
  char env[1000] = "GOGC=";
  memset(env + 5, '9', 900);
  struct tri_config c = PARSE(env);
  assert_defaults(&c);
  cr_assert_lt(strlen(said), 200);
  cr_assert_not_null(strstr(said, "9999..."));
  cr_assert_not_null(strstr(said, "using 100\n"));
}

Test(config, log_path_of_511_bytes_fits_and_512_do_not) {
  char env[700] = "TRICOLOR=log=";
  memset(env + 13, 'a', 511);
  struct tri_config c = PARSE(env);
  cr_assert_eq(strlen(c.log_path), 511);
  cr_assert_str_empty(said);
  env[13 + 511] = 'a';
  c = PARSE(env);
  cr_assert_str_empty(c.log_path);
  cr_assert_eq(lines_said(), 1);
}

/* Exit status of a process that parses these settings; `said` has its lines. */
static int status_of(char *const *env) {
  int p[2], status;
  cr_assert_eq(pipe(p), 0);
  pid_t child = fork();
  if (child == 0) {
    struct tri_config c;
    dup2(p[1], 2);
    tri_config_init_defaults(&c);
    tri_config_parse(&c, env);
    _exit(0);
  }
  close(p[1]);
  waitpid(child, &status, 0);
  ssize_t n = read(p[0], said, sizeof(said) - 1);
  said[n < 0 ? 0 : n] = 0;
  close(p[0]);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define STATUS(...) status_of((char *[]){__VA_ARGS__, NULL})

Test(config, strict_ends_with_2_and_one_line_in_any_order) {
  cr_expect_eq(STATUS("GOGC=x", "TRICOLOR=strict=1"), 2);
  cr_expect_eq(lines_said(), 1);
  cr_expect_not_null(strstr(said, "GOGC=x"));
  cr_expect_eq(STATUS("TRICOLOR=strict=1", "GOGC=x", "TRICOLOR_BALLAST=x"), 2);
  cr_expect_eq(lines_said(), 1);
  cr_expect_eq(STATUS("TRICOLOR=nosuch=1,strict=1"), 2);
  cr_expect_eq(STATUS("TRICOLOR=strict=1,free=never"), 2);
  cr_expect_eq(STATUS("TRICOLOR_BALLAST=1GB", "TRICOLOR=strict=1"), 2);
  cr_expect_eq(STATUS("TRICOLOR=strict=1", "GOMEMLIMIT=1GB"), 2);
}

Test(config, strict_leaves_good_settings_alone) {
  cr_expect_eq(STATUS("TRICOLOR=strict=1,collect=off", "GOGC=50", "GODEBUG=nosuch=1,gctrace=x"), 0);
  cr_expect_str_empty(said);
  cr_expect_eq(STATUS("TRICOLOR=strict=1,nosuch=1,strict=0"), 0);
  cr_expect_eq(lines_said(), 1);
}

Test(parse, limits) {
  static const struct {
    const char *text;
    bool ok, is_auto;
    uint64_t bytes;
  } t[] = {{"off", true, false, UINT64_MAX}, {"auto", true, true, 7},
           {"3MiB", true, false, 3 << 20},   {"0", true, false, 0},
           {"Auto", false, false, 7},        {"-1", false, false, 7}};
  for (size_t i = 0; i < TRI_ARRAY_LEN(t); i++) {
    uint64_t bytes = 7;
    bool is_auto = false;
    cr_expect_eq(tri_parse_limit(tri_slice_of(t[i].text), &bytes, &is_auto), t[i].ok, "'%s'", t[i].text);
    cr_expect_eq(is_auto, t[i].is_auto, "'%s'", t[i].text);
    cr_expect_eq(bytes, t[i].bytes, "'%s'", t[i].text);
  }
}
