/* Who may signal whom, and whose user siginfo tells. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errno_name.h"

static const char *err(long r) { return r < 0 ? errno_name(errno) : "ok"; }

static pid_t idle_as(uid_t user, int new_session) {
  int fd[2];
  char byte;
  if (pipe(fd) < 0) return -1;
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    if (new_session) setsid();
    if (setresuid(user, user, user) < 0 || write(fd[1], "x", 1) < 0) _exit(1);
    for (;;) pause();
  }
  if (read(fd[0], &byte, 1) < 0) return -1;
  close(fd[0]);
  close(fd[1]);
  return p;
}

static volatile sig_atomic_t from_user = -1, chld_user = -1;
static void on_signal(int s, siginfo_t *i, void *u) {
  (void)u;
  if (s == SIGCHLD) chld_user = i->si_uid;
  else from_user = i->si_uid;
}

int main(void) {
  struct sigaction a = {0};
  int status;
  a.sa_sigaction = on_signal;
  a.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGUSR1, &a, NULL);
  sigaction(SIGCHLD, &a, NULL);
  pid_t parent = getpid(), root = idle_as(0, 0), same = idle_as(1000, 0), other = idle_as(1001, 0);
  pid_t far = idle_as(1001, 1);
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    siginfo_t i = {0};
    i.si_code = SI_QUEUE;
    if (setresuid(1000, 1000, 1000) < 0) return 1;
    printf("root %s same %s other %s", err(kill(root, 0)), err(kill(same, 0)), err(kill(other, 0)));
    printf(" bad %s", err(kill(other, 65)));
    printf(" tgkill %s %s", err(syscall(SYS_tgkill, other, other, SIGUSR1)), err(syscall(SYS_tgkill, same, same, 0)));
    printf(" queue %s", err(syscall(SYS_rt_sigqueueinfo, other, SIGUSR1, &i)));
    printf(" CONT %s", err(kill(other, SIGCONT)));
    printf(" other session %s", err(kill(far, SIGCONT)));
    printf(" itself %s\n", err(kill(getpid(), 0)));
    fflush(stdout);
    if (setresuid(1000, 1000, 1000) == 0) kill(same, SIGTERM);
    _exit(0);
  }
  waitpid(p, &status, 0);
  printf("child %d told user %d\n", WEXITSTATUS(status), chld_user);
  waitpid(same, &status, 0);
  printf("same ended by %d\n", WTERMSIG(status));
  fflush(stdout);
  p = fork();
  if (p == 0) {
    if (setresuid(1000, 0, 0) < 0) _exit(1);
    _exit(kill(parent, SIGUSR1) < 0);
  }
  waitpid(p, &status, 0);
  printf("sent %d from user %d\n", WEXITSTATUS(status), from_user);
  kill(root, SIGKILL);
  kill(other, SIGKILL);
  kill(far, SIGKILL);
  return 0;
}
