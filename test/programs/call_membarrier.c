/* membarrier(2): every command and flag, registration, and what fork, a shared memory, threads and execve make of it. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long barrier(int command, unsigned flags, int cpu) { return syscall(SYS_membarrier, command, flags, cpu); }
static void show(const char *what, long r) {
  if (r == -1) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, r);
}
static void all(const char *when) {
  printf("%s:", when);
  for (int bit = 0; bit < 31; bit++) {
    if (bit >= 3 && bit <= 8 && !(bit & 1 ? 1 : 0)) continue; /* those that register */
    long r = barrier(1 << bit, 0, 0);
    if (r < 0 && errno == EINVAL) continue;
    printf(" %d %s", bit, r < 0 ? errno_name(errno) : "ok");
  }
  printf(", registered %ld\n", barrier(512, 0, 0));
}
static void *in_thread(void *p) { return all("in a thread"), NULL; }
static char stack[65536];
static int in_twin(void *p) {
  all("in the same memory");
  barrier(256, 0, 0);
  fflush(stdout);
  _exit(0);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOFBF, 65536);
  if (argc == 2 && !strcmp(argv[1], "again")) {
    all("after execve");
    fflush(stdout);
    return 0;
  }
  show("query", barrier(0, 0, 0));
  for (int bit = 0; bit < 32; bit++) {
    if (barrier(0, 1u << bit, 0) != -1 || errno != EINVAL) printf("flag %d accepted by query\n", bit);
    if (barrier(128, 1u << bit, 0) != -1 || errno != EINVAL) printf("flag %d with rseq: %s\n", bit, errno_name(errno));
    if (barrier(8, 1u << bit, 0) != -1 || errno != EINVAL) printf("flag %d with private: %s\n", bit, errno_name(errno));
  }
  all("nothing registered");
  fflush(stdout);
  if (fork() == 0) {
    show("register the sync core alone", barrier(64, 0, 0));
    all("sync core alone");
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  show("two commands", barrier(3, 0, 0));
  show("-1", barrier(-1, 0, 0));
  show("2^31", barrier(1 << 31, 0, 0));
  show("register global", barrier(4, 0, 0));
  all("global registered");
  show("register private", barrier(16, 0, 0));
  show("register private again", barrier(16, 0, 0));
  all("private registered");
  show("register with a flag", barrier(64, 1, 0));
  show("register the sync core", barrier(64, 0, 0));
  all("sync core registered");
  pthread_t t;
  pthread_create(&t, NULL, in_thread, NULL);
  pthread_join(t, NULL);
  fflush(stdout);
  if (fork() == 0) {
    all("in a child");
    barrier(256, 0, 0);
    all("rseq registered there");
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  all("not here");
  fflush(stdout);
  clone(in_twin, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
  wait(NULL);
  all("registered by who shares the memory");
  show("rseq on processor 0", barrier(128, 1, 0));
  show("rseq on processor 1000", barrier(128, 1, 1000));
  show("rseq on processor -1", barrier(128, 1, -1));
  show("rseq, flag 2", barrier(128, 2, 0));
  show("private, flag 1", barrier(8, 1, 0));
  fflush(stdout);
  char *const arguments[] = {argv[0], "again", NULL};
  execv("/proc/self/exe", arguments);
  return 1;
}
