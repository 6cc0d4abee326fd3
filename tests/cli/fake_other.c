/* Stands in for a library that the user preloads as well. */
__attribute__((visibility("default"))) const char *cli_fake_other_name(void);
const char *cli_fake_other_name(void) {
  return "other";
}
