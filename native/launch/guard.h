/* What the guard is told: see encodeGuard in packages/sandbox/src/process/description.ts. */
#ifndef CORDON_GUARD_H
#define CORDON_GUARD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bridge.h"
#include "sockets.h"
#include "stage.h"

enum {
  GUARD_MAGIC = 0x31554743, /* "CGU1" */
  GUARD_BYTES_MAX = 4 << 20,
  GUARD_CGROUPS_MAX = 8,
};

struct guard_order {
  pid_t parent;
  uint32_t root; /* 1: switch to uid/gid before bubblewrap */
  uid_t uid;
  gid_t gid;
  const char *unified; /* the session's folder in cgroup v2; empty: none */
  const char *tasks[GUARD_CGROUPS_MAX]; /* `tasks` files of v1 hierarchies */
  unsigned tasks_count;
  struct stage_mount mounts[STAGE_MOUNTS_MAX];
  unsigned mounts_count;
  struct sockets_order sockets;
  struct bridge_order bridge;
  const char *bwrap;
  const unsigned char *arguments;
  size_t arguments_length;
  const unsigned char *launch;
  size_t launch_length;
};

/* Reads it from the control socket. Ends the process when it is malformed. */
void guard_order_read(int fd, struct guard_order *order);

#endif
