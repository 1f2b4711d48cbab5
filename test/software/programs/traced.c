/* What strace looks at: processes, a thread, signals, calls that are interrupted. */
// flags: -O1 -pthread -static -fno-inline -Wl,--build-id=none
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int total;
static volatile sig_atomic_t caught;
static void on_signal(int sig) { caught = sig; }

int add(int a, int b) {
  int sum = a + b;
  total += sum;
  return sum;
}

static void *other_thread(void *x) {
  add(100, 1);
  return x;
}

static void say(const char *text) { if (write(1, text, strlen(text)) < 0) _exit(1); }

static void child_main(void) {
  say("child\n");
  close(open("/nonexistent", O_RDONLY));
  kill(getppid(), SIGUSR1);
  _exit(3);
}

static void processes(void) {
  struct sigaction sa = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &sa, NULL);
  sigset_t blocked, old;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, &old);
  pid_t pid = fork();
  if (pid == 0) child_main();
  int how;
  waitpid(pid, &how, 0);
  sigprocmask(SIG_SETMASK, &old, NULL);
  say(caught == SIGUSR1 ? "caught\n" : "not caught\n");
}

static void threads(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, other_thread, NULL);
  pthread_join(thread, NULL);
}

static void sleeps(void) {
  struct sigaction sa = {.sa_handler = on_signal};
  sigaction(SIGALRM, &sa, NULL);
  struct itimerspec soon = {.it_value = {0, 20000000}};
  timer_t timer;
  timer_create(CLOCK_MONOTONIC, NULL, &timer);
  sigset_t blocked, old;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGALRM);
  sigprocmask(SIG_BLOCK, &blocked, &old);
  timer_settime(timer, 0, &soon, NULL);
  sigsuspend(&old);
}

int main(int argc, char **argv) {
  for (int i = 1; i <= 3; i++) add(i, i * i);
  if (argc > 1 && strcmp(argv[1], "run") == 0) {
    execl(argv[0], argv[0], "executed", (char *)NULL);
    return 1;
  }
  if (argc > 1 && strcmp(argv[1], "thread") == 0) threads();
  else {
    processes();
    sleeps();
  }
  if (argc > 1 && strcmp(argv[1], "crash") == 0) *(volatile int *)8 = total;
  printf("total %d\n", total);
  return total & 0x7f;
}
