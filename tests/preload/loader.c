/*
 * Collections and the loader: inside dlopen (the plugin's constructor allocates much), inside a dl_iterate_phdr
 * callback, while another thread iterates, opens and closes without pause. Variables of a library, static and dynamic
 * TLS, are roots as long as it is open and no longer. Argument 1 is the plugin.
 */
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "support/keep.h"

static const char *plugin;
static void *handle;
static atomic_bool stop;
static void (*put_in)(int, void *);
static void *(*get_from)(int);

static void plugin_symbol(const char *name, void *function_pointer) {
  void *found = dlsym(handle, name);
  CHECK(found != NULL, "%s", dlerror());
  memcpy(function_pointer, &found, sizeof(found));
}

static void open_plugin(void) {
  handle = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
  CHECK(handle != NULL, "%s", dlerror());
}

static void put(int i, void *p) {
  put_in(i, p);
}
static void *get(int i) {
  return get_from(i);
}

static void variables(const char *name, const char *put_name, const char *get_name) {
  struct keep kind = {name, put, get};
  plugin_symbol(put_name, &put_in);
  plugin_symbol(get_name, &get_from);
  keep_run(&kind);
}

/* Objects that a library's static variables keep go when it is closed. */
static void after_close(void) {
  static uintptr_t hidden[KEEP];
  int left = 0;
  plugin_symbol("plugin_put_static", &put_in);
  for (int i = 0; i < KEEP; i++) {
    hidden[i] = hidden_object(120, (unsigned)i);
    put_in(i, UNHIDE(hidden[i]));
  }
  collect();
  for (int i = 0; i < KEEP; i++) CHECK(hidden_holds(hidden[i], 120, (unsigned)i), "object %d of an open library", i);
  dlclose(handle);
  collect();
  for (int i = 0; i < KEEP; i++) left += hidden_is_object(hidden[i]);
  CHECK(left <= KEEP / 4, "%d of %d objects outlive the library that kept them", left, KEEP);
  puts("dlclose");
}

static int count_and_look(struct dl_phdr_info *info, size_t size, void *data) {
  (void)info;
  (void)size;
  ++*(int *)data;
  return 0;
}

static void *iterate_always(void *unused) {
  while (!atomic_load(&stop)) {
    int objects = 0;
    dl_iterate_phdr(count_and_look, &objects);
    CHECK(objects > 2, "%d objects", objects);
    churn(5000);
  }
  return unused;
}

static void *open_always(void *unused) {
  while (!atomic_load(&stop)) {
    void *mine = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    CHECK(mine != NULL, "%s", dlerror());
    churn(5000);
    dlclose(mine);
  }
  return unused;
}

static int allocate_and_collect(struct dl_phdr_info *info, size_t size, void *data) {
  char *volatile p = malloc(200);
  (void)info;
  (void)size;
  pattern_fill(p, 200, 4);
  churn(100000);
  if (++*(int *)data == 2) collect();
  CHECK(pattern_holds(p, 200, 4), "an object of a dl_iterate_phdr callback was lost");
  free(p);
  return 0;
}

static void under_load(void) {
  pthread_t t[2];
  time_t end = time(NULL) + 2;
  CHECK(pthread_create(&t[0], NULL, iterate_always, NULL) == 0, "pthread_create");
  CHECK(pthread_create(&t[1], NULL, open_always, NULL) == 0, "pthread_create");
  while (time(NULL) < end) {
    int objects = 0;
    dl_iterate_phdr(allocate_and_collect, &objects);
    collect();
    void *mine = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    CHECK(mine != NULL, "%s", dlerror());
    dlclose(mine);
  }
  atomic_store(&stop, true);
  for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
  puts("under load");
}

int main(int argc, char **argv) {
  unsigned long (*constructed)(void);
  CHECK(argc > 1, "usage: loader PLUGIN");
  plugin = argv[1];
  unsigned long cycles = probe_cycles();
  setenv("PLUGIN_MIB", "32", 1);
  open_plugin();
  plugin_symbol("plugin_constructed", &constructed);
  CHECK(constructed() > 1000, "the constructor did not run");
  CHECK(!probe_live() || probe_cycles() > cycles, "no collection in 32 MiB of garbage inside dlopen");
  puts("dlopen");
  variables("static variable of a library", "plugin_put_static", "plugin_get_static");
  variables("dynamic TLS of a library", "plugin_put_tls", "plugin_get_tls");
  after_close();
  setenv("PLUGIN_MIB", "1", 1);
  under_load();
  puts("ok");
  return 0;
}
