/*
 * malloc is the library's wherever it is called from: main, a thread, libc itself, a dlopen'ed plugin (argument 1).
 * An address is ours when tri_base of it, and of a word inside it, gives it back.
 */
#include <pthread.h>

#include "support/probe.h"

static void expect_ours(void *p, const char *from) {
  CHECK(p != NULL, "%s gave NULL", from);
  if (!probe_live()) return;
  CHECK(probe_base(p) == p, "%s: %p is not ours", from, p);
  CHECK(probe_base((char *)p + 9) == p, "%s: inside %p is not found", from, p);
}

static void *in_thread(void *unused) {
  (void)unused;
  void *p = malloc(100);
  expect_ours(p, "a thread");
  return p;
}

static void from_libc(void) {
  char *line = NULL, *text = NULL;
  size_t size = 0;
  FILE *f = tmpfile();
  CHECK(f != NULL, "tmpfile");
  fputs("a line of some length, read back\n", f);
  rewind(f);
  CHECK(getline(&line, &size, f) > 0, "getline");
  expect_ours(line, "getline");
  CHECK(asprintf(&text, "%d and %s", 17, "some more text") > 0, "asprintf");
  expect_ours(text, "asprintf");
  fclose(f);
  free(line);
  free(text);
  text = strdup("strdup of something longer");
  expect_ours(text, "strdup");
  free(text);
}

static void from_plugin(const char *path) {
  void *(*allocate)(size_t);
  void (*release)(void *);
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  CHECK(handle != NULL, "%s", dlerror());
  void *found = dlsym(handle, "plugin_malloc");
  memcpy(&allocate, &found, sizeof(found));
  found = dlsym(handle, "plugin_free");
  memcpy(&release, &found, sizeof(found));
  void *mine = malloc(64), *theirs = allocate(64);
  expect_ours(theirs, "a plugin");
  release(mine);
  free(theirs);
  dlclose(handle);
}

int main(int argc, char **argv) {
  pthread_t thread;
  void *result;
  void *p = malloc(100);
  CHECK(argc > 1, "usage: malloc_ours PLUGIN");
  CHECK(getenv("LD_PRELOAD") == NULL || probe_live(), "preloaded, but tri_gc is missing");
  expect_ours(p, "main");
  free(p);
  p = calloc(10, 10);
  expect_ours(p, "calloc");
  p = realloc(p, 5000);
  expect_ours(p, "realloc");
  free(p);
  CHECK(pthread_create(&thread, NULL, in_thread, NULL) == 0, "pthread_create");
  pthread_join(thread, &result);
  expect_ours(result, "a finished thread");
  free(result);
  from_libc();
  from_plugin(argv[1]);
  puts("ok");
  return 0;
}
