/* POSIX threads: mutexes of every kind, conditions, locks, barriers, semaphores, thread-local storage, cancellation. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "errno_name.h"

#define THREADS 8
#define ROUNDS 2000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long counter;
static __thread int local = 7;

static void sleep_ms(long ms) {
  ms *= 8; /* the real machine may be slow */
  nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static struct timespec in_ms(clockid_t clock, long ms) {
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_nsec += ms * 1000000;
  t.tv_sec += t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  return t;
}

static void run(void *(*f)(void *), int n) {
  pthread_t t[64];
  for (long i = 0; i < n; i++) pthread_create(&t[i], NULL, f, (void *)i);
  for (int i = 0; i < n; i++) pthread_join(t[i], NULL);
}

static void *add(void *arg) {
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&mutex);
    long c = counter;
    if (i % 100 == 0) sched_yield();
    counter = c + 1;
    pthread_mutex_unlock(&mutex);
  }
  return arg;
}

static void kinds(void) {
  static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK};
  for (int i = 0; i < 3; i++) {
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_settype(&a, types[i]);
    pthread_mutex_init(&mutex, &a);
    counter = 0;
    run(add, THREADS);
    printf("mutex kind %d: %ld", i, counter);
    pthread_mutex_lock(&mutex);
    printf(" again %d unlock", i == 0 ? pthread_mutex_trylock(&mutex) : pthread_mutex_lock(&mutex));
    printf(" %d", pthread_mutex_unlock(&mutex));
    printf(" %d\n", i == 1 ? pthread_mutex_unlock(&mutex) : i == 2 ? pthread_mutex_unlock(&mutex) : 0);
    pthread_mutex_destroy(&mutex);
  }
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  int r = pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&mutex, &a);
  counter = 0;
  run(add, THREADS);
  printf("priority inheritance: %d %ld\n", r, counter);
  pthread_mutex_destroy(&mutex);
}

static void *hold(void *arg) {
  pthread_mutex_lock(arg);
  sleep_ms(20);
  pthread_mutex_unlock(arg);
  return NULL;
}

static void timed(void) {
  pthread_t t;
  struct timespec soon, later;
  for (int inherit = 0; inherit < 2; inherit++) {
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setprotocol(&a, inherit ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
    pthread_mutex_init(&mutex, &a);
    pthread_create(&t, NULL, hold, &mutex);
    sleep_ms(5);
    soon = in_ms(CLOCK_REALTIME, 3);
    printf("timed lock: %d", pthread_mutex_timedlock(&mutex, &soon) == ETIMEDOUT);
    later = in_ms(CLOCK_REALTIME, 1000);
    printf(" %d", pthread_mutex_timedlock(&mutex, &later));
    pthread_mutex_unlock(&mutex);
    pthread_join(t, NULL);
    printf(" bad time %d\n", pthread_mutex_timedlock(&mutex, &(struct timespec){0, -1}));
    pthread_mutex_destroy(&mutex);
  }
  pthread_mutex_init(&mutex, NULL);
  pthread_mutex_lock(&mutex);
  soon = in_ms(CLOCK_REALTIME, 3);
  printf("timed wait: %d", pthread_cond_timedwait(&cond, &mutex, &soon) == ETIMEDOUT);
  pthread_condattr_t c;
  pthread_condattr_init(&c);
  pthread_condattr_setclock(&c, CLOCK_MONOTONIC);
  pthread_cond_t monotonic;
  pthread_cond_init(&monotonic, &c);
  soon = in_ms(CLOCK_MONOTONIC, 3);
  printf(" monotonic: %d\n", pthread_cond_timedwait(&monotonic, &mutex, &soon) == ETIMEDOUT);
  pthread_mutex_unlock(&mutex);
}

static int turn, queue[16], head, tail;

static void *player(void *arg) {
  long me = (long)arg;
  for (int i = 0; i < 200; i++) {
    pthread_mutex_lock(&mutex);
    while (turn != me) pthread_cond_wait(&cond, &mutex);
    turn = (turn + 1) % 4;
    counter++;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;

static void *produce(void *arg) {
  for (int i = 1; i <= 500; i++) {
    pthread_mutex_lock(&mutex);
    while (head - tail == 16) pthread_cond_wait(&not_full, &mutex);
    queue[head++ % 16] = i;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void *consume(void *arg) {
  for (int i = 0; i < 500; i++) {
    pthread_mutex_lock(&mutex);
    while (head == tail) pthread_cond_wait(&not_empty, &mutex);
    counter += queue[tail++ % 16];
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void *either(void *arg) { return (long)arg < 3 ? produce(arg) : consume(arg); }

static void conditions(void) {
  counter = 0;
  run(player, 4);
  printf("turns %ld\n", counter);
  counter = 0;
  run(either, 6);
  printf("queue %ld\n", counter);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long pair[2], torn;

static void *read_or_write(void *arg) {
  for (int i = 0; i < 300; i++) {
    if ((long)arg % 3 == 0) {
      pthread_rwlock_wrlock(&rwlock);
      pair[0]++;
      sched_yield();
      pair[1]++;
      pthread_rwlock_unlock(&rwlock);
    } else {
      pthread_rwlock_rdlock(&rwlock);
      if (pair[0] != pair[1]) torn++;
      pthread_rwlock_unlock(&rwlock);
    }
  }
  return NULL;
}

static pthread_barrier_t barrier;
static int serial, phases[4];

static void *meet(void *arg) {
  for (int i = 0; i < 4; i++) {
    __atomic_add_fetch(&phases[i], 1, __ATOMIC_SEQ_CST);
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) __atomic_add_fetch(&serial, 1, __ATOMIC_SEQ_CST);
    if (phases[i] != THREADS) torn++;
  }
  return NULL;
}

static void locks(void) {
  run(read_or_write, THREADS);
  printf("rwlock %ld %ld torn %ld", pair[0], pair[1], torn);
  pthread_rwlock_wrlock(&rwlock);
  printf(" try %d\n", pthread_rwlock_tryrdlock(&rwlock));
  pthread_rwlock_unlock(&rwlock);
  pthread_barrier_init(&barrier, NULL, THREADS);
  run(meet, THREADS);
  printf("barrier serial %d torn %ld\n", serial, torn);
}

static sem_t ping, pong, *shared;

static void *semaphores(void *arg) {
  for (int i = 0; i < 300; i++) {
    sem_wait(arg ? &ping : &pong);
    counter++;
    sem_post(arg ? &pong : &ping);
  }
  return NULL;
}

static void semaphore(void) {
  counter = 0;
  sem_init(&ping, 0, 1), sem_init(&pong, 0, 0);
  run(semaphores, 2);
  struct timespec soon = in_ms(CLOCK_REALTIME, 3);
  sem_wait(&ping);
  int r = sem_timedwait(&ping, &soon);
  printf("semaphores %ld timed %d %s", counter, r, errno_name(errno));
  r = sem_trywait(&ping);
  printf(" try %d %s\n", r, errno_name(errno));
  shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  sem_init(&shared[0], 1, 0), sem_init(&shared[1], 1, 0);
  fflush(stdout);
  pid_t p = fork();
  for (int i = 0; i < 200; i++) {
    sem_post(&shared[p == 0]);
    sem_wait(&shared[p != 0]);
  }
  if (p == 0) _exit(3);
  int status;
  waitpid(p, &status, 0);
  printf("between processes %x\n", status);
}

static pthread_key_t key;
static int destroyed;
static void destroy(void *value) { destroyed += (int)(long)value; }
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int initialized;
static void initialize(void) { initialized++; }

static void *storage(void *arg) {
  local += (int)(long)arg;
  pthread_setspecific(key, (void *)((long)arg + 1));
  pthread_once(&once, initialize);
  sched_yield();
  long sum = local + (long)pthread_getspecific(key);
  return (void *)sum;
}

static void *name(void *arg) {
  char text[16];
  prctl(PR_SET_NAME, "a thread of many letters");
  prctl(PR_GET_NAME, text);
  printf("name [%s]", text);
  return NULL;
}

static void local_storage(void) {
  pthread_t t[4];
  void *r[4];
  pthread_key_create(&key, destroy);
  for (long i = 0; i < 4; i++) pthread_create(&t[i], NULL, storage, (void *)i);
  for (int i = 0; i < 4; i++) pthread_join(t[i], &r[i]);
  printf("storage %ld %ld %ld %ld own %d destroyed %d once %d\n", (long)r[0], (long)r[1], (long)r[2], (long)r[3], local, destroyed, initialized);
  prctl(PR_SET_NAME, "main");
  run(name, 1);
  char text[16];
  prctl(PR_GET_NAME, text);
  printf(" main [%s]\n", text);
}

static void cleanup(void *arg) { printf("cleanup %s\n", (char *)arg); }

static void *cancelled(void *arg) {
  pthread_cleanup_push(cleanup, "outer");
  pthread_cleanup_push(cleanup, arg);
  if (strcmp(arg, "sleep") == 0) sleep(100);
  if (strcmp(arg, "cond") == 0) {
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push((void (*)(void *))pthread_mutex_unlock, &mutex);
    for (;;) pthread_cond_wait(&cond, &mutex);
    pthread_cleanup_pop(1);
  }
  if (strcmp(arg, "spin") == 0) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (;;) continue;
  }
  if (strcmp(arg, "disabled") == 0) {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    sleep_ms(10);
    pthread_exit("finished");
  }
  if (strcmp(arg, "test") == 0) {
    for (;;) pthread_testcancel();
  }
  if (strcmp(arg, "sem") == 0) {
    sem_init(&ping, 0, 0);
    sem_wait(&ping);
  }
  pthread_cleanup_pop(0);
  pthread_cleanup_pop(0);
  return NULL;
}

static void cancellation(void) {
  char *ways[] = {"sleep", "cond", "spin", "disabled", "test", "sem"};
  for (int i = 0; i < 6; i++) {
    pthread_t t;
    void *r;
    pthread_create(&t, NULL, cancelled, ways[i]);
    sleep_ms(4);
    int cancel = pthread_cancel(t);
    pthread_join(t, &r);
    printf("%s: %d %s\n", ways[i], cancel, r == PTHREAD_CANCELED ? "cancelled" : (char *)r);
  }
  printf("mutex is free: %d\n", pthread_mutex_trylock(&mutex));
  pthread_mutex_unlock(&mutex);
}

static volatile int finished;
static void *detached(void *arg) {
  __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

static void many(void) {
  pthread_attr_t a;
  pthread_t t;
  pthread_attr_init(&a);
  pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&a, 65536);
  for (int i = 0; i < 60; i++) pthread_create(&t, &a, detached, NULL);
  while (finished < 60) sched_yield();
  printf("detached %d\n", finished);
  for (int i = 0; i < 40; i++) {
    pthread_create(&t, NULL, detached, NULL);
    pthread_join(t, NULL);
  }
  printf("one by one %d\n", finished);
}

static pthread_mutex_t *robust;

static void *die_with_it(void *arg) {
  pthread_mutex_lock(robust);
  return NULL;
}

static void robust_mutex(void) {
  robust = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int inherit = 0; inherit < 2; inherit++) {
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setprotocol(&a, inherit ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
    pthread_mutex_init(robust, &a);
    run(die_with_it, 1);
    printf("owner died: %d", pthread_mutex_lock(robust) == EOWNERDEAD);
    printf(" consistent %d unlock %d", pthread_mutex_consistent(robust), pthread_mutex_unlock(robust));
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) {
      pthread_mutex_lock(robust);
      sleep_ms(10);
      kill(getpid(), SIGKILL);
    }
    sleep_ms(4);
    printf(" process died: %d", pthread_mutex_lock(robust) == EOWNERDEAD);
    printf(" unlock %d", pthread_mutex_unlock(robust));
    printf(" not recoverable %d\n", pthread_mutex_lock(robust) == ENOTRECOVERABLE);
    waitpid(p, NULL, 0);
    pthread_mutex_destroy(robust);
  }
}

static volatile int got_signal, got_in;
static void on_signal(int s) { got_signal = s, got_in = syscall(SYS_gettid); }

static void *wait_for_signal(void *arg) {
  *(int *)arg = syscall(SYS_gettid);
  while (!got_signal) sleep_ms(1);
  return NULL;
}

static void signals(void) {
  pthread_t t;
  int id = 0;
  signal(SIGUSR1, on_signal);
  pthread_create(&t, NULL, wait_for_signal, &id);
  sleep_ms(3);
  printf("pthread_kill %d", pthread_kill(t, SIGUSR1));
  pthread_join(t, NULL);
  printf(" in its thread %d\n", got_in == id);
}

static void *last(void *arg) {
  sleep_ms(5);
  printf("the last thread ends the process\n");
  return NULL;
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  kinds();
  timed();
  conditions();
  locks();
  semaphore();
  local_storage();
  cancellation();
  many();
  robust_mutex();
  signals();
  pthread_t t;
  pthread_create(&t, NULL, last, NULL);
  pthread_exit(NULL);
}
