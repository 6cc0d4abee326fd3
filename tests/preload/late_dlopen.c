/*
 * The API library loaded late, by dlopen (argument 1). Its static TLS may not fit: then dlopen must fail and say so and
 * the program goes on. With glibc.rtld.optional_static_tls raised (argument 2 is "must") it has to work.
 */
#include "support/probe.h"

int main(int argc, char **argv) {
  void *(*alloc)(size_t);
  void (*gc)(void);
  CHECK(argc > 1, "usage: late_dlopen LIBRARY [must]");
  void *handle = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  if (handle == NULL) {
    const char *why = dlerror();
    CHECK(argc == 2, "%s", why);
    CHECK(strstr(why, "static TLS") != NULL, "%s", why);
    puts(why);
    puts("ok");
    return 0;
  }
  CHECK(probe_symbol("tri_alloc", &alloc) && probe_symbol("tri_gc", &gc), "tri_alloc or tri_gc is missing");
  char *volatile kept = alloc(500);
  CHECK(kept != NULL, "tri_alloc");
  pattern_fill(kept, 500, 2);
  for (int i = 0; i < 20000; i++) memset(alloc(500), 1, 500);
  gc();
  CHECK(pattern_holds(kept, 500, 2), "object lost");
  puts("ok");
  return 0;
}
