/*
 * A batch of netlink requests (linux/netlink.h), sent at once and acknowledged one by one. The bytes are ours alone:
 * nothing of the agent's is in them, so running out of room is a fault of this program.
 */
#ifndef CORDON_NETLINK_H
#define CORDON_NETLINK_H

#include <stddef.h>
#include <stdint.h>

enum { NETLINK_BYTES_MAX = 8192 };

struct netlink {
  unsigned char bytes[NETLINK_BYTES_MAX];
  size_t length;
  size_t message; /* where the current request begins */
  unsigned acknowledged; /* requests that the kernel answers */
};

/* Begins a request; NLM_F_REQUEST and, unless it only marks a batch, NLM_F_ACK are added. */
void netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags, int acknowledge);
/* The fixed header behind netlink's own. */
void netlink_put(struct netlink *netlink, const void *bytes, size_t length);
void netlink_attribute(struct netlink *netlink, uint16_t type, const void *bytes, size_t length);
/* Everything until netlink_close is inside of this attribute. */
size_t netlink_open(struct netlink *netlink, uint16_t type);
void netlink_close(struct netlink *netlink, size_t opened);
/* 0: all were done. Else -1 and errno of the first that was refused; nothing is said then about those behind it. */
int netlink_exchange(const struct netlink *netlink, int protocol);

#endif
