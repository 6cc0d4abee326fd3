/*
 * The shared words of include/internal/state.h: one instance, statically initialised, because malloc is called before
 * any constructor runs. sweepgen starts at 2 so that "h - 2" is never negative. Who writes what and when stands at
 * each field.
 */
#include "internal/state.h"

struct tri_state tri_state = {.sweepgen = 2, .trigger = UINT64_MAX, .goal = UINT64_MAX};
