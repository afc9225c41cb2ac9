#include "netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault.h"

static void *reserve(struct netlink *netlink, size_t length) {
  size_t padded = NLMSG_ALIGN(length);
  if (padded > NETLINK_BYTES_MAX - netlink->length) {
    errno = 0;
    fault("description", "netlink batch too long");
  }
  void *at = netlink->bytes + netlink->length;
  memset(at, 0, padded);
  netlink->length += padded;
  struct nlmsghdr *header = (struct nlmsghdr *)(void *)(netlink->bytes + netlink->message);
  header->nlmsg_len = (uint32_t)(netlink->length - netlink->message);
  return at;
}

void netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags, int acknowledge) {
  netlink->message = netlink->length;
  struct nlmsghdr *header = reserve(netlink, sizeof *header);
  header->nlmsg_type = type;
  header->nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST | (acknowledge ? NLM_F_ACK : 0));
  if (acknowledge) netlink->acknowledged++;
  header->nlmsg_seq = netlink->acknowledged;
}

void netlink_put(struct netlink *netlink, const void *bytes, size_t length) {
  memcpy(reserve(netlink, length), bytes, length);
}

void netlink_attribute(struct netlink *netlink, uint16_t type, const void *bytes, size_t length) {
  struct nlattr *attribute = reserve(netlink, NLA_HDRLEN + length);
  attribute->nla_type = type;
  attribute->nla_len = (uint16_t)(NLA_HDRLEN + length);
  memcpy((unsigned char *)attribute + NLA_HDRLEN, bytes, length);
}

size_t netlink_open(struct netlink *netlink, uint16_t type) {
  size_t opened = netlink->length;
  struct nlattr *attribute = reserve(netlink, NLA_HDRLEN);
  attribute->nla_type = type | NLA_F_NESTED;
  return opened;
}

void netlink_close(struct netlink *netlink, size_t opened) {
  struct nlattr *attribute = (struct nlattr *)(void *)(netlink->bytes + opened);
  attribute->nla_len = (uint16_t)(netlink->length - opened);
}

/* Number of acknowledgements in one answer; -1 and errno at the first refusal. */
static int count_answers(const unsigned char *bytes, size_t length) {
  int count = 0;
  for (size_t at = 0; at + sizeof(struct nlmsghdr) <= length;) {
    struct nlmsghdr header;
    struct nlmsgerr answer;
    memcpy(&header, bytes + at, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > length - at) break;
    if (header.nlmsg_type == NLMSG_ERROR && header.nlmsg_len >= NLMSG_HDRLEN + sizeof answer.error) {
      memcpy(&answer.error, bytes + at + NLMSG_HDRLEN, sizeof answer.error);
      if (answer.error != 0) {
        errno = -answer.error;
        return -1;
      }
      count++;
    }
    at += NLMSG_ALIGN(header.nlmsg_len);
  }
  return count;
}

static int exchange(const struct netlink *netlink, int fd) {
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (sendto(fd, netlink->bytes, netlink->length, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return -1;
  for (unsigned answered = 0; answered < netlink->acknowledged;) {
    unsigned char bytes[8192];
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -1;
    int count = count_answers(bytes, (size_t)got);
    if (count < 0) return -1;
    answered += (unsigned)count;
  }
  return 0;
}

int netlink_exchange(const struct netlink *netlink, int protocol) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) return -1;
  int done = exchange(netlink, fd);
  int error = errno;
  close(fd);
  errno = error;
  return done;
}
