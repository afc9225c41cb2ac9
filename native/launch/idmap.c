#include "idmap.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

static void write_map(pid_t pid, const char *name, const char *lines) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, lines, strlen(lines)) < 0) fault("uid", "cannot write the owner table");
  close(fd);
}

/* A file whose group is not mapped could not be written even by its owner, and trees hold files of several groups:
 * the other groups stay what they are, and the agent is in none of them. */
static void write_groups(pid_t pid, gid_t owner, gid_t to) {
  const unsigned all = 65536;
  char lines[160];
  int at = snprintf(lines, sizeof lines, "%u %u 1\n", owner, to);
  if (owner > 0) at += snprintf(lines + at, sizeof lines - (size_t)at, "0 0 %u\n", owner < all ? owner : all);
  if (owner + 1 < all) snprintf(lines + at, sizeof lines - (size_t)at, "%u %u %u\n", owner + 1, owner + 1, all - owner - 1);
  write_map(pid, "gid_map", lines);
}

int idmap_open(uid_t owner_uid, gid_t owner_gid, uid_t to_uid, gid_t to_gid) {
  /* A namespace needs a process to be born; it ends as soon as its descriptor is held. */
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid < 0) fault("uid", "cannot make the owner table's namespace");
  if (pid == 0) {
    for (;;) pause();
  }
  char path[64];
  char users[32];
  snprintf(users, sizeof users, "%u %u 1", owner_uid, to_uid);
  write_map(pid, "uid_map", users);
  write_groups(pid, owner_gid, to_gid);
  snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  if (fd < 0) fault("uid", "cannot hold the owner table's namespace");
  return fd;
}
