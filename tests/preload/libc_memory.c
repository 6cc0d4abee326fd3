/*
 * Memory of the C library's own allocator that comes to free: it is left alone, and the loader is not asked about it,
 * whose last error stays. With -DONLY_MALLOC the program brings a malloc of its own, and no free: then nothing is
 * replaced, which is found out while the loader frees.
 */
#include <dlfcn.h>

#include "support/probe.h"

extern void *__libc_malloc(size_t size);

#ifdef ONLY_MALLOC
__attribute__((visibility("default"))) void *malloc(size_t size) {
  return __libc_malloc(size);
}
#endif

int main(void) {
  char *volatile text = strdup("freed by whoever made it");
  free(text);
  CHECK(dlsym(RTLD_DEFAULT, "tri_no_such_function") == NULL, "dlsym");
  free(__libc_malloc(40));
  CHECK(dlerror() != NULL, "free has asked the loader something");
  puts("ok");
  return 0;
}
