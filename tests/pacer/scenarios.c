/*
 * What the simulated programs do. Rates are KiB per ms of CPU. The live heap starts at 256 KiB, doubles at first and is
 * steady from the 13th cycle on, unless the scenario says otherwise. Those that Go's pacer test has too have its
 * figures.
 */
#include <math.h>
#include <string.h>

#include "sim.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)

static double ramp(double height, int length, int cycle) {
  return height * (cycle < length ? cycle : length) / length;
}

static struct sim_rates usual(int cycle, double alloc) {
  return (struct sim_rates){
      .alloc = alloc, .scan = 1024, .growth = 2 + ramp(-1, 12, cycle), .scannable = 1, .stack_bytes = 8192};
}

/* In [-1, 1], the same in every run. */
static double jitter(int cycle, uint32_t seed) {
  uint32_t x = (uint32_t)cycle * 2654435761u + seed;
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  x ^= x >> 16;
  return (double)x / 2147483647.5 - 1;
}

static struct sim_rates steady(int cycle) {
  return usual(cycle, 33);
}
static struct sim_rates quick(int cycle) {
  return usual(cycle, 132);
}
static struct sim_rates big_stacks(int cycle) {
  struct sim_rates r = usual(cycle, 132);
  r.stack_bytes = (uint64_t)(2048 + ramp(128 << 20, 8, cycle)) / 2048 * 2048;
  return r;
}
static struct sim_rates step(int cycle) {
  return usual(cycle, cycle > 50 ? 99 : 33);
}
static struct sim_rates heavy_step(int cycle) {
  return usual(cycle, cycle > 50 ? 363 : 33);
}
static struct sim_rates live_step(int cycle) {
  struct sim_rates r = usual(cycle, 66);
  if (cycle == 50) r.growth = 2;
  if (cycle == 75) r.growth = 0.5;
  return r;
}
static struct sim_rates oscillating(int cycle) {
  return usual(cycle, sin(cycle % 8 / 8.0 * 2 * acos(-1)) * 13 + 67);
}
static struct sim_rates jittering(int cycle) {
  struct sim_rates r = usual(cycle, 132 + 13 * jitter(cycle, 0xf));
  r.growth += 0.01 * jitter(cycle, 0xe);
  return r;
}
static struct sim_rates tiny(int cycle) {
  return (struct sim_rates){
      .alloc = 1, .scan = 2048, .growth = 2 + ramp(-1, 3, cycle), .scannable = 0.01, .stack_bytes = 8192};
}
static struct sim_rates huge_percent(int cycle) {
  struct sim_rates r = usual(cycle, 165 + 7 * jitter(cycle, 0x53));
  if (cycle == 25) r.growth = 15;
  return r;
}
static struct sim_rates up_to_limit(int cycle) {
  struct sim_rates r = usual(cycle, 33);
  r.growth = 3 + ramp(-2, 12, cycle);
  return r;
}
static struct sim_rates beyond_limit(int cycle) {
  struct sim_rates r = usual(cycle, 33);
  r.growth = 3.5 + ramp(-2.5, 12, cycle);
  return r;
}
static struct sim_rates frees_most(int cycle) {
  struct sim_rates r = usual(cycle, 330);
  r.freed = 0.9;
  return r;
}
static struct sim_rates frees_and_grows(int cycle) {
  struct sim_rates r = usual(cycle, 330);
  r.freed = 0.5;
  return r;
}
/* Allocates much for a while, then frees more than it allocates. */
static struct sim_rates frees_all(int cycle) {
  struct sim_rates r = usual(cycle, cycle < 30 ? 330 : 33);
  r.freed = cycle < 30 ? 0.5 : 1.01;
  return r;
}

#define USUAL .cycles = 50, .procs = 8, .gc_percent = 100, .globals_bytes = 32 * KIB
const struct sim_scenario sim_scenarios[] = {
    {"steady", "steady load, 8 CPUs", steady, USUAL},
    {"steady_2_cpus", "steady load, 2 CPUs", steady, 50, 2, 100, .globals_bytes = 32 * KIB},
    {"steady_5_cpus", "steady load, 5 CPUs: workers take 20%", steady, 50, 5, 100, .globals_bytes = 32 * KIB},
    {"steady_7_cpus", "steady load, 7 CPUs: workers take 29%", steady, 50, 7, 100, .globals_bytes = 32 * KIB},
    {"steady_16_cpus", "steady load, 16 CPUs", steady, 50, 16, 100, .globals_bytes = 32 * KIB},
    {"steady_128_cpus", "steady load, 128 CPUs", steady, 50, 128, 100, .globals_bytes = 32 * KIB},
    {"steady_gogc_50", "steady load, GOGC=50", steady, 50, 8, 50, .globals_bytes = 32 * KIB},
    {"steady_gogc_200", "steady load, GOGC=200", steady, 50, 8, 200, .globals_bytes = 32 * KIB},
    {"steady_gogc_400", "steady load, GOGC=400", steady, 50, 8, 400, .globals_bytes = 32 * KIB},
    {"big_stacks", "128 MiB of stacks", big_stacks, USUAL},
    {"big_globals", "128 MiB of globals", quick, 50, 8, 100, .globals_bytes = 128 * MIB},
    {"step", "three times the allocation from cycle 52 on", step, 100, 8, 100, .globals_bytes = 32 * KIB},
    {"heavy_step", "eleven times the allocation from cycle 52 on", heavy_step, 100, 8, 100, .globals_bytes = 32 * KIB},
    {"live_step", "live heap doubles at 51, halves at 76", live_step, 100, 8, 100, .globals_bytes = 32 * KIB},
    {"oscillating", "oscillating allocation", oscillating, USUAL},
    {"jittering", "jittering allocation", jittering, USUAL},
    {"tiny_heap", "a heap below the minimum", tiny, USUAL},
    {"huge_gogc", "GOGC=1500, live heap times 15 at 26", huge_percent, 50, 8, 1500, .globals_bytes = 32 * KIB},
    {"near_limit", "limit 512 MiB, most of it live, GOGC off", up_to_limit, 50, 8, -1, 512 * MIB,
     .globals_bytes = 32 * KIB},
    {"limit_and_percent", "limit 512 MiB and GOGC=100", up_to_limit, 50, 8, 100, 512 * MIB, .globals_bytes = 32 * KIB},
    {"beside_heap", "limit 512 MiB, 64 MiB of it not heap", steady, 50, 8, -1, 512 * MIB, 64 * MIB,
     .globals_bytes = 32 * KIB},
    {"above_limit", "more live than the limit of 512 MiB", beyond_limit, 120, 8, 100, 512 * MIB,
     .globals_bytes = 32 * KIB, .limiter = true},
    {"frees_most", "frees nine of ten bytes", frees_most, USUAL, .frees_honoured = true},
    {"frees_and_grows", "frees half, and all else is live", frees_and_grows, 8, 8, 100, .globals_bytes = 32 * KIB,
     .frees_honoured = true, .all_live = true},
    {"frees_all", "frees more than it allocates from cycle 31 on", frees_all, USUAL, .frees_honoured = true},
};
const int sim_nscenarios = TRI_ARRAY_LEN(sim_scenarios);

const struct sim_scenario *sim_find(const char *name) {
  for (int i = 0; i < sim_nscenarios; i++)
    if (strcmp(sim_scenarios[i].name, name) == 0) return &sim_scenarios[i];
  return NULL;
}
