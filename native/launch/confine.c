#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"

/* Newer than Debian 12's headers; the numbers are the kernel's ABI (Documentation/userspace-api/landlock.rst). */
#define RIGHT_TRUNCATE (1ULL << 14)  /* ABI 3 */
#define RIGHT_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define SCOPE_ALL 3ULL               /* abstract Unix sockets, signals: ABI 6 */

struct ruleset_attr {
  uint64_t fs;
  uint64_t net;
  uint64_t scoped;
};

uint32_t landlock_abi(void) {
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : (uint32_t)abi;
}

static uint64_t rights_of_abi(uint32_t abi) {
  uint64_t rights = (1ULL << 13) - 1;
  if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) rights |= RIGHT_TRUNCATE;
  if (abi >= 5) rights |= RIGHT_IOCTL_DEV;
  return rights;
}

static void limit(int resource, uint64_t value, const char *what) {
  struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
  if (setrlimit((__rlimit_resource_t)resource, &limit) != 0) fault("limits", what);
}

static void confine_limits(const struct confinement *confinement) {
  /* 1, not 0: to a core_pattern that is a pipe 0 means nothing, and every crash would start the host's handler as root
   * with what the agent left for it; 1 ends the dump before that (fs/coredump.c). The filter keeps it from being lowered. */
  struct rlimit core;
  if (getrlimit(RLIMIT_CORE, &core) != 0) fault("limits", "RLIMIT_CORE");
  limit(RLIMIT_CORE, core.rlim_max < 1 ? core.rlim_max : 1, "RLIMIT_CORE");
  /* A supervisor may be allowed to take a core for itself; what it starts is not. */
  limit(RLIMIT_RTPRIO, 0, "RLIMIT_RTPRIO");
  limit(RLIMIT_NICE, 0, "RLIMIT_NICE");
  limit(RLIMIT_NOFILE, confinement->open_files, "RLIMIT_NOFILE");
  if (confinement->file_bytes != 0) limit(RLIMIT_FSIZE, confinement->file_bytes, "RLIMIT_FSIZE");
  if (confinement->processes != 0) limit(RLIMIT_NPROC, confinement->processes, "RLIMIT_NPROC");
  if (confinement->data_bytes != 0) limit(RLIMIT_DATA, confinement->data_bytes, "RLIMIT_DATA");
}

void confine_capabilities(void) {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) fault("uid", "cannot clear ambient capabilities");
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) fault("uid", "cannot drop the bounding set");
  }
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0}};
  if (syscall(SYS_capset, &header, data) != 0) fault("uid", "cannot drop capabilities");
  if (syscall(SYS_capget, &header, data) != 0 || (data[0].permitted | data[1].permitted | data[0].effective | data[1].effective) != 0) {
    errno = 0;
    fault("uid", "capabilities are left");
  }
}

static uint32_t confine_files(const struct confinement *confinement) {
  uint32_t abi = landlock_abi();
  if (abi < confinement->landlock_abi_min || abi == 0) {
    if (!confinement->landlock_required) return 0;
    errno = 0;
    fault("landlock", abi == 0 ? "this kernel has no Landlock, or it is off (lsm= on the kernel's command line)" : "the kernel's Landlock is older than the profile needs");
  }
  uint64_t handled = rights_of_abi(abi);
  struct ruleset_attr attr = {.fs = handled, .scoped = abi >= 6 ? SCOPE_ALL : 0};
  /* An older kernel takes the longer structure as long as what it does not know is zero. */
  int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
  if (ruleset < 0) fault("landlock", "cannot create a ruleset");
  for (unsigned i = 0; i < confinement->rules_count; i++) {
    const struct landlock_path *rule = &confinement->rules[i];
    int at = open(rule->path, O_PATH | O_CLOEXEC);
    struct stat info;
    if (at < 0 || fstat(at, &info) != 0) fault("landlock", rule->path);
    uint64_t file_rights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | RIGHT_TRUNCATE | RIGHT_IOCTL_DEV;
    uint64_t rights = rule->rights & handled & (S_ISDIR(info.st_mode) ? ~0ULL : file_rights);
    struct landlock_path_beneath_attr beneath = {.allowed_access = rights, .parent_fd = at};
    if (rights != 0 && syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0) fault("landlock", rule->path);
    close(at);
  }
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) fault("landlock", "cannot restrict");
  close(ruleset);
  return abi;
}

static uint32_t confine_system_calls(const struct confinement *confinement) {
  size_t count = confinement->filter_length / sizeof(struct sock_filter);
  struct sock_fprog program = {.len = (unsigned short)count, .filter = (struct sock_filter *)(uintptr_t)confinement->filter};
  if (count == 0 || count > BPF_MAXINSNS || confinement->filter_length % sizeof(struct sock_filter) != 0) {
    errno = 0;
    fault("seccomp", "malformed filter");
  }
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0) return 1;
  if (confinement->seccomp_required) fault("seccomp", "the kernel refuses the filter");
  return 0;
}

struct confined confine(const struct confinement *confinement) {
  struct confined confined;
  confine_limits(confinement);
  confine_capabilities();
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fault("seccomp", "PR_SET_NO_NEW_PRIVS");
  confined.landlock_abi = confine_files(confinement);
  confined.seccomp = confine_system_calls(confinement);
  return confined;
}
