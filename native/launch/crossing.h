/*
 * One connection across the bridge: an end in the sandbox, an end at a Unix socket outside, and what is on its way. It
 * waits for as long as nobody is outside; then bytes go both ways, each way to its own end. No more is held of it than two
 * buffers: who writes faster than the other side reads is stopped by the kernel.
 */
#ifndef CORDON_CROSSING_H
#define CORDON_CROSSING_H

#include <stdint.h>

#include "bridge.h"
#include "modes.h"

enum {
  CONNECTIONS_MAX = 2000, /* of agents; more wait in the kernel's backlog */
  STREAMS_MAX = 64,       /* of commands, and the links of name servers */
  CROSSINGS = CONNECTIONS_MAX + STREAMS_MAX,
  CROSSING_BYTES = 16 * 1024, /* one buffer */
  DATAGRAM_BYTES_MAX = 4096,  /* a longer question or answer is dropped */
  BRIDGE_CHANNEL = FD_CHANNEL + 1,
  BRIDGE_EPOLL = FD_CHANNEL + 2,
};

/* What an event is about; crossings follow, two numbers each. */
enum { ABOUT_CHANNEL = 0, ABOUT_DOOR = 1, ABOUT_CROSSING = 64 };

enum crossing_kind {
  CROSSING_CONNECTION,
  CROSSING_STREAM,    /* of a command, to the supervisor */
  CROSSING_DATAGRAMS, /* a name server's socket; begins anew when the gateway has gone, and never ends */
};

struct crossings {
  unsigned char token[BRIDGE_TOKEN_BYTES];
  unsigned connections; /* there are now */
  unsigned streams;
  int waiting; /* some have nobody outside: call crossings_retry after a while */
  int again;   /* some stopped for others: call crossings_go_on */
};

extern struct crossings crossings;

void bridge_look_at(int fd, uint32_t events, uint64_t about);
/* Takes the descriptor over. */
void crossing_take(int fd, uint32_t ticket, enum crossing_kind kind);
/* An event of the crossing that `about` names. */
void crossing_attend(uint64_t about, uint32_t events);
void crossings_go_on(void);
void crossings_retry(void);

#endif
