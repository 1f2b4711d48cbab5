/* time_namespaces(7): making and entering them, timens_offsets, and every clock, timer and file that they shift. No time of day is
 * printed, only how far apart two clocks are, in whole seconds. */
#include "call.h"
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <time.h>

#define NEWTIME 0x80
#define HOUR 3600L
#define DAY (24 * HOUR)

static int setns_(int fd, int flags) { return syscall(SYS_setns, fd, flags); }
static int ns(const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/ns/%s", name);
  return open(path, O_RDONLY | O_CLOEXEC);
}
static int same(const char *a, const char *b) {
  int x = ns(a), y = ns(b);
  struct stat s, t;
  fstat(x, &s), fstat(y, &t);
  close(x), close(y);
  return s.st_ino == t.st_ino;
}
static int set(const char *text) { return put("/proc/self/timens_offsets", text); }
static void show(void) { fputs(text_of("/proc/self/timens_offsets"), stdout); }

struct args { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls; };
static long clone3_(uint64_t flags, uint64_t signal) {
  struct args a = {.flags = flags, .exit_signal = signal};
  return syscall(SYS_clone3, &a, sizeof a);
}

/* Clocks by the C library, which may ask [vdso], and by the system call. */
static const struct { int id; const char *name; } clocks[] = {
    {CLOCK_REALTIME, "realtime"}, {CLOCK_MONOTONIC, "monotonic"}, {CLOCK_MONOTONIC_RAW, "raw"}, {CLOCK_REALTIME_COARSE, "realtime coarse"},
    {CLOCK_MONOTONIC_COARSE, "monotonic coarse"}, {CLOCK_BOOTTIME, "boottime"}, {CLOCK_TAI, "tai"}};
#define CLOCKS 7
static long start[CLOCKS];
static long seconds(int id, int call) {
  struct timespec t;
  if (call) syscall(SYS_clock_gettime, id, &t); else clock_gettime(id, &t);
  return t.tv_sec;
}
/* To the nearest hour, as what the run takes does not count. */
static long hours(long s) { return (s + (s < 0 ? -HOUR / 2 : HOUR / 2)) / HOUR; }

/* The kernel prints what is before 1970 as a large number. */
static double uptime(void) { return atof(text_of("/proc/uptime")); }
static long btime(void) {
  char *found = strstr(text_of("/proc/stat"), "btime ");
  return strtoull(found + 6, NULL, 10);
}
static long born(int pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  char *at = strrchr(text_of(path), ')');
  for (int i = 0; i < 20; i++) at = strchr(at + 1, ' ');
  return atol(at) / 100;
}
static long first_uptime, first_btime, first_born, first_sysinfo, first_times;
static int who;

static void remember(void) {
  for (int i = 0; i < CLOCKS; i++) start[i] = seconds(clocks[i].id, 1);
  struct sysinfo info;
  struct tms tms;
  sysinfo(&info);
  first_uptime = uptime(), first_btime = btime(), first_born = born(who), first_sysinfo = info.uptime;
  first_times = times(&tms) / 100;
}

static void clocks_now(const char *what) {
  printf("%s:", what);
  for (int i = 0; i < CLOCKS; i++)
    printf(" %s %ld %ld", clocks[i].name, hours(seconds(clocks[i].id, 0) - start[i]), hours(seconds(clocks[i].id, 1) - start[i]));
  struct sysinfo info;
  struct tms tms;
  sysinfo(&info);
  printf("; uptime %ld btime %ld born %ld sysinfo %ld times %ld\n", hours((long)uptime() - first_uptime), hours(btime() - first_btime),
         hours(born(who) - first_born), hours(info.uptime - first_sysinfo), hours(times(&tms) / 100 - first_times));
}

static struct timespec after(int id, long nanoseconds) {
  struct timespec t;
  clock_gettime(id, &t);
  t.tv_nsec += nanoseconds;
  while (t.tv_nsec >= 1000000000L) t.tv_nsec -= 1000000000L, t.tv_sec++;
  return t;
}
static long passed(int id, struct timespec since) {
  struct timespec t;
  clock_gettime(id, &t);
  return (t.tv_sec - since.tv_sec) * 1000L + (t.tv_nsec - since.tv_nsec) / 1000000L;
}
#define MS 1000000L
/* Whether it took 200 ms, give or take what a busy machine adds. */
static const char *took(long ms) { return ms < 100 ? "at once" : ms < 5000 ? "in time" : "too late"; }

static void *setter(void *word) {
  usleep(5 * 1000 * 1000);
  *(int *)word = 1;
  syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
  return NULL;
}

static void waits(int id, const char *name) {
  struct timespec at = after(id, 200 * MS), from = after(CLOCK_MONOTONIC, 0), zero = {0, 1};
  is(name, clock_nanosleep(id, TIMER_ABSTIME, &at, NULL));
  printf(" %s", took(passed(CLOCK_MONOTONIC, from)));
  from = after(CLOCK_MONOTONIC, 0);
  is(" to the start", clock_nanosleep(id, TIMER_ABSTIME, &zero, NULL));
  printf(" %s", took(passed(CLOCK_MONOTONIC, from)));
  from = after(CLOCK_MONOTONIC, 0);
  struct timespec some = {0, 200 * MS};
  is(" relative", clock_nanosleep(id, 0, &some, NULL));
  printf(" %s", took(passed(CLOCK_MONOTONIC, from)));

  int fd = timerfd_create(id, 0);
  uint64_t count = 0;
  struct itimerspec spec = {{0, 0}, after(id, 200 * MS)}, old;
  from = after(CLOCK_MONOTONIC, 0);
  is(" timerfd", timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL));
  timerfd_gettime(fd, &old);
  printf(" left %d", old.it_value.tv_sec == 0 && old.it_value.tv_nsec > 0);
  read(fd, &count, 8);
  printf(" count %d %s", (int)count, took(passed(CLOCK_MONOTONIC, from)));
  spec.it_value = zero;
  from = after(CLOCK_MONOTONIC, 0);
  is(" timerfd to the start", timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL));
  read(fd, &count, 8);
  printf(" count %d %s", (int)count, took(passed(CLOCK_MONOTONIC, from)));
  close(fd);

  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  sigset_t set;
  siginfo_t info;
  sigemptyset(&set), sigaddset(&set, SIGUSR1), sigprocmask(SIG_BLOCK, &set, NULL);
  timer_create(id, &event, &timer);
  spec.it_value = after(id, 200 * MS);
  from = after(CLOCK_MONOTONIC, 0);
  is(" timer", timer_settime(timer, TIMER_ABSTIME, &spec, NULL));
  timer_gettime(timer, &old);
  printf(" left %d", old.it_value.tv_sec == 0 && old.it_value.tv_nsec > 0);
  is(" signal", sigwaitinfo(&set, &info));
  printf(" %s", took(passed(CLOCK_MONOTONIC, from)));
  spec.it_value = zero;
  from = after(CLOCK_MONOTONIC, 0);
  is(" timer to the start", timer_settime(timer, TIMER_ABSTIME, &spec, NULL));
  is(" signal", sigwaitinfo(&set, &info));
  printf(" %s\n", took(passed(CLOCK_MONOTONIC, from)));
  timer_delete(timer);
}

static void futexes(void) {
  int word = 0;
  struct timespec zero = {0, 1}, at = after(CLOCK_MONOTONIC, 200 * MS), from = after(CLOCK_MONOTONIC, 0), some = {0, 200 * MS};
  is("futex", syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &at, NULL, -1));
  printf(" %s", took(passed(CLOCK_MONOTONIC, from)));
  from = after(CLOCK_MONOTONIC, 0);
  is(" start", syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &zero, NULL, -1));
  printf(" %s", took(passed(CLOCK_MONOTONIC, from)));
  from = after(CLOCK_MONOTONIC, 0);
  is(" relative", syscall(SYS_futex, &word, FUTEX_WAIT, 0, &some, NULL, 0));
  printf(" %s", took(passed(CLOCK_MONOTONIC, from)));
  at = after(CLOCK_REALTIME, 200 * MS);
  from = after(CLOCK_MONOTONIC, 0);
  is(" realtime", syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &at, NULL, -1));
  printf(" %s", took(passed(CLOCK_MONOTONIC, from)));
  struct { uint64_t value, address; uint32_t flags, zero; } waiter = {0, (uintptr_t)&word, 2, 0};
  at = after(CLOCK_MONOTONIC, 200 * MS);
  from = after(CLOCK_MONOTONIC, 0);
  is(" waitv", syscall(449, &waiter, 1, 0, &at, CLOCK_MONOTONIC));
  printf(" %s", took(passed(CLOCK_MONOTONIC, from)));
  from = after(CLOCK_MONOTONIC, 0);
  is(" start", syscall(449, &waiter, 1, 0, &zero, CLOCK_MONOTONIC));
  printf(" %s\n", took(passed(CLOCK_MONOTONIC, from)));
  struct pollfd none = {-1, 0, 0};
  from = after(CLOCK_MONOTONIC, 0);
  is("ppoll", ppoll(&none, 1, &some, NULL));
  printf(" %s\n", took(passed(CLOCK_MONOTONIC, from)));
  (void)setter;
}

static void all(const char *what) {
  clocks_now(what);
  waits(CLOCK_MONOTONIC, "monotonic");
  waits(CLOCK_BOOTTIME, "boottime");
  waits(CLOCK_REALTIME, "realtime");
  futexes();
}

static void writes(void) {
  puts("-- timens_offsets");
  struct stat st;
  stat("/proc/self/timens_offsets", &st);
  printf("mode %o\n", st.st_mode);
  is("of a thread", open("/proc/thread-self/timens_offsets", O_RDONLY));
  show();
  is("in the first namespace", set("monotonic 1 0\n"));
  is("bad text in the first namespace", set("nonsense"));
  is("unshare", unshare(NEWTIME));
  printf("time as for children %d\n", same("time", "time_for_children"));
  show();
  static const char *texts[] = {
      "monotonic 1 0\n", "monotonic 2 5", "boottime 3 999999999\n", "1 4 4\n", "7 5 5\n", "monotonic 1 0\nboottime 2 0\n",
      "boottime 7 7\nmonotonic 6 6", "monotonic 1 1\nmonotonic 8 8\n", "monotonic 1 1\nboottime 1 1\nmonotonic 9 9\n", "\n", "", "monotonic\n",
      "monotonic 1\n", "monotonic 1 0 junk\n", "monotonic 1 1000000000\n", "monotonic 1 -1\n", "realtime 1 0\n", "0 1 0\n", "4 1 0\n",
      "monotonic x 0\n", "monotonic +1 0\n", "  monotonic   11   12\n", "monotonic\t13\t14\n", "monotonic 1 0\n\n", "monotonic 1 0\nnonsense\n",
      "monotonic 1 0\nboottime 1 0\nnonsense\n", "monotonic15 16\n", "monotonicx 1 0\n", "boottime17 18\n", "monotonic -1000000 0\n",
      "monotonic 9223372037 0\n", "monotonic 9223372036 0\n", "monotonic -9223372037 0\n", "monotonic 4611686018 0\n", "monotonic 4611000000 0\n",
      "monotonic 99999999999999999999 0\n", "boottime -1 0\n", "boottime 0 0\n", "monotonic 1.5 0\n", "monotonic 0x10 0\n", "monotonic 010 7\n"};
  for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
    for (const char *c = texts[i]; *c; c++) *c == '\n' ? printf("\\n") : *c == '\t' ? printf("\\t") : putchar(*c);
    is("", set(texts[i]));
    show();
  }
  int fd = open("/proc/self/timens_offsets", O_RDWR);
  is("pwrite at 1", pwrite(fd, "monotonic 1 0\n", 14, 1));
  is("with a zero in it", write(fd, "monotonic 3 0\n\0boottime", 23));
  is("again, where that ended", write(fd, "monotonic 1 0\n", 14));
  show();
  lseek(fd, 0, SEEK_SET);
  static char page[4096];
  memset(page, ' ', 4096);
  memcpy(page, "monotonic 5 0\n", 14);
  is("a page", write(fd, page, 4096));
  is("less than a page", write(fd, page, 4095));
  show();
  close(fd);
  is("truncating", open("/proc/self/timens_offsets", O_WRONLY | O_TRUNC) < 0 ? -1 : 0);
  set("monotonic 0 0\nboottime 0 0\n");
  fflush(stdout);
  int child = fork();
  if (child == 0) {
    printf("child: time as for children %d\n", same("time", "time_for_children"));
    is("write inside", set("monotonic 1 0\n"));
    is("bad text inside", set("nonsense"));
    is("out of range inside", set("monotonic -1000000 0\n"));
    is("unshare again", unshare(NEWTIME));
    show();
    is("write", set("monotonic 77 0\n"));
    show();
    _exit(0);
  }
  waitpid(child, NULL, 0);
  is("write after the child", set("monotonic 1 0\n"));
  show();
  child = fork();
  if (child == 0) _exit(0);
  siginfo_t info;
  waitid(P_PID, child, &info, WEXITED | WNOWAIT);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/timens_offsets", child);
  printf("of a zombie: '%s'\n", text_of(path));
  is("write", put(path, "monotonic 1 0\n"));
  is("write nonsense", put(path, "x"));
  waitpid(child, NULL, 0);
}

static void shifts(const char *text) {
  printf("-- %s", text);
  fflush(stdout);
  int outer = ns("time");
  is("unshare", unshare(NEWTIME));
  is("set", set(text));
  clocks_now("before");
  fflush(stdout);
  int child = fork();
  if (child == 0) {
    all("child");
    is("back", setns_(outer, 0));
    clocks_now("back in the first");
    _exit(0);
  }
  waitpid(child, NULL, 0);
  clocks_now("after");
  int inner = ns("time_for_children");
  is("setns", setns_(inner, NEWTIME));
  clocks_now("entered");
  int self = syscall(SYS_pidfd_open, getpid(), 0);
  is("setns to oneself by pidfd", setns_(self, NEWTIME));
  clocks_now("the same");
  child = fork();
  if (child == 0) {
    clocks_now("child of it");
    _exit(0);
  }
  waitpid(child, NULL, 0);
  int pidfd = syscall(SYS_pidfd_open, who, 0);
  is("setns as another", setns_(pidfd, NEWTIME));
  clocks_now("as another");
}
static void forwards(void) { shifts("monotonic 864000 0\nboottime 1728000 0\n"); }
static void parts(void) { shifts("monotonic 36000 500000000\nboottime 0 999999999\n"); }
static void far(void) { shifts("monotonic 4000000000 123456789\nboottime 4600000000 1\n"); }

static void *thread(void *unused) {
  clocks_now("thread");
  is("unshare in a thread", unshare(NEWTIME));
  printf("time as for children %d\n", same("time", "time_for_children"));
  char path[64];
  ssize_t n = readlink("/proc/thread-self/ns/time_for_children", path, 63);
  char other[64];
  ssize_t m = readlink("/proc/self/ns/time_for_children", other, 63);
  printf("thread as process %d\n", n == m && memcmp(path, other, n) == 0);
  is("setns", setns_(ns("time"), 0));
  return unused;
}

static char stack[65536] __attribute__((aligned(16)));
static int with_memory(void *unused) {
  (void)unused;
  clocks_now("with its parent's memory");
  printf("time as for children %d\n", same("time", "time_for_children"));
  return 0;
}

static void makes(void) {
  puts("-- clone");
  fflush(stdout);
  long pid = clone3_(NEWTIME, SIGCHLD);
  if (pid == 0) {
    printf("clone3: time as for children %d\n", same("time", "time_for_children"));
    show();
    is("set", set("monotonic 1 0\n"));
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  is("clone3", pid > 0 ? 0 : -1);
  printf("parent: time as for children %d\n", same("time", "time_for_children"));
  pid = clone3_(NEWTIME | CLONE_NEWPID, SIGCHLD);
  if (pid == 0) _exit(getpid());
  is("clone3 NEWTIME with NEWPID", pid > 0 ? 0 : -1);
  if (pid > 0) waitpid(pid, NULL, 0);
  is("clone3 with a bit of the exit signal", clone3_(0x40, SIGCHLD));
  is("clone3 NEWTIME thread without memory", clone3_(NEWTIME | CLONE_THREAD, 0));
  pid = syscall(SYS_clone, NEWTIME, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  is("clone with it in the exit signal", pid > 0 ? 0 : -1);
  waitpid(pid, NULL, __WALL);
  is("unshare", unshare(NEWTIME));
  is("set", set("monotonic 864000 0\n"));
  fflush(stdout);
  pid = clone(with_memory, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
  waitpid(pid, NULL, 0);
  pthread_t t;
  pthread_create(&t, NULL, thread, NULL);
  pthread_join(t, NULL);
  is("set still", set("monotonic 864000 0\n"));
}

static void executes(void) {
  puts("-- exec");
  fflush(stdout);
  is("unshare", unshare(NEWTIME));
  is("set", set("monotonic 864000 0\nboottime 864000 0\n"));
  char a[32], b[32];
  snprintf(a, sizeof a, "%ld", start[1]);
  snprintf(b, sizeof b, "%d", who);
  fflush(stdout);
  int child = vfork();
  if (child == 0) {
    execl("/proc/self/exe", "self", "executed", a, b, NULL);
    _exit(1);
  }
  waitpid(child, NULL, 0);
  printf("parent: time as for children %d\n", same("time", "time_for_children"));
  clocks_now("parent");
  fflush(stdout);
  execl("/proc/self/exe", "self", "executed", a, b, NULL);
}
static int executed(char **argv) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  long fast = t.tv_sec - atol(argv[1]);
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
  printf("executed: time as for children %d monotonic %ld %ld\n", same("time", "time_for_children"), hours(fast),
         hours(t.tv_sec - atol(argv[1])));
  is("set", set("monotonic 1 0\n"));
  return 0;
}

static void vvar(void) {
  puts("-- [vvar]");
  is("unshare", unshare(NEWTIME));
  is("set", set("monotonic 864000 0\n"));
  clocks_now("seen before");
  fflush(stdout);
  int child = fork();
  if (child == 0) {
    int count = 0;
    for (char *line = strtok(text_of("/proc/self/maps"), "\n"); line; line = strtok(NULL, "\n"))
      if (strstr(line, "[vvar]")) printf("%s\n", strchr(line, ' ')), count++;
    printf("mapped %d\n", count);
    clocks_now("child");
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

static void nobody(void) {
  puts("-- nobody");
  is("unshare", unshare(NEWTIME));
  int fd = open("/proc/self/timens_offsets", O_WRONLY);
  setresuid(1000, 1000, 1000);
  is("unshare", unshare(NEWTIME));
  is("clone3", clone3_(NEWTIME, SIGCHLD));
  is("set", set("monotonic 1 0\n"));
  is("by a file that root has opened", write(fd, "monotonic 2 0\n", 14));
  show();
  is("setns", setns_(ns("time_for_children"), 0));
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc == 4 && strcmp(argv[1], "executed") == 0) return executed(argv + 1);
  who = getpid();
  /* A real machine has been up for some seconds. */
  sleep(3);
  remember();
  clocks_now("start");
  in_child(writes);
  in_child(forwards);
  in_child(parts);
  in_child(far);
  in_child(makes);
  in_child(executes);
  in_child(vvar);
  in_child(nobody);
  clocks_now("end");
  return 0;
}
