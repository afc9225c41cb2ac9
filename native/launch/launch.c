#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "fault.h"
#include "frame.h"
#include "modes.h"
#include "streams.h"

struct slot {
  int used; /* the command is known and not yet reported as ended */
  struct streams streams;
};

struct outer {
  int init; /* SOCK_SEQPACKET to init; -1 when it is gone */
  unsigned char *shared;
  struct frame_reader reader;
  struct frame pending; /* EXEC whose description is still arriving */
  size_t pending_have;
  int opened;
  struct slot slots[LAUNCH_COMMANDS_MAX];
};

static struct outer outer;
static struct command command;

static _Noreturn void end(void) {
  /* First process of the namespace: nothing in it outlives this line. */
  _exit(70);
}

static void tell(uint32_t type, uint32_t a, uint32_t b, uint32_t c) {
  if (frame_write(FD_CONTROL, (struct frame){type, a, b, c}) != 0) end();
}

static void finish(uint32_t id, uint32_t status, uint32_t number) {
  if (id >= LAUNCH_COMMANDS_MAX || !outer.slots[id].used) return;
  outer.slots[id].used = 0;
  tell(FRAME_EXIT, id, status, number);
}

static void init_is_gone(void) {
  close(outer.init);
  outer.init = -1;
  for (uint32_t id = 0; id < LAUNCH_COMMANDS_MAX; id++) finish(id, 128 + SIGKILL, SIGKILL);
}

/* 1: a message. 0: init is gone. */
static int hear(struct init_message *message) {
  ssize_t got;
  do got = recv(outer.init, message, sizeof *message, 0);
  while (got < 0 && errno == EINTR);
  if (got == sizeof *message) return 1;
  init_is_gone();
  return 0;
}

static void send_spawn(uint32_t id, size_t length, const struct streams *streams) {
  struct init_message message = {INIT_SPAWN, id, (uint32_t)length, 0};
  char control[CMSG_SPACE(3 * sizeof(int))] = {0};
  size_t fds = streams->inside_count * sizeof(int);
  struct iovec vector = {&message, sizeof message};
  struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(fds)};
  struct cmsghdr *part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(fds);
  memcpy(CMSG_DATA(part), streams->inside, fds);
  if (sendmsg(outer.init, &header, MSG_NOSIGNAL) != sizeof message) init_is_gone();
}

/* Its streams are open already. */
static void start_command(uint32_t id, size_t length) {
  struct slot *slot = &outer.slots[id];
  struct init_message answer = {INIT_FAILED, id, ESRCH, STEP_FORK};
  slot->used = 1;
  send_spawn(id, length, &slot->streams);
  while (outer.init >= 0 && hear(&answer) && answer.type == INIT_EXIT) finish(answer.command, answer.value, answer.extra);
  streams_release(&slot->streams);
  if (outer.init < 0) return;
  if (answer.type == INIT_STARTED) {
    tell(FRAME_STARTED, id, answer.value, 0);
  } else {
    slot->used = 0;
    tell(FRAME_FAILED, id, answer.value, answer.extra);
  }
}

static void execute(uint32_t id, uint32_t serial, size_t length) {
  command_read(outer.shared, length, &command);
  struct streams *streams = &outer.slots[id].streams;
  streams_close(streams);
  if (streams_open(streams, serial, (int)command.terminal, command.cols, command.rows, FD_CHANNEL) != 0) {
    streams_release(streams);
    streams_close(streams);
    tell(FRAME_FAILED, id, EMFILE, STEP_TERMINAL);
    return;
  }
  start_command(id, length);
}

static void obey(struct frame frame, const struct launch_order *order) {
  struct slot *slot = frame.a < LAUNCH_COMMANDS_MAX ? &outer.slots[frame.a] : NULL;
  if (slot == NULL) end();
  switch (frame.type) {
    case FRAME_OPEN:
      if (outer.opened || frame.a != 0) end();
      outer.opened = 1;
      memcpy(outer.shared, order->main, order->main_length);
      start_command(0, order->main_length);
      return;
    case FRAME_SIGNAL: {
      struct init_message message = {INIT_SIGNAL, frame.a, frame.b, 0};
      if (frame.b == 0 || frame.b >= NSIG) end();
      if (slot->used && outer.init >= 0 && send(outer.init, &message, sizeof message, MSG_NOSIGNAL) < 0) init_is_gone();
      return;
    }
    case FRAME_RESIZE:
      if (frame.b > 0xffff || frame.c > 0xffff) end();
      streams_resize(&slot->streams, frame.b, frame.c);
      return;
    case FRAME_EXEC:
      if (!outer.opened || frame.a == 0 || slot->used || frame.c == 0 || frame.c > COMMAND_BYTES_MAX) end();
      outer.pending = frame;
      outer.pending_have = 0;
      return;
    default:
      end();
  }
}

static void read_control(const struct launch_order *order) {
  if (outer.pending.type == FRAME_EXEC) {
    size_t left = outer.pending.c - outer.pending_have;
    ssize_t got = recv(FD_CONTROL, outer.shared + outer.pending_have, left, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) end();
    if (got > 0) outer.pending_have += (size_t)got;
    if (outer.pending_have < outer.pending.c) return;
    outer.pending.type = 0;
    if (outer.init >= 0) execute(outer.pending.a, outer.pending.b, outer.pending.c);
    else tell(FRAME_FAILED, outer.pending.a, ESRCH, STEP_FORK);
    return;
  }
  struct frame frame;
  int got = frame_read(&outer.reader, FD_CONTROL, &frame);
  if (got < 0) end();
  if (got > 0) obey(frame, order);
}

static int all_drained(void) {
  for (unsigned id = 0; id < LAUNCH_COMMANDS_MAX; id++) {
    /* Input that nobody will read does not count. */
    const struct relay *relays = outer.slots[id].streams.relays;
    if (relays[1].active || relays[2].active) return 0;
  }
  return 1;
}

static void close_terminals(void) {
  for (unsigned id = 0; id < LAUNCH_COMMANDS_MAX; id++) {
    struct streams *streams = &outer.slots[id].streams;
    if (!outer.slots[id].used && streams->master >= 0 && !streams->relays[1].active) {
      close(streams->master);
      streams->master = -1;
    }
  }
}

static int serve(const struct launch_order *order) {
  enum { FIXED = 4, ENTRIES = FIXED + LAUNCH_COMMANDS_MAX * 6 };
  struct pollfd polled[ENTRIES];
  for (;;) {
    if (outer.init < 0 && all_drained()) return 0;
    polled[0] = (struct pollfd){.fd = FD_CONTROL, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = outer.init, .events = POLLIN};
    polled[2] = (struct pollfd){.fd = FD_CHANNEL, .events = POLLIN};
    polled[3] = (struct pollfd){.fd = FD_LIFELINE, .events = POLLIN};
    for (unsigned i = 0; i < LAUNCH_COMMANDS_MAX * 3; i++) {
      relay_poll(&outer.slots[i / 3].streams.relays[i % 3], &polled[FIXED + 2 * i]);
    }
    if (poll(polled, ENTRIES, -1) < 0) {
      if (errno != EINTR) end();
      continue;
    }
    /* The guard never writes: anything here is its end. */
    if (polled[3].revents != 0 || (polled[2].revents != 0 && channel_drain(FD_CHANNEL) != 0)) end();
    for (unsigned i = 0; i < LAUNCH_COMMANDS_MAX * 3; i++) {
      relay_move(&outer.slots[i / 3].streams.relays[i % 3], &polled[FIXED + 2 * i]);
    }
    close_terminals();
    struct init_message message;
    if (polled[1].revents != 0 && hear(&message)) {
      if (message.type != INIT_EXIT) end();
      finish(message.command, message.value, message.extra);
    }
    if (polled[0].revents != 0) read_control(order);
  }
}

static void start_init(const struct launch_order *order) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) fault("namespaces", "socketpair");
  outer.shared = mmap(NULL, COMMAND_BYTES_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (outer.shared == MAP_FAILED) fault("description", "mmap");
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid < 0) fault("namespaces", "cannot make the agent's PID namespace");
  if (pid == 0) {
    /* INVARIANT: init holds no way to the supervisor, only the pair. */
    int kept = dup2(pair[1], FD_CHANNEL);
    if (kept < 0 || close_range(FD_CHANNEL + 1, ~0U, 0) != 0) fault("namespaces", "cannot close descriptors");
    fcntl(kept, F_SETFD, FD_CLOEXEC);
    init_main(order, kept, outer.shared);
  }
  close(pair[1]);
  outer.init = pair[0];
}

static void *map_description(size_t *length) {
  struct stat info;
  if (fstat(FD_LAUNCH, &info) != 0 || info.st_size <= 0 || info.st_size > LAUNCH_BYTES_MAX) {
    errno = 0;
    fault("description", "wrong length");
  }
  *length = (size_t)info.st_size;
  void *bytes = mmap(NULL, *length, PROT_READ, MAP_PRIVATE, FD_LAUNCH, 0);
  if (bytes == MAP_FAILED) fault("description", "mmap");
  close(FD_LAUNCH);
  return bytes;
}

int launch_main(void) {
  static struct launch_order order;
  size_t length;
  void *bytes = map_description(&length);
  launch_order_read(bytes, length, &order);
  signal(SIGPIPE, SIG_IGN);
  close(FD_PROGRAM);
  close_range(FD_FIRST_FREE, ~0U, 0);
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) fault("namespaces", "PR_SET_DUMPABLE");
  command_read(order.main, order.main_length, &command);
  if (streams_open(&outer.slots[0].streams, 0, (int)command.terminal, command.cols, command.rows, FD_CHANNEL) != 0) {
    fault("namespaces", "cannot open the command's streams");
  }
  start_init(&order);
  confine_capabilities();
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  struct init_message ready;
  if (!hear(&ready) || ready.type != INIT_READY) end();
  for (unsigned id = 1; id < LAUNCH_COMMANDS_MAX; id++) outer.slots[id].streams.master = -1;
  tell(FRAME_READY, ready.value, 0, ready.extra);
  return serve(&order);
}
