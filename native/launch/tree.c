/*
 * Mode `tree`: says what is below a folder that an agent has filled, and nothing but the truth.
 *
 *   tree list  MAXENTRIES MAXHASHBYTES DIR   one binary record per entry, SHA-256 of regular files
 *   tree names MAXENTRIES DIR                the same without opening any file
 *   tree usage MAXBYTES DIR…                 "BYTES INODES\n" of all; stops early once over MAXBYTES
 *   tree flush DIR                           writes the whole file system of DIR to disk (syncfs)
 *   tree remove DIR…                         removes each DIR (or file) and all below it, however deep
 *
 * The caller cannot do this itself: Node reads no extended attributes, and an overlay says in them which folders
 * are opaque. Names are bytes, so records carry lengths and no separators. Nothing is followed (O_NOFOLLOW on every
 * component, by descriptor), nothing but directories and regular files is opened (a FIFO would block), no other
 * file system is entered, and depth, count, path and hashed bytes are bounded: what was left out is flagged.
 *
 * Record, little endian: u32 length of the rest; u8 type; u8 0; u16 flags; u32 mode, rdev major, rdev minor, nlink,
 * uid, gid; u64 size, ino, dev; i64 ctime ns; 32 bytes SHA-256; u32 n, path[n]; u32 m, link target[m].
 * The last record has type 'E', size = number of entries; without it the output was cut off.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "modes.h"

enum {
  TREE_DEPTH_MAX = 128,
  TREE_PATH_MAX = 32768,
  TREE_LINK_MAX = 4096,
  TREE_FIXED = 96,
  TREE_HASH_FILE_MAX = 1 << 30,
};

enum {
  FLAG_OPAQUE = 1,     /* overlay: the lower folder of this name is hidden */
  FLAG_REDIRECT = 2,   /* overlay: metacopy or redirect, the entry is not what it seems */
  FLAG_DEEP = 8,       /* too deep, too long or another file system: not entered */
  FLAG_UNREADABLE = 16,
  FLAG_UNHASHED = 32,  /* regular file over the hash limits */
  FLAG_CUT = 64,       /* on 'E': the entry limit was met */
};

typedef struct {
  int hash, failed, cut;
  uint64_t entries, entries_max, hashed, hashed_max, bytes, bytes_max;
  dev_t dev;
  size_t path_len;
  unsigned char path[TREE_PATH_MAX];
} walk_t;

/* ---- SHA-256 (FIPS 180-4) ---- */

typedef struct {
  uint32_t h[8];
  uint64_t length;
  unsigned char block[64];
  size_t used;
} sha256_t;

static const uint32_t sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) { return (x >> n) | (x << (32 - n)); }

static void sha_block(sha256_t *s, const unsigned char *p) {
  uint32_t w[64], v[8];
  for (int i = 0; i < 16; i++) w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >> 3);
    uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  memcpy(v, s->h, sizeof v);
  for (int i = 0; i < 64; i++) {
    uint32_t t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha_k[i] + w[i];
    uint32_t t2 = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    memmove(v + 1, v, 7 * sizeof v[0]);
    v[4] += t1;
    v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) s->h[i] += v[i];
}

static void sha_start(sha256_t *s) {
  static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(s->h, start, sizeof start);
  s->length = 0;
  s->used = 0;
}

static void sha_add(sha256_t *s, const unsigned char *p, size_t n) {
  s->length += n;
  while (n > 0) {
    if (s->used == 0 && n >= 64) {
      sha_block(s, p);
      p += 64;
      n -= 64;
      continue;
    }
    size_t take = 64 - s->used < n ? 64 - s->used : n;
    memcpy(s->block + s->used, p, take);
    s->used += take;
    p += take;
    n -= take;
    if (s->used == 64) {
      sha_block(s, s->block);
      s->used = 0;
    }
  }
}

static void sha_end(sha256_t *s, unsigned char out[32]) {
  uint64_t bits = s->length * 8;
  unsigned char tail[72] = {0x80};
  size_t pad = (s->used < 56 ? 56 : 120) - s->used;
  for (int i = 0; i < 8; i++) tail[pad + i] = (unsigned char)(bits >> (56 - 8 * i));
  sha_add(s, tail, pad + 8);
  for (int i = 0; i < 32; i++) out[i] = (unsigned char)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

/* ---- records ---- */

static unsigned char *put(unsigned char *p, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) *p++ = (unsigned char)(value >> (8 * i));
  return p;
}

static void record(walk_t *w, char type, unsigned flags, const struct stat *st, const unsigned char sha[32], const char *link, size_t link_len) {
  unsigned char fixed[4 + TREE_FIXED], tail[4], *p = fixed;
  p = put(p, TREE_FIXED + w->path_len + 4 + link_len, 4);
  p = put(p, (unsigned char)type, 1);
  p = put(p, 0, 1);
  p = put(p, flags, 2);
  p = put(p, st->st_mode, 4);
  p = put(p, major(st->st_rdev), 4);
  p = put(p, minor(st->st_rdev), 4);
  p = put(p, st->st_nlink, 4);
  p = put(p, st->st_uid, 4);
  p = put(p, st->st_gid, 4);
  p = put(p, (uint64_t)st->st_size, 8);
  p = put(p, st->st_ino, 8);
  p = put(p, st->st_dev, 8);
  p = put(p, (uint64_t)((int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec), 8);
  memcpy(p, sha, 32);
  put(p + 32, w->path_len, 4);
  put(tail, link_len, 4);
  if (fwrite(fixed, 1, sizeof fixed, stdout) != sizeof fixed || fwrite(w->path, 1, w->path_len, stdout) != w->path_len ||
      fwrite(tail, 1, 4, stdout) != 4 || fwrite(link, 1, link_len, stdout) != link_len)
    w->failed = 1;
}

static int has_xattr(int fd, const char *name) {
  char scratch[1];
  return fgetxattr(fd, name, scratch, sizeof scratch) >= 0 || errno == ERANGE;
}

/* Overlays mounted in a user namespace keep their marks in user.*, others in trusted.*; both are believed, since to
 * believe one too many only shows more as deleted or refused. */
static unsigned overlay_flags(int fd) {
  unsigned flags = 0;
  char value[1];
  if (fgetxattr(fd, "trusted.overlay.opaque", value, 1) == 1 && value[0] == 'y') flags |= FLAG_OPAQUE;
  if (fgetxattr(fd, "user.overlay.opaque", value, 1) == 1 && value[0] == 'y') flags |= FLAG_OPAQUE;
  if (has_xattr(fd, "trusted.overlay.metacopy") || has_xattr(fd, "user.overlay.metacopy")) flags |= FLAG_REDIRECT;
  if (has_xattr(fd, "trusted.overlay.redirect") || has_xattr(fd, "user.overlay.redirect")) flags |= FLAG_REDIRECT;
  return flags;
}

static unsigned hash_file(walk_t *w, int dir, const char *name, unsigned char sha[32]) {
  int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat st;
  if (fd < 0) return FLAG_UNREADABLE;
  unsigned flags = overlay_flags(fd);
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) flags |= FLAG_UNREADABLE; /* swapped since it was listed */
  else if (st.st_size > TREE_HASH_FILE_MAX || w->hashed + (uint64_t)st.st_size > w->hashed_max) flags |= FLAG_UNHASHED;
  else {
    static unsigned char buffer[65536];
    sha256_t s;
    ssize_t n;
    uint64_t total = 0;
    sha_start(&s);
    while ((n = read(fd, buffer, sizeof buffer)) > 0 && (total += (uint64_t)n) <= TREE_HASH_FILE_MAX) sha_add(&s, buffer, (size_t)n);
    if (n != 0) flags |= FLAG_UNREADABLE;
    sha_end(&s, sha);
    w->hashed += total;
  }
  close(fd);
  return flags;
}

/* ---- the walk ---- */

static void walk(walk_t *w, int dir, int depth);

static void enter(walk_t *w, int dir, const char *name, const struct stat *st, int depth) {
  static const unsigned char none[32];
  unsigned flags = 0;
  int fd = -1;
  if (depth >= TREE_DEPTH_MAX || st->st_dev != w->dev) flags |= FLAG_DEEP;
  else if ((fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC)) < 0) flags |= FLAG_UNREADABLE;
  else flags |= overlay_flags(fd);
  record(w, 'd', flags, st, none, "", 0);
  if (fd >= 0) walk(w, fd, depth + 1);
}

static void one(walk_t *w, int dir, const char *name, int depth) {
  unsigned char sha[32] = {0};
  char link[TREE_LINK_MAX];
  struct stat st;
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return; /* gone since it was listed */
    memset(&st, 0, sizeof st);
    record(w, 'x', FLAG_UNREADABLE, &st, sha, "", 0);
    return;
  }
  if (S_ISDIR(st.st_mode)) enter(w, dir, name, &st, depth);
  else if (S_ISREG(st.st_mode)) {
    unsigned flags = w->hash ? hash_file(w, dir, name, sha) : 0;
    record(w, 'f', flags, &st, sha, "", 0);
  } else if (S_ISLNK(st.st_mode)) {
    ssize_t n = readlinkat(dir, name, link, sizeof link);
    record(w, 'l', n < 0 ? FLAG_UNREADABLE : 0, &st, sha, link, n < 0 ? 0 : (size_t)n);
  } else if (S_ISCHR(st.st_mode)) record(w, st.st_rdev == 0 ? 'w' : 'c', 0, &st, sha, "", 0);
  else record(w, S_ISBLK(st.st_mode) ? 'b' : S_ISFIFO(st.st_mode) ? 'p' : S_ISSOCK(st.st_mode) ? 's' : 'x', 0, &st, sha, "", 0);
}

/* Owns `dir`. */
static void walk(walk_t *w, int dir, int depth) {
  DIR *stream = fdopendir(dir);
  struct dirent *entry;
  size_t base = w->path_len;
  if (stream == NULL) {
    close(dir);
    w->failed = 1;
    return;
  }
  while (!w->failed && !w->cut && (errno = 0, entry = readdir(stream)) != NULL) {
    const char *name = entry->d_name;
    size_t length = strlen(name);
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    if (w->entries >= w->entries_max || base + 1 + length > TREE_PATH_MAX) {
      w->cut = 1;
      break;
    }
    w->entries++;
    if (base > 0) w->path[w->path_len++] = '/';
    memcpy(w->path + w->path_len, name, length);
    w->path_len += length;
    one(w, dirfd(stream), name, depth);
    w->path_len = base;
  }
  closedir(stream);
}

static void add_usage(walk_t *w, int dir, int depth) {
  DIR *stream = fdopendir(dir);
  struct dirent *entry;
  struct stat st;
  if (stream == NULL) {
    close(dir);
    return;
  }
  while (w->bytes <= w->bytes_max && (entry = readdir(stream)) != NULL) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    if (fstatat(dirfd(stream), name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    w->entries++;
    /* An inode costs at least a block, or a million empty files would weigh nothing; hard links share one. */
    uint64_t cost = (uint64_t)st.st_blocks * 512 < 4096 ? 4096 : (uint64_t)st.st_blocks * 512;
    w->bytes += S_ISDIR(st.st_mode) || st.st_nlink == 0 ? cost : cost / st.st_nlink;
    if (!S_ISDIR(st.st_mode) || st.st_dev != w->dev) continue;
    int fd = openat(dirfd(stream), name, O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && depth < TREE_DEPTH_MAX * 4) add_usage(w, fd, depth + 1);
    else if (fd >= 0) {
      close(fd);
      w->bytes = w->bytes_max + 1; /* deeper than any honest tree: counted as over */
    }
  }
  closedir(stream);
}

static int open_root(walk_t *w, const char *path, int absent_is_empty) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT && absent_is_empty) return -1;
  if (fd < 0 || fstat(fd, &st) != 0) {
    fprintf(stderr, "tree: %s: %s\n", path, strerror(errno));
    exit(1);
  }
  w->dev = st.st_dev;
  return fd;
}

/* ---- removal ---- */

static int clear(int root, int dir, int depth, unsigned *moved);

/* A path longer than the kernel's PATH_MAX or deeper than our descriptors cannot stop a removal: what is too deep is
 * moved up to the root under a fresh name, and its turn comes later. */
static int drop(int root, int dir, const char *name, int depth, unsigned *moved) {
  char up[32];
  if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR && errno != EPERM && errno != EACCES) return -1;
  if (depth >= TREE_DEPTH_MAX) {
    do snprintf(up, sizeof up, ".cordon-deep-%u", (*moved)++);
    while (faccessat(root, up, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    return renameat(dir, name, root, up);
  }
  int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0) fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  fchmod(fd, 0700); /* an ordinary user removes nothing from a folder that is not writable */
  int failed = clear(root, fd, depth + 1, moved);
  if (unlinkat(dir, name, AT_REMOVEDIR) != 0 && errno != ENOENT) failed = -1;
  return failed;
}

/* Owns `dir`. */
static int clear(int root, int dir, int depth, unsigned *moved) {
  DIR *stream = fdopendir(dir);
  struct dirent *entry;
  int failed = 0;
  if (stream == NULL) {
    close(dir);
    return -1;
  }
  while ((entry = readdir(stream)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (drop(root, dirfd(stream), entry->d_name, depth, moved) != 0) failed = -1;
  }
  closedir(stream);
  return failed;
}

static int remove_tree(const char *path) {
  unsigned moved = 0;
  int failed = 0;
  for (;;) {
    unsigned before = moved;
    int root = open(path, O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
      if (errno == ENOENT || ((errno == ENOTDIR || errno == ELOOP) && unlink(path) == 0)) return 0;
      fprintf(stderr, "tree: %s: %s\n", path, strerror(errno));
      return -1;
    }
    int scan = fcntl(root, F_DUPFD_CLOEXEC, 3);
    fchmod(root, 0700);
    failed = scan < 0 ? -1 : clear(root, scan, 0, &moved);
    close(root);
    if (moved == before) break; /* nothing was moved up, so nothing waits for another round */
  }
  if (rmdir(path) != 0 && errno != ENOENT) failed = -1;
  if (failed != 0) fprintf(stderr, "tree: %s: not all could be removed: %s\n", path, strerror(errno));
  return failed;
}

static int usage(void) {
  fprintf(stderr, "usage: tree list MAXENTRIES MAXHASHBYTES DIR | names MAXENTRIES DIR | usage MAXBYTES DIR... | flush DIR | remove DIR...\n");
  return 64;
}

int tree_main(int argc, char **argv) {
  static walk_t w;
  const char *mode = argc > 1 ? argv[1] : "";
  if (strcmp(mode, "remove") == 0 && argc >= 3) {
    int failed = 0;
    for (int i = 2; i < argc; i++) failed |= remove_tree(argv[i]);
    return failed == 0 ? 0 : 1;
  }
  if (strcmp(mode, "flush") == 0 && argc == 3) return syncfs(open_root(&w, argv[2], 0)) == 0 ? 0 : 1;
  if (strcmp(mode, "usage") == 0 && argc >= 4) {
    w.bytes_max = strtoull(argv[2], NULL, 10);
    for (int i = 3; i < argc; i++) {
      int root = open_root(&w, argv[i], 1);
      if (root >= 0) add_usage(&w, root, 0);
    }
    printf("%llu %llu\n", (unsigned long long)w.bytes, (unsigned long long)w.entries);
    return fflush(stdout) == 0 ? 0 : 1;
  }
  w.hash = strcmp(mode, "list") == 0;
  if (!(w.hash && argc == 5) && !(strcmp(mode, "names") == 0 && argc == 4)) return usage();
  w.entries_max = strtoull(argv[2], NULL, 10);
  w.hashed_max = w.hash ? strtoull(argv[3], NULL, 10) : 0;
  walk(&w, open_root(&w, argv[argc - 1], 0), 0);
  if (!w.failed) {
    struct stat end = {.st_size = (off_t)w.entries};
    unsigned char none[32] = {0};
    w.path_len = 0;
    record(&w, 'E', w.cut ? FLAG_CUT : 0, &end, none, "", 0);
  }
  return fflush(stdout) == 0 && !w.failed ? 0 : 1;
}
