/*
 * The relay of a session: a process of ours between the sandbox's sockets and the Unix sockets of its gateway and its
 * supervisor, for where descriptors themselves cannot be handed over (decision 0048). It is the other end of the channel,
 * takes every descriptor that comes, tells the supervisor the line it came with, and copies bytes both ways. It reads
 * none of them. Outside of the sandbox's namespaces, but in its cgroups: what it uses is the session's own.
 */
#ifndef CORDON_BRIDGE_H
#define CORDON_BRIDGE_H

#include <sys/types.h>

enum { BRIDGE_TOKEN_BYTES = 32 };

struct bridge_order {
  const char *folder; /* holds the two sockets, `gateway` and `supervisor`; empty: descriptors are handed over */
  const unsigned char *token; /* by which they know this relay, BRIDGE_TOKEN_BYTES */
};

/* The one message in front of every connection: bytes, without padding. Read by packages/protocol/src/relay-header.ts. */
enum {
  BRIDGE_MAGIC = 0x314c5243, /* "CRL1" */
  BRIDGE_HEADER_BYTES = 60,  /* magic 4, token 32, ticket u32, family 4, 6 or 0, a zero, port (network order), address 16 */
  BRIDGE_ACCEPTED = 6,       /* the one byte that answers it; until then nothing of the connection is read */
};

/* `channel`: SOCK_SEQPACKET, its other end in place of Node's. Ends when nobody holds that any more and every command's
 * stream is copied, or with its parent. */
_Noreturn void bridge_main(const struct bridge_order *order, int channel, pid_t parent);

#endif
