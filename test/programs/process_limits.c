/* RLIMIT_NPROC counts processes, threads and zombies of a user; root is not counted. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errno_name.h"

static volatile int *go;

static int fork_until_refused(void) {
  int n = 0;
  for (; n < 20; n++) {
    pid_t p = fork();
    if (p < 0) break;
    if (p == 0) {
      while (!*go) usleep(1000);
      _exit(0);
    }
  }
  int saved = errno;
  *go = 1;
  while (wait(NULL) > 0) continue;
  errno = saved;
  return n;
}

static void *wait_for_go(void *arg) {
  while (!*go) usleep(1000);
  return NULL;
}

static int limited(int kind) {
  go++; /* one for each, so that nobody waits for ever */
  struct rlimit limit = {6, 6};
  printf("set %d", setrlimit(RLIMIT_NPROC, &limit));
  if (kind > 0) printf(" user %d", setuid(1000 + kind));
  fflush(stdout);
  if (kind == 2) {
    pthread_t t;
    int n = 0, r = 0;
    while (n < 20 && (r = pthread_create(&t, NULL, wait_for_go, NULL)) == 0) n++;
    printf(" threads %d %s", n, errno_name(r));
    printf(" fork %d %s\n", fork(), errno_name(errno));
    *go = 1;
    fflush(stdout);
    _exit(0);
  }
  if (kind == 3) {
    int n = 0;
    for (pid_t p; n < 20 && (p = fork()) >= 0; n++) if (p == 0) _exit(0);
    int saved = errno, reaped = 0;
    while (wait(NULL) > 0) reaped++;
    printf(" zombies %d %s", n, errno_name(saved));
    pid_t p = fork();
    if (p == 0) _exit(0);
    printf(" again %d\n", waitpid(p, NULL, 0) == p);
    fflush(stdout);
    _exit(0);
  }
  errno = 0;
  int n = fork_until_refused();
  printf(" forks %d %s\n", n, errno_name(errno));
  fflush(stdout);
  _exit(0);
}

int main(void) {
  go = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int kind = 0; kind < 4; kind++) {
    int status;
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) go += kind, limited(kind);
    waitpid(p, &status, 0);
    printf("%d: %x\n", kind, status);
    usleep(50000);
  }
  return 0;
}
