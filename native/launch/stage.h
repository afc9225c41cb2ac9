/*
 * The first-step mounts: made before bubblewrap, in a mount namespace of their own, by a process that still has the
 * right to. Every source is collected under STAGE_DIR, where bubblewrap, which runs under the session's own uid and could
 * not walk through a 0700 folder of somebody else, finds it.
 */
#ifndef CORDON_STAGE_H
#define CORDON_STAGE_H

#include <stdint.h>

/* Exists everywhere (bubblewrap needs it too); only covered in our own namespace, after all sources have been opened. */
#define STAGE_DIR "/tmp"

enum { STAGE_MOUNTS_MAX = 96, STAGE_PATH_MAX = 4095, STAGE_NAME_MAX = 32 };

enum {
  STAGE_BIND = 0,
  STAGE_OVERLAY = 1,
  /* A folder that is only read, through an overlay without an upper layer: its files are the host's, but what else it
   * holds has inodes of the overlay's own, so that no socket or pipe in it leads to whoever listens on the host. */
  STAGE_SHADE = 2,
};

struct stage_mount {
  uint32_t kind;
  uint32_t readonly;
  /* 1: what `owner_*` owns on disk belongs to `to_*` inside, and what `to_*` makes is owned by `owner_*` on disk. */
  uint32_t idmap;
  uint32_t owner_uid, owner_gid;
  uint32_t to_uid, to_gid;
  const char *source;
  const char *upper; /* overlay only, as `work` */
  const char *work;
  const char *name; /* below STAGE_DIR */
};

/* Enters a mount and a network namespace; `root` 0: in a new user namespace that maps only the caller's own id.
 * Ends the process when anything fails. */
void stage_build(const struct stage_mount *mounts, unsigned count, int root);

#endif
