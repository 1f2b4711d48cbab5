/* Signals in a process with threads: who gets one, masks, frames and stacks of each thread, sigwait, signalfd. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "errno_name.h"

static const char *err(long r) { return r < 0 ? errno_name(errno) : "ok"; }

static pid_t main_tid, got_tid;
static volatile sig_atomic_t hits, got_code, got_value, got_pid, on_alternate;
static char *alternate[2];
enum { STACK = 65536 };

static pid_t self(void) { return syscall(SYS_gettid); }

static void sleep_ms(int ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&t, &t) < 0 && errno == EINTR) continue;
}

static void on_signal(int s, siginfo_t *i, void *u) {
  (void)s, (void)u;
  char here;
  got_tid = self();
  got_code = i->si_code;
  got_pid = i->si_pid;
  got_value = i->si_value.sival_int;
  on_alternate = 0;
  for (int n = 0; n < 2; n++)
    if (alternate[n] && &here >= alternate[n] && &here < alternate[n] + STACK) on_alternate = n + 1;
  hits++;
}

static void handle(int s, int flags) {
  struct sigaction a = {0};
  a.sa_sigaction = on_signal;
  a.sa_flags = SA_SIGINFO | flags;
  sigaction(s, &a, NULL);
}

static sigset_t set_of(int one, int other) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, one);
  if (other) sigaddset(&set, other);
  return set;
}

static const char *who(pid_t worker) { return got_tid == main_tid ? "main" : got_tid == worker ? "worker" : "nobody"; }

static sem_t ready, go;
static pid_t worker_tid;

static void wait_sem(sem_t *s) {
  while (sem_wait(s) < 0) continue;
}

/* Waits with the mask that it was made with until it is told to end. */
static void *idle(void *arg) {
  (void)arg;
  worker_tid = self();
  sem_post(&ready);
  wait_sem(&go);
  return NULL;
}

static pthread_t start(void *(*body)(void *), void *arg) {
  pthread_t t;
  pthread_create(&t, NULL, body, arg);
  wait_sem(&ready);
  return t;
}

static void end(pthread_t t) {
  sem_post(&go);
  pthread_join(t, NULL);
}

static void until_hit(int wanted) {
  for (int i = 0; i < 2000 && hits < wanted; i++) sleep_ms(1);
}

static void directed(void) {
  handle(SIGUSR1, SA_RESTART);
  pthread_t t = start(idle, NULL);
  hits = 0;
  pthread_kill(t, SIGUSR1);
  until_hit(1);
  printf("pthread_kill: %s code %d from us %d\n", who(worker_tid), got_code, got_pid == getpid());
  hits = 0;
  kill(getpid(), SIGUSR1);
  printf("kill: %s hits %d\n", who(worker_tid), hits);
  sigset_t set = set_of(SIGUSR1, 0), old;
  pthread_sigmask(SIG_BLOCK, &set, &old);
  hits = 0;
  kill(getpid(), SIGUSR1);
  until_hit(1);
  printf("kill, main blocks: %s\n", who(worker_tid));
  hits = 0;
  pthread_kill(pthread_self(), SIGUSR1);
  sleep_ms(10);
  sigset_t pending;
  sigpending(&pending);
  printf("to main, blocked: hits %d pending %d\n", hits, sigismember(&pending, SIGUSR1));
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  printf("unblocked: %s hits %d\n", who(worker_tid), hits);
  union sigval v = {.sival_int = 42};
  hits = 0;
  siginfo_t i = {0};
  i.si_code = SI_QUEUE;
  i.si_value = v;
  i.si_pid = getpid();
  printf("tgsigqueue %s", err(syscall(SYS_rt_tgsigqueueinfo, getpid(), worker_tid, SIGUSR1, &i)));
  until_hit(1);
  printf(" %s code %d value %d\n", who(worker_tid), got_code, got_value);
  i.si_code = SI_TKILL;
  printf("pretends: %s", err(syscall(SYS_rt_tgsigqueueinfo, getpid(), worker_tid, SIGUSR1, &i)));
  i.si_code = 1;
  printf(" %s", err(syscall(SYS_rt_sigqueueinfo, worker_tid, SIGUSR1, &i)));
  hits = 0;
  printf(" to itself %s hits %d\n", err(syscall(SYS_rt_tgsigqueueinfo, getpid(), main_tid, SIGUSR1, &i)), hits);
  hits = 0;
  printf("kill of a thread's number %s", err(kill(worker_tid, SIGUSR1)));
  until_hit(1);
  printf(" %s\n", who(worker_tid));
  printf("tgkill: no group %s", err(syscall(SYS_tgkill, 99999, worker_tid, SIGUSR1)));
  printf(" bad %s", err(syscall(SYS_tgkill, getpid(), worker_tid, 65)));
  printf(" zero %s", err(syscall(SYS_tgkill, getpid(), 0, SIGUSR1)));
  printf(" other group %s", err(syscall(SYS_tgkill, getppid(), worker_tid, SIGUSR1)));
  printf(" tkill none %s", err(syscall(SYS_tkill, 99999, SIGUSR1)));
  printf(" bad %s\n", err(syscall(SYS_tkill, 99999, 65)));
  end(t);
}

static void *sends_to_process(void *arg) {
  (void)arg;
  worker_tid = self();
  hits = 0;
  kill(getpid(), SIGUSR1);
  sem_post(&ready);
  return NULL;
}

/* The worker runs, main waits: main is asked first all the same. */
static void from_worker(void) {
  pthread_t t;
  got_tid = 0;
  pthread_create(&t, NULL, sends_to_process, NULL);
  wait_sem(&ready);
  until_hit(1);
  printf("sent by the worker: %s\n", who(worker_tid));
  pthread_join(t, NULL);
}

static void *waits_for_signals(void *arg) {
  sigset_t *set = arg;
  siginfo_t i;
  worker_tid = self();
  sem_post(&ready);
  int s = sigwaitinfo(set, &i);
  printf("sigwaitinfo %s code %d value %d\n", s == SIGUSR2 ? "USR2" : s == SIGCHLD ? "CHLD" : "?", i.si_code, i.si_value.sival_int);
  return NULL;
}

static void waiting(void) {
  sigset_t set = set_of(SIGUSR2, SIGCHLD), old;
  pthread_sigmask(SIG_BLOCK, &set, &old);
  pthread_t t = start(waits_for_signals, &set);
  sleep_ms(10);
  union sigval v = {.sival_int = 3};
  sigqueue(getpid(), SIGUSR2, v);
  pthread_join(t, NULL);
  /* SIGCHLD does nothing by default; who waits for it gets it. */
  t = start(waits_for_signals, &set);
  sleep_ms(10);
  kill(getpid(), SIGCHLD);
  pthread_join(t, NULL);
  struct timespec zero = {0, 0}, little = {0, 10000000}, bad = {0, 1000000000};
  siginfo_t i;
  printf("timeout %s", err(sigtimedwait(&set, &i, &zero)));
  printf(" %s", err(sigtimedwait(&set, &i, &little)));
  printf(" bad %s", err(sigtimedwait(&set, &i, &bad)));
  printf(" size %s\n", err(syscall(SYS_rt_sigtimedwait, &set, &i, &zero, 4)));
  pthread_kill(pthread_self(), SIGUSR2);
  kill(getpid(), SIGUSR2);
  int a = sigtimedwait(&set, &i, &zero) == SIGUSR2 ? i.si_code : 99;
  int b = sigtimedwait(&set, &i, &zero) == SIGUSR2 ? i.si_code : 99;
  printf("own first: %d then %d\n", a, b);
  handle(SIGUSR1, 0);
  hits = 0;
  pthread_t u = start(idle, NULL);
  pthread_kill(u, SIGUSR1);
  until_hit(1);
  end(u);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void *kills_main_later(void *arg) {
  sleep_ms(20);
  pthread_kill(*(pthread_t *)arg, SIGUSR1);
  return NULL;
}

static void suspended(void) {
  pthread_t me = pthread_self(), t;
  sigset_t set = set_of(SIGUSR1, 0), old, now, none;
  sigemptyset(&none);
  handle(SIGUSR1, SA_RESTART);
  pthread_sigmask(SIG_BLOCK, &set, &old);
  hits = 0;
  pthread_create(&t, NULL, kills_main_later, &me);
  printf("sigsuspend %s", err(sigsuspend(&none)));
  pthread_sigmask(SIG_SETMASK, NULL, &now);
  printf(" hits %d blocked again %d\n", hits, sigismember(&now, SIGUSR1));
  pthread_join(t, NULL);
  struct timespec second = {5, 0};
  pthread_create(&t, NULL, kills_main_later, &me);
  printf("ppoll %s", err(ppoll(NULL, 0, &second, &none)));
  printf(" hits %d\n", hits);
  pthread_join(t, NULL);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  pthread_create(&t, NULL, kills_main_later, &me);
  struct timespec left = {0, 0};
  printf("nanosleep %s", err(nanosleep(&second, &left)));
  printf(" left %ld\n", (long)left.tv_sec);
  pthread_join(t, NULL);
}

static void *with_stack(void *arg) {
  stack_t none, s = {.ss_sp = alternate[1], .ss_size = STACK};
  (void)arg;
  sigaltstack(NULL, &none);
  printf("a new thread's stack: flags %d\n", none.ss_flags);
  sigaltstack(&s, NULL);
  worker_tid = self();
  sem_post(&ready);
  wait_sem(&go);
  return NULL;
}

static void stacks(void) {
  for (int n = 0; n < 2; n++) alternate[n] = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack_t s = {.ss_sp = alternate[0], .ss_size = STACK};
  sigaltstack(&s, NULL);
  handle(SIGUSR1, SA_ONSTACK | SA_RESTART);
  pthread_t t = start(with_stack, NULL);
  hits = 0;
  raise(SIGUSR1);
  printf("main on stack %d", on_alternate);
  pthread_kill(t, SIGUSR1);
  until_hit(2);
  printf(" worker on stack %d\n", on_alternate);
  end(t);
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    raise(SIGUSR1);
    _exit(on_alternate);
  }
  int status;
  waitpid(p, &status, 0);
  printf("child on stack %d\n", WEXITSTATUS(status));
  s.ss_flags = SS_DISABLE;
  sigaltstack(&s, NULL);
}

static void *shows_mask(void *arg) {
  sigset_t now, pending;
  (void)arg;
  pthread_sigmask(SIG_SETMASK, NULL, &now);
  sigpending(&pending);
  printf("inherited: blocked %d pending of its own %d\n", sigismember(&now, SIGUSR2), sigismember(&pending, SIGUSR2));
  return NULL;
}

static void masks(void) {
  sigset_t set = set_of(SIGUSR2, 0), old;
  pthread_t t;
  pthread_sigmask(SIG_BLOCK, &set, &old);
  pthread_kill(pthread_self(), SIGUSR2);
  pthread_create(&t, NULL, shows_mask, NULL);
  pthread_join(t, NULL);
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    shows_mask(NULL);
    fflush(stdout);
    _exit(0);
  }
  waitpid(p, NULL, 0);
  struct timespec zero = {0, 0};
  sigtimedwait(&set, NULL, &zero);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void *blocks_then_ends(void *arg) {
  (void)arg;
  worker_tid = self();
  sem_post(&ready);
  wait_sem(&go);
  sigset_t set = set_of(SIGUSR1, 0);
  hits = 0;
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  kill(getpid(), SIGUSR1);
  sem_post(&ready);
  wait_sem(&go);
  return NULL;
}

/* Blocked by all: who unblocks first gets it. */
static void blocked_by_all(void) {
  sigset_t set = set_of(SIGUSR1, 0), old;
  handle(SIGUSR1, SA_RESTART);
  pthread_t t = start(blocks_then_ends, NULL);
  pthread_sigmask(SIG_BLOCK, &set, &old);
  sem_post(&go);
  wait_sem(&ready);
  printf("blocked by all: hits %d", hits);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  printf(" unblocked by main: hits %d %s\n", hits, who(worker_tid));
  end(t);
}

static void signal_files(void) {
  sigset_t set = set_of(SIGUSR1, SIGRTMIN), old;
  sigaddset(&set, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &set, &old);
  int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  struct signalfd_siginfo i[4];
  printf("signalfd flags %x %x", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
  printf(" empty %s", err(read(fd, i, sizeof i)));
  printf(" small %s", err(read(fd, i, 100)));
  printf(" write %s\n", err(write(fd, i, 128)));
  union sigval v = {.sival_int = 11};
  sigqueue(getpid(), SIGRTMIN, v);
  sigqueue(getpid(), SIGRTMIN, v);
  raise(SIGUSR1);
  struct pollfd p = {fd, POLLIN, 0};
  printf("poll %d", poll(&p, 1, 0));
  long n = read(fd, i, sizeof i);
  printf(" read %ld:", n);
  for (int k = 0; k < n / 128; k++)
    printf(" [%d code %d pid %d value %d]", i[k].ssi_signo == SIGUSR1 ? 10 : 34, i[k].ssi_code, i[k].ssi_pid == (unsigned)getpid(), i[k].ssi_int);
  printf(" poll %d\n", poll(&p, 1, 0));
  int epoll = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN}, got;
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    sleep_ms(10);
    _exit(6);
  }
  printf("epoll %d", epoll_wait(epoll, &got, 1, 5000));
  n = read(fd, i, sizeof i);
  printf(" read %ld signo %d code %d status %d child %d\n", n, i[0].ssi_signo, i[0].ssi_code, i[0].ssi_status, i[0].ssi_pid == (unsigned)child);
  waitpid(child, NULL, 0);
  sigset_t usr2 = set_of(SIGUSR2, 0);
  printf("another mask %d", signalfd(fd, &usr2, 0) == fd);
  raise(SIGUSR1);
  printf(" read %s", err(read(fd, i, sizeof i)));
  signalfd(fd, &set, 0);
  n = read(fd, i, sizeof i);
  printf(" back %ld\n", n);
  fcntl(fd, F_SETFL, 0);
  fflush(stdout);
  pid_t parent = getpid();
  child = fork();
  if (child == 0) {
    sleep_ms(10);
    kill(parent, SIGUSR1);
    _exit(0);
  }
  n = read(fd, i, sizeof i[0]);
  printf("waited %ld signo %d from child %d\n", n, i[0].ssi_signo, i[0].ssi_pid == (unsigned)child);
  waitpid(child, NULL, 0);
  printf("bad %s", err(signalfd(fd, &set, 1)));
  printf(" %s", err(signalfd(epoll, &set, 0)));
  printf(" %s", err(signalfd(99, &set, 0)));
  printf(" %s", err(syscall(SYS_signalfd4, -1, &set, 4, 0)));
  printf(" %s\n", err(syscall(SYS_signalfd4, -1, 8, 8, 0)));
  close(fd);
  close(epoll);
  struct timespec zero = {0, 0};
  while (sigtimedwait(&set, NULL, &zero) > 0) continue;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct event {
  union sigval value;
  int signo;
  int notify;
  int tid;
  char pad[64 - 20];
};

static void thread_timer(void) {
  int timer;
  handle(SIGUSR2, SA_RESTART);
  pthread_t t = start(idle, NULL);
  struct event e = {.signo = SIGUSR2, .notify = 4, .tid = worker_tid, .value.sival_int = 8};
  struct itimerspec s = {{0, 0}, {0, 5000000}};
  hits = 0;
  printf("SIGEV_THREAD_ID %s", err(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &timer)));
  syscall(SYS_timer_settime, timer, 0, &s, NULL);
  until_hit(1);
  printf(" %s code %d value %d\n", who(worker_tid), got_code, got_value);
  end(t);
  hits = 0;
  syscall(SYS_timer_settime, timer, 0, &s, NULL);
  sleep_ms(20);
  printf("thread gone: hits %d %s\n", hits, err(syscall(SYS_timer_delete, timer)));
}

static sem_t notified;
static void notify(union sigval v) {
  printf("SIGEV_THREAD value %d main %d\n", v.sival_int, self() == main_tid);
  sem_post(&notified);
}

static void notified_by_thread(void) {
  timer_t timer;
  struct sigevent e;
  struct itimerspec s = {{0, 0}, {0, 5000000}};
  memset(&e, 0, sizeof e);
  e.sigev_notify = SIGEV_THREAD;
  e.sigev_notify_function = notify;
  e.sigev_value.sival_int = 21;
  sem_init(&notified, 0, 0);
  printf("timer_create %s\n", err(timer_create(CLOCK_MONOTONIC, &e, &timer)));
  timer_settime(timer, 0, &s, NULL);
  wait_sem(&notified);
  timer_delete(timer);
}

static void *spins(void *arg) {
  (void)arg;
  sem_post(&ready);
  for (;;) sleep_ms(1);
  return NULL;
}

/* A whole process with threads stops, goes on, and dies. */
static void whole_process(void) {
  int status;
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    start(spins, NULL);
    start(spins, NULL);
    for (;;) pause();
  }
  sleep_ms(20);
  kill(p, SIGSTOP);
  waitpid(p, &status, WUNTRACED);
  printf("stopped %d", WIFSTOPPED(status));
  kill(p, SIGCONT);
  waitpid(p, &status, WCONTINUED);
  printf(" continued %d", WIFCONTINUED(status));
  kill(p, SIGTERM);
  waitpid(p, &status, 0);
  printf(" ended by %d\n", WTERMSIG(status));
  fflush(stdout);
  p = fork();
  if (p == 0) {
    start(spins, NULL);
    pthread_exit(NULL);
  }
  sleep_ms(20);
  kill(p, SIGHUP);
  waitpid(p, &status, 0);
  printf("without its first thread: ended by %d\n", WTERMSIG(status));
}

int main(void) {
  main_tid = self();
  setvbuf(stdout, NULL, _IOFBF, 65536);
  sem_init(&ready, 0, 0);
  sem_init(&go, 0, 0);
  directed();
  from_worker();
  waiting();
  suspended();
  stacks();
  masks();
  blocked_by_all();
  signal_files();
  thread_timer();
  notified_by_thread();
  whole_process();
  return 0;
}
