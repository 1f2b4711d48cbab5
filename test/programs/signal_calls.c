// Signal calls in their corners: queues, masks, waiting, alternate stacks, what a handler sees and may change.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <setjmp.h>
#include "errno_name.h"

static char log_text[4096];
static volatile int depth, count;

static void note(const char *what, long value) {
  char line[96];
  snprintf(line, sizeof line, "%s=%ld ", what, value);
  strcat(log_text, line);
}

static void flush_notes(const char *title) {
  printf("%s: %s\n", title, log_text);
  log_text[0] = 0;
}

static void result(const char *what, long r) {
  if (r == -1) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, r);
}

static void on_queue(int s, siginfo_t *si, void *u) {
  (void)u;
  note("sig", s);
  note("code", si->si_code);
  note("value", si->si_value.sival_int);
  note("self", si->si_pid == getpid());
}

static void install(int s, void (*f)(int, siginfo_t *, void *), int flags) {
  struct sigaction sa;
  memset(&sa, 0, sizeof sa);
  sa.sa_sigaction = f;
  sa.sa_flags = SA_SIGINFO | flags;
  sigaction(s, &sa, NULL);
}

static sigset_t set_of(int a, int b) {
  sigset_t s;
  sigemptyset(&s);
  if (a) sigaddset(&s, a);
  if (b) sigaddset(&s, b);
  return s;
}

static void queues(void) {
  sigset_t both = set_of(SIGRTMIN, SIGRTMIN + 1), pending;
  sigaddset(&both, SIGUSR1);
  install(SIGRTMIN, on_queue, 0);
  install(SIGRTMIN + 1, on_queue, 0);
  install(SIGUSR1, on_queue, 0);
  sigprocmask(SIG_BLOCK, &both, NULL);
  for (int i = 0; i < 3; i++) {
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i});
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 20 + i});
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 30 + i});
  }
  sigpending(&pending);
  printf("pending: %d %d %d %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGRTMIN),
         sigismember(&pending, SIGRTMIN + 1), sigismember(&pending, SIGUSR2));
  sigprocmask(SIG_UNBLOCK, &both, NULL);
  flush_notes("queued");
  result("sigqueue 65", sigqueue(getpid(), 65, (union sigval){0}));
  result("kill 65", kill(getpid(), 65));
  result("kill nobody", kill(99999, 0));
  result("kill 0", kill(getpid(), 0));
  result("tgkill other", syscall(SYS_tgkill, getpid(), 99999, SIGUSR1));
  result("tgkill -1", syscall(SYS_tgkill, -1, getpid(), SIGUSR1));
}

static void on_mask(int s, siginfo_t *si, void *u) {
  ucontext_t *uc = u;
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  note("sig", s);
  note("blocked self", sigismember(&now, s));
  note("blocked usr2", sigismember(&now, SIGUSR2));
  note("frame usr2", sigismember(&uc->uc_sigmask, SIGUSR2));
  note("flags", *(long *)uc);
  note("link", uc->uc_link != NULL);
  note("aligned", ((uintptr_t)si & 15) == 0);
  note("apart", (char *)u - (char *)si);
  if (s == SIGUSR1 && depth++ == 0) raise(SIGUSR1);
}

static void masks(void) {
  struct sigaction sa, old;
  memset(&sa, 0, sizeof sa);
  sa.sa_sigaction = on_mask;
  sa.sa_flags = SA_SIGINFO;
  sigaddset(&sa.sa_mask, SIGUSR2);
  sigaction(SIGUSR1, &sa, NULL);
  raise(SIGUSR1);
  flush_notes("mask");
  depth = 0;
  sa.sa_flags |= SA_NODEFER;
  sigaction(SIGUSR1, &sa, NULL);
  raise(SIGUSR1);
  flush_notes("nodefer");
  sa.sa_flags = SA_SIGINFO | SA_RESETHAND;
  sigaction(SIGUSR2, &sa, NULL);
  raise(SIGUSR2);
  sigaction(SIGUSR2, NULL, &old);
  flush_notes("resethand");
  printf("reset: %d\n", old.sa_handler == SIG_DFL);
  result("sigaction KILL", sigaction(SIGKILL, &sa, NULL));
  result("sigaction KILL query", sigaction(SIGKILL, NULL, &old));
  result("sigaction 0", syscall(SYS_rt_sigaction, 0, &sa, NULL, 8));
  result("sigaction size", syscall(SYS_rt_sigaction, SIGUSR1, &sa, NULL, 16));
  result("sigaction fault", syscall(SYS_rt_sigaction, SIGUSR1, 8, NULL, 8));
  result("sigprocmask how", syscall(SYS_rt_sigprocmask, 7, &sa.sa_mask, NULL, 8));
  result("sigprocmask how, no set", syscall(SYS_rt_sigprocmask, 7, NULL, NULL, 8));
  signal(SIGCHLD, SIG_IGN);
  raise(SIGCHLD);
  sigset_t chld = set_of(SIGCHLD, 0), pending;
  sigprocmask(SIG_BLOCK, &chld, NULL);
  raise(SIGCHLD);
  sigpending(&pending);
  printf("ignored but blocked is pending: %d\n", sigismember(&pending, SIGCHLD));
  signal(SIGCHLD, SIG_DFL);
  sigpending(&pending);
  printf("after SIG_DFL: %d\n", sigismember(&pending, SIGCHLD));
}

static void on_count(int s, siginfo_t *si, void *u) {
  (void)s; (void)si; (void)u;
  count++;
}

static void alarm_in(int ms) {
  struct itimerval t = {.it_value = {.tv_usec = ms * 1000}};
  setitimer(ITIMER_REAL, &t, NULL);
}

static void waiting(void) {
  sigset_t alarms = set_of(SIGALRM, 0), none, old;
  sigemptyset(&none);
  siginfo_t si;
  install(SIGALRM, on_count, 0);
  struct timespec t = {.tv_sec = 5}, rest = {0, 0};
  alarm_in(50);
  result("nanosleep", nanosleep(&t, &rest));
  printf("rest about 4.9: %d, handled %d\n", rest.tv_sec == 4 && rest.tv_nsec > 800000000, count);
  alarm_in(50);
  t.tv_sec = 0;
  t.tv_nsec = 100000000;
  signal(SIGALRM, SIG_IGN);
  result("nanosleep, ignored", nanosleep(&t, NULL));
  install(SIGALRM, on_count, 0);
  sigprocmask(SIG_BLOCK, &alarms, &old);
  alarm_in(20);
  result("sigsuspend", sigsuspend(&none));
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  printf("handled %d, blocked again %d\n", count, sigismember(&now, SIGALRM));
  alarm_in(20);
  result("sigtimedwait", sigtimedwait(&alarms, &si, &t) == SIGALRM ? si.si_code : -1);
  result("sigtimedwait late", sigtimedwait(&alarms, &si, &t));
  raise(SIGALRM);
  int r = sigwaitinfo(&alarms, &si);
  printf("sigwaitinfo: %d code %d\n", r, si.si_code);
  t.tv_nsec = 2000000000;
  result("sigtimedwait bad time", sigtimedwait(&alarms, &si, &t));
  result("nanosleep bad time", nanosleep(&t, NULL));
  sigprocmask(SIG_SETMASK, &old, NULL);
  struct itimerval every = {.it_value = {.tv_usec = 5000}, .it_interval = {.tv_usec = 5000}}, was;
  count = 0;
  setitimer(ITIMER_REAL, &every, NULL);
  while (count < 4) pause();
  memset(&every, 0, sizeof every);
  setitimer(ITIMER_REAL, &every, &was);
  printf("interval %ld, value left %d\n", (long)was.it_interval.tv_usec, was.it_value.tv_usec > 0);
  result("setitimer bad", setitimer(77, &every, NULL));
}

static char *stack_memory;
static void on_stack(int s, siginfo_t *si, void *u) {
  (void)si;
  ucontext_t *uc = u;
  stack_t st;
  char here;
  sigaltstack(NULL, &st);
  note("sig", s);
  note("on it", &here > stack_memory && &here < stack_memory + 65536);
  note("flags", st.ss_flags);
  note("frame flags", uc->uc_stack.ss_flags);
  note("frame size", uc->uc_stack.ss_size);
  note("same base", uc->uc_stack.ss_sp == stack_memory);
  st.ss_flags = SS_DISABLE;
  int r = sigaltstack(&st, NULL);
  note("change", r < 0 ? errno : r);
}

static void stacks(void) {
  stack_memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack_t st = {.ss_sp = stack_memory, .ss_size = 65536}, old;
  sigaltstack(NULL, &old);
  printf("at first: flags %d size %zu\n", old.ss_flags, old.ss_size);
  st.ss_size = 2047;
  result("too small", sigaltstack(&st, NULL));
  st.ss_size = 65536;
  st.ss_flags = 4;
  result("bad flags", sigaltstack(&st, NULL));
  st.ss_flags = 0;
  result("set", sigaltstack(&st, &old));
  install(SIGUSR1, on_stack, SA_ONSTACK);
  install(SIGUSR2, on_stack, 0);
  raise(SIGUSR1);
  flush_notes("onstack");
  raise(SIGUSR2);
  flush_notes("not onstack");
  st.ss_flags = 1U << 31;
  result("autodisarm", sigaltstack(&st, NULL));
  raise(SIGUSR1);
  flush_notes("autodisarm");
  sigaltstack(NULL, &old);
  printf("after: flags %d size %zu\n", old.ss_flags, old.ss_size);
  st.ss_flags = SS_DISABLE;
  result("disable", sigaltstack(&st, &old));
  result("fault", syscall(SYS_sigaltstack, 16, NULL));
}

// A handler that repairs: skips the instruction and sets registers, floats too.
static void on_skip(int s, siginfo_t *si, void *u) {
  ucontext_t *uc = u;
  note("sig", s);
  note("code", si->si_code);
  note("addr is pc", (unsigned long)si->si_addr == (unsigned long)uc->uc_mcontext.__gregs[0]);
  uint16_t *pc = (uint16_t *)uc->uc_mcontext.__gregs[0];
  uc->uc_mcontext.__gregs[0] += (*pc & 3) == 3 ? 4 : 2;
  uc->uc_mcontext.__gregs[10] = 4242;
  double d = 2.5;
  memcpy((char *)&uc->uc_mcontext.__fpregs + 10 * 8, &d, 8);
}

static void registers(void) {
  install(SIGILL, on_skip, 0);
  install(SIGTRAP, on_skip, 0);
  install(SIGSEGV, on_skip, 0);
  long a;
  double f;
  __asm__ volatile("li a0, 1\n fmv.d.x fa0, zero\n .word 0\n mv %0, a0\n fmv.d %1, fa0" : "=r"(a), "=f"(f) : : "a0", "fa0");
  flush_notes("illegal");
  printf("a0 %ld fa0 %g\n", a, f);
  __asm__ volatile("li a0, 1\n ebreak\n mv %0, a0" : "=r"(a) : : "a0", "fa0");
  flush_notes("break");
  __asm__ volatile("li a0, 1\n ld a0, 16(zero)\n mv %0, a0" : "=r"(a) : : "a0", "fa0");
  flush_notes("load");
  printf("a0 %ld\n", a);
}

static sigjmp_buf jump;
static void on_jump(int s, siginfo_t *si, void *u) {
  (void)u;
  count++;
  siglongjmp(jump, s * 100 + si->si_code);
}

static void jumps(void) {
  count = 0;
  install(SIGSEGV, on_jump, 0);
  for (int i = 0; i < 100; i++) {
    int r = sigsetjmp(jump, 1);
    if (r == 0) *(volatile char *)8 = 1;
    else if (i == 0) printf("jumped with %d\n", r);
  }
  printf("faults %d\n", count);
}

// System calls that a handler interrupts: they fail, or run again.
static int word;
static void on_change(int s, siginfo_t *si, void *u) {
  (void)s; (void)si; (void)u;
  word++;
}

static void restarts(void) {
  struct timespec t = {.tv_sec = 5};
  install(SIGALRM, on_change, 0);
  alarm_in(20);
  result("futex", syscall(SYS_futex, &word, 0, 0, NULL));
  install(SIGALRM, on_change, SA_RESTART);
  alarm_in(20);
  result("futex, restarted", syscall(SYS_futex, &word, 0, 1, NULL));
  alarm_in(20);
  result("futex with a time, restarted", syscall(SYS_futex, &word, 0, 2, &t));
  alarm_in(20);
  result("nanosleep, restarted", nanosleep(&t, NULL));
  signal(SIGALRM, SIG_IGN);
  t.tv_sec = 0;
  t.tv_nsec = 50000000;
  alarm_in(20);
  result("futex, ignored", syscall(SYS_futex, &word, 0, 4, &t));
  result("futex, other value", syscall(SYS_futex, &word, 0, 9, &t));
  result("futex, misaligned", syscall(SYS_futex, (char *)&word + 1, 0, 9, NULL));
  result("futex, nowhere", syscall(SYS_futex, 4096, 0, 9, NULL));
  result("wake", syscall(SYS_futex, &word, 1, 1, NULL));
  result("wake nowhere", syscall(SYS_futex, 4096, 129, 1, NULL));
}

int main(void) {
  queues();
  masks();
  waiting();
  stacks();
  registers();
  jumps();
  restarts();
  return 0;
}
