/* Page faults as getrusage(2), wait4(2) and /proc count them: from a program's start on, by threads, children, and calls that fault for the program or
 * in the memory of others. Counted is who makes a fault, whosever memory it is in. Major ones are of userfaultfd(2) alone: all files are in memory. */
// flags: -pthread
#include "call.h"
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static struct rusage usage(int who) {
  struct rusage r;
  syscall(SYS_getrusage, who, &r);
  return r;
}
static long minor(int who) { return usage(who).ru_minflt; }

/* What a statement makes the thread fault, and what that adds to its process. */
#define COUNT(what, ...) \
  do { \
    struct rusage p0 = usage(RUSAGE_SELF), t0 = usage(RUSAGE_THREAD); \
    __VA_ARGS__; \
    struct rusage t1 = usage(RUSAGE_THREAD), p1 = usage(RUSAGE_SELF); \
    printf("%s: %ld minor %ld major, of the process %ld %ld\n", what, t1.ru_minflt - t0.ru_minflt, \
           t1.ru_majflt - t0.ru_majflt, p1.ru_minflt - p0.ru_minflt, p1.ru_majflt - p0.ru_majflt); \
  } while (0)

/* Fields 10 to 13 of a stat file: minflt, cminflt, majflt, cmajflt. Where the program has been before is not told by the absolute numbers. */
static void stat_of(const char *path, unsigned long f[4]) {
  char *end = strrchr(text_of(path), ')');
  if (end == NULL || sscanf(end + 2, "%*c %*d %*d %*d %*d %*d %*u %lu %lu %lu %lu", f, f + 1, f + 2, f + 3) != 4)
    memset(f, 0xff, 4 * sizeof *f);
}

static char *fresh(int pages) { return mmap(NULL, pages * PG, RW, PRIV, -1, 0); }
static void store(char *p, int pages, int value) {
  for (int i = 0; i < pages; i++) *(volatile char *)(p + i * PG) = value;
}
static void load(char *p, int pages) {
  for (int i = 0; i < pages; i++) (void)*(volatile char *)(p + i * PG);
}

static char *const environment[] = {"A=b", NULL};
static const char *self;

static void started(void) {
  struct rusage r = usage(RUSAGE_SELF);
  unsigned long f[4];
  stat_of("/proc/self/stat", f);
  printf("  in main %ld %ld, and %lu until stat is read, of children %lu\n", r.ru_minflt, r.ru_majflt, f[0] - r.ru_minflt, f[1]);
}

static void starts(const char *what, char *const *argv, char *const *envp, int is_vfork) {
  printf("%s\n", what);
  fflush(stdout);
  long before = minor(RUSAGE_CHILDREN);
  pid_t child = is_vfork ? vfork() : syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    execve(self, argv, envp);
    _exit(1);
  }
  struct rusage r;
  wait4(child, NULL, 0, &r);
  printf("  wait4 %ld, children %ld\n", r.ru_minflt, minor(RUSAGE_CHILDREN) - before);
}

static void programs(void) {
  static char many[90001];
  memset(many, 'm', 90000);
  char *plain[] = {"p", "start", NULL}, *one[] = {"p", "start", many, NULL}, *two[] = {"p", "start", many, many, NULL};
  char *large[] = {many, "B=b", NULL};
  starts("fork and exec", plain, environment, 0);
  starts("a long argument", one, environment, 0);
  starts("two of them", two, environment, 0);
  starts("a long environment", plain, large, 0);
  starts("vfork and exec", plain, environment, 1);
  starts("vfork and a long argument", one, environment, 1);
}

static void calls(void) {
  int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR), file = memfd_create("f", 0), mem = open("/proc/self/mem", O_RDWR);
  static char bytes[10 * PG];
  ftruncate(file, 64 * PG);
  store(bytes, 10, 1);
  COUNT("read untouched", load(fresh(10), 10));
  COUNT("write untouched", store(fresh(10), 10, 1));
  COUNT("read, then write", { char *p = fresh(10); load(p, 10); store(p, 10, 1); });
  COUNT("populate", mmap(NULL, 10 * PG, RW, PRIV | MAP_POPULATE, -1, 0));
  COUNT("mlock", mlock(fresh(10), 10 * PG));
  COUNT("mlock on fault", { char *p = fresh(10); mlock2(p, 10 * PG, MLOCK_ONFAULT); store(p, 1, 1); });
  COUNT("MADV_POPULATE_WRITE", { char *p = fresh(10); madvise(p, 10 * PG, MADV_POPULATE_WRITE); madvise(p, 10 * PG, MADV_POPULATE_WRITE); });
  COUNT("MADV_DONTNEED between", { char *p = fresh(10); store(p, 10, 1); madvise(p, 10 * PG, MADV_DONTNEED); store(p, 10, 1); });
  COUNT("mprotect between", { char *p = fresh(10); store(p, 10, 1); mprotect(p, 10 * PG, PROT_READ); mprotect(p, 10 * PG, RW); store(p, 10, 2); });
  COUNT("read into it", read(zero, fresh(10), 10 * PG));
  COUNT("write from it", write(null, fresh(10), 10 * PG));
  COUNT("write a file from it", pwrite(file, fresh(10), 10 * PG, 0));
  COUNT("a file, read", load(mmap(NULL, 10 * PG, RW, MAP_SHARED, file, 0), 10));
  COUNT("a file, written", store(mmap(NULL, 10 * PG, RW, MAP_SHARED, file, 0), 10, 1));
  COUNT("holes, read", load(mmap(NULL, 10 * PG, RW, MAP_SHARED, file, 32 * PG), 10));
  COUNT("a private file, written", store(mmap(NULL, 10 * PG, RW, MAP_PRIVATE, file, 0), 10, 1));
  COUNT("shared memory", store(mmap(NULL, 10 * PG, RW, SHAR, -1, 0), 10, 1));
  COUNT("a futex that is awaited", { int *p = (int *)fresh(1); syscall(SYS_futex, p, FUTEX_WAIT, 1, NULL); });
  COUNT("a private one", { int *p = (int *)fresh(1); syscall(SYS_futex, p, FUTEX_WAIT_PRIVATE, 1, NULL); });
  COUNT("a futex to wake", syscall(SYS_futex, fresh(1), FUTEX_WAKE, 1));
  COUNT("process_vm_readv", { struct iovec l = {fresh(10), 10 * PG}, r = {fresh(10), 10 * PG}; process_vm_readv(getpid(), &l, 1, &r, 1, 0); });
  COUNT("/proc/self/mem, written", pwrite(mem, bytes, 10 * PG, (off_t)fresh(10)));
  COUNT("/proc/self/mem, read-only memory", pwrite(mem, bytes, 10 * PG, (off_t)mmap(NULL, 10 * PG, PROT_READ, PRIV, -1, 0)));
  COUNT("mincore", mincore(fresh(1), PG, (unsigned char *)fresh(1)));
  COUNT("no access", read(zero, mmap(NULL, PG, PROT_NONE, PRIV, -1, 0), 10));
  COUNT("read-only", read(zero, mmap(NULL, PG, PROT_READ, PRIV, -1, 0), 10));
  COUNT("time", { struct timespec t; for (int i = 0; i < 2; i++) clock_gettime(CLOCK_MONOTONIC, &t); });
  mlockall(MCL_FUTURE);
  COUNT("MCL_FUTURE", fresh(10));
  munlockall();
  char *huge = (char *)(((uintptr_t)fresh(2048) + (2 << 20) - 1) & ~(uintptr_t)((2 << 20) - 1));
  madvise(huge, 4 << 20, MADV_HUGEPAGE);
  COUNT("huge pages", store(huge, 1024, 1));
  pid_t child = fork();
  if (child == 0) {
    COUNT("  written after a fork", store(huge, 20, 2));
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

static char *area;
static void *writes(void *pages) {
  unsigned long own[4], leader[4], process[4], later[4];
  char path[64];
  store(area, (long)pages, 1);
  stat_of("/proc/self/stat", process);
  sprintf(path, "/proc/self/task/%d/stat", getpid());
  stat_of(path, leader);
  sprintf(path, "/proc/self/task/%ld/stat", syscall(SYS_gettid));
  stat_of(path, own);
  stat_of(path, later);
  printf("  thread: %s than a hundred, process %s than it and the first thread, %lu more when looked at again\n", own[0] < 100 ? "less" : "more",
         process[0] == own[0] + leader[0] ? "not more" : "more", later[0] - own[0]);
  return NULL;
}

static void run(void *(*f)(void *), long argument) {
  pthread_t t;
  pthread_create(&t, NULL, f, (void *)argument);
  pthread_join(t, NULL);
}

static int missing;
static void *brings(void *unused) {
  struct uffd_msg m;
  for (int i = 0; i < 3 && read(missing, &m, sizeof m) == sizeof m; i++) {
    struct uffdio_copy copy = {.dst = m.arg.pagefault.address & -PG, .src = (uintptr_t)self & -PG, .len = PG};
    ioctl(missing, UFFDIO_COPY, &copy);
  }
  return NULL;
}

static void brought(void) {
  missing = syscall(SYS_userfaultfd, O_CLOEXEC);
  char *p = fresh(3);
  struct uffdio_api api = {.api = UFFD_API};
  struct uffdio_register range = {.range = {(uintptr_t)p, 3 * PG}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  ioctl(missing, UFFDIO_API, &api);
  ioctl(missing, UFFDIO_REGISTER, &range);
  pthread_t t;
  pthread_create(&t, NULL, brings, NULL);
  int zero = open("/dev/zero", O_RDONLY);
  for (int i = 0; i < 3; i++) {
    struct rusage a = usage(RUSAGE_THREAD);
    if (i == 0) load(p, 1);
    if (i == 1) store(p + PG, 1, 1);
    if (i == 2) read(zero, p + 2 * PG, 10);
    struct rusage b = usage(RUSAGE_THREAD);
    printf("a page that is brought for %s: %ld minor %ld major\n", i == 0 ? "a load" : i == 1 ? "a store" : "a call", b.ru_minflt - a.ru_minflt,
           b.ru_majflt - a.ru_majflt);
  }
  pthread_join(t, NULL);
  close(missing);
}

static void child_of(const char *what, void (*work)(void), int is_vfork) {
  fflush(stdout);
  long before = minor(RUSAGE_CHILDREN);
  unsigned long f[4];
  char path[64];
  pid_t child = is_vfork ? vfork() : syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    work();
    syscall(SYS_exit_group, 0);
  }
  siginfo_t info;
  struct rusage early, r;
  syscall(SYS_waitid, P_PID, child, &info, WEXITED | WNOWAIT, &early);
  sprintf(path, "/proc/%d/stat", child);
  stat_of(path, f);
  wait4(child, NULL, 0, &r);
  printf("%s: stat of the zombie %lu and %lu, waitid %ld, wait4 %ld, children %ld\n", what, f[0], f[1], early.ru_minflt, r.ru_minflt,
         minor(RUSAGE_CHILDREN) - before);
}

static void nothing(void) {}
static void copies(void) { store(area, 20, 3); }
static void is_waited_for(void) {
  pid_t child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    store(area, 20, 4);
    syscall(SYS_exit_group, 0);
  }
  wait4(child, NULL, 0, NULL);
}

static void children(void) {
  child_of("fork", nothing, 0);
  child_of("fork, 20 pages written", copies, 0);
  child_of("a child of the child", is_waited_for, 0);
  area = fresh(40);
  child_of("vfork, 20 pages written", copies, 1);
  area = fresh(40);
  int gate[2];
  pipe(gate);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    COUNT("  the child reads what others have made", load(area, 16));
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  struct iovec here = {fresh(10), 10 * PG}, there = {area, 10 * PG};
  COUNT("process_vm_writev to a child", process_vm_writev(child, &here, 1, &there, 1, 0));
  COUNT("PTRACE_POKEDATA", for (int i = 10; i < 13; i++) ptrace(PTRACE_POKEDATA, child, area + i * PG, 1));
  COUNT("PTRACE_PEEKDATA", for (int i = 13; i < 16; i++) ptrace(PTRACE_PEEKDATA, child, area + i * PG, 0));
  ptrace(PTRACE_CONT, child, 0, 0);
  waitpid(child, NULL, 0);
}

static void *executes(void *unused) {
  store(area, 30, 1);
  struct rusage t = usage(RUSAGE_THREAD), p = usage(RUSAGE_SELF);
  char others[32], own[32];
  sprintf(others, "%ld", p.ru_minflt - t.ru_minflt);
  sprintf(own, "%ld", t.ru_minflt);
  execve(self, (char *[]){"p", "survivor", others, own, NULL}, environment);
  return NULL;
}

int main(int argc, char **argv) {
  self = "/proc/self/exe";
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  if (argc > 1 && strcmp(argv[1], "start") == 0) return started(), 0;
  if (argc > 3 && strcmp(argv[1], "survivor") == 0) {
    struct rusage t = usage(RUSAGE_THREAD), p = usage(RUSAGE_SELF);
    printf("execve by a thread: %ld more for it, %ld more for the others\n", t.ru_minflt - atol(argv[3]), p.ru_minflt - t.ru_minflt - atol(argv[2]));
    return 0;
  }
  if ((personality(0xffffffff) & ADDR_NO_RANDOMIZE) == 0) {
    personality(ADDR_NO_RANDOMIZE);
    execve(self, argv, environment);
  }
  self = strdup("/proc/self/exe");
  programs();
  calls();
  area = fresh(40);
  COUNT("a thread that writes 40 pages", run(writes, 40));
  brought();
  children();
  area = fresh(40);
  fflush(stdout);
  run(executes, 0);
}
