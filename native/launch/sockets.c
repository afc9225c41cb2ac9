#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture.h"
#include "channel.h"
#include "fault.h"

/* Connections that wait here while a gateway is replaced; beyond it they are refused. The kernel caps it by somaxconn. */
enum { BACKLOG = 1024 };

enum { SOCKETS_MAX = 10 + SOCKETS_TCP_MAX };

struct door {
  const char *kind;
  const char *address;
  uint32_t port;
  int family;
  int type;
  int captures; /* takes connections to every address */
};

static const struct door always[] = {
    {"proxy", "127.0.0.1", 3128, AF_INET, SOCK_STREAM, 0}, {"proxy", "::1", 3128, AF_INET6, SOCK_STREAM, 0},
    {"http", "127.0.0.1", 80, AF_INET, SOCK_STREAM, 0},    {"http", "::1", 80, AF_INET6, SOCK_STREAM, 0},
    {"tls", "127.0.0.1", 443, AF_INET, SOCK_STREAM, 0},    {"tls", "::1", 443, AF_INET6, SOCK_STREAM, 0},
};
static const struct door capturing[] = {
    {"names", "127.0.0.1", 53, AF_INET, SOCK_DGRAM, 0},
    {"names", "::1", 53, AF_INET6, SOCK_DGRAM, 0},
    {"capture", CAPTURE_ADDRESS_4, CAPTURE_PORT, AF_INET, SOCK_STREAM, 1},
    {"capture", CAPTURE_ADDRESS_6, CAPTURE_PORT, AF_INET6, SOCK_STREAM, 1},
};

struct opened {
  const struct door *door;
  int fd;
};

struct sockets {
  int v6;
  unsigned count;
  struct opened opened[SOCKETS_MAX];
};

static void bring_loopback_up(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {0};
  memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0) fault("namespaces", "cannot bring loopback up");
  close(fd);
}

static int bind_to(int fd, const struct door *door) {
  if (door->family == AF_INET) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)door->port)};
    if (inet_pton(AF_INET, door->address, &v4.sin_addr) != 1) {
      errno = EINVAL;
      return -1;
    }
    return bind(fd, (struct sockaddr *)&v4, sizeof v4);
  }
  int on = 1;
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)door->port)};
  inet_pton(AF_INET6, door->address, &v6.sin6_addr);
  if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) return -1;
  return bind(fd, (struct sockaddr *)&v6, sizeof v6);
}

static int open_door(const struct door *door) {
  int fd = socket(door->family, door->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  int on = 1;
  /* Inherited by what is accepted: a relay that copies small pieces must not wait for their acknowledgement. */
  if (door->type == SOCK_STREAM) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if ((!door->captures || capture_listener(fd, door->family) == 0) && bind_to(fd, door) == 0 &&
      (door->type == SOCK_DGRAM || listen(fd, BACKLOG) == 0)) {
    return fd;
  }
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/* A kernel without IPv6 has no ::1 that a program could try. */
static int has_v6(void) {
  static const struct door loopback = {"proxy", "::1", 0, AF_INET6, SOCK_STREAM, 0};
  int fd = open_door(&loopback);
  if (fd >= 0) close(fd);
  else if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) fault("namespaces", "IPv6 on loopback");
  return fd >= 0;
}

static int add(struct sockets *sockets, const struct door *door) {
  if (door->family == AF_INET6 && !sockets->v6) return 0;
  int fd = open_door(door);
  if (fd < 0) return -1;
  sockets->opened[sockets->count++] = (struct opened){door, fd};
  return 0;
}

/* All or nothing: sockets without the rules would serve nobody, and the rules without them would hide a refusal. */
static int add_capture(struct sockets *sockets) {
  unsigned before = sockets->count;
  int works = capture_address(AF_INET) == 0 && (!sockets->v6 || capture_address(AF_INET6) == 0);
  for (unsigned i = 0; works && i < sizeof capturing / sizeof capturing[0]; i++) works = add(sockets, &capturing[i]) == 0;
  if (works && capture_install(sockets->v6) == 0) return 0;
  int error = errno;
  while (sockets->count > before) close(sockets->opened[--sockets->count].fd);
  errno = error;
  return -1;
}

void sockets_hand_over(int channel, const struct sockets_order *order) {
  struct sockets sockets = {.count = 0};
  struct door tcp[SOCKETS_TCP_MAX];
  bring_loopback_up();
  sockets.v6 = has_v6();
  for (unsigned i = 0; i < sizeof always / sizeof always[0]; i++) {
    if (add(&sockets, &always[i]) != 0) fault("namespaces", "cannot listen on loopback");
  }
  for (unsigned i = 0; i < order->tcp_count; i++) {
    tcp[i] = (struct door){"tcp", order->tcp[i].address, order->tcp[i].port, AF_INET, SOCK_STREAM, 0};
    if (add(&sockets, &tcp[i]) != 0) fault("namespaces", "cannot listen for a TCP grant");
  }
  if (order->capture) add_capture(&sockets);
  for (unsigned i = 0; i < sockets.count; i++) {
    const struct door *door = sockets.opened[i].door;
    char body[160];
    snprintf(body, sizeof body, "{\"socket\":\"%s\",\"address\":\"%s\",\"port\":%u,\"of\":%u}", door->kind, door->address, door->port, sockets.count);
    channel_send(channel, door->type == SOCK_DGRAM ? "dgram.Native" : "net.Native", body, sockets.opened[i].fd);
    close(sockets.opened[i].fd);
  }
}

void sockets_try_capture(void) {
  struct sockets sockets = {.count = 0};
  bring_loopback_up();
  sockets.v6 = has_v6();
  if (add_capture(&sockets) != 0) fault("capture", "this kernel cannot catch connections (nf_tables with tproxy)");
}
