/*
 * The sandbox's whole network: loopback, and the sockets that the gateway accepts from (gateway.md §1.2). Made by the
 * guard's child in the new network namespace before bubblewrap, so that nothing inside ever has a right over either.
 */
#ifndef CORDON_SOCKETS_H
#define CORDON_SOCKETS_H

#include <stdint.h>

enum { SOCKETS_TCP_MAX = 32 };

/* A raw TCP grant's own listening socket. */
struct tcp_door {
  const char *address; /* 127.64.0.N */
  uint32_t port;
};

struct sockets_order {
  uint32_t capture; /* 1: programs that ignore the proxy are caught, where the kernel can */
  unsigned tcp_count;
  struct tcp_door tcp[SOCKETS_TCP_MAX];
};

/* Brings loopback up, opens every socket, hands each over as `{"socket":KIND,"address":A,"port":P,"of":COUNT}` and closes
 * it here. Where capturing does not work its sockets are left out. */
void sockets_hand_over(int channel, const struct sockets_order *order);
/* For `probe capture`, in a network namespace of its own: ends the process when it does not work. */
void sockets_try_capture(void);

#endif
