/*
 * Programs that ignore proxy variables: in the sandbox's own network namespace every address is made local, and the
 * kernel gives every TCP connection to one that is not loopback's to the capture socket (nf_tables, `tproxy`). Such a
 * connection keeps the address and the port that the program meant as its own local ones, so whoever accepts it reads them
 * from the socket. No connection tracking: its table is the host's, and its memory would be nobody's.
 *
 * Everything else that is neither TCP nor loopback's is dropped as it is sent (the sender gets EPERM).
 */
#ifndef CORDON_CAPTURE_H
#define CORDON_CAPTURE_H

#include <netinet/in.h>
#include <sys/socket.h>

/* The namespace's own addresses: what a captured connection seems to come from, and where the capture sockets listen. */
#define CAPTURE_ADDRESS_4 "198.18.0.1"
#define CAPTURE_ADDRESS_6 "fd63:6f72:646f:6e::1"
/* Below 1024: an agent's own server can never want it. */
enum { CAPTURE_PORT = 81 };

/* Gives loopback its address of this family. 0, or -1 and errno. */
int capture_address(int family);
/* Rules first, then the routes that make them matter. 0; else -1 and errno: then there are no routes, and programs that
 * ignore the proxy find no way at all, as without capture. `v6`: for both families. */
int capture_install(int v6);
/* Lets a listening socket take connections to addresses that are not its own. 0, or -1 and errno. */
int capture_listener(int fd, int family);

#endif
