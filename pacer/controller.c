/*
 * A proportional-integral controller. Its output is held between two bounds; while it is at one, the integral is drawn
 * back (anti-windup), so that it turns around at once when the error does. A leaf: scavenge_pace.c uses it.
 * [CONTROL-1] min <= output <= max, and the integral is finite. Pure: no lock, no clock, no global.
 */
#include "pacer/controller.h"

#include <math.h>

void tri_controller_reset(struct tri_controller *c) {
  c->integral = 0;
}

static bool run_away(struct tri_controller *c, double *ret_output) {
  tri_controller_reset(c);
  *ret_output = c->min;
  return false;
}

bool tri_controller_next(struct tri_controller *c, double input, double setpoint, double period, double *ret_output) {
  double raw = c->kp * (setpoint - input) + c->integral;
  if (!isfinite(raw)) return run_away(c, ret_output);
  double output = raw < c->min ? c->min : raw;
  if (output > c->max) output = c->max;
  if (c->ti != 0 && c->tt != 0) {
    c->integral += (c->kp * period / c->ti) * (setpoint - input) + (period / c->tt) * (output - raw);
    if (!isfinite(c->integral)) return run_away(c, ret_output);
  }
  *ret_output = output;
  return true;
}
