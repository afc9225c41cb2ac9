#include "frame.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static uint32_t get(const unsigned char *b) {
  return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void put(unsigned char *b, uint32_t value) {
  for (int i = 0; i < 4; i++) b[i] = (unsigned char)(value >> (8 * i));
}

int frame_read(struct frame_reader *reader, int fd, struct frame *frame) {
  ssize_t got = recv(fd, reader->bytes + reader->have, sizeof reader->bytes - reader->have, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
  if (got == 0) return -1;
  reader->have += (unsigned)got;
  if (reader->have < sizeof reader->bytes) return 0;
  reader->have = 0;
  *frame = (struct frame){get(reader->bytes), get(reader->bytes + 4), get(reader->bytes + 8), get(reader->bytes + 12)};
  return 1;
}

int frame_write(int fd, struct frame frame) {
  unsigned char bytes[16];
  put(bytes, frame.type);
  put(bytes + 4, frame.a);
  put(bytes + 8, frame.b);
  put(bytes + 12, frame.c);
  for (size_t at = 0; at < sizeof bytes;) {
    ssize_t sent = send(fd, bytes + at, sizeof bytes - at, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      struct pollfd wait = {.fd = fd, .events = POLLOUT};
      poll(&wait, 1, -1);
      continue;
    }
    if (sent < 0) return -1;
    at += (size_t)sent;
  }
  return 0;
}
