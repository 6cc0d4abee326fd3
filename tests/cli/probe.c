/* Prints who is preloaded, then its arguments; "exit N" and "signal N" end it so. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((weak)) const char *cli_fake_name(void);
__attribute__((weak)) const char *cli_fake_other_name(void);

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "exit") == 0) return atoi(argv[2]);
  if (argc == 3 && strcmp(argv[1], "signal") == 0) return raise(atoi(argv[2]));
  printf("%s %s\n", cli_fake_name ? cli_fake_name() : "-", cli_fake_other_name ? cli_fake_other_name() : "-");
  for (int i = 0; i < argc; i++) printf("%s\n", argv[i]);
  return 0;
}
