/* raise, masks, pending, nesting, SA_NODEFER, SA_RESETHAND, sigsuspend-free; registers survive a handler. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile int depth, most, runs;
static void nested(int sig) {
  if (++depth > most) most = depth;
  if (++runs < 3) raise(sig);
  depth--;
}
static volatile int order[8], count;
static void note(int sig) { order[count++ & 7] = sig; }
static void info(int sig, siginfo_t *si, void *u) {
  (void)u;
  printf("signal %d code %d pid is mine %d value %d\n", sig, si->si_code, si->si_pid == getpid(), si->si_value.sival_int);
}

int main(void) {
  struct sigaction sa = {.sa_handler = nested};
  sigaction(SIGUSR1, &sa, NULL);
  raise(SIGUSR1);
  printf("deferred: deepest %d\n", most);
  most = runs = 0;
  sa.sa_flags = SA_NODEFER, sigaction(SIGUSR1, &sa, NULL);
  raise(SIGUSR1);
  printf("nodefer: deepest %d\n", most);
  sa.sa_handler = note, sa.sa_flags = SA_RESETHAND, sigaction(SIGUSR2, &sa, NULL);
  raise(SIGUSR2);
  struct sigaction now;
  sigaction(SIGUSR2, NULL, &now);
  printf("reset %d noted %d\n", now.sa_handler == SIG_DFL, order[0]);
  sa.sa_flags = 0, count = 0;
  sigaction(SIGUSR1, &sa, NULL), sigaction(SIGUSR2, &sa, NULL), sigaction(SIGTERM, &sa, NULL);
  sigset_t block, old, pending;
  sigemptyset(&block), sigaddset(&block, SIGUSR1), sigaddset(&block, SIGUSR2), sigaddset(&block, SIGTERM);
  sigprocmask(SIG_BLOCK, &block, &old);
  raise(SIGTERM), raise(SIGUSR2), raise(SIGUSR1), raise(SIGUSR1);
  sigpending(&pending);
  printf("pending %d %d %d, run %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGTERM), sigismember(&pending, SIGINT), count);
  sigprocmask(SIG_SETMASK, &old, NULL);
  printf("run %d: %d %d %d\n", count, order[0], order[1], order[2]);
  sa.sa_flags = SA_SIGINFO, sa.sa_sigaction = info;
  sigaction(SIGRTMIN, &sa, NULL), sigaction(SIGUSR1, &sa, NULL);
  union sigval value = {.sival_int = 77};
  sigqueue(getpid(), SIGRTMIN, value);
  kill(getpid(), SIGUSR1);
  printf("%d %s\n", kill(getpid(), 0), kill(getpid(), 99) ? errno_name(errno) : "-");
  printf("%d %s\n", sigaction(SIGKILL, &sa, NULL), errno_name(errno));
  signal(SIGPIPE, SIG_IGN), raise(SIGPIPE);
  double x = 1.25;
  register long keep __asm__("s5") = 12345;
  __asm__ volatile("" : "+r"(keep));
  signal(SIGUSR1, note), raise(SIGUSR1);
  __asm__ volatile("" : "+r"(keep));
  printf("%g %ld\n", x * 2, keep);
  fflush(stdout);
  signal(SIGTERM, SIG_DFL);
  raise(SIGTERM);
  puts("not reached");
  return 0;
}
