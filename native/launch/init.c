#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "launch.h"

static struct command command;
static pid_t running[LAUNCH_COMMANDS_MAX];

static void tell(int outer, struct init_message message) {
  if (send(outer, &message, sizeof message, MSG_NOSIGNAL) != sizeof message) _exit(70);
}

/* A /proc of this PID namespace: ours show neither in it nor to ptrace. */
static void mount_proc(const struct launch_order *order) {
  if (mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) != 0) fault("namespaces", "cannot make mounts private");
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) fault("namespaces", "cannot mount /proc");
  for (unsigned i = 0; i < order->masked_count; i++) {
    /* Not every kernel has all of them. */
    if (mount("/dev/null", order->masked[i], NULL, MS_BIND, NULL) != 0 && errno != ENOENT) fault("namespaces", order->masked[i]);
  }
}

static int receive(int outer, struct init_message *message, int fds[3], unsigned *count) {
  char control[CMSG_SPACE(3 * sizeof(int))];
  struct iovec vector = {message, sizeof *message};
  struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t got = recvmsg(outer, &header, MSG_CMSG_CLOEXEC);
  if (got != sizeof *message || (header.msg_flags & MSG_CTRUNC) != 0) return -1;
  *count = 0;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(&header); part != NULL; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) return -1;
    *count = (unsigned)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    if (*count > 3) return -1;
    memcpy(fds, CMSG_DATA(part), *count * sizeof(int));
  }
  return 0;
}

static struct init_message run(uint32_t id, const int stdio[3]) {
  int report[2];
  int words[2] = {STEP_FORK, EAGAIN};
  struct init_message failed = {INIT_FAILED, id, EAGAIN, STEP_FORK};
  if (pipe2(report, O_CLOEXEC) != 0) return failed;
  pid_t pid = fork();
  if (pid == 0) command_execute(&command, stdio, report[1]);
  close(report[1]);
  if (pid < 0) {
    close(report[0]);
    return failed;
  }
  ssize_t got;
  do got = read(report[0], words, sizeof words);
  while (got < 0 && errno == EINTR);
  close(report[0]);
  if (got != 0) {
    waitpid(pid, NULL, 0);
    return (struct init_message){INIT_FAILED, id, (uint32_t)words[1], (uint32_t)words[0]};
  }
  running[id] = pid;
  return (struct init_message){INIT_STARTED, id, (uint32_t)pid, 0};
}

static void serve(int outer, const unsigned char *shared) {
  struct init_message message;
  int fds[3] = {-1, -1, -1};
  unsigned count;
  if (receive(outer, &message, fds, &count) != 0 || message.command >= LAUNCH_COMMANDS_MAX) _exit(70);
  if (message.type == INIT_SIGNAL) {
    if (running[message.command] > 0) kill(-running[message.command], (int)message.value);
    return;
  }
  if (message.type != INIT_SPAWN || (count != 1 && count != 3) || message.value > COMMAND_BYTES_MAX) _exit(70);
  command_read(shared, message.value, &command);
  if (command.terminal != (count == 1)) _exit(70);
  int stdio[3] = {fds[0], count == 1 ? fds[0] : fds[1], count == 1 ? fds[0] : fds[2]};
  struct init_message answer = run(message.command, stdio);
  for (unsigned i = 0; i < count; i++) close(fds[i]);
  tell(outer, answer);
}

static void reap(int outer) {
  int status;
  for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
    for (uint32_t id = 0; id < LAUNCH_COMMANDS_MAX; id++) {
      if (running[id] != pid) continue;
      running[id] = 0;
      uint32_t number = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0;
      tell(outer, (struct init_message){INIT_EXIT, id, number != 0 ? 128 + number : (uint32_t)WEXITSTATUS(status), number});
      /* The session is its agent's command: what that left behind ends with this process. */
      if (id == 0) _exit(0);
    }
  }
}

_Noreturn void init_main(const struct launch_order *order, int outer, const unsigned char *shared) {
  /* Cleared by nothing below; a namespace whose first process is gone takes no further processes either. */
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) fault("namespaces", "PR_SET_DUMPABLE");
  mount_proc(order);
  sigset_t all;
  sigset_t child;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) fault("namespaces", "signalfd");
  struct confined confined = confine(&order->confinement);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  tell(outer, (struct init_message){INIT_READY, 0, confined.landlock_abi, confined.seccomp});
  struct pollfd polled[2] = {{.fd = outer, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
  for (;;) {
    if (poll(polled, 2, -1) < 0 && errno != EINTR) _exit(70);
    if (polled[1].revents != 0) {
      struct signalfd_siginfo info;
      while (read(signals, &info, sizeof info) > 0) continue;
      reap(outer);
    }
    if (polled[0].revents != 0) serve(outer, shared);
  }
}
