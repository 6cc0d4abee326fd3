/* A proportional-integral controller with bounds and reset. */
#ifndef TRI_PACER_CONTROLLER_H
#define TRI_PACER_CONTROLLER_H

#include "internal/base.h"

struct tri_controller {
  double kp; /* proportional gain */
  double ti; /* integral time, in the caller's unit of time */
  double tt; /* reset time: how fast the integral follows an output at its bound */
  double min;
  double max;
  double integral; /* of the error, so far */
};

/* False when the figures have run away: the controller is reset then, and *ret_output is its least. */
bool tri_controller_next(struct tri_controller *c, double input, double setpoint, double period, double *ret_output);
void tri_controller_reset(struct tri_controller *c);

#endif
