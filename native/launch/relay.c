#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static void make_nonblocking(int fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void relay_start(struct relay *relay, int from, int to) {
  make_nonblocking(from);
  make_nonblocking(to);
  relay->from = from;
  relay->to = to;
  relay->at = relay->have = 0;
  relay->ended = 0;
  relay->active = 1;
}

void relay_stop(struct relay *relay) {
  if (!relay->active) return;
  /* Only for sockets; tells the reader that this direction is over though a duplicate may live on. */
  shutdown(relay->to, SHUT_WR);
  close(relay->to);
  close(relay->from);
  relay->active = 0;
}

void relay_poll(const struct relay *relay, struct pollfd entries[2]) {
  int full = relay->have > 0;
  entries[0] = (struct pollfd){.fd = relay->active && !full && !relay->ended ? relay->from : -1, .events = POLLIN};
  entries[1] = (struct pollfd){.fd = relay->active ? relay->to : -1, .events = (short)(full ? POLLOUT : 0)};
}

static void fill(struct relay *relay) {
  ssize_t got = read(relay->from, relay->bytes, sizeof relay->bytes);
  if (got > 0) {
    relay->at = 0;
    relay->have = (size_t)got;
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    /* A terminal's master says EIO when its last slave is closed. */
    relay->ended = 1;
  }
}

static int flush(struct relay *relay) {
  while (relay->have > 0) {
    ssize_t put = write(relay->to, relay->bytes + relay->at, relay->have);
    if (put < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    relay->at += (size_t)put;
    relay->have -= (size_t)put;
  }
  return 0;
}

void relay_move(struct relay *relay, const struct pollfd entries[2]) {
  if (!relay->active) return;
  if ((entries[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) fill(relay);
  if (flush(relay) != 0) {
    relay_stop(relay);
    return;
  }
  /* Nobody reads any more: the writer inside gets SIGPIPE, as in any pipeline. */
  if ((entries[1].revents & (POLLERR | POLLHUP)) != 0 && (entries[1].revents & POLLOUT) == 0) relay_stop(relay);
  else if (relay->ended && relay->have == 0) relay_stop(relay);
}
