/* One wrong call of the API, named by the argument; prints the address first, so that the test can look for it. */
#include "support/probe.h"

static char in_bss[64];

static void *announced(void *p) {
  printf("%p\n", p);
  fflush(stdout);
  return p;
}

static void wrong(const char *what) {
  if (strcmp(what, "free-malloc") == 0) tri_free(announced(malloc(50)));
  if (strcmp(what, "free-malloc-large") == 0) tri_free(announced(malloc(1 << 20)));
  if (strcmp(what, "free-bss") == 0) tri_free(announced(in_bss));
  if (strcmp(what, "realloc-malloc") == 0) tri_realloc(announced(malloc(50)), 100);
  if (strcmp(what, "unregister-twice") == 0) {
    tri_stack *s = tri_stack_register(in_bss, sizeof in_bss);
    tri_stack_unregister(s);
    tri_stack_unregister(announced(s));
  }
  void *freed = tri_alloc(48);
  tri_free(freed);
  if (strcmp(what, "free-twice") == 0) tri_free(announced(freed));
  if (strcmp(what, "usable-freed") == 0) printf("%zu\n", tri_usable_size(announced(freed)));
  if (strcmp(what, "realloc-freed") == 0) tri_realloc(announced(freed), 100);
}

int main(int argc, char **argv) {
  if (argc == 2) wrong(argv[1]);
  puts("not stopped");
  return 0;
}
