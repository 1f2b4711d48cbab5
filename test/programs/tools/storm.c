/* Many processes and threads at once: storm forks | pidfds | threads | execs | bomb | hog. Ends with 0 when all went as it should.
 * storm failing fork | vfork | pidfd | thread | exec | vector | map: makes the call again and again. An `a` is written before each and what came of it after it. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
static volatile int *shared;

static int count_children(void) {
  int n = 0, status;
  while (wait(&status) > 0) n += WIFEXITED(status) ? WEXITSTATUS(status) : 100;
  return n;
}

/* A tree of processes that all live at the same time, write to their memory, and end in any order. */
static int grow(int depth, char *memory) {
  memset(memory + depth * 8192, depth, 8192);
  if (depth == 0) return 1;
  for (int i = 0; i < 3; i++) {
    pid_t p = fork();
    if (p < 0) return 50;
    if (p == 0) _exit(grow(depth - 1, memory));
  }
  for (int i = 0; i < depth; i++) sched_yield();
  return count_children() > 200 ? 200 : memory[depth * 8192] == depth ? 1 : 60;
}

static int forks(void) {
  char *memory = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int round = 0; round < 3; round++) {
    if (grow(4, memory) != 1) return 2;
  }
  for (int i = 0; i < 60; i++) {
    pid_t p = fork();
    if (p == 0) {
      memset(memory, i, 65536);
      if (i % 3 == 0) fork(), _exit(0); /* leaves an orphan */
      if (i % 3 == 1) for (;;) sched_yield();
      _exit(0);
    }
    if (i % 3 == 1) kill(p, SIGKILL);
  }
  int status, killed = 0, ended = 0;
  while (wait(&status) > 0) WIFSIGNALED(status) ? killed++ : ended++;
  return killed == 20 && ended == 40 ? 0 : 3;
}

/* Files for processes: of children that end, are killed and reaped early, or written to; half of the files stay open. */
static int pidfds(void) {
  char *memory = mmap(0, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(memory, 1, 1 << 18);
  int killed = 0;
  for (int i = 0; i < 60; i++) {
    int fd = -1;
    pid_t p = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0);
    if (p < 0) return 2;
    if (p == 0) {
      memset(memory, i, 1 << 17);
      if (i % 3 == 0) for (;;) pause();
      syscall(SYS_pidfd_open, getppid(), 0);
      _exit(0);
    }
    struct iovec from = {memory, 1 << 18}, to = {memory, 1 << 18};
    if (i % 3 == 0) {
      if (syscall(SYS_process_vm_writev, p, &from, 1, &to, 1, 0) != 1 << 18) return 3;
      syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
      if (syscall(SYS_process_mrelease, fd, 0) == 0) killed++;
    }
    siginfo_t info;
    if (i % 2 == 0 && waitid((idtype_t)3, fd, &info, WEXITED) != 0) return 4;
    if (i % 4 == 0) close(fd);
  }
  while (wait(NULL) > 0) {}
  return killed > 0 ? 0 : 5;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *work(void *arg) {
  char local[4096];
  memset(local, 1, sizeof local);
  for (int i = 0; i < 20; i++) {
    pthread_mutex_lock(&mutex);
    counter += local[i];
    pthread_mutex_unlock(&mutex);
  }
  return arg;
}

static void *linger(void *arg) {
  pthread_mutex_lock(&mutex);
  return arg;
}

static int start_threads(int n, void *(*f)(void *), pthread_t *threads) {
  pthread_attr_t a;
  pthread_attr_init(&a);
  pthread_attr_setstacksize(&a, 32768);
  for (int i = 0; i < n; i++) if (pthread_create(&threads[i], &a, f, 0) != 0) return 0;
  return 1;
}

static int threads(void) {
  pthread_t t[150];
  for (int round = 0; round < 3; round++) {
    counter = 0;
    if (!start_threads(150, work, t)) return 2;
    for (int i = 0; i < 150; i++) pthread_join(t[i], 0);
    if (counter != 3000) return 3;
  }
  for (int i = 0; i < 8; i++) {
    pid_t p = fork();
    if (p == 0) {
      pthread_mutex_lock(&mutex);
      if (!start_threads(20, linger, t)) _exit(99);
      sched_yield();
      if (i % 4 == 0) kill(getpid(), SIGKILL);
      if (i % 4 == 1) _exit(0); /* with all of them waiting */
      if (i % 4 == 2) execl("/proc/self/exe", "storm", "nothing", (char *)0);
      pthread_mutex_unlock(&mutex);
      pthread_exit(0); /* one has the mutex for ever: its heirs wait */
    }
    if (i % 4 == 3) usleep(20000), kill(p, SIGTERM);
    int status;
    waitpid(p, &status, 0);
    if (status != (int[]){SIGKILL, 0, 0, SIGTERM}[i % 4]) return 4;
  }
  return 0;
}

static int execs(void) {
  for (int i = 0; i < 60; i++) {
    pid_t p = i % 2 ? fork() : vfork();
    if (p == 0) {
      execl("/proc/self/exe", "storm", i % 5 ? "nothing" : "again", (char *)0);
      _exit(9);
    }
    int status;
    waitpid(p, &status, 0);
    if (status != 0) return 2;
  }
  return 0;
}

/* Every process forks as long as it can. Afterwards the machine must be as before. */
static int bomb(void) {
  pid_t p = fork();
  if (p == 0) {
    setpgid(0, 0);
    while (fork() >= 0) continue;
    if (!shared[0]) shared[0] = errno;
    for (;;) pause();
  }
  while (!shared[0]) usleep(1000);
  if (shared[0] != EAGAIN && shared[0] != ENOMEM) return 2;
  usleep(100000);
  kill(-p, SIGKILL);
  int status;
  waitpid(p, &status, 0);
  if (!WIFSIGNALED(status)) return 3;
  usleep(1000);
  p = fork();
  if (p == 0) _exit(7);
  waitpid(p, &status, 0);
  return WEXITSTATUS(status) == 7 ? 0 : 4;
}

static int hog(void) {
  for (int round = 0; round < 2; round++) {
    pid_t p = fork();
    if (p == 0) {
      for (;;) {
        char *memory = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) _exit(1);
        for (int i = 0; i < 1 << 20; i += 4096) memory[i] = 1;
      }
    }
    int status;
    waitpid(p, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) return 2;
  }
  return 0;
}

static void say(const char *what) { (void)!write(1, what, strlen(what)); }

/* A thread that ends at once, without a stack. */
static int make_thread(void) {
  static volatile int there;
  there = 1;
  register long a0 __asm__("a0") = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES | CLONE_FS | CLONE_CHILD_CLEARTID;
  register long a1 __asm__("a1") = 0, a2 __asm__("a2") = 0, a3 __asm__("a3") = 0, a4 __asm__("a4") = (long)&there, a7 __asm__("a7") = SYS_clone;
  __asm__ volatile("ecall; bnez a0, 1f; li a7, 93; ecall; 1:" : "+r"(a0), "+r"(a7) : "r"(a1), "r"(a2), "r"(a3), "r"(a4) : "memory");
  while (a0 > 0 && there) sched_yield();
  return a0 < 0 ? -a0 : 0;
}

static int run_again(void) {
  pid_t p = fork();
  if (p == 0) {
    say("a");
    execl("/proc/self/exe", "storm", "nothing", (char *)0);
    _exit(errno);
  }
  int status;
  waitpid(p, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int make_process(char kind) {
  int fd = -1;
  say("a");
  pid_t p = kind == 'v' ? vfork() : kind == 'p' ? syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0) : fork();
  if (p == 0) _exit(0);
  int result = p < 0 ? errno : 0;
  if (p > 0) waitpid(p, 0, 0), close(fd);
  return result;
}

/* Another auxiliary vector, alone or with where everything is. */
static int set_vector(char kind) {
  static unsigned long vector[4] = {6, 4096};
  struct { unsigned long field[11], auxv; unsigned auxv_size, exe_fd; } map = {.auxv = (long)vector, .auxv_size = sizeof vector, .exe_fd = -1};
  for (int i = 0; i < 11; i++) map.field[i] = 0x20000 + i * 256;
  say("a");
  vector[3]++;
  int r = kind == 'v' ? prctl(PR_SET_MM, PR_SET_MM_AUXV, vector, sizeof vector, 0) : prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
  return r < 0 ? errno : 0;
}

static int failing(const char *what) {
  for (;;) {
    int result;
    if (strcmp(what, "thread") == 0) say("a"), result = make_thread();
    else if (strcmp(what, "exec") == 0) result = run_again();
    else if (strcmp(what, "vector") == 0 || strcmp(what, "map") == 0) result = set_vector(what[0]);
    else result = make_process(what[0]);
    char text[16];
    sprintf(text, "%d\n", result);
    say(text);
  }
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (strcmp(what, "forks") == 0) return forks();
  if (strcmp(what, "pidfds") == 0) return pidfds();
  if (strcmp(what, "threads") == 0) return threads();
  if (strcmp(what, "execs") == 0) return execs();
  if (strcmp(what, "bomb") == 0) return bomb();
  if (strcmp(what, "hog") == 0) return hog();
  if (strcmp(what, "again") == 0) execl("/proc/self/exe", "storm", "nothing", (char *)0);
  if (strcmp(what, "failing") == 0) return failing(argv[2]);
  return strcmp(what, "nothing") == 0 ? 0 : 98;
}
