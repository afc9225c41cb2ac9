/*
 * Bytes from one descriptor to another, bounded, without blocking. Real pipes and terminals inside, sockets outside:
 * the agent never holds an end of a socket that leads to the supervisor.
 */
#ifndef CORDON_RELAY_H
#define CORDON_RELAY_H

#include <poll.h>
#include <stddef.h>

enum { RELAY_BYTES = 64 * 1024 };

struct relay {
  int active;
  int from;
  int to;
  size_t at;
  size_t have;
  int ended; /* no more from `from`; what is buffered still goes out */
  char bytes[RELAY_BYTES];
};

/* Takes both descriptors over and makes them non-blocking. */
void relay_start(struct relay *relay, int from, int to);
/* Two entries; descriptor -1 where there is nothing to wait for. */
void relay_poll(const struct relay *relay, struct pollfd entries[2]);
/* Moves what can be moved; at the end closes both sides, in order. */
void relay_move(struct relay *relay, const struct pollfd entries[2]);

/* Closes both sides at once; what is buffered is lost. */
void relay_stop(struct relay *relay);

#endif
