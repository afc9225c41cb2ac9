#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "modes.h"

/*
 * leash PARENT PROGRAM [ARG...]: becomes PROGRAM, and is killed when PARENT ends, however that ends. What changes files of
 * the host must not go on beside the one that comes after its master. The signal stays over execve(2).
 */
int leash_main(int argc, char **argv) {
  char *end = NULL;
  long parent = argc > 2 ? strtol(argv[1], &end, 10) : 0;
  if (parent <= 0 || end == NULL || *end != 0) {
    fputs("usage: launch leash PARENT PROGRAM [ARG...]\n", stderr);
    return 64;
  }
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return 70;
  /* It may have ended before the signal was asked for. */
  if (getppid() != (pid_t)parent) return 70;
  execv(argv[2], argv + 2);
  fprintf(stderr, "leash: cannot start %s (errno %d)\n", argv[2], errno);
  return 127;
}
