/* Stands in for the preload library. */
__attribute__((visibility("default"))) const char *cli_fake_name(void);
const char *cli_fake_name(void) {
  return "ours";
}
