/* clone and clone3: flags that go together and those that do not, what is shared, where the numbers are written. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "errno_name.h"

#define SHARED (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)

static const char *err(long r) { return r < 0 ? errno_name(errno) : "ok"; }
static void sleep_ms(long ms) {
  ms *= 8; /* the real machine may be slow */
  nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}
static char stack[65536] __attribute__((aligned(16)));

static long clone3(struct clone_args *a, size_t size) { return syscall(SYS_clone3, a, size); }

static void bad_flags(void) {
  static const struct {
    const char *what;
    long flags;
  } cases[] = {{"thread without sighand", CLONE_THREAD | CLONE_VM}, {"sighand without vm", CLONE_SIGHAND}, {"thread alone", CLONE_THREAD},
               {"new mounts and fs", CLONE_NEWNS | CLONE_FS}, {"new user and fs", CLONE_NEWUSER | CLONE_FS},
               {"new pid and thread", SHARED | CLONE_NEWPID}};
  for (int i = 0; i < 6; i++) {
    long r = syscall(SYS_clone, cases[i].flags, 0, 0, 0, 0);
    if (r == 0) _exit(0);
    printf("%s: %s\n", cases[i].what, err(r));
  }
  struct clone_args a = {0};
  long r = clone3(&a, 63);
  printf("size 63: %s\n", err(r));
  r = clone3(&a, 5000), printf("size 5000: %s\n", err(r));
  r = clone3((void *)8, 64), printf("bad address: %s\n", err(r));
  char longer[128] = {0};
  longer[127] = 1;
  r = clone3((void *)longer, 128), printf("unknown field: %s\n", err(r));
  a.flags = 1ull << 40, r = clone3(&a, sizeof a), printf("unknown flag: %s\n", err(r));
  a.flags = CLONE_DETACHED, r = clone3(&a, sizeof a), printf("detached: %s\n", err(r));
  a.flags = SIGCHLD, r = clone3(&a, sizeof a), printf("signal in flags: %s\n", err(r));
  a.flags = CLONE_PARENT, a.exit_signal = SIGCHLD, r = clone3(&a, sizeof a), printf("parent with signal: %s\n", err(r));
  a.flags = SHARED, r = clone3(&a, sizeof a), printf("thread with signal: %s\n", err(r));
  a.flags = 0, a.exit_signal = 65, r = clone3(&a, sizeof a), printf("signal 65: %s\n", err(r));
  a.exit_signal = 0x100, r = clone3(&a, sizeof a), printf("signal 256: %s\n", err(r));
  a.exit_signal = SIGCHLD, a.stack = 0x10000, r = clone3(&a, sizeof a), printf("stack without size: %s\n", err(r));
  a.stack = 0, a.stack_size = 4096, r = clone3(&a, sizeof a), printf("size without stack: %s\n", err(r));
  a.stack = -4096, r = clone3(&a, sizeof a), printf("stack in the kernel: %s\n", err(r));
  a.stack = a.stack_size = 0, a.set_tid_size = 1, r = clone3(&a, sizeof a), printf("set_tid without array: %s\n", err(r));
  a.set_tid_size = 40, a.set_tid = (uintptr_t)longer, r = clone3(&a, sizeof a), printf("40 levels: %s\n", err(r));
  a.set_tid_size = 1, memset(longer, 0, 4), r = clone3(&a, sizeof a), printf("number 0: %s\n", err(r));
  memset(longer, 255, 4), r = clone3(&a, sizeof a), printf("number -1: %s\n", err(r));
  memcpy(longer, &(int){getpid()}, 4), r = clone3(&a, sizeof a), printf("own number: %s\n", err(r));
  memcpy(longer, &(int){31234}, 4), r = clone3(&a, sizeof a);
  if (r == 0) _exit(getpid() == 31234 ? 11 : 12);
  int status;
  waitpid(r, &status, 0), printf("number 31234: %d %x\n", r == 31234, status);
  a.set_tid_size = 0, a.set_tid = 0;
  a.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM, r = clone3(&a, sizeof a), printf("clear and share handlers: %s\n", err(r));
}

static void handler(int s) {}

static void clear_handlers(void) {
  signal(SIGUSR1, handler), signal(SIGUSR2, SIG_IGN);
  for (int clear = 0; clear < 2; clear++) {
    struct clone_args a = {.flags = clear ? CLONE_CLEAR_SIGHAND : 0, .exit_signal = SIGCHLD};
    long r = clone3(&a, sizeof a);
    if (r == 0) {
      struct sigaction one, two;
      sigaction(SIGUSR1, 0, &one), sigaction(SIGUSR2, 0, &two);
      _exit((one.sa_handler == handler) + 2 * (two.sa_handler == SIG_IGN));
    }
    int status;
    waitpid(r, &status, 0);
    printf("handlers %d: %x\n", clear, status);
  }
  signal(SIGUSR1, SIG_DFL), signal(SIGUSR2, SIG_DFL);
}

static volatile int value, child_tid, parent_tid = -1;
static int fd = -1;

static int change(void *arg) {
  value = 2;
  if (arg) {
    fd = open("/", O_RDONLY);
    chdir("/tmp");
    umask(077);
    signal(SIGUSR1, SIG_IGN);
  }
  return 13;
}

static void sharing(void) {
  static const int flags[] = {0, CLONE_VM, CLONE_VM | CLONE_FILES, CLONE_VM | CLONE_FS, CLONE_VM | CLONE_SIGHAND, CLONE_VM | CLONE_VFORK};
  for (int i = 0; i < 6; i++) {
    value = 1, fd = -1;
    umask(022), chdir("/"), signal(SIGUSR1, SIG_DFL);
    pid_t p = clone(change, stack + sizeof stack, flags[i] | SIGCHLD, (void *)1);
    int status;
    waitpid(p, &status, 0);
    char cwd[64];
    struct sigaction a;
    sigaction(SIGUSR1, 0, &a);
    mode_t mask = umask(022);
    printf("flags %x: status %x memory %d file %s cwd %s umask %o handlers %s\n", flags[i], status, value, fd >= 0 && fcntl(fd, F_GETFD) >= 0 ? "shared" : "own", getcwd(cwd, 64), mask,
           a.sa_handler == SIG_IGN ? "shared" : "own");
    if (fd >= 0) close(fd);
  }
  chdir("/"), signal(SIGUSR1, SIG_DFL);
}

static void numbers(void) {
  int status;
  child_tid = parent_tid = -1;
  pid_t p = syscall(SYS_clone, SIGCHLD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, 0, &parent_tid, 0, &child_tid);
  if (p == 0) _exit((child_tid == getpid()) + 2 * (parent_tid == -1));
  waitpid(p, &status, 0);
  printf("numbers: %x parent's %d child's %d\n", status, parent_tid == p, child_tid);
  p = syscall(SYS_clone, SIGCHLD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, 0, 0, 0, (void *)8);
  if (p == 0) _exit(14);
  waitpid(p, &status, 0);
  printf("bad address: %x\n", status);
  p = syscall(SYS_clone, SIGCHLD | CLONE_PARENT_SETTID, 0, (void *)8, 0, 0);
  if (p == 0) _exit(15);
  waitpid(p, &status, 0);
  printf("bad address: %x\n", status);
}

static void parents(void) {
  int status;
  fflush(stdout);
  pid_t self = getpid(), p = fork();
  if (p == 0) {
    long q = syscall(SYS_clone, CLONE_PARENT, 0, 0, 0, 0);
    if (q == 0) _exit(getppid() == self ? 16 : 17);
    _exit(waitpid(q, 0, __WALL) < 0 ? 18 : 19);
  }
  waitpid(p, &status, 0);
  printf("CLONE_PARENT: %x", status);
  p = wait(&status);
  printf(" sibling %x\n", status);
}

static volatile int thread_pid, thread_tid, thread_ppid;
static volatile int done;

static int raw_thread(void *arg) {
  thread_pid = getpid(), thread_tid = syscall(SYS_gettid);
  done = 1;
  syscall(SYS_exit, 0);
  return 0;
}

static void thread(void) {
  volatile int cleared = 5;
  int tid = clone(raw_thread, stack + sizeof stack, SHARED | CLONE_FILES | CLONE_FS | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID, 0, &parent_tid, 0, (int *)&cleared);
  while (cleared) sched_yield();
  printf("thread: pid %d tid %d told %d", thread_pid == getpid(), thread_tid == tid, parent_tid == tid);
  long r = waitpid(tid, 0, __WALL);
  printf(" wait %s", err(r));
  sleep_ms(3);
  r = syscall(SYS_tgkill, getpid(), tid, 0);
  printf(" gone %s\n", err(r));
}

static void unsharing(void) {
  long r = unshare(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM);
  printf("unshare %s", err(r));
  r = unshare(0x10), printf(" %s", err(r));
  r = unshare(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM), printf(" %s\n", err(r));
}

static void priorities(void) {
  struct sched_param p = {5};
  printf("policy %d", sched_getscheduler(0));
  long r = sched_setscheduler(0, SCHED_OTHER, &p);
  printf(" other with priority %s", err(r));
  p.sched_priority = 0, r = sched_setscheduler(0, SCHED_FIFO, &p), printf(" fifo without %s", err(r));
  r = sched_setscheduler(0, 77, &p), printf(" policy 77 %s", err(r));
  r = sched_setscheduler(32000, SCHED_OTHER, &p), printf(" nobody %s", err(r));
  r = sched_setscheduler(0, SCHED_BATCH, &p), printf(" batch %s %d", err(r), sched_getscheduler(0));
  fflush(stdout);
  pid_t c = fork();
  if (c == 0) _exit(sched_getscheduler(0));
  int status;
  waitpid(c, &status, 0), printf(" child %d", WEXITSTATUS(status));
  r = sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &p), printf(" reset %s %x", err(r), sched_getscheduler(0));
  r = sched_setscheduler(0, SCHED_OTHER, &p), printf(" other %s\n", err(r));
  printf("nice %d", nice(5)), errno = 0;
  printf(" %d", getpriority(PRIO_PROCESS, 0));
  r = setpriority(PRIO_PROCESS, 0, 40), printf(" %s %d", err(r), getpriority(PRIO_PROCESS, 0));
  r = setpriority(PRIO_PROCESS, 0, -3), printf(" %s %d", err(r), getpriority(PRIO_PROCESS, 0));
  r = setpriority(9, 0, 0), printf(" %s", err(r));
  r = setpriority(PRIO_PROCESS, 32000, 0), printf(" %s", err(r));
  r = setpriority(PRIO_PROCESS, 0, 0), printf(" %s\n", err(r));
  struct timespec t;
  r = sched_rr_get_interval(0, &t), printf("interval %s %d", err(r), t.tv_sec == 0);
  r = sched_rr_get_interval(-1, &t), printf(" %s", err(r));
  printf(" max %d min %d bad", sched_get_priority_max(SCHED_FIFO), sched_get_priority_min(SCHED_RR));
  r = sched_get_priority_max(44), printf(" %s\n", err(r));
  r = sched_getparam(0, &p), printf("param %s %d\n", err(r), p.sched_priority);
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  bad_flags();
  clear_handlers();
  sharing();
  numbers();
  parents();
#ifdef __GLIBC__ /* musl's clone refuses CLONE_THREAD */
  thread();
#endif
  unsharing();
  priorities();
  return 0;
}
