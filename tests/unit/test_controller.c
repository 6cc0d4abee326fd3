/* The PI controller against a plant of its own. */
#include <criterion/criterion.h>
#include <math.h>

#include "pacer/controller.h"

static struct tri_controller make(void) {
  return (struct tri_controller){.kp = 0.5, .ti = 10, .tt = 20, .min = -100, .max = 100};
}

Test(controller, proportional_then_integral) {
  struct tri_controller c = make();
  double out;
  cr_assert(tri_controller_next(&c, 3, 5, 1, &out));
  cr_expect_float_eq(out, 1.0, 1e-12);
  cr_expect_float_eq(c.integral, 0.1, 1e-12);
  cr_assert(tri_controller_next(&c, 3, 5, 1, &out));
  cr_expect_float_eq(out, 1.1, 1e-12);
}

Test(controller, holds_a_plant_at_its_setpoint) {
  struct tri_controller c = make();
  double plant = 0;
  double out;
  for (int i = 0; i < 2000; i++) {
    cr_assert(tri_controller_next(&c, plant, 7, 1, &out));
    plant += 0.2 * (out - 0.5 * plant);
  }
  cr_expect_float_eq(plant, 7, 0.01);
}

Test(controller, turns_around_soon_after_a_bound) {
  struct tri_controller c = make();
  double out;
  for (int i = 0; i < 10000; i++) {
    cr_assert(tri_controller_next(&c, 0, 1e4, 1, &out));
    cr_assert_eq(out, 100);
  }
  int steps = 0;
  for (out = 100; out >= 100 && steps < 1000; steps++) cr_assert(tri_controller_next(&c, 200, 100, 1, &out));
  cr_expect_lt(steps, 100, "%d", steps);
}

Test(controller, reset_when_figures_run_away) {
  struct tri_controller c = make();
  double out = 0;
  cr_assert(tri_controller_next(&c, 0, 5, 1, &out));
  cr_expect_not(tri_controller_next(&c, NAN, 5, 1, &out));
  cr_expect_eq(out, -100);
  cr_expect_eq(c.integral, 0);
  cr_expect_not(tri_controller_next(&c, 0, 1e300, 1e300, &out));
  cr_expect_eq(c.integral, 0);
  cr_expect(tri_controller_next(&c, 0, 5, 1, &out));
}
