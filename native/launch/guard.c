/*
 * Mode `guard`: child of the supervisor, parent of bubblewrap, one per sandbox, outside of its cgroups and namespaces.
 * It exists so that the sandbox ends when the supervisor does, however that ends: the kernel kills the guard
 * (PDEATHSIG), and the guard's end ends bubblewrap (--die-with-parent) and with it every process inside. It reads
 * nothing but fixed frames of the supervisor, and allocates nothing after the start.
 */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "frame.h"
#include "modes.h"

/* INVARIANT: called after the last change of credentials, which would clear it; then the parent is looked at again. */
static void die_with(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fault("namespaces", "PR_SET_PDEATHSIG");
  if (getppid() != parent) _exit(70);
}

static int sealed_memory(const char *name, const void *bytes, size_t length) {
  int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) fault("description", "memfd_create");
  for (size_t at = 0; at < length;) {
    ssize_t written = write(fd, (const char *)bytes + at, length - at);
    if (written <= 0) fault("description", "cannot copy");
    at += (size_t)written;
  }
  if (lseek(fd, 0, SEEK_SET) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    fault("description", "cannot seal");
  }
  return fd;
}

/* v1: a single thread that moves itself through `tasks` does not wait for an RCU grace period (13 ms), as one moved by
 * `cgroup.procs` does; v2: it is born in the cgroup (CLONE_INTO_CGROUP), for the same reason. */
static void enter_v1(const struct guard_order *order) {
  for (unsigned i = 0; i < order->tasks_count; i++) {
    int fd = open(order->tasks[i], O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1) fault("cgroups", order->tasks[i]);
    close(fd);
  }
}

/* What a process inherits without anybody asking: the supervisor's keyring, and its standing with the OOM killer, which
 * may be protected; a sandbox goes first. (Written with CAP_SYS_RESOURCE the value is also the least it can go back to.) */
static void leave_inheritance(void) {
  enum { JOIN_SESSION_KEYRING = 1 };
  if (syscall(SYS_keyctl, JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS && errno != EDQUOT) fault("uid", "cannot leave the session keyring");
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  /* An ordinary user's processes may stand above 200 already, and cannot go back. */
  if (fd < 0 || (write(fd, "200", 3) != 3 && errno != EACCES)) fault("cgroups", "cannot set oom_score_adj");
  close(fd);
}

static void become_session(const struct guard_order *order) {
  if (!order->root) return;
  if (setgroups(0, NULL) != 0 || setresgid(order->gid, order->gid, order->gid) != 0 ||
      setresuid(order->uid, order->uid, order->uid) != 0) {
    fault("uid", "cannot switch to the session's uid");
  }
  if (setuid(0) == 0 || geteuid() != order->uid || getegid() != order->gid) {
    errno = 0;
    fault("uid", "the switch to the session's uid did not hold");
  }
}

struct passed {
  int channel;
  int control;
  int launch;
  int arguments;
  int program;
  int lifeline;
};

/* Descriptors in their places for bubblewrap and the launcher; everything else is closed. */
static void place(const struct passed *passed) {
  int from[] = {passed->channel, passed->control, passed->launch, passed->arguments, passed->program, passed->lifeline};
  int to[] = {FD_CHANNEL, FD_CONTROL, FD_LAUNCH, FD_ARGS, FD_PROGRAM, FD_LIFELINE};
  for (unsigned i = 0; i < 6; i++) {
    from[i] = fcntl(from[i], F_DUPFD, 64);
    if (from[i] < 0) fault("description", "cannot move descriptors");
  }
  for (unsigned i = 0; i < 6; i++) {
    if (dup2(from[i], to[i]) < 0) fault("description", "cannot place descriptors");
  }
  if (close_range(FD_FIRST_FREE, ~0U, 0) != 0) fault("description", "cannot close descriptors");
}

static _Noreturn void run_bwrap(const struct guard_order *order, const struct passed *passed, pid_t guard) {
  enter_v1(order);
  leave_inheritance();
  stage_build(order->mounts, order->mounts_count, (int)order->root);
  sockets_hand_over(passed->channel, &order->sockets);
  become_session(order);
  place(passed);
  signal(SIGPIPE, SIG_DFL);
  char arguments[16];
  char program[32];
  snprintf(arguments, sizeof arguments, "%d", FD_ARGS);
  snprintf(program, sizeof program, "/proc/self/fd/%d", FD_PROGRAM);
  char *argv[] = {(char *)"bwrap", (char *)"--args", arguments, (char *)"--", program, (char *)"launch", NULL};
  char *environment[] = {NULL};
  die_with(guard);
  execve(order->bwrap, argv, environment);
  fault("namespaces", "cannot execute bubblewrap");
}

/* In the session's cgroups, and in no namespace of its sandbox. */
static _Noreturn void run_bridge(const struct guard_order *order, int channel, pid_t guard) {
  enter_v1(order);
  leave_inheritance();
  bridge_main(&order->bridge, channel, guard);
}

static pid_t clone_into(int cgroup, int *pidfd) {
  struct clone_args args = {
      .flags = CLONE_PIDFD | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
      .pidfd = (uint64_t)(uintptr_t)pidfd,
      .exit_signal = SIGCHLD,
      .cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
  };
  return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

/* Root keeps only the right to kill across uids; files of root's are still its own. */
static void drop_capabilities(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0}};
  if (geteuid() == 0) data[0].effective = data[0].permitted = 1U << CAP_KILL;
  if (syscall(SYS_capset, &header, data) != 0) fault("uid", "guard cannot drop capabilities");
}

struct watched {
  int kill; /* cgroup.kill; -1: none */
  int sandbox;
  int bridge; /* -1: none */
};

static void kill_everything(const struct watched *watched) {
  if (watched->kill >= 0) {
    ssize_t ignored = write(watched->kill, "1", 1);
    (void)ignored;
  }
  syscall(SYS_pidfd_send_signal, watched->sandbox, SIGKILL, NULL, 0);
  if (watched->bridge >= 0) syscall(SYS_pidfd_send_signal, watched->bridge, SIGKILL, NULL, 0);
}

static int watch(const struct watched *watched, pid_t child, int lifeline) {
  struct frame_reader reader = {.have = 0};
  struct pollfd polled[3] = {{.fd = watched->sandbox, .events = POLLIN}, {.fd = watched->bridge, .events = POLLIN}, {.fd = FD_CONTROL, .events = POLLIN}};
  /* The relay ends after the sandbox, when what it holds has been read. When it ends before, the launcher ends, whose channel
   * it was. */
  while (polled[0].fd >= 0 || polled[1].fd >= 0) {
    if (poll(polled, 3, -1) < 0 && errno != EINTR) kill_everything(watched);
    if (polled[0].revents != 0 && polled[0].fd >= 0) {
      close(lifeline);
      polled[0].fd = -1;
    }
    if (polled[1].revents != 0) polled[1].fd = -1;
    if (polled[2].revents == 0) continue;
    struct frame frame;
    int got = frame_read(&reader, FD_CONTROL, &frame);
    if (got == 0) continue;
    kill_everything(watched);
    /* A malformed frame and the end of the socket end the sandbox; so does the one frame that there is. */
    if (got < 0 || frame.type != FRAME_GUARD_KILL) polled[2].fd = -1;
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  /* bubblewrap's end is not yet that of its child, the first process of the namespace, which is ours now (subreaper).
   * It ends by bubblewrap's end and by the lifeline's; when it has been reaped, nothing is left inside. */
  if (watched->kill >= 0) kill_everything(watched);
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int open_in(const char *folder, const char *name, int flags) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int fd = open(path, flags | O_CLOEXEC);
  if (fd < 0) fault("cgroups", path);
  return fd;
}

int guard_main(void) {
  static struct guard_order order;
  pid_t parent = getppid();
  signal(SIGPIPE, SIG_IGN);
  die_with(parent);
  guard_order_read(FD_CONTROL, &order);
  if (order.parent != parent) return 70;
  int cgroup = -1;
  struct watched watched = {.kill = -1, .sandbox = -1, .bridge = -1};
  if (order.unified[0] != 0) {
    cgroup = open_in(order.unified, ".", O_DIRECTORY | O_PATH);
    watched.kill = open_in(order.unified, "cgroup.kill", O_WRONLY);
  }
  int lifeline[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lifeline) != 0) fault("description", "socketpair");
  struct passed passed = {
      .channel = FD_CHANNEL,
      .control = FD_LAUNCH,
      .launch = sealed_memory("launch", order.launch, order.launch_length),
      .arguments = sealed_memory("arguments", order.arguments, order.arguments_length),
      .program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
      .lifeline = lifeline[1],
  };
  if (passed.program < 0) fault("description", "cannot open this program");
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) fault("namespaces", "PR_SET_CHILD_SUBREAPER");
  pid_t self = getpid();
  int channel[2] = {-1, -1};
  if (order.bridge.folder[0] != 0) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0) fault("description", "socketpair");
    pid_t bridge = clone_into(cgroup, &watched.bridge);
    if (bridge < 0) fault(cgroup >= 0 ? "cgroups" : "relay", "cannot start the relay");
    if (bridge == 0) run_bridge(&order, channel[0], self);
    passed.channel = channel[1];
  }
  pid_t child = clone_into(cgroup, &watched.sandbox);
  if (child < 0) fault(cgroup >= 0 ? "cgroups" : "namespaces", "cannot start the sandbox's first process");
  if (child == 0) run_bwrap(&order, &passed, self);
  if (channel[0] >= 0) {
    close(channel[0]);
    close(channel[1]);
  }
  close(FD_CHANNEL);
  close(FD_LAUNCH);
  close(passed.launch);
  close(passed.arguments);
  close(passed.program);
  close(lifeline[1]);
  drop_capabilities();
  die_with(parent);
  return watch(&watched, child, lifeline[0]);
}
