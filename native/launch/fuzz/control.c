/*
 * What the launcher does with the bytes on its control socket: the real code of launch.c, with its descriptors on
 * sockets of our own and with its streams and its init played by this file. Every answer must be a frame of a command
 * that may be, and nothing of the buffer that it shares with init may be overrun.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

static _Noreturn void control_exit(int status) {
  (void)status;
  harness_end("end");
}

#define _exit control_exit
#include "../launch.c"
#undef _exit

/* Leaks of what a run leaves behind when it ends in the middle are no finding of the program's. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0:abort_on_error=0"; }

static int supervisor = -1;
static int init_side = -1;
static unsigned open_streams;

int streams_open(struct streams *streams, uint32_t serial, int terminal, uint32_t cols, uint32_t rows, int channel) {
  (void)terminal, (void)channel;
  if (cols > 0xffff || rows > 0xffff) harness_broken("a terminal of an impossible size");
  if ((serial & 7) == 7) return -1;
  streams->inside_count = 0;
  open_streams++;
  return 0;
}
void streams_release(struct streams *streams) { (void)streams; }
void streams_close(struct streams *streams) { (void)streams; }
void streams_resize(const struct streams *streams, uint32_t cols, uint32_t rows) {
  (void)streams;
  if (cols > 0xffff || rows > 0xffff) harness_broken("a terminal of an impossible size");
}
void relay_poll(const struct relay *relay, struct pollfd entries[2]) { (void)relay, (void)entries; }
void relay_move(struct relay *relay, const struct pollfd entries[2]) { (void)relay, (void)entries; }
int channel_drain(int channel) {
  (void)channel;
  return 0;
}
void confine_capabilities(void) {}
_Noreturn void init_main(const struct launch_order *order, int side, const unsigned char *shared) {
  (void)order, (void)side, (void)shared;
  abort();
}

static void open_pairs(void) {
  int control[2];
  int init[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, control) != 0) abort();
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, init) != 0) abort();
  /* Out of the way of the launcher's fixed numbers. */
  supervisor = fcntl(control[0], F_DUPFD, 100);
  init_side = fcntl(init[0], F_DUPFD, 100);
  outer.init = fcntl(init[1], F_DUPFD, 100);
  int launcher = fcntl(control[1], F_DUPFD, 100);
  for (int i = 0; i < 2; i++) close(control[i]), close(init[i]);
  if (dup2(launcher, FD_CONTROL) < 0) abort();
  close(launcher);
}

static void close_pairs(void) {
  if (supervisor < 0) return;
  close(supervisor), close(init_side), close(FD_CONTROL);
  if (outer.init >= 0) close(outer.init);
  supervisor = -1;
}

static void check_answers(void) {
  struct frame_reader reader = {.have = 0};
  struct frame frame;
  int got;
  while ((got = frame_read(&reader, supervisor, &frame)) > 0) {
    if (frame.type < FRAME_READY || frame.type > FRAME_EXIT) harness_broken("an answer of unknown type");
    if (frame.a >= LAUNCH_COMMANDS_MAX) harness_broken("an answer about a command that cannot be");
  }
  if (reader.have != 0) harness_broken("half an answer");
}

/* The main command of every run: `true` in `/`. */
static const unsigned char main_command[] = {
    'C', 'C', 'M', '1', 42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, '/', 0,
    1,   0,   0,   0,   3,  0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0, 0,
};

/*
 * Input: one byte says how many messages init has sent, each of 4 bytes (type, command, value, extra); the rest are the
 * bytes of the control socket. Number 255 of a message's command stands for one far out of range.
 */
void run_control(const unsigned char *bytes, size_t length) {
  static struct launch_order order;
  close_pairs();
  free(outer.shared);
  /* The relays' buffers are not used here and are too large to clear each time. */
  outer.reader = (struct frame_reader){.have = 0};
  outer.pending = (struct frame){.type = 0};
  outer.opened = 0;
  for (uint32_t id = 0; id < LAUNCH_COMMANDS_MAX; id++) outer.slots[id].used = 0;
  open_pairs();
  outer.shared = malloc(COMMAND_BYTES_MAX);
  order.main = main_command;
  order.main_length = sizeof main_command;
  size_t at = 0;
  unsigned messages = length > 0 ? bytes[at++] % 16 : 0;
  for (unsigned i = 0; i < messages && at + 4 <= length; i++, at += 4) {
    uint32_t id = bytes[at + 1] == 255 ? 0xffffffff : bytes[at + 1];
    struct init_message message = {bytes[at] % 8, id, bytes[at + 2], bytes[at + 3]};
    if (send(init_side, &message, sizeof message, MSG_NOSIGNAL) < 0) break;
  }
  while (at < length) {
    ssize_t sent = send(supervisor, bytes + at, length - at, MSG_NOSIGNAL);
    if (sent <= 0) break;
    at += (size_t)sent;
    int left = 1;
    while (left > 0) {
      read_control(&order);
      char peeked;
      left = recv(FD_CONTROL, &peeked, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
      check_answers();
    }
  }
}
