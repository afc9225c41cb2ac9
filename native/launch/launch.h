/*
 * Mode `launch`, in two processes:
 *  - the outer one (launch.c): first process of bubblewrap's PID namespace. Talks with the supervisor: relays
 *    terminals and pipes, passes requests on. The agent cannot see it.
 *  - init (init.c): first process of the agent's own PID namespace. Confined before anything runs, it forks every
 *    command, so that all of them have exactly the same restrictions; reaps; forwards nothing to the agent.
 */
#ifndef CORDON_LAUNCH_H
#define CORDON_LAUNCH_H

#include <stddef.h>
#include <stdint.h>

#include "command.h"
#include "confine.h"

enum {
  LAUNCH_MAGIC = 0x31414c43, /* "CLA1" */
  LAUNCH_BYTES_MAX = 2 << 20,
  LAUNCH_MASKED_MAX = 32,
  LAUNCH_COMMANDS_MAX = 16, /* at the same time, the agent's own included */
};

struct launch_order {
  struct confinement confinement;
  const char *masked[LAUNCH_MASKED_MAX]; /* files of /proc that are covered with nothing */
  unsigned masked_count;
  const unsigned char *main;
  size_t main_length;
};

void launch_order_read(const void *bytes, size_t length, struct launch_order *order);

/* Between the outer process and init, over a SOCK_SEQPACKET pair. */
enum {
  INIT_READY = 1,   /* init to outer: every layer is in force; value = Landlock ABI, extra = seccomp */
  INIT_SPAWN = 2,   /* outer to init: run the command in shared memory; value = its length; descriptors attached */
  INIT_STARTED = 3, /* value = pid inside */
  INIT_FAILED = 4,  /* value = errno, extra = step */
  INIT_SIGNAL = 5,  /* value = signal number */
  INIT_EXIT = 6,    /* value = status, extra = signal */
};

struct init_message {
  uint32_t type;
  uint32_t command;
  uint32_t value;
  uint32_t extra;
};

/* Never returns. `shared` is where INIT_SPAWN finds its command. */
_Noreturn void init_main(const struct launch_order *order, int outer, const unsigned char *shared);

#endif
