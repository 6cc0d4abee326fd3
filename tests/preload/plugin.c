/*
 * The library that the preload tests dlopen: a static variable, a variable in dynamic TLS, functions that allocate, and
 * a constructor that allocates PLUGIN_MIB mebibytes, enough to start collections inside dlopen.
 */
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define PLUGIN_KEEP 64

EXPORT void *plugin_malloc(size_t size);
EXPORT void plugin_free(void *p);
EXPORT void plugin_put_static(int i, void *p);
EXPORT void *plugin_get_static(int i);
EXPORT void plugin_put_tls(int i, void *p);
EXPORT void *plugin_get_tls(int i);
EXPORT unsigned long plugin_constructed(void);

static void *in_static[PLUGIN_KEEP];
static __thread void *in_tls[PLUGIN_KEEP];
static unsigned long constructed;
static char *chain;

void *plugin_malloc(size_t size) {
  return malloc(size);
}
void plugin_free(void *p) {
  free(p);
}
void plugin_put_static(int i, void *p) {
  in_static[i] = p;
}
void *plugin_get_static(int i) {
  return in_static[i];
}
void plugin_put_tls(int i, void *p) {
  in_tls[i] = p;
}
void *plugin_get_tls(int i) {
  return in_tls[i];
}
unsigned long plugin_constructed(void) {
  return constructed;
}

__attribute__((constructor)) static void construct(void) {
  const char *mib = getenv("PLUGIN_MIB");
  size_t bytes = mib != NULL ? strtoul(mib, NULL, 10) << 20 : 0;
  for (size_t done = 0; done < bytes; done += 4096) {
    char *p = malloc(4096);
    if (p == NULL) abort();
    memset(p, 0x33, 4096);
    memcpy(p, &chain, sizeof(chain));
    chain = done % (1 << 20) == 0 ? NULL : p;
    constructed++;
  }
}
