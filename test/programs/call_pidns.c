/* pid_namespaces(7): CLONE_NEWPID in clone, clone3 and unshare, set_tid for several levels, and what processes of nested namespaces see
 * of one another. Numbers of the outermost namespace are not printed: they differ. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEWPID 0x20000000
#define ILLEGAL ".word 0"

struct args {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static void show(const char *what, long r) {
  if (r == -1) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, r);
}
static long clone_(unsigned long flags) { return syscall(SYS_clone, flags, 0, 0, 0, 0); }
static long clone3_(struct args *a) { return syscall(SYS_clone3, a, sizeof *a); }
static int gettid_(void) { return syscall(SYS_gettid); }

/* Lets the others come first, so that what is printed has an order. */
static void later(void) { usleep(60000); }

/* A child's end, as its parent hears of it; the number only where it is not of the outermost namespace. */
static void reap(const char *what, int pid, int inside) {
  int status = 0;
  int r = waitpid(pid, &status, __WALL);
  if (r < 0) printf("%s: %s\n", what, errno_name(errno));
  else if (inside) printf("%s: %d status %x\n", what, r, status);
  else printf("%s: %s status %x\n", what, r == pid || pid == -1 ? "it" : "another", status);
}

/* In a new namespace: its init runs the function, and ends with what it returns. */
static void inside(const char *what, int (*run)(void)) {
  printf("-- %s\n", what);
  long pid = clone_(NEWPID | SIGCHLD);
  if (pid == 0) _exit(run());
  if (pid < 0) show("clone", -1);
  else reap("init", pid, 0);
}

static int numbers(void) {
  printf("getpid %d gettid %d getppid %d group %d session %d\n", getpid(), gettid_(), getppid(), getpgid(0), getsid(0));
  int pid = fork();
  if (pid == 0) {
    later();
    printf("child %d of %d\n", getpid(), getppid());
    show("its group", getpgid(0));
    show("setsid", setsid());
    show("its session", getsid(0));
    _exit(3);
  }
  printf("fork gave %d\n", pid);
  reap("child", -1, 1);
  show("nobody", waitpid(pid, NULL, 0));
  show("kill nobody", kill(pid, 0));
  show("kill self", kill(getpid(), 0));
  show("kill all", kill(-1, 0));
  show("kill own group", kill(0, 0));
  show("getpgid 77", getpgid(77));
  show("getsid 1", getsid(1));
  show("setpgid 0 0", setpgid(0, 0));
  show("group", getpgid(0));
  show("setsid of a leader", setsid());
  pid = fork();
  if (pid == 0) {
    show("group of the child", getpgid(0));
    pause();
  }
  later();
  show("setpgid of the child", setpgid(pid, pid));
  show("group of the child", getpgid(pid));
  show("kill its group", kill(-pid, SIGTERM));
  reap("by group", -pid, 1);
  return 7;
}

static void *second(void *unused) {
  printf("thread: getpid %d gettid %d\n", getpid(), gettid_());
  show("tgkill", syscall(SYS_tgkill, 1, gettid_(), 0));
  show("tgkill of another group", syscall(SYS_tgkill, 2, gettid_(), 0));
  show("tkill", syscall(SYS_tkill, gettid_(), 0));
  return unused;
}
static int threads(void) {
  pthread_t t;
  pthread_create(&t, NULL, second, NULL);
  pthread_join(t, NULL);
  int word = 0;
  show("set_tid_address", syscall(SYS_set_tid_address, &word));
  show("lock", syscall(SYS_futex, &word, 6 /* LOCK_PI */ | 128, 0, NULL, NULL, 0));
  printf("owner %d\n", word);
  show("again", syscall(SYS_futex, &word, 6 | 128, 0, NULL, NULL, 0));
  show("unlock", syscall(SYS_futex, &word, 7 | 128, 0, NULL, NULL, 0));
  show("sched_getscheduler 1", sched_getscheduler(1));
  show("sched_getscheduler 99", sched_getscheduler(99));
  show("getpriority 1", getpriority(PRIO_PROCESS, 1));
  errno = 0;
  show("getpriority 99", getpriority(PRIO_PROCESS, 99));
  struct rlimit limit;
  show("prlimit 1", prlimit(1, RLIMIT_NOFILE, NULL, &limit));
  show("prlimit 99", prlimit(99, RLIMIT_NOFILE, NULL, &limit));
  struct timespec now;
  clockid_t id;
  show("clock_getcpuclockid 1", clock_getcpuclockid(1, &id));
  show("its time", clock_gettime(id, &now));
  return 0;
}

static volatile int count[65], from[65], code[65];
static void note(int sig, siginfo_t *info, void *unused) { count[sig]++, from[sig] = info->si_pid, code[sig] = info->si_code; }
static void handle(int sig) {
  struct sigaction a = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(sig, &a, NULL);
}
static void told(const char *what, int sig) {
  while (count[sig] == 0) usleep(1000);
  printf("%s: %d times from %d code %d\n", what, count[sig], from[sig], code[sig]);
  count[sig] = 0;
}

static int signals(void) {
  show("kill TERM of itself", kill(1, SIGTERM));
  show("kill KILL of itself", kill(1, SIGKILL));
  show("kill STOP of itself", kill(1, SIGSTOP));
  show("kill SEGV of itself", kill(1, SIGSEGV));
  show("raise ABRT", raise(SIGABRT));
  show("tgkill USR1", syscall(SYS_tgkill, 1, 1, SIGUSR1));
  sigset_t set, pending;
  sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, NULL);
  show("blocked USR1", kill(1, SIGUSR1));
  sigpending(&pending);
  show("pending", sigismember(&pending, SIGUSR1));
  siginfo_t info;
  show("sigwaitinfo", sigwaitinfo(&set, &info));
  printf("from %d\n", info.si_pid);
  show("blocked USR2", kill(1, SIGUSR2));
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  puts("still there");
  handle(SIGTERM), handle(SIGCHLD);
  int pid = fork();
  if (pid == 0) {
    show("child: KILL of init", kill(1, SIGKILL));
    show("child: HUP of init", kill(1, SIGHUP));
    show("child: TERM of init", kill(1, SIGTERM));
    show("child: nobody", kill(3, 0));
    kill(getpid(), SIGKILL);
  }
  while (count[SIGTERM] == 0) usleep(1000);
  later();
  told("from the child", SIGTERM);
  reap("child", pid, 1);
  told("its end", SIGCHLD);
  return 0;
}

static int orphans(void) {
  int p[2];
  pipe(p);
  int pid = fork();
  if (pid == 0) {
    int grandchild = fork();
    if (grandchild == 0) {
      char c;
      close(p[1]);
      read(p[0], &c, 1);
      printf("orphan %d has parent %d\n", getpid(), getppid());
      _exit(9);
    }
    printf("middle %d made %d\n", getpid(), grandchild);
    _exit(4);
  }
  close(p[0]);
  reap("middle", pid, 1);
  close(p[1]);
  reap("orphan", -1, 1);
  pid = fork();
  if (pid == 0) {
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    int one = fork();
    if (one == 0) {
      if (fork() == 0) {
        while (getppid() == 5) usleep(1000);
        later();
        printf("%d now has parent %d\n", getpid(), getppid());
        _exit(2);
      }
      _exit(1);
    }
    reap("of the subreaper", one, 1);
    reap("its orphan", -1, 1);
    _exit(0);
  }
  reap("subreaper", pid, 1);
  return 0;
}

/* Everybody else ends with init. */
static int last(void) {
  for (int i = 0; i < 3; i++)
    if (fork() == 0) {
      if (i == 2 && fork() == 0) setsid();
      signal(SIGTERM, SIG_IGN);
      pause();
    }
  usleep(20000);
  return 5;
}
static void ends_with_init(void) {
  int p[2];
  pipe(p);
  inside("the end of init", last);
  close(p[1]);
  char c;
  show("nobody has the pipe", read(p[0], &c, 1));
  close(p[0]);
}

static int crash(void) {
  *(volatile int *)8 = 1;
  return 0;
}
static int by_illegal(void) {
  signal(SIGILL, SIG_IGN);
  __asm__ volatile(ILLEGAL);
  return 0;
}
static int nested(void) {
  printf("outer %d\n", getpid());
  long pid = clone_(NEWPID | SIGCHLD);
  if (pid == 0) {
    printf("inner %d of %d\n", getpid(), getppid());
    later(), later();
    show("fork", fork() == 0 ? (_exit(0), 0) : 2);
    later();
    reap("inner child", -1, 1);
    later();
    _exit(6);
  }
  later();
  printf("it is %ld here\n", pid);
  show("its group", getpgid(pid));
  reap("inner", pid, 1);
  return fork() == 0 ? (printf("next %d\n", getpid()), _exit(0), 0) : (reap("next", -1, 1), 0);
}

/* Signals from outside: init gets KILL and STOP, and has no number for the sender. */
static void outside(void) {
  puts("-- from outside");
  int p[2], q[2];
  pipe(p), pipe(q);
  long pid = clone_(NEWPID | SIGCHLD);
  if (pid == 0) {
    handle(SIGUSR1);
    write(p[1], "", 1);
    while (count[SIGUSR1] == 0) usleep(1000);
    later();
    told("init", SIGUSR1);
    write(p[1], "", 1);
    for (;;) pause();
  }
  char c;
  read(p[0], &c, 1);
  show("kill USR1", kill(pid, SIGUSR1));
  read(p[0], &c, 1);
  show("kill TERM", kill(pid, SIGTERM));
  show("kill STOP", kill(pid, SIGSTOP));
  int status;
  printf("stopped: %d", waitpid(pid, &status, WUNTRACED) == pid);
  printf(" %x\n", status);
  show("kill CONT", kill(pid, SIGCONT));
  show("kill KILL", kill(pid, SIGKILL));
  reap("init", pid, 0);
  /* A signal comes from a child in a namespace of its own with the number that its parent has for it. */
  handle(SIGCHLD);
  pid = clone_(NEWPID | SIGCHLD);
  if (pid == 0) _exit(1);
  reap("another", pid, 0);
  printf("SIGCHLD from it: %d\n", from[SIGCHLD] == pid);
  signal(SIGCHLD, SIG_DFL);
  handle(SIGUSR2);
  pid = clone_(NEWPID | SIGCHLD);
  if (pid == 0) {
    show("kill own group", kill(0, SIGUSR2));
    _exit(0);
  }
  reap("another", pid, 0);
  told("from inside", SIGUSR2);
  signal(SIGUSR2, SIG_DFL);
}

static long with_tids(unsigned long flags, int count, int a, int b, int c) {
  int tids[3] = {a, b, c};
  struct args args = {.flags = flags, .exit_signal = SIGCHLD, .set_tid = (uint64_t)tids, .set_tid_size = count};
  long pid = clone3_(&args);
  if (pid == 0) _exit(getpid() & 0x7f);
  return pid;
}
static void chosen(const char *what, unsigned long flags, int count, int a, int b, int c) {
  long pid = with_tids(flags, count, a, b, c);
  if (pid < 0) show(what, -1);
  else reap(what, pid, count > 0 && !(flags & NEWPID));
}
static int choose(void) {
  chosen("43", 0, 1, 43, 0, 0);
  chosen("1", 0, 1, 1, 0, 0);
  chosen("0", 0, 1, 0, 0, 0);
  chosen("pid_max", 0, 1, 32768, 0, 0);
  chosen("pid_max - 1", 0, 1, 32767, 0, 0);
  chosen("two, the outer one bad", 0, 2, 44, -1, 0);
  chosen("two, the inner one taken and the outer one bad", 0, 2, 1, -1, 0);
  chosen("too many", 0, 3, 44, 20000, 20000);
  chosen("44 again", 0, 2, 44, 20000, 0);
  chosen("1 of a new one, 50 here", NEWPID, 2, 1, 50, 0);
  chosen("2 of a new one", NEWPID, 1, 2, 0, 0);
  chosen("1 of a new one and a taken one", NEWPID, 2, 1, 1, 0);
  chosen("three levels", NEWPID, 3, 1, 60, 20001);
  int pid = fork();
  if (pid == 0) _exit(0);
  printf("next %d\n", pid);
  reap("next", pid, 1);
  show("setuid", setuid(1000));
  chosen("not root, 43", 0, 1, 43, 0, 0);
  chosen("not root, 0", 0, 1, 0, 0, 0);
  chosen("not root, 1", 0, 1, 1, 0, 0);
  chosen("not root, too many", 0, 3, 1, 1, 1);
  show("clone", clone_(NEWPID | SIGCHLD));
  show("unshare", unshare(NEWPID));
  chosen("not root, a bad number in a new one", NEWPID, 1, 0, 0, 0);
  return 0;
}

static int ladder(int level) {
  if (level > 0 && level % 8 == 0) printf("level %d\n", level);
  long pid = clone_(NEWPID | SIGCHLD);
  if (pid == 0) _exit(ladder(level + 1));
  if (pid < 0) {
    printf("level %d: %s\n", level, errno_name(errno));
    show("unshare", unshare(NEWPID));
    return level;
  }
  int status;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

/* unshare(2): the caller stays, its children go. */
static void *clone_thread(void *unused) { return unused; }
static void unsharing(void) {
  puts("-- unshare");
  if (fork() == 0) {
    int before = getpid();
    show("unshare", unshare(NEWPID));
    printf("same number: %d\n", getpid() == before);
    show("again", unshare(NEWPID));
    show("clone with another", clone_(NEWPID | SIGCHLD));
    pthread_t t;
    show("thread", pthread_create(&t, NULL, clone_thread, NULL) == EINVAL);
    int p[2];
    pipe(p);
    int init = fork();
    if (init == 0) {
      char c;
      close(p[1]);
      printf("first %d of %d\n", getpid(), getppid());
      read(p[0], &c, 1);
      _exit(8);
    }
    later();
    int other = fork();
    if (other == 0) {
      close(p[0]), close(p[1]);
      printf("second %d of %d\n", getpid(), getppid());
      pause();
    }
    usleep(50000);
    close(p[0]), close(p[1]);
    usleep(50000);
    int status = 0;
    /* Init is heard of when the others are gone, whom only their parent can bury. */
    show("init, before the second is buried", waitpid(init, &status, WNOHANG));
    struct pollfd poller = {syscall(SYS_pidfd_open, init, 0), POLLIN, 0};
    show("poll of its pidfd", poll(&poller, 1, 0));
    reap("second", other, 0);
    reap("init", init, 0);
    show("fork after the end", fork());
    show("unshare after the end", unshare(NEWPID));
    _exit(0);
  }
  reap("unsharing", -1, 0);
}

static int lone(void *unused) { return 0; }
static void mistakes(void) {
  puts("-- mistakes");
  static char stack[16384] __attribute__((aligned(16)));
  show("with THREAD", syscall(SYS_clone, NEWPID | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, stack + sizeof stack, 0, 0, 0));
  struct args args = {.flags = NEWPID, .exit_signal = SIGCHLD, .set_tid = 1, .set_tid_size = 33};
  show("33 numbers", clone3_(&args));
  args.set_tid_size = 1;
  show("at a bad address", clone3_(&args));
  args.exit_signal = 65;
  show("at a bad address with a bad signal", clone3_(&args));
  args.exit_signal = SIGCHLD, args.set_tid_size = 0;
  show("address without count", clone3_(&args));
  args.set_tid = 0, args.set_tid_size = 1;
  show("count without address", clone3_(&args));
  int pidfd = -1, tid = -1, child = -1;
  struct args told_ = {.flags = NEWPID | CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, .pidfd = (uint64_t)&pidfd,
    .parent_tid = (uint64_t)&tid, .child_tid = (uint64_t)&child, .exit_signal = SIGCHLD};
  int p[2];
  pipe(p);
  long pid = clone3_(&told_);
  if (pid == 0) {
    close(p[0]);
    printf("child's word %d\n", child);
    close(p[1]);
    pause();
  }
  char c;
  close(p[1]);
  read(p[0], &c, 1);
  printf("parent's word is its number: %d\n", tid == pid);
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
  FILE *f = fopen(path, "r");
  int first = 0, second_ = 0;
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "NSpid:\t%d\t%d", &first, &second_) > 0) printf("NSpid %d %d\n", first == pid, second_);
  fclose(f);
  snprintf(path, sizeof path, "/proc/%ld/status", pid);
  f = fopen(path, "r");
  while (fgets(line, sizeof line, f)) {
    int a = -1, b = -1;
    char name[32];
    if (strncmp(line, "NS", 2) != 0) continue;
    sscanf(line, "%31s %d %d", name, &a, &b);
    printf("%s outside it is %s, inside %d\n", name, a == pid ? "its number" : "another", b);
  }
  fclose(f);
  show("pidfd_send_signal", syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0));
  reap("it", pid, 0);
  pid = syscall(SYS_clone, NEWPID | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(1);
  reap("vfork", pid, 0);
}

static int parents(void) {
  show("clone with PARENT by init", clone_(CLONE_PARENT | SIGCHLD));
  int pid = fork();
  if (pid == 0) {
    long sibling = clone_(CLONE_PARENT | SIGCHLD);
    if (sibling == 0) later(), printf("sibling %d of %d\n", getpid(), getppid()), _exit(0);
    printf("made %ld\n", sibling);
    _exit(0);
  }
  reap("child", pid, 1);
  reap("sibling", -1, 1);
  int pair[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  struct ucred who;
  socklen_t size = sizeof who;
  show("SO_PEERCRED", getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &who, &size));
  printf("peer %d\n", who.pid);
  char name[] = "/tmp/pidnsXXXXXX";
  int fd = mkstemp(name);
  unlink(name);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
  show("lock", fcntl(fd, F_SETLK, &lock));
  if (fork() == 0) {
    show("who has it", fcntl(fd, F_GETLK, &lock));
    printf("%d\n", lock.l_pid);
    _exit(0);
  }
  reap("asker", -1, 1);
  int p = syscall(SYS_pidfd_open, 1, 0);
  show("pidfd of 1", p >= 0 ? 0 : -1);
  show("pidfd of 99", syscall(SYS_pidfd_open, 99, 0));
  return 0;
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  setpgid(0, 0);
  inside("numbers", numbers);
  inside("threads", threads);
  inside("signals", signals);
  inside("orphans", orphans);
  ends_with_init();
  inside("a fault of init", crash);
  inside("an ignored fault of init", by_illegal);
  inside("nested", nested);
  outside();
  inside("chosen numbers", choose);
  puts("-- levels");
  printf("deepest %d\n", ladder(0));
  unsharing();
  mistakes();
  inside("parents and others", parents);
  return 0;
}
