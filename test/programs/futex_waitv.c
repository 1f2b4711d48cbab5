/* futex_waitv(2): every error in its order, which futex is said to be woken, timeouts of both clocks, signals, requeueing, shared words. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "errno_name.h"

#define SYS_WAITV 449
#define U32 2
#define PRIVATE 128

struct waited {
  uint64_t value, address;
  uint32_t flags, reserved;
};

static volatile uint32_t words[200];
static struct waited list[200];
static struct timespec past = {0, 1}, bad = {0, 1000000000}, negative = {-1, 0};

static long waitv(void *waiters, unsigned n, unsigned flags, const void *timeout, int clock) {
  return syscall(SYS_WAITV, waiters, n, flags, timeout, clock);
}
static long futex(volatile void *a, int op, uint32_t v, unsigned long moves, volatile void *b, uint32_t v3) {
  return syscall(SYS_futex, a, op, v, moves, b, v3);
}
static void show(const char *what, long r) { printf("%s: %ld %s\n", what, r, r < 0 ? errno_name(errno) : "ok"); }
static void sleep_ms(long ms) { nanosleep(&(struct timespec){ms * 8 / 1000, ms * 8 % 1000 * 1000000}, NULL); }

static void fill(int n, uint32_t flags) {
  for (int i = 0; i < 200; i++) words[i] = 0;
  for (int i = 0; i < n; i++) list[i] = (struct waited){0, (uint64_t)&words[i], flags, 0};
}

static struct timespec in(int clock, long ms) {
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_nsec += ms * 1000000;
  t.tv_sec += t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  return t;
}

static void errors(void) {
  fill(200, U32 | PRIVATE);
  show("flags", waitv(list, 1, 1, &past, CLOCK_MONOTONIC));
  show("none", waitv(list, 0, 0, &past, CLOCK_MONOTONIC));
  show("129", waitv(list, 129, 0, &past, CLOCK_MONOTONIC));
  show("128", waitv(list, 128, 0, &past, CLOCK_MONOTONIC));
  show("no list", waitv(NULL, 1, 0, &past, CLOCK_MONOTONIC));
  show("list nowhere", waitv((void *)8, 1, 0, &past, CLOCK_MONOTONIC));
  show("a clock", waitv(list, 1, 0, &past, CLOCK_BOOTTIME));
  show("negative clock", waitv(list, 1, 0, &past, -1));
  show("a clock without timeout, other value", (list[0].value = 1, waitv(list, 1, 0, NULL, 77)));
  list[0].value = 0;
  show("timeout nowhere", waitv(list, 1, 0, (void *)8, CLOCK_MONOTONIC));
  show("a clock and timeout nowhere", waitv(list, 1, 0, (void *)8, 5));
  show("bad timeout", waitv(list, 1, 0, &bad, CLOCK_MONOTONIC));
  show("negative timeout", waitv(list, 1, 0, &negative, CLOCK_MONOTONIC));
  show("bad timeout before list", waitv((void *)8, 1, 0, &bad, CLOCK_MONOTONIC));
  for (uint32_t flags = 0; flags < 8; flags++) {
    list[1].flags = flags | PRIVATE;
    printf("flags %u ", flags), show("", waitv(list, 2, 0, &past, CLOCK_MONOTONIC));
  }
  list[1].flags = 0x100 | U32;
  show("flag 256", waitv(list, 2, 0, &past, CLOCK_MONOTONIC));
  fill(3, U32 | PRIVATE);
  list[1].reserved = 1;
  show("reserved", waitv(list, 2, 0, &past, CLOCK_MONOTONIC));
  fill(3, U32 | PRIVATE);
  list[1].value = 1ull << 32;
  show("large value", waitv(list, 2, 0, &past, CLOCK_MONOTONIC));
  static const uint64_t addresses[] = {0, 1, 2, 4, 4096, -4096ull, -4095ull, 1ull << 60, (1ull << 60) + 2, 1ull << 38, (1ull << 38) - 4};
  for (unsigned shared = 0; shared < 2; shared++)
    for (unsigned i = 0; i < sizeof addresses / sizeof *addresses; i++) {
      fill(3, U32 | (shared ? 0 : PRIVATE));
      list[1].address = addresses[i];
      printf("address %#llx shared %u", (unsigned long long)addresses[i], shared), show("", waitv(list, 2, 0, &past, CLOCK_MONOTONIC));
      list[0].value = 1;
      show(" and other value before", waitv(list, 2, 0, &past, CLOCK_MONOTONIC));
    }
  fill(3, U32 | PRIVATE);
  list[2].value = 7;
  show("other value", waitv(list, 3, 0, &past, CLOCK_MONOTONIC));
  list[1].address = 4;
  show("unmapped before other value", waitv(list, 3, 0, &past, CLOCK_MONOTONIC));
  list[2].flags = 0;
  show("size before unmapped", waitv(list, 3, 0, &past, CLOCK_MONOTONIC));
  fill(2, U32);
  char *page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  list[1].address = (uint64_t)page;
  show("read only, shared", waitv(list, 2, 0, &past, CLOCK_MONOTONIC));
  list[1].flags |= PRIVATE;
  show("read only, private", waitv(list, 2, 0, &past, CLOCK_MONOTONIC));
}

static void timeouts(void) {
  struct timespec soon;
  fill(4, U32 | PRIVATE);
  soon = in(CLOCK_MONOTONIC, 5);
  show("monotonic", waitv(list, 4, 0, &soon, CLOCK_MONOTONIC));
  soon = in(CLOCK_REALTIME, 5);
  show("realtime", waitv(list, 4, 0, &soon, CLOCK_REALTIME));
  show("past", waitv(list, 4, 0, &past, CLOCK_REALTIME));
}

struct job {
  int n;
  long result;
  int error;
};
static void *waiter(void *arg) {
  struct job *job = arg;
  job->result = waitv(list, job->n, 0, NULL, 0);
  job->error = errno;
  return NULL;
}
static void finish(const char *what, pthread_t thread, struct job *job) {
  pthread_join(thread, NULL);
  errno = job->error;
  show(what, job->result);
}
static pthread_t begin(struct job *job, int n) {
  pthread_t thread;
  *job = (struct job){.n = n};
  pthread_create(&thread, NULL, waiter, job);
  sleep_ms(10);
  return thread;
}

static void wakes(void) {
  struct job job, other;
  pthread_t thread, second;
  static const int which[] = {0, 1, 63, 127};
  for (int i = 0; i < 4; i++) {
    fill(128, U32 | PRIVATE);
    thread = begin(&job, 128);
    show("nobody's word", futex(&words[128], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
    show("shared, of a private wait", futex(&words[which[i]], FUTEX_WAKE, 1, 0, 0, 0));
    show("wake", futex(&words[which[i]], FUTEX_WAKE_PRIVATE, 5, 0, 0, 0));
    finish("woken", thread, &job);
    show("it waits no more", futex(&words[0], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  }
  /* one word twice */
  fill(3, U32 | PRIVATE);
  list[2].address = list[1].address;
  thread = begin(&job, 3);
  show("wake the word that is waited for twice", futex(&words[1], FUTEX_WAKE_PRIVATE, 5, 0, 0, 0));
  finish("woken", thread, &job);
  /* two that wait for the same, in order */
  fill(3, U32);
  thread = begin(&job, 2);
  second = begin(&other, 3);
  show("wake one", futex(&words[1], FUTEX_WAKE, 1, 0, 0, 0));
  finish("first", thread, &job);
  show("wake one", futex(&words[2], FUTEX_WAKE, 1, 0, 0, 0));
  finish("second", second, &other);
  /* bits */
  fill(2, U32 | PRIVATE);
  thread = begin(&job, 2);
  show("wake by bits", futex(&words[1], FUTEX_WAKE_BITSET | PRIVATE, 1, 0, 0, 0x10));
  finish("woken", thread, &job);
  /* moved to another word, it is still the second */
  fill(2, U32 | PRIVATE);
  thread = begin(&job, 2);
  show("move", futex(&words[1], FUTEX_REQUEUE | PRIVATE, 0, 1, &words[9], 0));
  show("old place", futex(&words[1], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  show("new place", futex(&words[9], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  finish("woken", thread, &job);
  /* no lock */
  fill(2, U32 | PRIVATE);
  thread = begin(&job, 2);
  show("lock of a word that is waited for", futex(&words[1], FUTEX_TRYLOCK_PI | PRIVATE, 0, 0, 0, 0));
  show("wake", futex(&words[0], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  finish("woken", thread, &job);
}

static void on_signal(int signal) { (void)signal; }

static void interrupted(int flags, const char *what) {
  struct job job;
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
  sigaction(SIGUSR1, &action, NULL);
  fill(2, U32 | PRIVATE);
  pthread_t thread = begin(&job, 2);
  pthread_kill(thread, SIGUSR1);
  sleep_ms(10);
  show("wake after the signal", futex(&words[1], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  finish(what, thread, &job);
  fill(2, U32 | PRIVATE);
  thread = begin(&job, 2);
  words[0] = 1;
  pthread_kill(thread, SIGUSR1);
  sleep_ms(10);
  show("wake, the word has changed", futex(&words[1], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  finish(what, thread, &job);
}

static void shared(void) {
  volatile uint32_t *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  fill(2, U32);
  list[1].address = (uint64_t)&page[5];
  pid_t child = fork();
  if (child == 0) _exit(waitv(list, 2, 0, NULL, 0) == 1 ? 7 : 8);
  sleep_ms(20);
  show("wake the child", futex(&page[5], FUTEX_WAKE, 1, 0, 0, 0));
  int status;
  waitpid(child, &status, 0);
  printf("child %d\n", WEXITSTATUS(status));
  child = fork();
  if (child == 0) _exit(waitv(list, 2, 0, NULL, 0));
  sleep_ms(20);
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  show("killed, it waits no more", futex(&page[5], FUTEX_WAKE, 1, 0, 0, 0));
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  errors();
  timeouts();
  wakes();
  interrupted(0, "interrupted");
  interrupted(SA_RESTART, "restarted");
  shared();
}
