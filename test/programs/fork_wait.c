/* fork, wait4 and waitid: statuses, options, orphans, groups, sessions, copy on write, vfork. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "errno_name.h"

#define fork() (fflush(stdout), fork())

static volatile int *shared;

static const char *err(long r) { return r < 0 ? errno_name(errno) : "ok"; }

static void sleep_ms(int ms) {
  ms *= 8; /* the real machine may be slow */
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&t, &t) < 0 && errno == EINTR) continue;
}

static void show(const char *what, int status) {
  if (WIFEXITED(status)) printf("%s: exited %d\n", what, WEXITSTATUS(status));
  else if (WIFSIGNALED(status)) printf("%s: signal %d\n", what, WTERMSIG(status));
  else printf("%s: status %x\n", what, status);
}

static pid_t spawn_exit(int code) {
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) _exit(code);
  return p;
}

static void statuses(void) {
  int codes[] = {0, 1, 42, 255, 256, -1}, status;
  for (int i = 0; i < 6; i++) {
    pid_t p = spawn_exit(codes[i]);
    printf("wait is child: %d\n", waitpid(p, &status, 0) == p);
    show("exit", status);
  }
  int signals[] = {SIGKILL, SIGTERM, SIGUSR1, SIGALRM};
  for (int i = 0; i < 4; i++) {
    pid_t p = fork();
    if (p == 0) {
      raise(signals[i]);
      _exit(1);
    }
    waitpid(p, &status, 0);
    show("killed", status);
  }
  pid_t p = fork();
  if (p == 0) {
    for (;;) pause();
  }
  printf("kill %s\n", err(kill(p, SIGKILL)));
  waitpid(p, &status, 0);
  show("sleeper", status);
  long r = kill(p, 0);
  printf("gone: %s\n", err(r));
}

static void errors(void) {
  int status;
  long r = waitpid(-1, &status, 0);
  printf("no child: %s\n", err(r));
  r = waitpid(-1, &status, WNOHANG);
  printf("no child, WNOHANG: %s\n", err(r));
  r = waitpid(getpid(), &status, 0);
  printf("self: %s\n", err(r));
  r = syscall(SYS_wait4, -1, &status, 0x10, 0);
  printf("bad option: %s\n", err(r));
  r = syscall(SYS_wait4, 0x80000000, &status, 0, 0);
  printf("INT_MIN: %s\n", err(r));
  siginfo_t info;
  r = syscall(SYS_waitid, P_ALL, 0, &info, 0, 0);
  printf("waitid nothing asked: %s\n", err(r));
  r = syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | 0x10, 0);
  printf("waitid bad option: %s\n", err(r));
  r = syscall(SYS_waitid, P_PID, 0, &info, WEXITED, 0);
  printf("waitid pid 0: %s\n", err(r));
  r = syscall(SYS_waitid, P_PGID, -3, &info, WEXITED, 0);
  printf("waitid group -3: %s\n", err(r));
  r = syscall(SYS_waitid, 9, 1, &info, WEXITED, 0);
  printf("waitid kind 9: %s\n", err(r));
  info.si_signo = 77;
  r = syscall(SYS_waitid, P_ALL, 0, &info, WEXITED, 0);
  printf("waitid no child: %s, signo %d\n", err(r), info.si_signo);
  pid_t p = spawn_exit(3);
  r = syscall(SYS_wait4, p, (void *)8, 0, 0);
  printf("bad address: %s\n", err(r));
  r = waitpid(p, &status, 0);
  printf("and then: %s\n", err(r));
}

static void options(void) {
  int status;
  *shared = 0;
  pid_t p = fork();
  if (p == 0) {
    while (!*shared) sched_yield();
    _exit(7);
  }
  printf("WNOHANG: %d\n", waitpid(p, &status, WNOHANG));
  siginfo_t info;
  memset(&info, 0x55, sizeof info);
  printf("waitid WNOHANG: %d", waitid(P_PID, p, &info, WEXITED | WNOHANG));
  printf(" signo %d pid %d\n", info.si_signo, info.si_pid);
  *shared = 1;
  printf("WNOWAIT: %d", waitid(P_PID, p, &info, WEXITED | WNOWAIT));
  printf(" signo %d code %d status %d pid %d uid %d\n", info.si_signo, info.si_code, info.si_status, info.si_pid == p, info.si_uid);
  printf("zombie lives: %d\n", kill(p, 0));
  struct rusage u;
  memset(&u, 0x55, sizeof u);
  printf("wait4: %d", wait4(p, &status, 0, &u) == p);
  printf(" inblock %ld majflt %ld time %d\n", u.ru_inblock, u.ru_majflt, u.ru_utime.tv_sec + u.ru_stime.tv_sec < 2);
  show("status", status);
  for (int i = 0; i < 2; i++) {
    p = fork();
    if (p == 0) {
      if (i == 0) kill(getpid(), SIGTERM);
      _exit(9);
    }
    waitid(P_ALL, 0, &info, WEXITED);
    printf("waitid: code %d status %d\n", info.si_code, info.si_status);
  }
  p = syscall(SYS_clone, 0, 0, 0, 0, 0);
  if (p == 0) _exit(5);
  long r = waitpid(p, &status, 0);
  printf("child without exit signal, plain wait: %s\n", err(r));
  printf("__WCLONE: %d\n", waitpid(p, &status, __WCLONE) == p);
  p = syscall(SYS_clone, SIGUSR2, 0, 0, 0, 0);
  if (p == 0) _exit(5);
  signal(SIGUSR2, SIG_IGN);
  printf("__WALL: %d\n", waitpid(p, &status, __WALL) == p);
  signal(SIGUSR2, SIG_DFL);
}

static void groups(void) {
  int status;
  printf("own group: %d\n", getpgid(0) == getpgrp());
  pid_t p = fork();
  if (p == 0) {
    *shared = 0;
    long r = setpgid(0, 0);
    printf("setpgid 0 0: %s, leader %d\n", err(r), getpgrp() == getpid());
    r = setsid();
    printf("setsid as leader: %s\n", err(r));
    pid_t q = fork();
    if (q == 0) {
      r = setsid();
      printf("setsid: %d", r == getpid());
      printf(" session %d group %d\n", getsid(0) == getpid(), getpgrp() == getpid());
      r = setpgid(0, 0);
      printf("setpgid of a session leader: %s\n", err(r));
      fflush(stdout);
      _exit(0);
    }
    waitpid(q, 0, 0);
    q = fork();
    if (q == 0) {
      while (!*shared) sched_yield();
      _exit(4);
    }
    r = setpgid(q, q);
    printf("child to its own group: %s %d\n", err(r), getpgid(q) == q);
    r = waitpid(0, &status, WNOHANG);
    printf("wait for our group: %s\n", err(r));
    printf("its group: %ld\n", (long)waitpid(-q, &status, WNOHANG));
    r = setpgid(q, 30000);
    printf("no such group: %s\n", err(r));
    r = setpgid(q, -2);
    printf("negative: %s\n", err(r));
    r = setpgid(30000, 0);
    printf("no such process: %s\n", err(r));
    r = setpgid(getppid(), 0);
    printf("parent: %s\n", err(r));
    r = getpgid(30000);
    printf("getpgid: %s\n", err(r));
    r = getsid(-5);
    printf("getsid: %s\n", err(r));
    *shared = 1;
    printf("its group: %d", waitpid(-q, &status, 0) == q);
    show("", status);
    fflush(stdout);
    _exit(0);
  }
  waitpid(p, &status, 0);
  show("groups", status);
}

static void orphans(void) {
  int status;
  *shared = 0;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  int is = 0;
  prctl(PR_GET_CHILD_SUBREAPER, &is);
  printf("subreaper %d\n", is);
  pid_t self = getpid(), p = fork();
  if (p == 0) {
    prctl(PR_GET_CHILD_SUBREAPER, &is);
    pid_t q = fork();
    if (q == 0) {
      prctl(PR_SET_PDEATHSIG, SIGUSR1);
      sigset_t s;
      sigemptyset(&s), sigaddset(&s, SIGUSR1), sigprocmask(SIG_BLOCK, &s, 0);
      *shared = 1;
      int got;
      sigwait(&s, &got);
      printf("death signal %d, adopted %d\n", got == SIGUSR1, getppid() == self);
      fflush(stdout);
      _exit(33);
    }
    sigset_t s;
    sigemptyset(&s), sigaddset(&s, SIGUSR1), sigprocmask(SIG_BLOCK, &s, 0);
    while (!*shared) sched_yield();
    sleep_ms(5);
    _exit(is);
  }
  waitpid(p, &status, 0);
  show("middle", status);
  p = wait(&status);
  show("adopted", status);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static int handled;
static void on_child(int s) { handled++; }

static void sigchld(void) {
  int status;
  signal(SIGCHLD, SIG_IGN);
  pid_t p = spawn_exit(1);
  long r = waitpid(p, &status, 0);
  printf("SIG_IGN: %s\n", err(r));
  struct sigaction a = {.sa_handler = on_child, .sa_flags = SA_NOCLDWAIT | SA_RESTART};
  sigaction(SIGCHLD, &a, 0);
  p = spawn_exit(1);
  r = waitpid(p, &status, 0);
  printf("SA_NOCLDWAIT: %s, handled %d\n", err(r), handled);
  a.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGCHLD, &a, 0);
  p = spawn_exit(2);
  printf("handler: %d", waitpid(p, &status, 0) == p);
  printf(" handled %d\n", handled);
  signal(SIGCHLD, SIG_DFL);
}

static int tree(int depth) {
  if (depth == 0) return 1;
  int sum = 1;
  for (int i = 0; i < 3; i++) {
    pid_t p = fork();
    if (p == 0) _exit(tree(depth - 1));
    int status;
    waitpid(p, &status, 0);
    sum += WEXITSTATUS(status);
  }
  return sum;
}

static void memory(void) {
  static int data = 5;
  int stack = 6, status, *heap = malloc(sizeof *heap);
  char *private = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *heap = 7, memset(private, 8, 1 << 20), *shared = 9;
  pid_t p = fork();
  if (p == 0) {
    printf("child sees %d %d %d %d %d\n", data, stack, *heap, private[70000], *shared);
    data = stack = *heap = 0, memset(private, 1, 1 << 20), *shared = 10;
    fflush(stdout);
    _exit(0);
  }
  waitpid(p, &status, 0);
  printf("parent sees %d %d %d %d %d\n", data, stack, *heap, private[70000], *shared);
  munmap(private, 1 << 20);
  free(heap);
}

static void with_vfork(void) {
  static volatile int touched;
  int status;
  pid_t p = vfork();
  if (p == 0) {
    sleep_ms(3);
    touched = 1;
    _exit(12);
  }
  printf("vfork: touched %d before the parent went on\n", touched);
  waitpid(p, &status, 0);
  show("vfork", status);
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  printf("statuses\n"), statuses();
  printf("errors\n"), errors();
  printf("options\n"), options();
  printf("groups\n"), groups();
  printf("orphans\n"), orphans();
  printf("sigchld\n"), sigchld();
  printf("tree %d\n", tree(4));
  fflush(stdout);
  memory();
  with_vfork();
  return 0;
}
