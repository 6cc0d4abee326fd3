/* The C library's own functions, behind what the library under test has put in their place. */
#ifndef TESTS_SUPPORT_LIBC_H
#define TESTS_SUPPORT_LIBC_H

#include <dlfcn.h>

#include "support/probe.h"

UNUSED static void *libc_own(const char *name) {
  void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  CHECK(libc, "no libc.so.6: %s", dlerror());
  void *function = dlsym(libc, name);
  CHECK(function && function != dlsym(RTLD_DEFAULT, name), "no %s but ours", name);
  return function;
}

#endif
