/*
 * The native program of Cordon: what Node cannot do, and nothing else. Its only input is a binary description that
 * was prepared and checked in TypeScript (packages/sandbox/src/process/description.ts) and is checked again here.
 */
#include <stdio.h>
#include <string.h>

#include "modes.h"

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  if (strcmp(mode, "guard") == 0) return guard_main();
  if (strcmp(mode, "launch") == 0) return launch_main();
  if (strcmp(mode, "probe") == 0) return probe_main(argc - 1, argv + 1);
  if (strcmp(mode, "tree") == 0) return tree_main(argc - 1, argv + 1);
  if (strcmp(mode, "leash") == 0) return leash_main(argc - 1, argv + 1);
  fputs("usage: launch guard|launch|probe|tree|leash (started by Cordon's supervisor)\n", stderr);
  return 64;
}
