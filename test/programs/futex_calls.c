/* futex(2) itself: every command, its errors, who is woken, private and shared words. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
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

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static const char *err(long r) { return r < 0 ? errno_name(errno) : "ok"; }
static long futex(volatile void *a, int op, uint32_t v, const void *t, volatile void *b, uint32_t v3) { return syscall(SYS_futex, a, op, v, t, b, v3); }
static void sleep_ms(long ms) {
  ms *= 8; /* the real machine may be slow */
  nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static volatile uint32_t word, second;
static struct timespec tick = {0, 2000000};

static void show(const char *what, long r) { printf("%s: %ld %s\n", what, r < 0 ? -1 : r, err(r)); }

static void errors(void) {
  char *page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  show("wait, other value", futex(&word, FUTEX_WAIT, 1, 0, 0, 0));
  show("unaligned", futex((char *)&word + 1, FUTEX_WAIT, 0, 0, 0, 0));
  show("unaligned wake", futex((char *)&word + 2, FUTEX_WAKE, 1, 0, 0, 0));
  show("unmapped", futex((void *)4096, FUTEX_WAIT, 0, 0, 0, 0));
  show("unmapped private", futex((void *)4096, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0));
  show("unmapped wake", futex((void *)4096, FUTEX_WAKE, 1, 0, 0, 0));
  show("unmapped private wake", futex((void *)4096, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  show("kernel", futex((void *)-4096L, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  show("read only wait", futex(page, FUTEX_WAIT, 1, &tick, 0, 0));
  show("read only private wait", futex(page, FUTEX_WAIT_PRIVATE, 1, &tick, 0, 0));
  show("no such command", futex(&word, 99, 0, 0, 0, 0));
  show("command 2", futex(&word, 2, 0, 0, 0, 0));
  show("clock for wake", futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, 0, 0, 0));
  show("clock for wait", futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, &tick, 0, 0));
  show("bad timeout", futex(&word, FUTEX_WAIT, 0, &(struct timespec){0, 1000000000}, 0, 0));
  show("negative timeout", futex(&word, FUTEX_WAIT, 0, &(struct timespec){-1, 0}, 0, 0));
  show("bad timeout address", futex(&word, FUTEX_WAIT, 0, (void *)8, 0, 0));
  show("no bits", futex(&word, FUTEX_WAIT_BITSET, 0, &tick, 0, 0));
  show("no bits, wake", futex(&word, FUTEX_WAKE_BITSET, 1, 0, 0, 0));
  show("timeout", futex(&word, FUTEX_WAIT, 0, &tick, 0, 0));
  show("zero timeout", futex(&word, FUTEX_WAIT, 0, &(struct timespec){0, 0}, 0, 0));
  show("past moment", futex(&word, FUTEX_WAIT_BITSET, 0, &tick, 0, 1));
  show("past moment, real time", futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &tick, 0, 1));
  show("wake nobody", futex(&word, FUTEX_WAKE, 5, 0, 0, 0));
  show("requeue nobody", futex(&word, FUTEX_REQUEUE, 1, (void *)1, &second, 0));
  show("requeue, negative", futex(&word, FUTEX_REQUEUE, -1, (void *)1, &second, 0));
  show("compare", futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &second, 5));
  show("wake op, bad op", futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &second, FUTEX_OP(7, 1, FUTEX_OP_CMP_EQ, 0)));
  show("wake op, bad comparison", futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &second, FUTEX_OP(FUTEX_OP_SET, 0, 9, 0)));
}

static int order[16], orders;
static volatile int started;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

struct waiter {
  volatile uint32_t *word;
  int op, id;
  uint32_t bits;
};

static void *wait_here(void *arg) {
  struct waiter *w = arg;
  __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
  long r = futex(w->word, w->op, *w->word, 0, 0, w->bits);
  pthread_mutex_lock(&mutex);
  order[orders++] = r < 0 ? -errno : w->id;
  pthread_mutex_unlock(&mutex);
  return 0;
}

static pthread_t threads[16];
static struct waiter waiters[16];

static void start(int n, int op) {
  started = orders = 0;
  for (int i = 0; i < n; i++) {
    waiters[i] = (struct waiter){&word, op, i, 1u << i};
    pthread_create(&threads[i], 0, wait_here, &waiters[i]);
    while (started <= i) sleep_ms(1);
    sleep_ms(3);
  }
}

static void finish(int n) {
  for (int i = 0; i < n; i++) pthread_join(threads[i], 0);
  for (int i = 0; i < n; i++) printf(" %d", order[i]);
  printf("\n");
}

static void waking(void) {
  start(4, FUTEX_WAIT_PRIVATE);
  for (int i = 0; i < 4; i++) {
    printf("woken %ld\n", futex(&word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
    sleep_ms(3);
  }
  printf("in order"), finish(4);
  start(4, FUTEX_WAIT_PRIVATE);
  printf("shared wake %ld", futex(&word, FUTEX_WAKE, 9, 0, 0, 0));
  printf(" private %ld\n", futex(&word, FUTEX_WAKE_PRIVATE, 9, 0, 0, 0));
  orders = 0, finish(0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
  start(4, FUTEX_WAIT);
  printf("private wake %ld", futex(&word, FUTEX_WAKE_PRIVATE, 9, 0, 0, 0));
  printf(" shared, two %ld", futex(&word, FUTEX_WAKE, 2, 0, 0, 0));
  printf(" zero %ld rest %ld\n", futex(&word, FUTEX_WAKE, 0, 0, 0, 0), futex(&word, FUTEX_WAKE, 0x7fffffff, 0, 0, 0));
  for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
  start(4, FUTEX_WAIT_BITSET_PRIVATE);
  printf("bits 6: %ld", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, 0, 0, 6)), sleep_ms(3);
  printf(" bits 16: %ld", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, 0, 0, 16));
  printf(" all: %ld", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, 0, 0, ~0u));
  finish(4);
  start(4, FUTEX_WAIT_PRIVATE);
  printf("requeue %ld", futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &second, word)), sleep_ms(3);
  printf(" there %ld", futex(&second, FUTEX_WAKE_PRIVATE, 9, 0, 0, 0)), sleep_ms(3);
  printf(" here %ld", futex(&word, FUTEX_WAKE_PRIVATE, 9, 0, 0, 0));
  finish(4);
  start(3, FUTEX_WAIT_PRIVATE);
  printf("requeue without look %ld", futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void *)9, &second, 0));
  printf(" there %ld", futex(&second, FUTEX_WAKE_PRIVATE, 9, 0, 0, 0));
  finish(3);
  start(2, FUTEX_WAIT_PRIVATE);
  second = 5;
  printf("op: %ld", futex(&second, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_GT, 0)));
  printf(" word %u", word), sleep_ms(3);
  printf(" op: %ld", futex(&second, FUTEX_WAKE_OP_PRIVATE, 1, (void *)2, &word, FUTEX_OP(FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 4, FUTEX_OP_CMP_EQ, 3)));
  printf(" word %u", word);
  printf(" op: %ld", futex(&second, FUTEX_WAKE_OP_PRIVATE, 1, (void *)2, &word, FUTEX_OP(FUTEX_OP_XOR, -1, FUTEX_OP_CMP_LT, -1)));
  printf(" word %d", (int)word), sleep_ms(3);
  printf(" rest: %ld", futex(&word, FUTEX_WAKE_PRIVATE, 9, 0, 0, 0));
  finish(2);
  word = 0;
}

static void handler(int s) {}

static void *interrupt(void *arg) {
  sleep_ms(4);
  pthread_kill(*(pthread_t *)arg, SIGUSR1);
  sleep_ms(4);
  futex(&word, FUTEX_WAKE, 1, 0, 0, 0);
  return 0;
}

static void interrupted(void) {
  pthread_t self = pthread_self(), t;
  for (int restart = 0; restart < 2; restart++) {
    for (int timeout = 0; timeout < 2; timeout++) {
      struct sigaction a = {.sa_handler = handler, .sa_flags = restart ? SA_RESTART : 0};
      sigaction(SIGUSR1, &a, 0);
      pthread_create(&t, 0, interrupt, &self);
      long r = futex(&word, FUTEX_WAIT, 0, timeout ? &(struct timespec){1, 0} : 0, 0, 0);
      printf("restart %d timeout %d: %s\n", restart, timeout, err(r));
      pthread_join(t, 0);
    }
  }
}

static void shared(void) {
  int fd = open("/tmp/futex", O_RDWR | O_CREAT | O_TRUNC, 0600);
  ftruncate(fd, 8192);
  uint32_t *maps[3] = {mmap(0, 4096, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0), mmap(0, 8192, 3, MAP_SHARED, fd, 0), mmap(0, 4096, 3, MAP_SHARED, fd, 4096)};
  volatile uint32_t *words[3] = {maps[0] + 5, maps[1] + 1030, maps[1] + 1030}, *wakes[3] = {maps[0] + 5, maps[1] + 1030, maps[2] + 6};
  for (int i = 0; i < 3; i++) {
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) _exit(futex(words[i], FUTEX_WAIT, 0, 0, 0, 0) == 0 ? 7 : 8);
    sleep_ms(6);
    printf("%d: private wake %ld", i, futex(wakes[i], FUTEX_WAKE_PRIVATE, 9, 0, 0, 0));
    printf(" next word %ld", futex(wakes[i] + 1, FUTEX_WAKE, 9, 0, 0, 0));
    printf(" wake %ld", futex(wakes[i], FUTEX_WAKE, 9, 0, 0, 0));
    int status;
    waitpid(p, &status, 0);
    printf(" status %x\n", status);
  }
  fflush(stdout);
  word = 0;
  pid_t p = fork();
  if (p == 0) _exit(futex(&word, FUTEX_WAIT, 0, &(struct timespec){0, 200000000}, 0, 0) < 0 && errno == ETIMEDOUT ? 9 : 8);
  sleep_ms(6);
  int status;
  printf("own memory after fork: wake %ld", futex(&word, FUTEX_WAKE, 9, 0, 0, 0));
  waitpid(p, &status, 0);
  printf(" status %x\n", status);
}

static volatile uint32_t lock;
static volatile int step;

static void *take_lock(void *arg) {
  int r = futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0);
  uint32_t tid = syscall(SYS_gettid);
  printf("owner got it: %d, word is own %d waiters %d\n", r, (lock & FUTEX_TID_MASK) == tid, (lock & FUTEX_WAITERS) != 0);
  step = 1;
  sleep_ms(10);
  if (arg) printf("unlock %ld word %x\n", futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0), lock);
  return 0;
}

static void inheritance(void) {
  uint32_t tid = syscall(SYS_gettid);
  pthread_t t;
  show("try", futex(&lock, FUTEX_TRYLOCK_PI_PRIVATE, 0, 0, 0, 0));
  printf("word %d\n", lock == tid);
  show("again", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0));
  show("try again", futex(&lock, FUTEX_TRYLOCK_PI_PRIVATE, 0, 0, 0, 0));
  show("unlock", futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0));
  printf("word %x\n", lock);
  show("unlock free", futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0));
  lock = 0x3ffffff;
  show("owner is nobody", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0));
  lock = tid;
  pthread_create(&t, 0, take_lock, (void *)1);
  sleep_ms(5);
  printf("waiters %d\n", lock == (tid | FUTEX_WAITERS));
  show("hand over", futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0));
  while (!step) sleep_ms(1);
  show("try held", futex(&lock, FUTEX_TRYLOCK_PI_PRIVATE, 0, 0, 0, 0));
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  show("timed", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, &now, 0, 0));
  clock_gettime(CLOCK_MONOTONIC, &now);
  show("timed, monotonic", futex(&lock, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, &now, 0, 0));
  pthread_join(t, 0);
  step = 0;
  pthread_create(&t, 0, take_lock, 0);
  while (!step) sleep_ms(1);
  show("owner ends", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0));
  printf("died %d own %d\n", (lock & FUTEX_OWNER_DIED) != 0, (lock & FUTEX_TID_MASK) == tid);
  pthread_join(t, 0);
  show("requeue pi same word", futex(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &word, 0));
  show("requeue pi two", futex(&word, FUTEX_CMP_REQUEUE_PI, 2, (void *)1, &lock, 0));
}

static volatile uint32_t pi_cond, pi_lock;

static void *pi_waiter(void *arg) {
  long r = futex(&pi_cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, 0, &pi_lock, 0);
  uint32_t tid = syscall(SYS_gettid);
  printf("waiter: %s owns %d\n", err(r), (pi_lock & FUTEX_TID_MASK) == tid);
  futex(&pi_lock, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0);
  return 0;
}

static void requeue_inheritance(void) {
  pthread_t t[3];
  uint32_t tid = syscall(SYS_gettid);
  for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, pi_waiter, 0), sleep_ms(3);
  show("plain wake", futex(&pi_cond, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  pi_lock = tid;
  show("other value", futex(&pi_cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)9, &pi_lock, 7));
  show("requeue", futex(&pi_cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)9, &pi_lock, 0));
  sleep_ms(3);
  printf("still ours %d\n", pi_lock == (tid | FUTEX_WAITERS));
  futex(&pi_lock, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0);
  for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
}

static void robust(void) {
  void *head;
  size_t size;
  long r = syscall(SYS_get_robust_list, 0, &head, &size);
  printf("robust list: %s %d size %zu\n", err(r), head != 0, size);
  r = syscall(SYS_get_robust_list, 32000, &head, &size);
  printf("of nobody: %s\n", err(r));
  r = syscall(SYS_set_robust_list, head, 23);
  printf("bad size: %s\n", err(r));
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  errors();
  waking();
  interrupted();
  shared();
  inheritance();
  requeue_inheritance();
  robust();
  return 0;
}
