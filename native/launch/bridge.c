#include "bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"
#include "crossing.h"
#include "fault.h"
#include "modes.h"
#include "sockets.h"

enum {
  LINE_BYTES_MAX = 512,
  RETRY_MS = 20, /* between two looks whether a gateway is back */
};

/* A listening socket of the sandbox. */
struct door {
  int fd;
  uint32_t ticket;
  int ready;
};

static struct door doors[10 + SOCKETS_TCP_MAX];
static unsigned doors_count;
static unsigned connections_max = CONNECTIONS_MAX;

void bridge_look_at(int fd, uint32_t events, uint64_t about) {
  struct epoll_event event = {.events = events | EPOLLET, .data.u64 = about};
  if (epoll_ctl(BRIDGE_EPOLL, EPOLL_CTL_ADD, fd, &event) != 0) fault("relay", "epoll");
}

/* 0: the channel's other end is closed, so nothing lives in the sandbox. */
static int hear(void) {
  static uint32_t tickets;
  for (;;) {
    char line[LINE_BYTES_MAX];
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec vector = {line, sizeof line};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(BRIDGE_CHANNEL, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 && errno == EAGAIN;
    struct cmsghdr *part = CMSG_FIRSTHDR(&header);
    errno = 0;
    if (part == NULL || part->cmsg_len != CMSG_LEN(sizeof(int)) || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) fault("relay", "malformed hand-off");
    int fd;
    int domain = 0;
    int type = 0;
    socklen_t length = sizeof(int);
    memcpy(&fd, CMSG_DATA(part), sizeof fd);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0) fault("relay", "no socket");
    /* Lines are numbered as they come, here and there: the number is the ticket. */
    if (write(FD_CHANNEL, line, (size_t)got) != got) fault("supervisor", "is gone");
    if (domain == AF_UNIX || type == SOCK_DGRAM) {
      crossing_take(fd, tickets++, domain == AF_UNIX ? CROSSING_STREAM : CROSSING_DATAGRAMS);
      continue;
    }
    if (doors_count == sizeof doors / sizeof doors[0]) fault("relay", "too many sockets");
    doors[doors_count] = (struct door){.fd = fd, .ticket = tickets++};
    bridge_look_at(fd, EPOLLIN, ABOUT_DOOR + doors_count++);
  }
}

static void welcome(struct door *door) {
  while (door->ready && crossings.connections < connections_max) {
    int fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) crossing_take(fd, door->ticket, CROSSING_CONNECTION);
    else if (errno == EAGAIN) door->ready = 0;
    else if (errno != EINTR && errno != ECONNABORTED) {
      crossings.waiting = 1;
      return;
    }
  }
}

static _Noreturn void serve(void) {
  struct epoll_event events[128];
  int open = 1;
  for (;;) {
    int spoken = 0;
    int count = epoll_wait(BRIDGE_EPOLL, events, sizeof events / sizeof events[0], crossings.again ? 0 : crossings.waiting ? RETRY_MS : -1);
    if (count < 0 && errno != EINTR) fault("relay", "epoll");
    for (int i = 0; i < count; i++) {
      uint64_t about = events[i].data.u64;
      if (about >= ABOUT_CROSSING) crossing_attend(about, events[i].events);
      else if (about >= ABOUT_DOOR) doors[about - ABOUT_DOOR].ready = 1;
      else spoken = 1;
    }
    /* After the events: a crossing that ended among them is not taken before all that speak of it are over. */
    if (crossings.again) crossings_go_on();
    else if (crossings.waiting) crossings_retry();
    if (open && spoken) open = hear();
    for (unsigned i = 0; open && i < doors_count; i++) welcome(&doors[i]);
    if (!open && crossings.streams == 0) _exit(0);
  }
}

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define WAIT_CALL SYS_epoll_wait
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define WAIT_CALL SYS_epoll_pwait
#endif

/* All that is left; everything else kills. There is no way to a file, a process or a network in it. */
static void confine_bridge(void) {
  static const uint16_t calls[] = {SYS_read,     SYS_write,   SYS_recvfrom, SYS_sendto,      SYS_recvmsg,    SYS_accept4,  SYS_connect,  SYS_shutdown,
                                   SYS_close,    WAIT_CALL,   SYS_epoll_ctl, SYS_getsockname, SYS_getsockopt, SYS_exit_group};
  enum { CALLS = sizeof calls / sizeof calls[0] };
  struct sock_filter filter[4 + 2 * CALLS + 5];
  struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
  struct sock_filter *at = filter;
  *at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
  *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
  *at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  *at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (unsigned i = 0; i < CALLS; i++) {
    *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
    *at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3);
  *at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]));
  *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 0, 1);
  *at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  *at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) fault("relay", "seccomp");
}

/* A root of its own in which there are two sockets, and a network without even abstract names: `connect` has a path, which
 * no filter can look at. */
static void enter_folder(const char *folder) {
  int at = open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (at < 0) fault("relay", "cannot open its folder");
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 || fchdir(at) != 0 || chroot(".") != 0) fault("relay", "cannot leave the host");
}

static void place(int channel) {
  struct rlimit files;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0 || dup2(channel, BRIDGE_CHANNEL) < 0 || dup2(epoll, BRIDGE_EPOLL) < 0 || close_range(BRIDGE_EPOLL + 1, ~0U, 0) != 0) fault("relay", "cannot place descriptors");
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) fault("relay", "RLIMIT_NOFILE");
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) fault("relay", "RLIMIT_NOFILE");
  rlim_t kept = 2 * STREAMS_MAX + 64;
  if (files.rlim_max < 2 * CONNECTIONS_MAX + kept) connections_max = files.rlim_max < kept + 2 ? 1 : (unsigned)(files.rlim_max - kept) / 2;
}

_Noreturn void bridge_main(const struct bridge_order *order, int channel, pid_t parent) {
  memcpy(crossings.token, order->token, sizeof crossings.token);
  enter_folder(order->folder);
  place(channel);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 || getppid() != parent) _exit(70);
  bridge_look_at(BRIDGE_CHANNEL, EPOLLIN, ABOUT_CHANNEL);
  confine_capabilities();
  confine_bridge();
  serve();
}
