#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "idmap.h"

#define STAGE_EMPTY STAGE_DIR "/empty"

static _Noreturn void failed(const char *what, const char *path) {
  int error = errno;
  char text[256];
  snprintf(text, sizeof text, "%s %s", what, path);
  errno = error;
  fault("workspace", text);
}

static void write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) failed("cannot write", path);
  close(fd);
}

static void enter_namespace(int root) {
  uid_t uid = getuid();
  gid_t gid = getgid();
  if (unshare((root ? 0 : CLONE_NEWUSER) | CLONE_NEWNS | CLONE_NEWNET) != 0) fault("namespaces", "unshare");
  if (!root) {
    char line[64];
    write_file("/proc/self/setgroups", "deny");
    snprintf(line, sizeof line, "%u %u 1", uid, uid);
    write_file("/proc/self/uid_map", line);
    snprintf(line, sizeof line, "%u %u 1", gid, gid);
    write_file("/proc/self/gid_map", line);
  }
  /* Nothing that is mounted here reaches the host; what the host unmounts still goes away here. */
  if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) != 0) fault("namespaces", "cannot make mounts private");
}

/* No component may be a symbolic link: the path was resolved when it was checked, and may have been swapped since. */
static int open_real(const char *path) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
  if (fd < 0) failed("cannot open", path);
  return fd;
}

static int clone_tree(const struct stage_mount *mount, int root, int *is_dir) {
  int at = open_real(mount->source);
  struct stat info;
  if (fstat(at, &info) != 0) failed("cannot stat", mount->source);
  *is_dir = S_ISDIR(info.st_mode);
  if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) {
    errno = 0;
    failed("neither a file nor a folder:", mount->source);
  }
  /* In a user namespace the mounts below are locked to their parent and must come along. */
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (root ? 0 : AT_RECURSIVE);
  int tree = (int)syscall(SYS_open_tree, at, "", flags);
  if (tree < 0) failed("cannot clone the mount of", mount->source);
  close(at);
  struct mount_attr attr = {0};
  if (mount->readonly) attr.attr_set |= MOUNT_ATTR_RDONLY;
  attr.attr_set |= MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (mount->idmap) {
    attr.attr_set |= MOUNT_ATTR_IDMAP;
    attr.userns_fd = (uint64_t)idmap_open(mount->owner_uid, mount->owner_gid, mount->to_uid, mount->to_gid);
  }
  if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr) != 0) {
    failed(mount->idmap ? "this file system cannot map owners (id-mapped mount):" : "cannot restrict", mount->source);
  }
  if (mount->idmap) close((int)attr.userns_fd);
  return tree;
}

static void attach(int tree, const char *path, int is_dir) {
  if (is_dir) {
    if (mkdir(path, 0755) != 0) failed("cannot make", path);
  } else {
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0) failed("cannot make", path);
    close(fd);
  }
  if (syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) != 0) failed("cannot mount", path);
  close(tree);
}

/* `volatile`: without it the end of every sandbox waits until the whole file system of the upper layer is written back
 * (seconds, when others write); no session goes on after a power cut, and what a proposal's reader needs on disk it syncs.
 * Paths go in as descriptors: no character of theirs can end an option, and none shows in the agent's mountinfo. */
static void attach_overlay(const struct stage_mount *mount, int lower, int upper, int work, int root) {
  char lower_path[64];
  char path[64];
  char options[256];
  snprintf(lower_path, sizeof lower_path, STAGE_DIR "/lower-%s", mount->name);
  attach(lower, lower_path, 1);
  snprintf(options, sizeof options,
           "lowerdir=%s,upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d,redirect_dir=nofollow,metacopy=off,index=off,volatile%s",
           lower_path, upper, work, root ? "" : ",userxattr");
  snprintf(path, sizeof path, STAGE_DIR "/%s", mount->name);
  if (mkdir(path, 0755) != 0) failed("cannot make", path);
  if (syscall(SYS_mount, "overlay", path, "overlay", MS_NOSUID | MS_NODEV, options) != 0) failed("cannot mount the overlay over", mount->source);
}

/* An overlay without an upper layer wants two lower ones: the second is empty. */
static void attach_shade(const struct stage_mount *mount, int lower, int is_dir, int root) {
  char lower_path[64];
  char path[64];
  char options[256];
  if (!is_dir) {
    errno = 0;
    failed("not a folder:", mount->source);
  }
  snprintf(lower_path, sizeof lower_path, STAGE_DIR "/lower-%s", mount->name);
  attach(lower, lower_path, 1);
  snprintf(options, sizeof options, "lowerdir=%s:" STAGE_EMPTY ",redirect_dir=nofollow,metacopy=off,index=off%s", lower_path, root ? "" : ",userxattr");
  snprintf(path, sizeof path, STAGE_DIR "/%s", mount->name);
  if (mkdir(path, 0755) != 0) failed("cannot make", path);
  if (syscall(SYS_mount, "overlay", path, "overlay", MS_NOSUID | MS_NODEV | MS_RDONLY, options) != 0) {
    failed("cannot mount the overlay over", mount->source);
  }
}

void stage_build(const struct stage_mount *mounts, unsigned count, int root) {
  int trees[STAGE_MOUNTS_MAX];
  int uppers[STAGE_MOUNTS_MAX];
  int works[STAGE_MOUNTS_MAX];
  int is_dir[STAGE_MOUNTS_MAX];
  enter_namespace(root);
  for (unsigned i = 0; i < count; i++) {
    trees[i] = clone_tree(&mounts[i], root, &is_dir[i]);
    if (mounts[i].kind != STAGE_OVERLAY) continue;
    uppers[i] = open_real(mounts[i].upper);
    works[i] = open_real(mounts[i].work);
  }
  if (mount("tmpfs", STAGE_DIR, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") != 0) fault("namespaces", "cannot mount the stage");
  if (mkdir(STAGE_EMPTY, 0755) != 0) failed("cannot make", STAGE_EMPTY);
  for (unsigned i = 0; i < count; i++) {
    if (mounts[i].kind == STAGE_OVERLAY) {
      attach_overlay(&mounts[i], trees[i], uppers[i], works[i], root);
    } else if (mounts[i].kind == STAGE_SHADE) {
      attach_shade(&mounts[i], trees[i], is_dir[i], root);
    } else {
      char path[64];
      snprintf(path, sizeof path, STAGE_DIR "/%s", mounts[i].name);
      attach(trees[i], path, is_dir[i]);
    }
  }
}
