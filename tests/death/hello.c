/*
 * A harmless program, for the messages that come before main: bad settings.
 */
#include "support/probe.h"

int main(void) {
  churn(100000);
  puts("ok");
  return 0;
}
