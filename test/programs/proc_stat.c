/* /proc/PID/stat of threads, and of children that sleep, have stopped or have ended: state, flags, faults, wchan, exit_signal, exit_code. */
// flags: -pthread
#include "call.h"
#include <pthread.h>
#include <sys/prctl.h>

/* PF_SUPERPRIV and PF_RANDOMIZE are left out: by whom and how it was started. */
#define LEFT_OUT 0x400100UL

static void tell(const char *what, const char *path) {
  char *end = strrchr(text_of(path), ')');
  if (end == NULL) {
    printf("%s: not there\n", what);
    return;
  }
  printf("%s:", what);
  int field = 3;
  for (char *value = strtok(end + 2, " \n"); value; value = strtok(NULL, " \n"), field++) {
    if (field == 3) printf(" %s", value);
    if (field == 9) printf(" flags %lx", strtoul(value, NULL, 10) & ~LEFT_OUT);
    if (field == 20 || field == 35 || field == 38 || field == 52) printf(" %d:%s", field, value);
    if (field == 23 || field == 26 || field == 45) printf(" %d:%s", field, strtoul(value, NULL, 10) > 1 ? "some" : value);
  }
  puts("");
}
static void tell_pid(const char *what, pid_t pid) {
  char path[64];
  sprintf(path, "/proc/%d/stat", pid);
  tell(what, path);
}

static void *thread(void *unused) {
  char path[64];
  sprintf(path, "/proc/self/task/%ld/stat", syscall(SYS_gettid));
  tell("thread", path);
  return NULL;
}
static void *ends_first(void *unused) {
  usleep(50000);
  tell("its first thread has ended", "/proc/self/stat");
  thread(NULL);
  fflush(stdout);
  exit(4);
}

static void ended(const char *what, pid_t child) {
  siginfo_t info;
  waitid(P_PID, child, &info, WEXITED | WNOWAIT);
  tell_pid(what, child);
  waitpid(child, NULL, 0);
}

static void user(void) {
  usleep(50000);
  setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
  tell("as a user", "/proc/self/stat");
  tell_pid("his parent", getppid());
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  tell("itself", "/proc/self/stat");
  pthread_t t;
  pthread_create(&t, NULL, thread, NULL);
  pthread_join(t, NULL);
  pid_t child = fork();
  if (child == 0) for (;;) pause();
  usleep(50000);
  tell_pid("sleeps", child);
  kill(child, SIGSTOP);
  usleep(50000);
  tell_pid("has stopped", child);
  waitpid(child, NULL, WUNTRACED);
  tell_pid("its parent knows", child);
  kill(child, SIGCONT);
  usleep(50000);
  tell_pid("goes on", child);
  kill(child, SIGTERM);
  ended("was killed", child);
  if ((child = fork()) == 0) _exit(3);
  ended("has exited", child);
  if ((child = fork()) == 0) {
    pthread_create(&t, NULL, ends_first, NULL);
    syscall(SYS_exit, 2);
  }
  ended("a process whose first thread ended before", child);
  in_child(user);
}
