#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"
#include "fault.h"

/* Connections that wait here while a gateway is replaced; beyond it they are refused. The kernel caps it by somaxconn. */
enum { BACKLOG = 1024 };

struct port {
  const char *kind;
  in_port_t number;
};

static const struct port ports[] = {{"proxy", 3128}, {"http", 80}, {"tls", 443}};

static void bring_loopback_up(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {0};
  memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0) fault("namespaces", "cannot bring loopback up");
  close(fd);
}

static int listen_on(const struct sockaddr *address, socklen_t length) {
  int on = 1;
  int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (address->sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) fault("namespaces", "IPV6_V6ONLY");
  if (bind(fd, address, length) == 0 && listen(fd, BACKLOG) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

void sockets_hand_over(int channel) {
  enum { SOCKETS_MAX = 2 * sizeof ports / sizeof ports[0] };
  int fds[SOCKETS_MAX];
  unsigned count = 0;
  int v6_works = 1;
  bring_loopback_up();
  for (unsigned i = 0; i < SOCKETS_MAX; i++) {
    const struct port *port = &ports[i / 2];
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port->number), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port->number), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int is_v6 = i % 2 == 1;
    fds[i] = is_v6 ? listen_on((struct sockaddr *)&v6, sizeof v6) : listen_on((struct sockaddr *)&v4, sizeof v4);
    /* A kernel without IPv6 has no ::1 that a program could try. */
    if (fds[i] < 0 && is_v6 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) v6_works = 0;
    else if (fds[i] < 0) fault("namespaces", "cannot listen on loopback");
  }
  unsigned of = v6_works ? SOCKETS_MAX : SOCKETS_MAX / 2;
  for (unsigned i = 0; i < SOCKETS_MAX; i++) {
    if (fds[i] < 0) continue;
    const char *address = i % 2 == 1 ? "::1" : "127.0.0.1";
    char body[96];
    snprintf(body, sizeof body, "{\"socket\":\"%s\",\"address\":\"%s\",\"of\":%u}", ports[i / 2].kind, address, of);
    channel_send(channel, body, fds[i]);
    close(fds[i]);
    count++;
  }
  if (count != of) fault("namespaces", "IPv6 works for some sockets only");
}
