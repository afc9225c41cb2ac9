#include "crossing.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fault.h"

enum {
  FRAME = 20,   /* in front of a datagram: length u16, port u16, address 16, in network order */
  ROUNDS = 16,  /* of one crossing, before the others have their turn */
  RETRIES = 64, /* tried at each crossings_retry */
};

/* One direction. */
struct flow {
  size_t at;
  size_t have;
  int ended; /* its source gives no more */
  int over;  /* the end was passed on, or nobody takes any more */
  unsigned char bytes[CROSSING_BYTES];
};

enum state { FREE, WAITING, GREETING, OPEN };

struct crossing {
  enum state state;
  int inner; /* the sandbox's side */
  int outer;
  enum crossing_kind kind;
  int again; /* it stopped for others */
  unsigned char header[BRIDGE_HEADER_BYTES];
  struct flow out;
  struct flow in;
};

struct crossings crossings;
static struct crossing all[CROSSINGS];
static unsigned high; /* used so far; the lowest free one is taken, so that memory follows the need */

static uint64_t about(const struct crossing *crossing, int outer) {
  return ABOUT_CROSSING + 2 * (uint64_t)(crossing - all) + (uint64_t)outer;
}

static void release(struct crossing *crossing) {
  close(crossing->outer);
  crossing->outer = -1;
  crossing->out.have = crossing->out.ended = crossing->out.over = 0;
  crossing->in.have = crossing->in.ended = crossing->in.over = 0;
  if (crossing->kind == CROSSING_DATAGRAMS) { /* the questions wait where they are, for the next gateway */
    crossing->state = WAITING;
    crossings.waiting = 1;
    return;
  }
  close(crossing->inner);
  crossing->state = FREE;
  if (crossing->kind == CROSSING_STREAM) crossings.streams--;
  else crossings.connections--;
}

/* 1: something moved. A source that is reset has ended. */
static int step(struct flow *flow, int from, int to) {
  int moved = 0;
  if (flow->over) return 0;
  if (flow->have == 0 && !flow->ended) {
    ssize_t got = read(from, flow->bytes, sizeof flow->bytes);
    flow->at = 0;
    flow->have = got > 0 ? (size_t)got : 0;
    flow->ended = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
    moved = flow->have > 0 || flow->ended;
  }
  if (flow->have > 0) {
    ssize_t put = write(to, flow->bytes + flow->at, flow->have);
    if (put > 0) {
      flow->at += (size_t)put;
      flow->have -= (size_t)put;
    } else if (put < 0 && errno != EAGAIN && errno != EINTR) {
      flow->over = 1;
    }
    moved |= put > 0 || flow->over;
  }
  if (flow->ended && flow->have == 0 && !flow->over) {
    shutdown(to, SHUT_WR);
    flow->over = 1;
    moved = 1;
  }
  return moved;
}

/* The next question into the empty buffer, with where it came from in front. */
static void take_question(struct crossing *crossing) {
  unsigned char *bytes = crossing->out.bytes;
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } from = {0};
  socklen_t length = sizeof from;
  ssize_t got;
  do got = recvfrom(crossing->inner, bytes + FRAME, DATAGRAM_BYTES_MAX + 1, 0, &from.any, &length);
  while (got > DATAGRAM_BYTES_MAX || (got < 0 && errno == EINTR));
  if (got < 0) return;
  memset(bytes, 0, FRAME);
  bytes[0] = (unsigned char)(got >> 8);
  bytes[1] = (unsigned char)got;
  memcpy(bytes + 2, from.any.sa_family == AF_INET ? &from.v4.sin_port : &from.v6.sin6_port, 2);
  if (from.any.sa_family == AF_INET) memcpy(bytes + 4, &from.v4.sin_addr, 4);
  else memcpy(bytes + 4, &from.v6.sin6_addr, 16);
  crossing->out.at = 0;
  crossing->out.have = FRAME + (size_t)got;
}

/* An answer that cannot be sent is lost, as any datagram may be. */
static void give_answer(const struct crossing *crossing, const unsigned char *frame, size_t length) {
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  memcpy(&v4.sin_port, frame + 2, 2);
  memcpy(&v6.sin6_port, frame + 2, 2);
  memcpy(&v4.sin_addr, frame + 4, 4);
  memcpy(&v6.sin6_addr, frame + 4, 16);
  int is_v4 = crossing->header[40] == 4;
  const struct sockaddr *to = is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
  sendto(crossing->inner, frame + FRAME, length, MSG_DONTWAIT, to, is_v4 ? sizeof v4 : sizeof v6);
}

/* As `step`, both ways, for datagrams: whole ones only. The link's end is the crossing's. */
static int step_datagrams(struct crossing *crossing) {
  struct flow *in = &crossing->in;
  if (crossing->out.have == 0) take_question(crossing);
  ssize_t put = crossing->out.have == 0 ? 0 : write(crossing->outer, crossing->out.bytes + crossing->out.at, crossing->out.have);
  if (put > 0) {
    crossing->out.at += (size_t)put;
    crossing->out.have -= (size_t)put;
  }
  ssize_t got = read(crossing->outer, in->bytes + in->have, sizeof in->bytes - in->have);
  if (got > 0) in->have += (size_t)got;
  size_t at = 0;
  for (size_t length; in->have - at >= FRAME; at += FRAME + length) {
    length = (size_t)in->bytes[at] << 8 | in->bytes[at + 1];
    if (length > DATAGRAM_BYTES_MAX) crossing->in.over = crossing->out.over = 1;
    if (length > DATAGRAM_BYTES_MAX || in->have - at < FRAME + length) break;
    give_answer(crossing, in->bytes + at, length);
  }
  in->have -= at;
  memmove(in->bytes, in->bytes + at, in->have);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) crossing->in.over = crossing->out.over = 1;
  return put > 0 || got > 0;
}

/* As far as both sides let it, edge-triggered: it stops only where an event will tell that it can go on, or for others. */
static void move(struct crossing *crossing) {
  for (unsigned round = 0; round < ROUNDS; round++) {
    int moved = crossing->kind == CROSSING_DATAGRAMS ? step_datagrams(crossing) : step(&crossing->out, crossing->inner, crossing->outer) | step(&crossing->in, crossing->outer, crossing->inner);
    if (crossing->out.over && crossing->in.over) {
      release(crossing);
      return;
    }
    if (!moved) return;
  }
  crossing->again = crossings.again = 1;
}

/* -1: nobody is there. What was not accepted yet has lost nothing: not a byte of it was read. */
static int reach(struct crossing *crossing) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  strcpy(to.sun_path, crossing->kind == CROSSING_STREAM ? "/supervisor" : "/gateway");
  crossing->state = WAITING;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0 && write(fd, crossing->header, sizeof crossing->header) == sizeof crossing->header) {
    crossing->outer = fd;
    crossing->state = GREETING;
    bridge_look_at(fd, EPOLLIN | EPOLLOUT, about(crossing, 1));
    return 0;
  }
  if (fd >= 0) close(fd);
  crossings.waiting = 1;
  return -1;
}

static void greet(struct crossing *crossing) {
  unsigned char answer = 0;
  ssize_t got = read(crossing->outer, &answer, 1);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got == 1 && answer == BRIDGE_ACCEPTED) {
    crossing->state = OPEN;
    return;
  }
  close(crossing->outer);
  crossing->outer = -1;
  crossing->state = WAITING;
  crossings.waiting = 1;
}

/* Magic, token, ticket, and for a connection where it was made to: with tproxy its own address is the one that was meant. */
static void write_header(struct crossing *crossing, uint32_t ticket) {
  unsigned char *bytes = crossing->header;
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } local = {0};
  socklen_t length = sizeof local;
  memset(bytes, 0, sizeof crossing->header);
  for (unsigned i = 0; i < 4; i++) {
    bytes[i] = (unsigned char)(BRIDGE_MAGIC >> 8 * i);
    bytes[36 + i] = (unsigned char)(ticket >> 8 * i);
  }
  memcpy(bytes + 4, crossings.token, sizeof crossings.token);
  if (crossing->kind == CROSSING_STREAM || getsockname(crossing->inner, &local.any, &length) != 0) return;
  int is_v4 = local.any.sa_family == AF_INET;
  bytes[40] = is_v4 ? 4 : 6;
  memcpy(bytes + 42, is_v4 ? &local.v4.sin_port : &local.v6.sin6_port, 2);
  if (is_v4) memcpy(bytes + 44, &local.v4.sin_addr, 4);
  else memcpy(bytes + 44, &local.v6.sin6_addr, 16);
}

void crossing_take(int fd, uint32_t ticket, enum crossing_kind kind) {
  unsigned free = 0;
  while (free < CROSSINGS && all[free].state != FREE) free++;
  if (free == CROSSINGS) fault("relay", "too many streams");
  if (free >= high) high = free + 1;
  struct crossing *crossing = &all[free];
  crossing->inner = fd;
  crossing->outer = -1;
  crossing->kind = kind;
  crossing->again = 0;
  crossings.streams += kind == CROSSING_STREAM;
  crossings.connections += kind == CROSSING_CONNECTION;
  write_header(crossing, ticket);
  bridge_look_at(fd, EPOLLIN | (kind == CROSSING_DATAGRAMS ? 0 : EPOLLOUT), about(crossing, 0));
  reach(crossing);
}

void crossing_attend(uint64_t about, uint32_t events) {
  struct crossing *crossing = &all[(about - ABOUT_CROSSING) / 2];
  int outer = (int)(about & 1);
  if (crossing->state == FREE) return;
  /* A connection that its program reset has no end worth passing on. */
  if (!outer && (events & EPOLLERR) != 0 && crossing->kind == CROSSING_CONNECTION) {
    release(crossing);
    return;
  }
  if (outer && crossing->state == GREETING) greet(crossing);
  if (crossing->state != OPEN) return;
  /* The other side has closed it and not just its half: there is nobody for what would still come. */
  if (outer && (events & (EPOLLHUP | EPOLLERR)) != 0) crossing->out.over = 1;
  move(crossing);
}

void crossings_go_on(void) {
  crossings.again = 0;
  for (unsigned i = 0; i < high; i++) {
    if (!all[i].again) continue;
    all[i].again = 0;
    if (all[i].state == OPEN) move(&all[i]);
  }
}

/* Where one finds nobody, the others are not tried either. */
void crossings_retry(void) {
  static unsigned first; /* in turn, so that none is left behind */
  unsigned from = first;
  unsigned tries = RETRIES;
  crossings.waiting = 0;
  for (unsigned i = 0; i < high; i++) {
    struct crossing *crossing = &all[(from + i) % high];
    if (crossing->state != WAITING) continue;
    first = (from + i + 1) % high;
    if (tries-- == 0 || reach(crossing) != 0) {
      crossings.waiting = 1;
      return;
    }
  }
}
