/* process_madvise(2) and process_mrelease(2): arguments in their order, which advice, whose memory, partial results. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>

#define PG 4096UL
static char *base;
static struct iovec v[1100];
static int own;

static long advise(int fd, void *vec, unsigned long n, int advice, unsigned flags) { return syscall(440, fd, vec, n, advice, flags); }
static long release(int fd, unsigned flags) { return syscall(448, fd, flags); }
static void show(const char *what, long n) {
  if (n == -1) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, n);
}
static int ready[2], go[2];
static int spawn(int uid, int dumpable) {
  pipe(ready), pipe(go);
  int p = fork();
  if (p == 0) {
    char c;
    if (uid) setresgid(uid, uid, uid), setresuid(uid, uid, uid);
    if (dumpable) prctl(PR_SET_DUMPABLE, 1);
    write(ready[1], "x", 1), close(go[1]), read(go[0], &c, 1);
    _exit(0);
  }
  char c;
  read(ready[0], &c, 1);
  return p;
}
static void done(int p) {
  close(go[1]), close(go[0]), close(ready[0]), close(ready[1]);
  waitpid(p, NULL, 0);
}
static int pidfd(int p, int flags) { return syscall(434, p, flags); }

static void arguments(void) {
  puts("-- arguments");
  v[0] = (struct iovec){base, PG};
  for (int bit = 0; bit < 32; bit++)
    if (advise(own, v, 1, MADV_COLD, 1u << bit) != -1 || errno != EINVAL) printf("flag %d accepted\n", bit);
  show("flags before the vector", advise(own, (void *)8, 1, MADV_COLD, 1));
  show("bad vector", advise(own, (void *)8, 1, MADV_COLD, 0));
  show("bad vector before fd", advise(-1, (void *)8, 1, MADV_COLD, 0));
  show("no vector", advise(own, NULL, 0, MADV_COLD, 0));
  show("no vector, bad fd", advise(-1, NULL, 0, MADV_COLD, 0));
  show("bad fd", advise(-1, v, 1, MADV_COLD, 0));
  show("no pidfd", advise(0, v, 1, MADV_COLD, 0));
  show("fd before advice", advise(0, v, 1, 999, 0));
  for (int advice = -2; advice < 110; advice++) {
    errno = 0;
    long r = advise(own, v, 1, advice, 0);
    if (r != -1 || errno != EINVAL) printf("advice %d: %ld %s\n", advice, r, r < 0 ? errno_name(errno) : "");
  }
  show("1025", advise(own, v, 1025, MADV_COLD, 0));
  show("2^32", advise(own, v, 1UL << 32, MADV_COLD, 0));
  for (int i = 0; i < 1024; i++) v[i] = (struct iovec){base + (i & 31) * PG, PG};
  show("1024", advise(own, v, 1024, MADV_COLD, 0));
  v[0] = (struct iovec){base, -1UL};
  show("length -1", advise(own, v, 1, MADV_COLD, 0));
  v[0] = (struct iovec){base, 1UL << 63};
  show("length 2^63", advise(own, v, 1, MADV_COLD, 0));
  v[0] = (struct iovec){base, 1UL << 40};
  show("length 2^40", advise(own, v, 1, MADV_COLD, 0));
  v[0] = (struct iovec){(void *)(1UL << 63), PG};
  show("address 2^63", advise(own, v, 1, MADV_COLD, 0));
  v[0] = (struct iovec){(void *)-PG, PG};
  show("address -4096", advise(own, v, 1, MADV_COLD, 0));
  v[1] = (struct iovec){base, -1UL};
  show("address -4096, and then length -1", advise(own, v, 2, MADV_COLD, 0));
  v[0] = (struct iovec){(void *)-PG, 0};
  show("address -4096, nothing", advise(own, v, 1, MADV_COLD, 0));
  v[0] = (struct iovec){base + 1, PG};
  show("unaligned", advise(own, v, 1, MADV_COLD, 0));
  v[0] = (struct iovec){base, 1};
  show("one byte", advise(own, v, 1, MADV_COLD, 0));
  v[0] = (struct iovec){base, PG + 1};
  show("a page and a byte", advise(own, v, 1, MADV_COLD, 0));
  v[1] = (struct iovec){base, PG}, v[2] = (struct iovec){base + 1, 0}, v[3] = (struct iovec){base, PG};
  v[0] = (struct iovec){base + 1, 0};
  show("unaligned, nothing", advise(own, v, 1, MADV_COLD, 0));
  show("unaligned, nothing, and more", advise(own, v, 4, MADV_COLD, 0));
  show("more, and unaligned nothing in between", advise(own, v + 1, 3, MADV_COLD, 0));
  v[0] = (struct iovec){base, 0};
  show("nothing and more", advise(own, v, 4, MADV_COLD, 0));
  show("nothing", advise(own, v, 1, MADV_COLD, 0));
  v[0] = (struct iovec){0, PG};
  show("address 0", advise(own, v, 1, MADV_COLD, 0));
}

static void partial(void) {
  puts("-- partial");
  char *hole = base + 40 * PG;
  munmap(hole, PG);
  v[0] = (struct iovec){base, 2 * PG}, v[1] = (struct iovec){hole, PG}, v[2] = (struct iovec){base, PG};
  show("hole in the second", advise(own, v, 3, MADV_COLD, 0));
  show("hole in the first", advise(own, v + 1, 2, MADV_COLD, 0));
  v[0] = (struct iovec){hole - PG, 3 * PG};
  show("hole inside", advise(own, v, 1, MADV_COLD, 0));
  v[0] = (struct iovec){base, 2 * PG}, v[1] = (struct iovec){base, 0}, v[2] = (struct iovec){base + 1, PG};
  show("unaligned third", advise(own, v, 3, MADV_WILLNEED, 0));
  mlock(base + 50 * PG, PG);
  v[1] = (struct iovec){base + 50 * PG, PG};
  show("locked second", advise(own, v, 2, MADV_COLD, 0));
  show("locked alone", advise(own, v + 1, 1, MADV_COLD, 0));
  show("locked, paged out", advise(own, v + 1, 1, MADV_PAGEOUT, 0));
  show("locked, needed", advise(own, v + 1, 1, MADV_WILLNEED, 0));
  munlock(base + 50 * PG, PG);
  strcpy(base, "kept");
  v[0] = (struct iovec){base, PG};
  show("paged out", advise(own, v, 1, MADV_PAGEOUT, 0));
  puts(base);
  char *shared = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  strcpy(shared, "shared");
  v[0] = (struct iovec){shared, 2 * PG};
  show("shared, cold", advise(own, v, 1, MADV_COLD, 0));
  show("shared, paged out", advise(own, v, 1, MADV_PAGEOUT, 0));
  show("shared, needed", advise(own, v, 1, MADV_WILLNEED, 0));
  puts(shared);
}

static void drop_nice(void) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2];
  syscall(SYS_capget, &h, d);
  d[0].effective &= ~(1u << CAP_SYS_NICE);
  syscall(SYS_capset, &h, d);
}
static void drop_trace(void) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2];
  syscall(SYS_capget, &h, d);
  d[0].effective &= ~(1u << CAP_SYS_PTRACE);
  syscall(SYS_capset, &h, d);
}

static void others(void) {
  puts("-- others");
  int p = spawn(0, 0), fd = pidfd(p, 0);
  v[0] = (struct iovec){base, PG}, v[1] = (struct iovec){base + 40 * PG, PG};
  show("child's", advise(fd, v, 1, MADV_COLD, 0));
  show("child's, hole", advise(fd, v, 2, MADV_PAGEOUT, 0));
  show("child's, destructive", advise(fd, v, 1, MADV_DONTNEED, 0));
  fflush(stdout);
  if (fork() == 0) {
    drop_nice();
    show("without CAP_SYS_NICE", advise(fd, v, 1, MADV_COLD, 0));
    show("without it, no vector", advise(fd, v, 0, MADV_COLD, 0));
    int self = pidfd(getpid(), 0);
    show("without it, own", advise(self, v, 1, MADV_COLD, 0));
    drop_trace();
    show("without CAP_SYS_PTRACE", advise(fd, v, 1, MADV_COLD, 0));
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    show("as 1000", advise(fd, v, 1, MADV_COLD, 0));
    show("as 1000, no advice", advise(fd, v, 1, 999, 0));
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  done(p);
  show("a child that is gone", advise(fd, v, 1, MADV_COLD, 0));
  close(fd);
  p = spawn(1000, 1), fd = pidfd(p, 0);
  fflush(stdout);
  if (fork() == 0) {
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    show("same user", advise(fd, v, 1, MADV_COLD, 0));
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  done(p);
  p = fork();
  if (p == 0) _exit(0);
  siginfo_t info;
  waitid(P_PID, p, &info, WEXITED | WNOWAIT);
  fd = pidfd(p, 0);
  show("a zombie", advise(fd, v, 1, MADV_COLD, 0));
  show("a zombie, no advice", advise(fd, v, 1, 999, 0));
  show("release of a zombie", release(fd, 0));
  wait(NULL);
  show("release of what is gone", release(fd, 0));
}

static int in_child(void *arg) { char c; read(*(int *)arg, &c, 1); return 0; }
static char stack[65536];
static void releasing(void) {
  puts("-- release");
  for (int bit = 0; bit < 32; bit++)
    if (release(own, 1u << bit) != -1 || errno != EINVAL) printf("flag %d accepted\n", bit);
  show("flags before fd", release(-1, 1));
  show("bad fd", release(-1, 0));
  show("no pidfd", release(0, 0));
  show("own, alive", release(own, 0));
  int p = spawn(0, 0), fd = pidfd(p, 0);
  show("child, alive", release(fd, 0));
  fflush(stdout);
  if (fork() == 0) {
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    show("another user's, alive", release(fd, 0));
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  kill(p, SIGSTOP);
  waitpid(p, NULL, WUNTRACED);
  show("stopped", release(fd, 0));
  kill(p, SIGTERM);
  kill(p, SIGKILL);
  long r = release(fd, 0);
  printf("killed: %s\n", r == 0 || (r == -1 && errno == ESRCH) ? "released, or gone already" : errno_name(errno));
  int status;
  waitpid(p, &status, 0);
  printf("status %x\n", status);
  close(go[1]), close(go[0]), close(ready[0]), close(ready[1]);
  int q[2];
  pipe(q);
  int twin = clone(in_child, stack + sizeof stack, CLONE_VM | SIGCHLD, q), twin_fd = pidfd(twin, 0);
  v[0] = (struct iovec){base, PG};
  drop_nice();
  show("advice for a process in the same memory, without CAP_SYS_NICE", advise(twin_fd, v, 1, MADV_COLD, 0));
  strcpy(base, "not lost");
  kill(twin, SIGKILL);
  r = release(twin_fd, 0);
  printf("killed, memory shared: %s\n", r == -1 && (errno == ESRCH || errno == EINVAL) ? "refused" : "?");
  puts(base);
  waitpid(twin, &status, 0);
  printf("status %x\n", status);
  int thread = pidfd(getpid(), 0200);
  show("by a thread's pidfd", release(thread, 0));
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 65536);
  base = mmap(NULL, 64 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(base, 'x', 64 * PG);
  own = pidfd(getpid(), 0);
  arguments(), fflush(stdout);
  partial(), fflush(stdout);
  others(), fflush(stdout);
  releasing(), fflush(stdout);
  return 0;
}
