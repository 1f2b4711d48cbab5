/* traces seize | follow: begins to trace a process, or makes one that is traced from its start, again and again. An `a` is written before each
 * and what came of it after it: 0 or an errno, 99 when an effect is not as the result says. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEIZE 0x4206
#define TRACEFORK 2

static void say(const char *what) { (void)!write(1, what, strlen(what)); }

static void tell(int result) {
  char text[8];
  snprintf(text, sizeof text, "%d", result);
  say(text);
}

static int seize(void) {
  pid_t pid = fork();
  if (pid == 0) for (;;) pause();
  say("a");
  int result = syscall(SYS_ptrace, SEIZE, pid, 0, 0) < 0 ? errno : 0;
  /* Whether it is traced is seen by what else may be asked for. */
  int is_traced = syscall(SYS_ptrace, 0x4207 /* INTERRUPT */, pid, 0, 0) == 0;
  kill(pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) ;
  while (waitpid(pid, NULL, 0) > 0) ;
  return is_traced == (result == 0) ? result : 99;
}

static int make_process(void) {
  say("a");
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  int result = pid < 0 ? errno : 0;
  while (pid > 0 && waitpid(pid, NULL, 0) != pid) ;
  return result;
}

/* Lets all that it traces go on. */
static void follow(pid_t first) {
  syscall(SYS_ptrace, SEIZE, first, 0, TRACEFORK);
  for (int how; ;) {
    pid_t pid = waitpid(-1, &how, __WALL);
    if (pid < 0) return;
    int is_event = how >> 16;
    if (WIFSTOPPED(how)) syscall(SYS_ptrace, PTRACE_CONT, pid, 0, is_event ? 0 : WSTOPSIG(how));
  }
}

int main(int argc, char **argv) {
  if (strcmp(argv[1], "seize") == 0) for (;;) tell(seize());
  int ends[2];
  if (pipe(ends)) return 1;
  pid_t pid = fork();
  if (pid != 0) {
    char byte = 0;
    syscall(SYS_ptrace, SEIZE, pid, 0, TRACEFORK);
    if (write(ends[1], &byte, 1) != 1) return 1;
    follow(pid);
    return 0;
  }
  char byte;
  if (read(ends[0], &byte, 1) != 1) return 1;
  for (;;) tell(make_process());
}
