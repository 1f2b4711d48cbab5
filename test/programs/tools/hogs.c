/* Who is ended when memory runs out: run in a machine of 64 to 256 MiB, here and on the real kernel. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void adjust(const char *text) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY);
  write(fd, text, strlen(text));
  close(fd);
}
static int score(pid_t pid) {
  char path[64], text[32] = "";
  sprintf(path, "/proc/%d/oom_score", pid);
  int fd = open(path, O_RDONLY);
  read(fd, text, sizeof text - 1);
  close(fd);
  return atoi(text);
}
static char *map(size_t bytes) {
  return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}
/* Takes all there is, page by page, or as a call asks for it. */
static void take(int by_call) {
  for (;;) {
    char *p = map(1 << 20);
    if (p == MAP_FAILED) _exit(3);
    if (by_call) mlock(p, 1 << 20);
    else memset(p, 1, 1 << 20);
  }
}
static pid_t hog(const char *adjustment, int by_call) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) { adjust(adjustment); take(by_call); }
  return pid;
}
static int end_of(pid_t pid) {
  int status;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}
static int sleeper(void *unused) { for (;;) pause(); }

int main(void) {
  char *mine = map(1 << 20);
  memset(mine, 7, 1 << 20);
  adjust("-500");
  printf("hog that stores: %d\n", end_of(hog("0", 0)));
  printf("hog that locks: %d\n", end_of(hog("0", 1)));
  /* A bystander that would rather go dies in place of the hog, which then goes on. */
  pid_t idle = fork();
  if (idle == 0) { adjust("1000"); for (;;) pause(); }
  usleep(100000);
  printf("scores: %d %d %d\n", score(idle) > 1200, score(getpid()) < 500, score(1) >= 0);
  pid_t big = hog("0", 0);
  printf("bystander with 1000: %d\n", end_of(idle));
  printf("hog: %d\n", end_of(big));
  /* One that must not die is left alone, though it is the larger. */
  fflush(stdout);
  idle = fork();
  if (idle == 0) {
    adjust("-1000");
    char *p = map(6 << 20);
    memset(p, 5, 6 << 20);
    for (;;) { if (p[5 << 20] != 5) _exit(1); usleep(1000); }
  }
  usleep(100000);
  printf("score of -1000: %d\n", score(idle));
  printf("hog: %d\n", end_of(hog("100", 0)));
  kill(idle, SIGUSR1);
  printf("protected: %d\n", end_of(idle));
  /* Whoever shares the hog's memory dies with it. */
  fflush(stdout);
  int pipes[2];
  pipe(pipes);
  big = fork();
  if (big == 0) {
    static char stack[65536] __attribute__((aligned(16)));
    pid_t twin = clone(sleeper, stack + sizeof stack, CLONE_VM | CLONE_PARENT | SIGCHLD, NULL);
    write(pipes[1], &twin, sizeof twin);
    take(0);
  }
  pid_t twin;
  read(pipes[0], &twin, sizeof twin);
  printf("hog: %d, its twin: %d\n", end_of(big), end_of(twin));
  for (int i = 0; i < 1 << 20; i++) if (mine[i] != 7) { puts("mine is not mine"); return 1; }
  puts("survived");
  return 0;
}
