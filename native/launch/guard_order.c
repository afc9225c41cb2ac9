#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "guard.h"
#include "reader.h"

static unsigned char buffer[GUARD_BYTES_MAX];

static void read_exactly(int fd, void *into, size_t length) {
  for (size_t at = 0; at < length;) {
    ssize_t got = read(fd, (char *)into + at, length - at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fault("supervisor", "is gone");
    at += (size_t)got;
  }
}

static void read_mount(struct reader *reader, struct stage_mount *mount) {
  mount->kind = reader_u32(reader);
  mount->readonly = reader_u32(reader);
  mount->idmap = reader_u32(reader);
  mount->owner_uid = reader_u32(reader);
  mount->owner_gid = reader_u32(reader);
  mount->to_uid = reader_u32(reader);
  mount->to_gid = reader_u32(reader);
  mount->source = reader_string(reader, STAGE_PATH_MAX);
  mount->upper = reader_string(reader, STAGE_PATH_MAX);
  mount->work = reader_string(reader, STAGE_PATH_MAX);
  mount->name = reader_string(reader, STAGE_NAME_MAX);
  int name_is_plain = mount->name[0] != 0 && strspn(mount->name, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(mount->name);
  if (mount->kind > STAGE_SHADE || mount->readonly > 1 || mount->idmap > 1 || !name_is_plain || mount->source[0] != '/') {
    errno = 0;
    fault("description", "malformed mount");
  }
}

static void read_sockets(struct reader *reader, struct sockets_order *sockets) {
  sockets->capture = reader_u32(reader);
  sockets->tcp_count = reader_count(reader, SOCKETS_TCP_MAX);
  int wrong = sockets->capture > 1;
  for (unsigned i = 0; i < sockets->tcp_count; i++) {
    sockets->tcp[i].address = reader_string(reader, 15);
    sockets->tcp[i].port = reader_u32(reader);
    /* Of an address of its own, a grant can take no port from the sockets that every sandbox has. */
    wrong |= strncmp(sockets->tcp[i].address, "127.64.0.", 9) != 0 || sockets->tcp[i].port == 0 || sockets->tcp[i].port > 0xffff;
  }
  if (wrong) {
    errno = 0;
    fault("description", "malformed sockets");
  }
}

static void read_bridge(struct reader *reader, struct bridge_order *bridge) {
  size_t length;
  bridge->folder = reader_string(reader, STAGE_PATH_MAX);
  bridge->token = reader_bytes(reader, BRIDGE_TOKEN_BYTES, &length);
  if (bridge->folder[0] == 0 ? length != 0 : bridge->folder[0] != '/' || length != BRIDGE_TOKEN_BYTES) {
    errno = 0;
    fault("description", "malformed relay");
  }
}

void guard_order_read(int fd, struct guard_order *order) {
  /* Magic and length, the first eight bytes, are all that is read before the size is known. */
  read_exactly(fd, buffer, 8);
  uint32_t total = (uint32_t)buffer[4] | (uint32_t)buffer[5] << 8 | (uint32_t)buffer[6] << 16 | (uint32_t)buffer[7] << 24;
  if (total < 8 || total > sizeof buffer) {
    errno = 0;
    fault("description", "wrong length");
  }
  read_exactly(fd, buffer + 8, total - 8);
  struct reader reader = reader_open(buffer, total, GUARD_MAGIC);
  order->parent = (pid_t)reader_u32(&reader);
  order->root = reader_u32(&reader);
  order->uid = reader_u32(&reader);
  order->gid = reader_u32(&reader);
  if (order->root > 1 || (order->root && (order->uid == 0 || order->gid == 0))) {
    errno = 0;
    fault("description", "the agent may not be root");
  }
  order->unified = reader_string(&reader, STAGE_PATH_MAX);
  order->tasks_count = reader_count(&reader, GUARD_CGROUPS_MAX);
  for (unsigned i = 0; i < order->tasks_count; i++) order->tasks[i] = reader_string(&reader, STAGE_PATH_MAX);
  order->mounts_count = reader_count(&reader, STAGE_MOUNTS_MAX);
  for (unsigned i = 0; i < order->mounts_count; i++) read_mount(&reader, &order->mounts[i]);
  read_sockets(&reader, &order->sockets);
  read_bridge(&reader, &order->bridge);
  order->bwrap = reader_string(&reader, STAGE_PATH_MAX);
  order->arguments = reader_bytes(&reader, 1 << 20, &order->arguments_length);
  order->launch = reader_bytes(&reader, 2 << 20, &order->launch_length);
  reader_close(&reader);
}
