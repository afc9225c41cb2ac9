#include "fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Noreturn void fault(const char *layer, const char *what) {
  int error = errno;
  char line[512];
  int length = error == 0 ? snprintf(line, sizeof line, "cordon-launch: %s: %s\n", layer, what)
                          : snprintf(line, sizeof line, "cordon-launch: %s: %s: %s\n", layer, what, strerror(error));
  if (length > (int)sizeof line - 1) length = (int)sizeof line - 1;
  ssize_t ignored = write(2, line, (size_t)length);
  (void)ignored;
  _exit(70);
}
