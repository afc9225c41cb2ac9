/* What is taken away before the agent: limits, capabilities, privileges by exec, files (Landlock), system calls (seccomp). */
#ifndef CORDON_CONFINE_H
#define CORDON_CONFINE_H

#include <stddef.h>
#include <stdint.h>

enum { CONFINE_RULES_MAX = 128, CONFINE_FILTER_BYTES_MAX = 4096 * 8 };

struct landlock_path {
  uint64_t rights; /* LANDLOCK_ACCESS_FS_*; those that this kernel does not know are left out */
  const char *path;
};

struct confinement {
  uint32_t landlock_required;
  uint32_t landlock_abi_min;
  uint32_t seccomp_required;
  uint64_t open_files;
  uint64_t file_bytes;
  uint64_t processes;  /* 0: the cgroup counts */
  uint64_t data_bytes; /* 0: the cgroup counts */
  struct landlock_path rules[CONFINE_RULES_MAX];
  unsigned rules_count;
  const unsigned char *filter; /* struct sock_filter[], as the kernel takes it */
  size_t filter_length;
};

struct confined {
  uint32_t landlock_abi;
  uint32_t seccomp;
};

/* ABI of this kernel's Landlock; 0: none. */
uint32_t landlock_abi(void);
/* Empties every capability set, the bounding set included, for good. */
void confine_capabilities(void);
/* Everything, in this order: limits, capabilities, no_new_privs, Landlock, seccomp. Ends the process when a required layer is missing. */
struct confined confine(const struct confinement *confinement);

#endif
