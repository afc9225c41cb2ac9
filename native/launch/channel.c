#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "fault.h"

void channel_send(int channel, const char *type, const char *body, int fd) {
  char line[512];
  int length = snprintf(line, sizeof line, "{\"cmd\":\"NODE_HANDLE\",\"type\":\"%s\",\"msg\":%s}\n", type, body);
  if (length < 0 || length >= (int)sizeof line) fault("description", "message too long");
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec vector = {line, (size_t)length};
  struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(part), &fd, sizeof(int));
  ssize_t sent;
  while ((sent = sendmsg(channel, &header, MSG_NOSIGNAL)) < 0) {
    if (errno == EAGAIN) {
      struct pollfd wait = {.fd = channel, .events = POLLOUT};
      poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      fault("supervisor", "is gone");
    }
  }
  /* The descriptor went with the first byte; the rest of so short a line always fits after it. */
  while (sent < length) {
    ssize_t more = send(channel, line + sent, (size_t)(length - sent), MSG_NOSIGNAL);
    if (more < 0 && errno != EINTR && errno != EAGAIN) fault("supervisor", "is gone");
    if (more > 0) sent += more;
  }
}

int channel_drain(int channel) {
  char bytes[4096];
  ssize_t got = recv(channel, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got == 0) return -1;
  return got < 0 && errno != EAGAIN && errno != EINTR ? -1 : 0;
}
