/*
 * A description has one spelling: what was read is written again here, field by field, and must be the very bytes that
 * came. A parser that skips, repeats or misreads a field cannot pass; the sanitizers see every byte that is not its own.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../command.h"
#include "../guard.h"
#include "../launch.h"
#include "harness.h"

static unsigned char *made;
static size_t made_length;
static size_t made_room;

static void put(const void *from, size_t length) {
  if (made_length + length > made_room) harness_broken("written again, it is longer than what came");
  memcpy(made + made_length, from, length);
  made_length += length;
}

static void put32(uint32_t value) {
  unsigned char b[4] = {(unsigned char)value, (unsigned char)(value >> 8), (unsigned char)(value >> 16), (unsigned char)(value >> 24)};
  put(b, 4);
}

static void put64(uint64_t value) {
  put32((uint32_t)value);
  put32((uint32_t)(value >> 32));
}

static void put_bytes(const void *bytes, size_t length) {
  put32((uint32_t)length);
  put(bytes, length);
}

static void put_string(const char *text) {
  put_bytes(text, strlen(text));
  put("", 1);
}

static void begin(uint32_t magic, size_t length) {
  free(made);
  made = malloc(length);
  made_room = length;
  made_length = 0;
  put32(magic);
  put32((uint32_t)length);
}

static void compare(const unsigned char *bytes, size_t length) {
  if (made_length != length || memcmp(made, bytes, length) != 0) harness_broken("written again, it is not what came");
}

static struct command command;

static void read_command(const unsigned char *bytes, size_t length) {
  command_read(bytes, length, &command);
  if (command.arguments[0] == NULL) harness_broken("a command without a program");
  begin(COMMAND_MAGIC, length);
  put32(command.terminal);
  put32(command.cols);
  put32(command.rows);
  put_string(command.directory);
  uint32_t count = 0;
  while (command.arguments[count] != NULL) count++;
  put32(count);
  for (uint32_t i = 0; i < count; i++) put_string(command.arguments[i]);
  for (count = 0; command.environment[count] != NULL;) count++;
  put32(count);
  for (uint32_t i = 0; i < count; i++) put_string(command.environment[i]);
  compare(bytes, length);
}

static struct launch_order launch;

static void read_launch(const unsigned char *bytes, size_t length) {
  launch_order_read(bytes, length, &launch);
  const struct confinement *confinement = &launch.confinement;
  begin(LAUNCH_MAGIC, length);
  put32(confinement->landlock_required);
  put32(confinement->landlock_abi_min);
  put32(confinement->seccomp_required);
  put64(confinement->open_files);
  put64(confinement->file_bytes);
  put64(confinement->processes);
  put64(confinement->data_bytes);
  put32(confinement->rules_count);
  for (unsigned i = 0; i < confinement->rules_count; i++) {
    put64(confinement->rules[i].rights);
    put_string(confinement->rules[i].path);
  }
  put_bytes(confinement->filter, confinement->filter_length);
  put32(launch.masked_count);
  for (unsigned i = 0; i < launch.masked_count; i++) put_string(launch.masked[i]);
  put_bytes(launch.main, launch.main_length);
  compare(bytes, length);
}

static void put_mount(const struct stage_mount *mount) {
  put32(mount->kind);
  put32(mount->readonly);
  put32(mount->idmap);
  put32(mount->owner_uid);
  put32(mount->owner_gid);
  put32(mount->to_uid);
  put32(mount->to_gid);
  put_string(mount->source);
  put_string(mount->upper);
  put_string(mount->work);
  put_string(mount->name);
}

static void put_sockets(const struct sockets_order *sockets) {
  put32(sockets->capture);
  put32(sockets->tcp_count);
  for (unsigned i = 0; i < sockets->tcp_count; i++) {
    put_string(sockets->tcp[i].address);
    put32(sockets->tcp[i].port);
  }
}

static struct guard_order guard;
static int guard_input = -1;

/* It reads from a descriptor; a file in memory stands for the socket. */
static int descriptor_of(const unsigned char *bytes, size_t length) {
  if (guard_input < 0) guard_input = memfd_create("input", MFD_CLOEXEC);
  if (ftruncate(guard_input, 0) != 0 || lseek(guard_input, 0, SEEK_SET) != 0) abort();
  if (write(guard_input, bytes, length) != (ssize_t)length || lseek(guard_input, 0, SEEK_SET) != 0) abort();
  return guard_input;
}

void run_guard(const unsigned char *bytes, size_t length) {
  guard_order_read(descriptor_of(bytes, length), &guard);
  size_t read = (size_t)lseek(guard_input, 0, SEEK_CUR);
  if (guard.root > 1 || (guard.root && (guard.uid == 0 || guard.gid == 0))) harness_broken("the agent would be root");
  begin(GUARD_MAGIC, read);
  put32((uint32_t)guard.parent);
  put32(guard.root);
  put32(guard.uid);
  put32(guard.gid);
  put_string(guard.unified);
  put32(guard.tasks_count);
  for (unsigned i = 0; i < guard.tasks_count; i++) put_string(guard.tasks[i]);
  put32(guard.mounts_count);
  for (unsigned i = 0; i < guard.mounts_count; i++) put_mount(&guard.mounts[i]);
  put_sockets(&guard.sockets);
  put_string(guard.bridge.folder);
  put_bytes(guard.bridge.token, guard.bridge.folder[0] == 0 ? 0 : BRIDGE_TOKEN_BYTES);
  put_string(guard.bwrap);
  put_bytes(guard.arguments, guard.arguments_length);
  put_bytes(guard.launch, guard.launch_length);
  /* What follows the description on the socket are frames; they are not its own. */
  compare(bytes, read);
  /* A copy of its own length, as the sealed memory is that the launcher maps. */
  unsigned char *inner = malloc(guard.launch_length);
  memcpy(inner, guard.launch, guard.launch_length);
  run_launch(inner, guard.launch_length);
  free(inner);
}

void run_launch(const unsigned char *bytes, size_t length) {
  read_launch(bytes, length);
  unsigned char *inner = malloc(launch.main_length);
  memcpy(inner, launch.main, launch.main_length);
  read_command(inner, launch.main_length);
  free(inner);
}

void run_command(const unsigned char *bytes, size_t length) { read_command(bytes, length); }
