/* Signals between parent and child: kill in its forms, SIGCHLD with its siginfo, stop and continue, orphaned groups. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "errno_name.h"

static const char *err(long r) { return r < 0 ? errno_name(errno) : "ok"; }

static volatile sig_atomic_t chld_count, chld_code, chld_status, chld_pid, hits[65], order_length;
static int order[64];

static void on_chld(int s, siginfo_t *i, void *u) {
  (void)s, (void)u;
  chld_count++;
  chld_code = i->si_code;
  chld_status = i->si_status;
  chld_pid = i->si_pid;
}

static void on_hit(int s) {
  hits[s]++;
  if (order_length < 64) order[order_length++] = s;
}

static void handle(int s, void (*f)(int), int flags) {
  struct sigaction a = {0};
  a.sa_handler = f;
  a.sa_flags = flags;
  sigaction(s, &a, NULL);
}

static void handle_chld(int flags) {
  struct sigaction a = {0};
  a.sa_sigaction = on_chld;
  a.sa_flags = SA_SIGINFO | flags;
  sigaction(SIGCHLD, &a, NULL);
}

static void sleep_ms(int ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&t, &t) < 0 && errno == EINTR) continue;
}

static void show(const char *what, int status) {
  if (WIFEXITED(status)) printf("%s: exited %d\n", what, WEXITSTATUS(status));
  else if (WIFSIGNALED(status)) printf("%s: signal %d core %d\n", what, WTERMSIG(status), WCOREDUMP(status));
  else if (WIFSTOPPED(status)) printf("%s: stopped by %d\n", what, WSTOPSIG(status));
  else if (WIFCONTINUED(status)) printf("%s: continued\n", what);
  else printf("%s: status %x\n", what, status);
  fflush(stdout);
}

static pid_t spawn(void (*body)(void)) {
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    body();
    _exit(0);
  }
  return p;
}

static void wait_forever(void) {
  for (;;) pause();
}

static void default_deaths(void) {
  int signals[] = {SIGHUP, SIGQUIT, SIGKILL, SIGSEGV, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGXCPU, SIGSYS, SIGRTMIN + 3};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
    pid_t p = spawn(wait_forever);
    int status;
    kill(p, signals[i]);
    waitpid(p, &status, 0);
    show("death", status);
  }
}

static void stop_and_continue(void) {
  handle_chld(SA_RESTART);
  int status;
  pid_t p = spawn(wait_forever);
  chld_count = 0;
  kill(p, SIGSTOP);
  printf("wait %d\n", waitpid(p, &status, WUNTRACED) == p);
  show("stop", status);
  printf("chld %d code %d status %d from child %d\n", chld_count, chld_code, chld_status, chld_pid == p);
  printf("again %d\n", waitpid(p, &status, WUNTRACED | WNOHANG));
  kill(p, SIGCONT);
  printf("wait %d\n", waitpid(p, &status, WCONTINUED) == p);
  show("continue", status);
  sleep_ms(20);
  printf("chld %d code %d status %d\n", chld_count, chld_code, chld_status);
  printf("again %d\n", waitpid(p, &status, WCONTINUED | WNOHANG));
  kill(p, SIGSTOP);
  waitpid(p, &status, WUNTRACED);
  kill(p, SIGTERM);
  sleep_ms(20);
  printf("stopped process keeps SIGTERM pending: %d\n", waitpid(p, &status, WNOHANG));
  kill(p, SIGKILL);
  waitpid(p, &status, 0);
  show("killed while stopped", status);
  signal(SIGCHLD, SIG_DFL);
}

static void waitid_events(void) {
  siginfo_t i;
  pid_t p = spawn(wait_forever);
  kill(p, SIGSTOP);
  memset(&i, 0, sizeof i);
  printf("waitid %s", err(waitid(P_PID, p, &i, WSTOPPED | WNOWAIT)));
  printf(" code %d status %d signo %d\n", i.si_code, i.si_status, i.si_signo);
  memset(&i, 0, sizeof i);
  waitid(P_PID, p, &i, WSTOPPED);
  printf("then code %d status %d\n", i.si_code, i.si_status);
  kill(p, SIGCONT);
  memset(&i, 0, sizeof i);
  waitid(P_PID, p, &i, WCONTINUED);
  printf("cont code %d status %d\n", i.si_code, i.si_status);
  kill(p, SIGABRT);
  memset(&i, 0, sizeof i);
  waitid(P_PID, p, &i, WEXITED);
  printf("end code %d status %d\n", i.si_code, i.si_status);
}

static void no_child_stop(void) {
  int status;
  handle_chld(SA_NOCLDSTOP | SA_RESTART);
  chld_count = 0;
  pid_t p = spawn(wait_forever);
  kill(p, SIGSTOP);
  waitpid(p, &status, WUNTRACED);
  kill(p, SIGCONT);
  waitpid(p, &status, WCONTINUED);
  sleep_ms(10);
  printf("NOCLDSTOP: %d\n", chld_count);
  kill(p, SIGTERM);
  waitpid(p, &status, 0);
  printf("then %d code %d status %d\n", chld_count, chld_code, chld_status);
}

static void exit_now(void) { _exit(7); }

static void auto_reap(void) {
  int status;
  handle_chld(SA_NOCLDWAIT | SA_RESTART);
  chld_count = 0;
  pid_t p = spawn(exit_now);
  printf("NOCLDWAIT %s", err(waitpid(p, &status, 0)));
  printf(" told %d code %d status %d\n", chld_count, chld_code, chld_status);
  signal(SIGCHLD, SIG_IGN);
  chld_count = 0;
  p = spawn(exit_now);
  printf("SIG_IGN %s", err(waitpid(p, &status, 0)));
  printf(" told %d\n", chld_count);
  sigset_t set, old, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, &old);
  p = spawn(exit_now);
  waitpid(p, &status, 0);
  sigpending(&pending);
  printf("ignored and blocked: pending %d\n", sigismember(&pending, SIGCHLD));
  sigprocmask(SIG_SETMASK, &old, NULL);
  signal(SIGCHLD, SIG_DFL);
  p = spawn(exit_now);
  printf("default waits %d", waitpid(p, &status, 0) == p);
  printf(" %d\n", WEXITSTATUS(status));
}

static void ignores_tstp(void) {
  signal(SIGTSTP, SIG_IGN);
  raise(SIGTSTP);
  _exit(3);
}

static void stops_itself(void) {
  raise(SIGTSTP);
  _exit(4);
}

static void orphan_stops(void) {
  setsid();
  raise(SIGTSTP);
  raise(SIGTTIN);
  raise(SIGTTOU);
  _exit(5);
}

static void job_signals(void) {
  int status;
  waitpid(spawn(ignores_tstp), &status, 0);
  show("ignored TSTP", status);
  /* A group of its own, whose leader's parent is in another group of the session: not an orphan. */
  pid_t p = fork();
  if (p == 0) {
    setpgid(0, 0);
    stops_itself();
  }
  waitpid(p, &status, WUNTRACED);
  show("TSTP", status);
  kill(-p, SIGCONT);
  waitpid(p, &status, 0);
  show("after CONT", status);
  waitpid(spawn(orphan_stops), &status, WUNTRACED);
  show("orphaned group", status);
}

static void orphan_is_hung_up(void) {
  int fd[2];
  if (pipe(fd) < 0) return;
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    pid_t grandchild = fork();
    if (grandchild == 0) {
      setpgid(0, 0);
      order_length = 0;
      handle(SIGHUP, on_hit, 0);
      handle(SIGCONT, on_hit, 0);
      raise(SIGSTOP);
      while (order_length < 2) sleep_ms(1);
      char text[64];
      int n = snprintf(text, sizeof text, "hup %d cont %d", hits[SIGHUP], hits[SIGCONT]);
      if (write(fd[1], text, n) < 0) _exit(1);
      _exit(0);
    }
    int status;
    setpgid(grandchild, grandchild);
    waitpid(grandchild, &status, WUNTRACED);
    _exit(0);
  }
  int status;
  char text[64] = "";
  close(fd[1]);
  waitpid(p, &status, 0);
  while (read(fd[0], text, sizeof text - 1) < 0 && errno == EINTR) continue;
  printf("orphaned: %s\n", text);
  close(fd[0]);
}

static void groups(void) {
  handle(SIGUSR1, on_hit, SA_RESTART);
  hits[SIGUSR1] = 0;
  pid_t a = fork();
  if (a == 0) {
    signal(SIGUSR1, SIG_DFL);
    setpgid(0, 0);
    wait_forever();
  }
  setpgid(a, a);
  pid_t b = fork();
  if (b == 0) {
    signal(SIGUSR1, SIG_DFL);
    setpgid(0, a);
    wait_forever();
  }
  setpgid(b, a);
  sleep_ms(10);
  int status;
  printf("group %s\n", err(kill(-a, SIGUSR1)));
  waitpid(a, &status, 0);
  show("a", status);
  waitpid(b, &status, 0);
  show("b", status);
  printf("gone %s", err(kill(-a, 0)));
  printf(" none %s", err(kill(-99999, 0)));
  printf(" pid %s", err(kill(99999, 0)));
  printf(" bad %s", err(kill(getpid(), 65)));
  printf(" gone and bad %s", err(kill(99999, 65)));
  printf(" min %s\n", err(syscall(SYS_kill, -2147483647 - 1, 0)));
  printf("own group %s hits %d\n", err(kill(0, SIGUSR1)), hits[SIGUSR1]);
  pid_t z = spawn(exit_now);
  sleep_ms(30);
  printf("zombie %s", err(kill(z, SIGTERM)));
  printf(" tgkill %s", err(syscall(SYS_tgkill, z, z, 0)));
  waitpid(z, &status, 0);
  printf(" status %d then %s\n", WEXITSTATUS(status), err(kill(z, 0)));
}

static void on_value(int s, siginfo_t *i, void *u) {
  (void)u;
  printf("signal %d code %d value %d pid ok %d uid %d\n", s, i->si_code, i->si_value.sival_int, i->si_pid == getppid() || i->si_pid == getpid(), i->si_uid);
  fflush(stdout);
}

static void queues(void) {
  struct sigaction a = {0};
  a.sa_sigaction = on_value;
  a.sa_flags = SA_SIGINFO;
  sigset_t set, old;
  sigfillset(&set);
  sigprocmask(SIG_BLOCK, &set, &old);
  for (int s = SIGRTMIN; s <= SIGRTMIN + 3; s++) sigaction(s, &a, NULL);
  sigaction(SIGUSR2, &a, NULL);
  int status;
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    raise(SIGSTOP);
    sigsuspend(&old);
    _exit(0);
  }
  waitpid(p, &status, WUNTRACED);
  for (int n = 1; n <= 3; n++) {
    union sigval v = {.sival_int = n};
    sigqueue(p, SIGRTMIN + 2, v);
    sigqueue(p, SIGRTMIN, v);
    sigqueue(p, SIGUSR2, v);
  }
  kill(p, SIGRTMIN + 1);
  kill(p, SIGRTMIN + 1);
  kill(p, SIGCONT);
  waitpid(p, &status, 0);
  show("queues", status);
  sigprocmask(SIG_SETMASK, &old, NULL);
}

static void limits(void) {
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    struct rlimit limit = {3, 3};
    union sigval v = {.sival_int = 1};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGRTMIN + 1);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    setrlimit(RLIMIT_SIGPENDING, &limit);
    for (int n = 0; n < 5; n++) printf("%s ", err(sigqueue(getpid(), SIGRTMIN, v)));
    printf("kill %s", err(kill(getpid(), SIGRTMIN + 1)));
    printf(" usr1 %s\n", err(kill(getpid(), SIGUSR1)));
    siginfo_t i;
    struct timespec zero = {0, 0};
    int taken = 0;
    while (sigtimedwait(&set, &i, &zero) > 0) {
      taken++;
      printf("%d code %d pid %d; ", i.si_signo - (i.si_signo >= SIGRTMIN ? SIGRTMIN - 100 : 0), i.si_code, i.si_pid == getpid());
    }
    printf("taken %d\n", taken);
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(p, &status, 0);
  show("limits", status);
}

static void restarts(void) {
  int fd[2], status;
  if (pipe(fd) < 0) return;
  char byte;
  for (int restart = 0; restart < 2; restart++) {
    handle(SIGUSR1, on_hit, restart ? SA_RESTART : 0);
    fflush(stdout);
    pid_t parent = getpid(), p = fork();
    if (p == 0) {
      sleep_ms(150);
      kill(parent, SIGUSR1);
      sleep_ms(150);
      if (write(fd[1], "x", 1) != 1) _exit(1);
      _exit(0);
    }
    long r = read(fd[0], &byte, 1);
    printf("read with restart %d: %ld %s\n", restart, r, err(r));
    while (r != 1) r = read(fd[0], &byte, 1);
    waitpid(p, &status, 0);
    p = fork();
    if (p == 0) {
      sleep_ms(150);
      kill(parent, SIGUSR1);
      sleep_ms(150);
      _exit(9);
    }
    r = waitpid(p, &status, 0);
    printf("wait with restart %d: %d %s\n", restart, r == p, err(r));
    if (r != p) waitpid(p, &status, 0);
  }
}

/* A sleeper that is stopped and continued sleeps on; a handler cuts it short. */
static void sleepers(void) {
  int status;
  pid_t p = fork();
  if (p == 0) {
    struct timespec t = {0, 60000000}, left = {0, 0};
    int r = nanosleep(&t, &left);
    _exit(r == 0 ? 1 : 2);
  }
  sleep_ms(10);
  kill(p, SIGSTOP);
  waitpid(p, &status, WUNTRACED);
  kill(p, SIGCONT);
  waitpid(p, &status, 0);
  show("sleeper after stop", status);
  p = fork();
  if (p == 0) {
    handle(SIGUSR1, on_hit, SA_RESTART);
    struct timespec t = {5, 0}, left = {0, 0};
    int r = nanosleep(&t, &left);
    _exit(r < 0 && errno == EINTR && left.tv_sec == 4 ? 3 : 4);
  }
  sleep_ms(30);
  kill(p, SIGUSR1);
  waitpid(p, &status, 0);
  show("sleeper after handler", status);
  p = fork();
  if (p == 0) {
    sigset_t set;
    siginfo_t i;
    struct timespec t = {5, 0};
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int r = sigtimedwait(&set, &i, &t);
    _exit(r < 0 && errno == EINTR ? 5 : 6);
  }
  sleep_ms(30);
  kill(p, SIGSTOP);
  waitpid(p, &status, WUNTRACED);
  kill(p, SIGCONT);
  waitpid(p, &status, 0);
  show("sigtimedwait after stop", status);
}

int main(void) {
  setpgid(0, 0); /* kill(0, …) must not meet who started us */
  default_deaths();
  stop_and_continue();
  waitid_events();
  no_child_stop();
  auto_reap();
  job_signals();
  orphan_is_hung_up();
  groups();
  queues();
  limits();
  restarts();
  sleepers();
  return 0;
}
