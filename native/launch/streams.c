#include "streams.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"

static int hand_over(const char *name, uint32_t serial, int channel) {
  int pair[2];
  char body[96];
  /* Node takes a descriptor as it comes: a blocking one would stop its whole event loop. */
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) return -1;
  snprintf(body, sizeof body, "{\"stream\":\"%s\",\"command\":%u}", name, serial);
  channel_send(channel, "net.Native", body, pair[1]);
  close(pair[1]);
  return pair[0];
}

static void resize(int master, uint32_t cols, uint32_t rows) {
  struct winsize size = {.ws_col = (unsigned short)cols, .ws_row = (unsigned short)rows};
  ioctl(master, TIOCSWINSZ, &size);
}

static int open_terminal(struct streams *streams, uint32_t serial, uint32_t cols, uint32_t rows, int channel) {
  int number = 0;
  int unlocked = 0;
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return -1;
  char path[32];
  if (ioctl(master, TIOCSPTLCK, &unlocked) != 0 || ioctl(master, TIOCGPTN, &number) != 0) return -1;
  snprintf(path, sizeof path, "/dev/pts/%d", number);
  int slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
  int outside = slave < 0 ? -1 : hand_over("terminal", serial, channel);
  int outside_again = outside < 0 ? -1 : fcntl(outside, F_DUPFD_CLOEXEC, 0);
  int master_again = fcntl(master, F_DUPFD_CLOEXEC, 0);
  streams->master = fcntl(master, F_DUPFD_CLOEXEC, 0);
  if (outside_again < 0 || master_again < 0 || streams->master < 0) return -1;
  resize(master, cols, rows);
  relay_start(&streams->relays[0], outside, master);
  relay_start(&streams->relays[1], master_again, outside_again);
  streams->inside[0] = slave;
  streams->inside_count = 1;
  return 0;
}

static int open_pipes(struct streams *streams, uint32_t serial, int channel) {
  static const char *const names[] = {"stdin", "stdout", "stderr"};
  streams->inside_count = 3;
  for (int i = 0; i < 3; i++) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    int outside = hand_over(names[i], serial, channel);
    if (outside < 0) return -1;
    streams->inside[i] = i == 0 ? ends[0] : ends[1];
    if (i == 0) relay_start(&streams->relays[i], outside, ends[1]);
    else relay_start(&streams->relays[i], ends[0], outside);
  }
  return 0;
}

int streams_open(struct streams *streams, uint32_t serial, int terminal, uint32_t cols, uint32_t rows, int channel) {
  streams->master = -1;
  for (int i = 0; i < 3; i++) {
    streams->relays[i].active = 0;
    streams->inside[i] = -1;
  }
  return terminal ? open_terminal(streams, serial, cols, rows, channel) : open_pipes(streams, serial, channel);
}

void streams_release(struct streams *streams) {
  for (int i = 0; i < 3; i++) {
    if (streams->inside[i] >= 0) close(streams->inside[i]);
    streams->inside[i] = -1;
  }
}

void streams_resize(const struct streams *streams, uint32_t cols, uint32_t rows) {
  if (streams->master >= 0) resize(streams->master, cols, rows);
}

void streams_close(struct streams *streams) {
  for (int i = 0; i < 3; i++) relay_stop(&streams->relays[i]);
  if (streams->master >= 0) close(streams->master);
  streams->master = -1;
}
