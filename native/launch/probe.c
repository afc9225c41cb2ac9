/*
 * Mode `probe`: tries one thing that the kernel must have and says so by its exit status, for `cordon doctor`.
 *   landlock            prints the ABI
 *   seccomp             installs a filter that allows everything
 *   userns              makes a user, mount and PID namespace
 *   channel             hands a TCP and a UDP socket to the Node process that started it, as a start does
 *   capture             catches connections in a network namespace of its own
 *   overlay DIR         mounts an overlay of DIR/lower, DIR/upper, DIR/work in namespaces of its own
 *   idmap DIR OWNER TO  id-mapped mount of DIR (root)
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "channel.h"
#include "confine.h"
#include "fault.h"
#include "modes.h"
#include "sockets.h"
#include "stage.h"

static int probe_seccomp(void) {
  struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {.len = 1, .filter = allow};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fault("seccomp", "PR_SET_NO_NEW_PRIVS");
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) fault("seccomp", "no filters");
  return 0;
}

static int probe_overlay(const char *folder) {
  char lower[4096];
  char upper[4096];
  char work[4096];
  snprintf(lower, sizeof lower, "%s/lower", folder);
  snprintf(upper, sizeof upper, "%s/upper", folder);
  snprintf(work, sizeof work, "%s/work", folder);
  struct stage_mount mount = {.kind = STAGE_OVERLAY, .source = lower, .upper = upper, .work = work, .name = "probe"};
  stage_build(&mount, 1, geteuid() == 0);
  return 0;
}

static int probe_idmap(const char *folder, unsigned owner, unsigned to) {
  struct stage_mount mount = {.kind = STAGE_BIND,
                              .idmap = 1,
                              .owner_uid = owner,
                              .owner_gid = owner,
                              .to_uid = to,
                              .to_gid = to,
                              .source = folder,
                              .name = "probe"};
  stage_build(&mount, 1, 1);
  return 0;
}

static int probe_channel(void) {
  int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (stream < 0 || datagram < 0) fault("namespaces", "socket");
  channel_send(FD_CHANNEL, "net.Native", "{\"probe\":\"TCP\"}", stream);
  channel_send(FD_CHANNEL, "dgram.Native", "{\"probe\":\"UDP\"}", datagram);
  /* Node answers what it has taken; the descriptors live in its queue until then. */
  char answer[4096];
  for (unsigned taken = 0; taken < 2;) {
    struct pollfd wait = {.fd = FD_CHANNEL, .events = POLLIN};
    poll(&wait, 1, -1);
    ssize_t got = read(FD_CHANNEL, answer, sizeof answer);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return 70;
    for (ssize_t i = 0; i < got; i++) taken += answer[i] == '\n';
  }
  return 0;
}

int probe_main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "landlock") == 0) return printf("%u\n", landlock_abi()) < 0 ? 70 : 0;
  if (strcmp(what, "seccomp") == 0) return probe_seccomp();
  if (strcmp(what, "userns") == 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET) != 0) fault("namespaces", "unshare");
    return 0;
  }
  if (strcmp(what, "channel") == 0) return probe_channel();
  if (strcmp(what, "capture") == 0) {
    if (unshare((geteuid() == 0 ? 0 : CLONE_NEWUSER) | CLONE_NEWNET) != 0) fault("namespaces", "unshare");
    sockets_try_capture();
    return 0;
  }
  if (strcmp(what, "overlay") == 0 && argc == 3) return probe_overlay(argv[2]);
  if (strcmp(what, "idmap") == 0 && argc == 5) {
    return probe_idmap(argv[2], (unsigned)strtoul(argv[3], NULL, 10), (unsigned)strtoul(argv[4], NULL, 10));
  }
  fputs("usage: launch probe landlock|seccomp|userns|channel|capture|overlay DIR|idmap DIR OWNER TO\n", stderr);
  return 64;
}
