/* A library that is loaded late: its thread-local storage lies in memory of malloc's. */
static __thread void *slot[64] __attribute__((tls_model("global-dynamic")));

void **plugin_slot(void);
__attribute__((visibility("default"))) void **plugin_slot(void) {
  return &slot[3];
}
