/* Timers: setitimer, timer_create, timerfd, clock_nanosleep, CPU clocks; what is told of them. Only orders and counts, no times. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "errno_name.h"

#define MS 1000000L

/* struct sigevent's thread has no name in musl. */
struct event {
  union sigval value;
  int signo;
  int notify;
  int tid;
  char pad[64 - 20];
};

typedef int ktimer;

static const char *err(long r) { return r < 0 ? errno_name(errno) : "ok"; }

static volatile sig_atomic_t hits, code, timer_id, value, overrun;

static void on_signal(int s, siginfo_t *i, void *u) {
  (void)s, (void)u;
  hits++;
  code = i->si_code;
  timer_id = i->si_timerid;
  value = i->si_value.sival_int;
  overrun = i->si_overrun;
}

static void handle(int s) {
  struct sigaction a = {0};
  a.sa_sigaction = on_signal;
  a.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(s, &a, NULL);
}

static void sleep_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * MS};
  while (nanosleep(&t, &t) < 0 && errno == EINTR) continue;
}

static long create(clockid_t clock, void *event, ktimer *timer) { return syscall(SYS_timer_create, clock, event, timer); }

static long settime(ktimer t, int flags, long first_ns, long interval_ns, struct itimerspec *old) {
  struct itimerspec s = {{interval_ns / 1000000000, interval_ns % 1000000000}, {first_ns / 1000000000, first_ns % 1000000000}};
  return syscall(SYS_timer_settime, t, flags, &s, old);
}

static void show_left(const char *what, long value_ns, long interval_ns, long most) {
  printf("%s: interval %ld left %s\n", what, interval_ns, value_ns == 0 ? "none" : value_ns > most ? "too much" : "some");
}

static void show_timer(const char *what, ktimer t, long most) {
  struct itimerspec s;
  if (syscall(SYS_timer_gettime, t, &s) < 0) printf("%s: %s\n", what, err(-1));
  else show_left(what, s.it_value.tv_sec * 1000000000 + s.it_value.tv_nsec, s.it_interval.tv_sec * 1000000000 + s.it_interval.tv_nsec, most);
}

static void burn(long cpu_ms) {
  struct timespec start, now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
  do {
    for (volatile int i = 0; i < 20000; i++) continue;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  } while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / MS < cpu_ms);
}

static void interval_timers(void) {
  struct itimerval s = {{0, 0}, {0, 20000}}, old;
  handle(SIGALRM);
  handle(SIGVTALRM);
  handle(SIGPROF);
  printf("real %s", err(setitimer(ITIMER_REAL, &s, NULL)));
  while (hits == 0) pause();
  getitimer(ITIMER_REAL, &old);
  printf(" hits %d code %d left %ld\n", hits, code, old.it_value.tv_usec);
  hits = 0;
  s.it_interval.tv_usec = 5000;
  setitimer(ITIMER_REAL, &s, NULL);
  while (hits < 3) pause();
  memset(&s, 0, sizeof s);
  setitimer(ITIMER_REAL, &s, &old);
  printf("periodic, then stopped: interval %ld left some %d\n", old.it_interval.tv_usec, old.it_value.tv_usec > 0);
  hits = 0;
  sleep_ms(20);
  printf("none after that: %d\n", hits);
  for (int which = ITIMER_VIRTUAL; which <= ITIMER_PROF; which++) {
    struct itimerval v = {{0, 8000}, {0, 25000}};
    hits = 0;
    printf("cpu %d %s", which, err(setitimer(which, &v, NULL)));
    sleep_ms(80);
    printf(" while asleep %d", hits);
    while (hits < 2) burn(1);
    memset(&v, 0, sizeof v);
    setitimer(which, &v, &old);
    printf(" code %d interval %ld\n", code, old.it_interval.tv_usec);
  }
  struct itimerval bad = {{0, 0}, {0, 1000000}};
  printf("bad %s", err(setitimer(ITIMER_REAL, &bad, NULL)));
  printf(" %s", err(setitimer(3, &s, NULL)));
  printf(" %s", err(getitimer(-1, &s)));
  printf(" %s\n", err(syscall(SYS_setitimer, ITIMER_REAL, 8, NULL)));
  alarm(100);
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) _exit(alarm(0) != 0);
  int status;
  waitpid(p, &status, 0);
  unsigned left = alarm(0);
  printf("alarm of the parent %d, of the child %d\n", left >= 99 && left <= 100, WEXITSTATUS(status));
  signal(SIGALRM, SIG_IGN);
  s.it_value.tv_usec = s.it_interval.tv_usec = 2000;
  setitimer(ITIMER_REAL, &s, NULL);
  sleep_ms(20);
  getitimer(ITIMER_REAL, &old);
  printf("ignored: interval %ld left %ld\n", old.it_interval.tv_usec, old.it_value.tv_usec);
  memset(&s, 0, sizeof s);
  setitimer(ITIMER_REAL, &s, NULL);
}

static void posix_timers(void) {
  ktimer t = -1, u = -1;
  struct event e = {.value.sival_int = 77, .signo = SIGUSR1, .notify = SIGEV_SIGNAL};
  handle(SIGUSR1);
  handle(SIGALRM);
  printf("create %s", err(create(CLOCK_MONOTONIC, &e, &t)));
  printf(" id %d, ", t);
  printf("%s", err(create(CLOCK_REALTIME, NULL, &u)));
  printf(" id %d\n", u);
  show_timer("fresh", t, 0);
  hits = 0;
  settime(t, 0, 150 * MS, 0, NULL);
  show_timer("once", t, 150 * MS);
  while (hits == 0) pause();
  printf("code %d value %d timer %d overrun %d\n", code, value, timer_id, overrun);
  show_timer("expired", t, 0);
  hits = 0;
  settime(u, 0, 5 * MS, 0, NULL);
  while (hits == 0) pause();
  printf("no event: code %d value %d timer %d\n", code, value, timer_id);
  hits = 0;
  settime(t, 0, 5 * MS, 3 * MS, NULL);
  while (hits < 4) pause();
  show_timer("periodic", t, 3 * MS);
  struct itimerspec old;
  settime(t, 0, 0, 0, &old);
  printf("old interval %ld\n", old.it_interval.tv_nsec);
  show_timer("stopped", t, 0);
  printf("overrun %ld\n", syscall(SYS_timer_getoverrun, t));
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct itimerspec at = {{0, 0}, now};
  hits = 0;
  printf("past %s", err(syscall(SYS_timer_settime, u, TIMER_ABSTIME, &at, NULL)));
  while (hits == 0) sleep_ms(1);
  printf(" hits %d\n", hits);
  clock_gettime(CLOCK_REALTIME, &at.it_value);
  at.it_value.tv_sec += 1000;
  syscall(SYS_timer_settime, u, TIMER_ABSTIME, &at, NULL);
  show_timer("absolute", u, 1000000000000L);
  printf("delete %s", err(syscall(SYS_timer_delete, u)));
  printf(" %s", err(syscall(SYS_timer_delete, u)));
  printf(" %s", err(settime(u, 0, 1, 0, NULL)));
  printf(" %s", err(syscall(SYS_timer_getoverrun, u)));
  printf(" %s\n", err(syscall(SYS_timer_gettime, u, &old)));
  printf("next id %s", err(create(CLOCK_BOOTTIME, NULL, &u)));
  printf(" %d\n", u);
  syscall(SYS_timer_delete, u);
  syscall(SYS_timer_delete, t);
}

static void overruns(void) {
  ktimer t;
  sigset_t set, old;
  siginfo_t i;
  struct timespec zero = {0, 0};
  struct event e = {.value.sival_int = 5, .signo = SIGRTMIN, .notify = SIGEV_SIGNAL};
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, &old);
  create(CLOCK_MONOTONIC, &e, &t);
  settime(t, 0, MS, 2 * MS, NULL);
  sleep_ms(50);
  printf("taken %d", sigtimedwait(&set, &i, &zero) == SIGRTMIN);
  printf(" code %d overrun many %d same %d\n", i.si_code, i.si_overrun >= 20, syscall(SYS_timer_getoverrun, t) == i.si_overrun);
  settime(t, 0, 0, 0, NULL);
  while (sigtimedwait(&set, &i, &zero) > 0) continue;
  settime(t, 0, MS, 0, NULL);
  sleep_ms(10);
  syscall(SYS_timer_delete, t);
  printf("pending after delete %d", sigtimedwait(&set, &i, &zero) == SIGRTMIN);
  printf(" value %d\n", i.si_value.sival_int);
  e.notify = SIGEV_NONE;
  create(CLOCK_MONOTONIC, &e, &t);
  settime(t, 0, MS, 0, NULL);
  sleep_ms(10);
  printf("none: %d", sigtimedwait(&set, &i, &zero));
  show_timer(" expired", t, 0);
  settime(t, 0, MS, 5 * MS, NULL);
  sleep_ms(10);
  show_timer("none, periodic", t, 5 * MS);
  syscall(SYS_timer_delete, t);
  sigprocmask(SIG_SETMASK, &old, NULL);
}

static void bad_timers(void) {
  ktimer t;
  struct event e = {.signo = SIGUSR1, .notify = SIGEV_SIGNAL};
  int clocks[] = {4, 5, 6, 10, 11, 12, -1, 100};
  for (unsigned i = 0; i < sizeof clocks / sizeof *clocks; i++) {
    long r = create(clocks[i], &e, &t);
    printf("clock %d %s\n", clocks[i], err(r));
    if (r == 0) syscall(SYS_timer_delete, t);
  }
  e.signo = 65;
  printf("signal %s", err(create(CLOCK_MONOTONIC, &e, &t)));
  e.signo = 0;
  printf(" %s", err(create(CLOCK_MONOTONIC, &e, &t)));
  e.notify = SIGEV_NONE;
  long r = create(CLOCK_MONOTONIC, &e, &t);
  printf(" none %s", err(r));
  syscall(SYS_timer_delete, t);
  e.signo = SIGUSR1;
  e.notify = 3;
  printf(" notify %s", err(create(CLOCK_MONOTONIC, &e, &t)));
  e.notify = 4;
  e.tid = 1;
  printf(" thread %s", err(create(CLOCK_MONOTONIC, &e, &t)));
  e.tid = getpid();
  r = create(CLOCK_MONOTONIC, &e, &t);
  printf(" %s", err(r));
  struct itimerspec s = {{0, 0}, {0, 1000000000}};
  printf(" nsec %s", err(syscall(SYS_timer_settime, t, 0, &s, NULL)));
  printf(" null %s", err(syscall(SYS_timer_settime, t, 0, NULL, NULL)));
  printf(" fault %s\n", err(syscall(SYS_timer_settime, t, 0, 8, NULL)));
  syscall(SYS_timer_delete, t);
  printf("fault %s", err(create(CLOCK_MONOTONIC, (void *)8, &t)));
  printf(" %s\n", err(create(CLOCK_MONOTONIC, NULL, (void *)8)));
}

static void cpu_timers(void) {
  ktimer t;
  struct event e = {.value.sival_int = 9, .signo = SIGUSR1, .notify = SIGEV_SIGNAL};
  clockid_t clocks[] = {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
  for (int i = 0; i < 2; i++) {
    hits = 0;
    printf("cpu timer %s", err(create(clocks[i], &e, &t)));
    settime(t, 0, 25 * MS, 0, NULL);
    sleep_ms(80);
    printf(" asleep %d", hits);
    while (hits == 0) burn(1);
    printf(" code %d value %d\n", code, value);
    hits = 0;
    settime(t, 0, 5 * MS, 5 * MS, NULL);
    while (hits < 3) burn(1);
    settime(t, 0, 0, 0, NULL);
    show_timer("stopped", t, 0);
    syscall(SYS_timer_delete, t);
  }
  struct timespec process, thread;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &thread);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &process);
  printf("process has the thread's time %d\n", process.tv_sec > thread.tv_sec || (process.tv_sec == thread.tv_sec && process.tv_nsec >= thread.tv_nsec));
  clockid_t id;
  clock_getcpuclockid(getpid(), &id);
  printf("own clock %s", err(clock_gettime(id, &process)));
  clock_getcpuclockid(0, &id);
  printf(" %s", err(clock_gettime(id, &process)));
  printf(" none %s", err(syscall(SYS_clock_gettime, -800000 + 2, &process)));
  printf(" fd %s\n", err(syscall(SYS_clock_gettime, -8 + 3, &process)));
}

static uint64_t read_ticks(int fd) {
  uint64_t ticks = 0;
  long r = read(fd, &ticks, 8);
  if (r != 8) printf("[%s]", err(r));
  return ticks;
}

static void show_fd(const char *what, int fd, long most) {
  struct itimerspec s;
  timerfd_gettime(fd, &s);
  show_left(what, s.it_value.tv_sec * 1000000000 + s.it_value.tv_nsec, s.it_interval.tv_sec * 1000000000 + s.it_interval.tv_nsec, most);
}

static void timer_files(void) {
  struct itimerspec s = {{0, 0}, {0, 150 * MS}}, old;
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  printf("flags %x %x", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
  printf(" fresh %d\n", (int)read_ticks(fd));
  printf("set %s", err(timerfd_settime(fd, 0, &s, NULL)));
  struct pollfd p = {fd, POLLIN, 0};
  printf(" poll %d", poll(&p, 1, 0));
  printf(" %d events %x", poll(&p, 1, -1), p.revents);
  printf(" ticks %d", (int)read_ticks(fd));
  printf(" then %d\n", (int)read_ticks(fd));
  show_fd("expired", fd, 0);
  s.it_interval.tv_nsec = 40 * MS;
  s.it_value.tv_nsec = 40 * MS;
  timerfd_settime(fd, 0, &s, &old);
  sleep_ms(210);
  printf("missed many %d", read_ticks(fd) >= 5);
  show_fd(" periodic", fd, 40 * MS);
  sleep_ms(90);
  show_fd("looked at", fd, 40 * MS);
  printf("ticks some %d\n", read_ticks(fd) >= 2);
  memset(&s, 0, sizeof s);
  timerfd_settime(fd, 0, &s, &old);
  printf("old interval %ld left %d\n", old.it_interval.tv_nsec, old.it_value.tv_nsec > 0);
  show_fd("stopped", fd, 0);
  char small[4];
  printf("small %s", err(read(fd, small, 4)));
  printf(" write %s", err(write(fd, small, 4)));
  printf(" seek %s\n", err(lseek(fd, 0, SEEK_SET)));
  close(fd);
  fd = timerfd_create(CLOCK_REALTIME, 0);
  clock_gettime(CLOCK_REALTIME, &s.it_value);
  printf("absolute past %s", err(timerfd_settime(fd, TFD_TIMER_ABSTIME, &s, NULL)));
  printf(" ticks %d\n", (int)read_ticks(fd));
  clock_gettime(CLOCK_REALTIME, &s.it_value);
  s.it_value.tv_sec += 2;
  s.it_value.tv_nsec = 0;
  int epoll = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN, .data.u32 = 7}, got;
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
  timerfd_settime(fd, TFD_TIMER_ABSTIME, &s, NULL);
  printf("epoll %d", epoll_wait(epoll, &got, 1, 0));
  s.it_value.tv_sec = 0;
  s.it_value.tv_nsec = 5 * MS;
  timerfd_settime(fd, 0, &s, NULL);
  printf(" %d data %d", epoll_wait(epoll, &got, 1, 5000), got.data.u32);
  printf(" ticks %d\n", (int)read_ticks(fd));
  fflush(stdout);
  timerfd_settime(fd, 0, &s, NULL);
  pid_t child = fork();
  if (child == 0) _exit((int)read_ticks(fd));
  int status;
  waitpid(child, &status, 0);
  printf("child reads %d\n", WEXITSTATUS(status));
  printf("bad %s", err(timerfd_create(2, 0)));
  printf(" %s", err(timerfd_create(CLOCK_MONOTONIC, 1)));
  printf(" %s", err(timerfd_settime(fd, 4, &s, NULL)));
  printf(" %s", err(timerfd_settime(0, 0, &s, NULL)));
  printf(" %s", err(timerfd_settime(99, 0, &s, NULL)));
  printf(" %s", err(syscall(SYS_timerfd_settime, fd, 0, 8, NULL)));
  printf(" %s\n", err(syscall(SYS_timerfd_gettime, fd, 8)));
  close(epoll);
  close(fd);
}

static void sleeping(void) {
  struct timespec t, before, after, left = {7, 7};
  clock_gettime(CLOCK_MONOTONIC, &before);
  t = before;
  t.tv_nsec += 20 * MS;
  if (t.tv_nsec >= 1000000000) t.tv_nsec -= 1000000000, t.tv_sec++;
  int r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, &left);
  clock_gettime(CLOCK_MONOTONIC, &after);
  printf("absolute %d late enough %d left untouched %ld\n", r, after.tv_sec > t.tv_sec || (after.tv_sec == t.tv_sec && after.tv_nsec >= t.tv_nsec), left.tv_sec);
  printf("past %d", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &before, NULL));
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += 10 * MS;
  if (t.tv_nsec >= 1000000000) t.tv_nsec -= 1000000000, t.tv_sec++;
  printf(" wall %d", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL));
  printf(" boot %d", clock_nanosleep(CLOCK_BOOTTIME, 0, &(struct timespec){0, MS}, NULL));
  t.tv_nsec = 1000000000;
  printf(" bad %d", clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL));
  t.tv_nsec = 0;
  printf(" raw %s", err(syscall(SYS_clock_nanosleep, 4, 0, &t, NULL)));
  printf(" coarse %s", err(syscall(SYS_clock_nanosleep, 6, 0, &t, NULL)));
  printf(" thread %s", err(syscall(SYS_clock_nanosleep, 3, 0, &t, NULL)));
  printf(" none %s\n", err(syscall(SYS_clock_nanosleep, 10, 0, &t, NULL)));
  struct itimerval s = {{0, 0}, {0, 10000}};
  handle(SIGALRM);
  setitimer(ITIMER_REAL, &s, NULL);
  t.tv_sec = 10;
  t.tv_nsec = 0;
  r = clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &left);
  printf("interrupted %d left %ld\n", r, left.tv_sec);
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_sec += 10;
  setitimer(ITIMER_REAL, &s, NULL);
  left.tv_sec = 3;
  r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, &left);
  printf("interrupted absolute %d left %ld\n", r, left.tv_sec);
}

/* The timers of timer_create end with the program, the alarm does not. */
static void over_exec(char *self) {
  int status;
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    ktimer t;
    alarm(100);
    create(CLOCK_MONOTONIC, NULL, &t);
    execl("/proc/self/exe", self, "after-exec", (char *)NULL);
    _exit(1);
  }
  waitpid(p, &status, 0);
  printf("over exec %d\n", WEXITSTATUS(status));
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "after-exec") == 0) {
    struct itimerspec s;
    return (alarm(0) > 90) + 2 * (syscall(SYS_timer_gettime, 0, &s) < 0);
  }
  interval_timers();
  posix_timers();
  overruns();
  bad_timers();
  cpu_timers();
  timer_files();
  sleeping();
  over_exec(argv[0]);
  return 0;
}
