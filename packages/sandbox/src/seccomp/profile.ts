import { argumentRules } from './arguments.ts';
import type { Architecture } from './numbers.ts';
import { systemCallNumbers } from './numbers.ts';
import { type ArgumentRule, refused, unknown, type Verdict } from './rule.ts';

export type ProfileName = 'strict' | 'compat';

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

/** Refused whatever the profile; the reason stands before each group. */
const alwaysRefused: ReadonlySet<string> = new Set([
  // Other namespaces and the mount table.
  ...words(`setns mount umount2 pivot_root chroot open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick
    mount_setattr statmount listmount`),
  // Large kernel surfaces with a history of escapes.
  ...words(`io_uring_setup io_uring_enter io_uring_register bpf perf_event_open userfaultfd fanotify_init fanotify_mark
    lookup_dcookie nfsservctl vmsplice`),
  // Keyrings are not namespaced.
  ...words('keyctl add_key request_key'),
  // Other processes' memory and descriptors; also with the second PID namespace and Landlock in front of them.
  ...words('ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp process_madvise process_mrelease'),
  // File handles open what no path leads to.
  ...words('open_by_handle_at name_to_handle_at'),
  // The machine: kernel images, modules, clocks, consoles, swap, accounting, quotas, I/O ports, host name, kernel log.
  ...words(`kexec_load kexec_file_load create_module init_module finit_module delete_module get_kernel_syms query_module
    settimeofday clock_settime clock_adjtime adjtimex swapon swapoff reboot acct quotactl quotactl_fd iopl ioperm
    sethostname setdomainname syslog vhangup _sysctl uselib ustat sysfs vserver tuxcall afs_syscall security
    getpmsg putpmsg epoll_ctl_old epoll_wait_old`),
  // Memory policy of other processes; segment tables that only emulators need; another security module's profile.
  ...words('move_pages migrate_pages modify_ldt lsm_set_self_attr'),
]);

/** The allow-list of `strict`: what V8, Go, glibc, musl, git, compilers and package managers use. */
const strictAllowed: ReadonlySet<string> = new Set(
  words(`
    read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn
    ioctl pread64 pwrite64 readv writev access pipe select sched_yield mremap msync mincore madvise shmget shmat shmctl
    dup dup2 pause nanosleep getitimer alarm setitimer getpid sendfile socket connect accept sendto recvfrom sendmsg
    recvmsg shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt clone fork vfork execve exit
    wait4 kill uname semget semop semctl shmdt msgget msgsnd msgrcv msgctl fcntl flock fsync fdatasync truncate ftruncate
    getdents getcwd chdir fchdir rename mkdir rmdir creat link unlink symlink readlink chmod fchmod chown fchown lchown
    umask gettimeofday getrlimit getrusage sysinfo times getuid getgid setuid setgid geteuid getegid setpgid getppid
    getpgrp setsid setreuid setregid getgroups setgroups setresuid getresuid setresgid getresgid getpgid setfsuid setfsgid
    getsid capget capset rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend sigaltstack utime mknod personality
    statfs fstatfs getpriority setpriority sched_setparam sched_getparam sched_setscheduler sched_getscheduler
    sched_get_priority_max sched_get_priority_min sched_rr_get_interval mlock munlock mlockall munlockall prctl arch_prctl
    setrlimit sync gettid readahead setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr
    flistxattr removexattr lremovexattr fremovexattr tkill time futex sched_setaffinity sched_getaffinity epoll_create
    getdents64 set_tid_address restart_syscall semtimedop fadvise64 timer_create timer_settime timer_gettime
    timer_getoverrun timer_delete clock_gettime clock_getres clock_nanosleep exit_group epoll_wait epoll_ctl tgkill utimes
    get_mempolicy waitid ioprio_set ioprio_get inotify_init inotify_add_watch inotify_rm_watch openat mkdirat mknodat
    fchownat futimesat newfstatat unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll unshare
    set_robust_list get_robust_list splice tee sync_file_range utimensat epoll_pwait signalfd timerfd_create eventfd
    fallocate timerfd_settime timerfd_gettime accept4 signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv
    pwritev rt_tgsigqueueinfo recvmmsg prlimit64 syncfs sendmmsg getcpu sched_setattr sched_getattr renameat2 seccomp
    getrandom memfd_create execveat membarrier mlock2 copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc pkey_free
    statx rseq pidfd_send_signal pidfd_open close_range faccessat2 epoll_pwait2 landlock_create_ruleset
    landlock_add_rule landlock_restrict_self futex_waitv cachestat fchmodat2 futex_wake futex_wait futex_requeue mseal
    set_thread_area get_thread_area`),
);

/** Programs that find them fall back to `clone` and `openat`, whose flags and mode can be tested; here they lie behind a pointer. */
const absent: ReadonlySet<string> = new Set(['clone3', 'openat2']);

/** What a profile says about every system call that this architecture has. Numbers that are not in it are unknown. */
export function profileRules(
  name: ProfileName,
  architecture: Architecture,
): ReadonlyMap<number, Verdict | ArgumentRule> {
  const rules = new Map<number, Verdict | ArgumentRule>();
  for (const [call, number] of systemCallNumbers(architecture)) rules.set(number, ruleOf(name, call));
  return rules;
}

function ruleOf(profile: ProfileName, call: string): Verdict | ArgumentRule {
  if (absent.has(call)) return unknown;
  if (alwaysRefused.has(call)) return refused;
  if (profile === 'strict' && !strictAllowed.has(call)) return refused;
  return argumentRules.get(call) ?? 'allow';
}

/** Names in the lists above that no architecture has: a misspelt one would silently do nothing. Checked by a test. */
export function misspelt(): string[] {
  const known = new Set([...systemCallNumbers('x64').keys(), ...systemCallNumbers('arm64').keys()]);
  return [...alwaysRefused, ...strictAllowed, ...absent, ...argumentRules.keys()].filter((name) => !known.has(name));
}
