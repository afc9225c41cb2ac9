// Loaded into a copy of Node, below one deployment only: shifts its wall clock, delays or fails its writes and syncs.
// What to do is read from a small mapped file (SWITCHES), so that it changes while the programs run.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct switches {
  int64_t clock_seconds;
  int64_t sync_delay_ms;
  int64_t fail_one_in; // of the writes and syncs; 0: none
  char below[1024];    // the folder whose files are meant
};

static const volatile struct switches *switches;

__attribute__((constructor)) static void begin(void) {
  int fd = open(SWITCHES, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void *map = mmap(NULL, sizeof(struct switches), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (map != MAP_FAILED) switches = map;
}

#define REAL(name) \
  static __typeof__(&name) real; \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int meant(int fd) {
  if (switches == NULL || (switches->sync_delay_ms == 0 && switches->fail_one_in == 0)) return 0;
  char link[64], path[PATH_MAX], below[1024];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  for (size_t i = 0; i < sizeof below; i++) below[i] = switches->below[i];
  below[sizeof below - 1] = 0;
  return below[0] != 0 && strncmp(path, below, strlen(below)) == 0;
}

static int fails(void) {
  if (switches->fail_one_in == 0) return 0;
  static _Atomic uint64_t count;
  // Steps of a fixed large odd number are as good as dice here, and need no state of anybody else's.
  uint64_t mixed = ++count * 0x9e3779b97f4a7c15u;
  if ((mixed >> 33) % (uint64_t)switches->fail_one_in != 0) return 0;
  errno = EIO;
  return 1;
}

static void delay(void) {
  struct timespec wait = {switches->sync_delay_ms / 1000, switches->sync_delay_ms % 1000 * 1000000};
  if (switches->sync_delay_ms > 0) nanosleep(&wait, NULL);
}

int fsync(int fd) {
  REAL(fsync);
  if (meant(fd)) {
    delay();
    if (fails()) return -1;
  }
  return real(fd);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  if (meant(fd)) {
    delay();
    if (fails()) return -1;
  }
  return real(fd);
}

ssize_t write(int fd, const void *bytes, size_t count) {
  REAL(write);
  return meant(fd) && fails() ? -1 : real(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  return meant(fd) && fails() ? -1 : real(fd, parts, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  REAL(pwrite64);
  return meant(fd) && fails() ? -1 : real(fd, bytes, count, at);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  REAL(clock_gettime);
  int result = real(clock, now);
  if (result == 0 && switches != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    now->tv_sec += switches->clock_seconds;
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  REAL(gettimeofday);
  int result = real(now, zone);
  if (result == 0 && switches != NULL) now->tv_sec += switches->clock_seconds;
  return result;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}
