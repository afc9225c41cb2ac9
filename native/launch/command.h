/* One command to run inside: what `encodeCommand` in packages/sandbox/src/process/description.ts writes. */
#ifndef CORDON_COMMAND_H
#define CORDON_COMMAND_H

#include <stddef.h>
#include <stdint.h>

enum {
  COMMAND_MAGIC = 0x314d4343, /* "CCM1" */
  COMMAND_BYTES_MAX = 1 << 20,
  COMMAND_ARGUMENTS_MAX = 4096,
  COMMAND_ENVIRONMENT_MAX = 520,
};

/* Where a command failed to start (frame FAILED, field c). */
enum command_step { STEP_FORK = 1, STEP_TERMINAL = 2, STEP_DIRECTORY = 3, STEP_EXECUTE = 4 };

struct command {
  uint32_t terminal; /* 1: descriptor 0 is a terminal */
  uint32_t cols;
  uint32_t rows;
  const char *directory;
  const char *arguments[COMMAND_ARGUMENTS_MAX + 1];
  const char *environment[COMMAND_ENVIRONMENT_MAX + 1];
};

/* Ends the process when malformed. Strings point into `bytes`. */
void command_read(const void *bytes, size_t length, struct command *command);
/* In a fresh child: session, terminal, folder, descriptors, execve. `stdio` has 3 descriptors (all the terminal's when
 * there is one). Returns only by writing {step, errno} to `report` (close-on-exec) and ending the process. */
_Noreturn void command_execute(const struct command *command, const int stdio[3], int report);

#endif
