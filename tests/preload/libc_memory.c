/*
 * Memory of the C library's own allocator that comes to free: it is left alone, and the loader is not asked about it,
 * whose last error stays; two threads may come with such at the same time. With -DONLY_MALLOC the program brings a
 * malloc of its own, and no free: then nothing is replaced, which is found out while the loader frees.
 */
#include <dlfcn.h>
#include <pthread.h>

#include "support/probe.h"

extern void *__libc_malloc(size_t size);

#ifdef ONLY_MALLOC
__attribute__((visibility("default"))) void *malloc(size_t size) {
  return __libc_malloc(size);
}
#endif

enum { BLOCKS = 3000 };

static void *blocks[2][BLOCKS];

static void *free_all(void *mine) {
  for (int i = 0; i < BLOCKS; i++) free(((void **)mine)[i]);
  return NULL;
}

static void free_on_two_threads(void) {
  pthread_t t;
  for (int i = 0; i < 2 * BLOCKS; i++) blocks[i % 2][i / 2] = __libc_malloc(40);
  CHECK(pthread_create(&t, NULL, free_all, blocks[0]) == 0, "pthread_create");
  free_all(blocks[1]);
  pthread_join(t, NULL);
}

int main(void) {
  char *volatile text = strdup("freed by whoever made it");
  free(text);
  CHECK(dlsym(RTLD_DEFAULT, "tri_no_such_function") == NULL, "dlsym");
  free(__libc_malloc(40));
  CHECK(dlerror() != NULL, "free has asked the loader something");
  free_on_two_threads();
  puts("ok");
  return 0;
}
