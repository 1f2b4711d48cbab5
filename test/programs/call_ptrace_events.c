/* ptrace(2): events of fork, vfork, clone, exec and exit; threads that are traced; tracers that are killed. */
// flags: -pthread
#include "traced.h"
#include <pthread.h>
#include <poll.h>
#include <sched.h>

#define ALL (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT)
static void forever(void) { for (;;) pause(); }

static void until(pid_t pid, char state) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  for (;;) {
    char *end = strrchr(text_of(path), ')');
    if (!end || end[2] == state) return;
    poll(NULL, 0, 1);
  }
}

/* The event message, which is a process. */
static pid_t message(const char *what, pid_t pid) {
  unsigned long m = 0;
  if (trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&m)) is(what, -1);
  return m;
}
static void registers_of(pid_t pid) {
  registers r;
  get_registers(pid, &r);
  printf("  a0 %ld a7 %lu\n", (long)r.r[A0] < 0 ? (long)r.r[A0] : r.r[A0] > 0, r.r[A7]);
}

static void forks(void) {
  pid_t pid = fork();
  if (pid == 0) _exit(3);
  int how;
  printf("  fork's child: %d\n", waitpid(pid, &how, 0) == pid ? WEXITSTATUS(how) : -1);
}
static void vforks(void) {
  pid_t pid = vfork();
  if (pid == 0) _exit(4);
  int how;
  printf("  vfork's child: %d\n", waitpid(pid, &how, 0) == pid ? WEXITSTATUS(how) : -1);
}
static long plain_clone(unsigned long flags) {
  return syscall(SYS_clone, flags, 0, 0, 0, 0);
}
static void clones(void) {
  pid_t pid = plain_clone(0);
  if (pid == 0) _exit(5);
  int how;
  printf("  clone's child: %d\n", waitpid(pid, &how, __WCLONE) == pid ? WEXITSTATUS(how) : -1);
  pid = plain_clone(SIGCHLD | 0x800000 /* CLONE_UNTRACED */);
  if (pid == 0) _exit(6);
  printf("  untraced child: %d\n", waitpid(pid, &how, 0) == pid ? WEXITSTATUS(how) : -1);
}

static pid_t begin(void (*f)(void), unsigned long options) {
  pid_t pid = child_of(forever);
  until(pid, 'S');
  finish(pid);
  traced_function = f;
  pid = traced_child(f);
  ask("SETOPTIONS", PTRACE_SETOPTIONS, pid, 0, options);
  return pid;
}

static void fork_events(void) {
  puts("fork");
  pid_t pid = begin(forks, ALL);
  resume(pid, 0);
  hear("parent", pid, 0);
  pid_t child = message("message", pid);
  info("", pid); registers_of(pid);
  hear("child", child, 0); info("", child); registers_of(child);
  printf("  options are inherited: %ld\n", message("message", child));
  resume(pid, 0); resume(child, 0);
  hear("child", child, 0); printf("  message %#x\n", message("message", child)); info("", child); registers_of(child);
  resume(child, 0);
  hear("child", child, 0);
  hear("parent", pid, 0); /* SIGCHLD */
  resume(pid, 0);
  hear("parent", pid, 0);
  resume(pid, 0);
  hear("parent", pid, 0);
}

static void vfork_events(void) {
  puts("vfork");
  pid_t pid = begin(vforks, ALL & ~PTRACE_O_TRACEEXIT);
  resume(pid, 0);
  hear("parent", pid, 0);
  pid_t child = message("message", pid);
  info("", pid); registers_of(pid);
  hear("child", child, 0); registers_of(child);
  resume(pid, 0); until(pid, 'D');
  hear("parent waits", pid, WNOHANG);
  resume(child, 0);
  hear("child", child, 0);
  hear("parent", pid, 0); printf("  message is the child %d\n", message("message", pid) == child); registers_of(pid);
  resume(pid, 0);
  int how = hear("parent", pid, 0);
  if (WIFSTOPPED(how)) { resume(pid, 0); hear("parent", pid, 0); }
  puts("vfork that is stopped until its child has ended");
  pid = begin(vforks, PTRACE_O_TRACEVFORK);
  resume(pid, 0);
  hear("parent", pid, 0);
  child = message("message", pid);
  hear("child", child, 0);
  resume(child, 0);
  hear("child", child, 0);
  resume(pid, 0);
  how = hear("parent", pid, 0);
  if (WIFSTOPPED(how)) { resume(pid, 0); hear("parent", pid, 0); }
}

static void clone_events(void) {
  puts("clone");
  pid_t pid = begin(clones, ALL & ~PTRACE_O_TRACEEXIT);
  resume(pid, 0);
  hear("parent", pid, 0);
  pid_t child = message("message", pid);
  hear("child", child, 0);
  ask("DETACH", PTRACE_DETACH, child, 0, 0);
  resume(pid, 0);
  for (int how; (how = hear("parent", pid, 0)) > 0 && WIFSTOPPED(how);) resume(pid, 0);
  puts("without options");
  pid = begin(forks, 0);
  resume(pid, 0);
  for (int how; (how = hear("parent", pid, 0)) > 0 && WIFSTOPPED(how);) resume(pid, 0);
}

static void seized_fork(void) {
  puts("seized");
  pid_t pid = child_of(forever);
  until(pid, 'S');
  finish(pid);
  int p[2];
  if (pipe(p)) return;
  fflush(stdout);
  pid = fork();
  if (pid == 0) { char c; if (read(p[0], &c, 1) != 1) _exit(1); forks(); _exit(0); }
  ask("SEIZE", PTRACE_SEIZE, pid, 0, ALL);
  if (write(p[1], "x", 1) != 1) puts("no write");
  hear("parent", pid, 0);
  pid_t child = message("message", pid);
  hear("child", child, 0); info("", child); registers_of(child);
  ask("LISTEN", PTRACE_LISTEN, child, 0, 0);
  ask("INTERRUPT", PTRACE_INTERRUPT, child, 0, 0);
  hear("child", child, 0);
  resume(child, 0);
  hear("child", child, 0);
  ask("DETACH at its end", PTRACE_DETACH, child, 0, 0);
  ask("DETACH", PTRACE_DETACH, pid, 0, 0);
  hear("parent", pid, 0);
}

static char self[256];
static void execs(void) { execl(self, self, "executed", (char *)NULL); }
static void exec_events(void) {
  puts("exec");
  pid_t pid = begin(execs, ALL | PTRACE_O_TRACESYSGOOD);
  resume(pid, 0);
  hear("child", pid, 0); printf("  message is itself %d\n", message("message", pid) == pid); info("", pid); registers_of(pid);
  to_call(pid, 0);
  hear("child", pid, 0); registers_of(pid);
  resume(pid, 0);
  hear("child", pid, 0); printf("  message %#x\n", message("message", pid));
  resume(pid, 0);
  hear("child", pid, 0);
  puts("exec without options");
  pid = begin(execs, 0);
  resume(pid, 0);
  hear("child", pid, 0); info("", pid); registers_of(pid);
  resume(pid, 0);
  hear("child", pid, 0);
  puts("exec that fails");
  strcat(self, "x");
  pid = begin(execs, ALL & ~PTRACE_O_TRACEEXIT);
  self[strlen(self) - 1] = 0;
  resume(pid, 0);
  hear("child", pid, 0);
}

static void exits(void) { _exit(7); }
static void exit_events(void) {
  puts("exit");
  pid_t pid = begin(exits, PTRACE_O_TRACEEXIT);
  resume(pid, 0);
  hear("child", pid, 0); printf("  message %#x\n", message("message", pid)); registers_of(pid);
  kill(pid, SIGKILL);
  hear("nothing more", pid, WNOHANG);
  resume(pid, SIGTERM);
  hear("child", pid, 0);
  puts("killed");
  pid = begin(forever, PTRACE_O_TRACEEXIT);
  resume(pid, 0); until(pid, 'S');
  kill(pid, SIGKILL);
  hear("child", pid, 0); printf("  message %#x\n", message("message", pid));
  resume(pid, 0);
  hear("child", pid, 0);
  puts("ended by a signal");
  pid = begin(forever, PTRACE_O_TRACEEXIT);
  resume(pid, SIGTERM);
  hear("child", pid, 0);
  printf("  message %#x\n", message("message", pid));
  resume(pid, 0);
  hear("child", pid, 0);
}

/* Threads. */
static pid_t thread_of(pid_t pid, const char *what) {
  hear(what, pid, 0);
  return message("message", pid);
}
static void *thread_exits(void *x) { return x; }
static void threads(void) {
  pthread_t t;
  pthread_create(&t, NULL, thread_exits, NULL);
  pthread_join(t, NULL);
  kill(getpid(), SIGUSR1);
  _exit(2);
}
static void *sleeps(void *x) { for (;;) pause(); }
static void group_exit(void) {
  pthread_t t;
  pthread_create(&t, NULL, sleeps, NULL);
  _exit(8);
}
static void *thread_execs(void *x) { execs(); return x; }
static void exec_of_thread(void) {
  pthread_t t;
  pthread_create(&t, NULL, thread_execs, NULL);
  for (;;) pause();
}

static void thread_events(void) {
  puts("threads");
  pid_t pid = begin(threads, PTRACE_O_TRACECLONE);
  resume(pid, 0);
  pid_t thread = thread_of(pid, "first");
  hear("thread, not among clones only", thread, 0);
  resume(pid, 0); /* it may hold a lock that the end of a thread takes */
  resume(thread, 0);
  hear("thread", thread, __WALL);
  hear("thread, once", thread, __WALL);
  hear("first", pid, 0);
  resume(pid, 0);
  hear("first", pid, 0);
  puts("exit_group");
  pid = begin(group_exit, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT);
  resume(pid, 0);
  thread = thread_of(pid, "first");
  hear("thread", thread, __WALL);
  resume(thread, 0);
  resume(pid, 0);
  hear("first", pid, 0); printf("  message %#x\n", message("message", pid));
  hear("thread", thread, __WALL); printf("  message %#x\n", message("message", thread));
  resume(pid, 0); until(pid, 'Z');
  hear("first waits for the thread", pid, WNOHANG);
  resume(thread, 0);
  hear("thread", thread, __WALL);
  hear("first", pid, 0);
  puts("exec of a thread");
  pid = begin(exec_of_thread, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC);
  resume(pid, 0);
  thread = thread_of(pid, "first");
  hear("thread", thread, __WALL);
  resume(pid, 0); until(pid, 'S');
  resume(thread, 0);
  hear("first", pid, 0);
  printf("  message is the thread %d\n", message("message", pid) == thread);
  hear("thread", thread, __WALL | WNOHANG);
  resume(pid, 0);
  hear("first", pid, 0);
}

/* A tracer that is killed takes its tracees with it. */
static int numbers[2];
static void kills_with(void) {
  pid_t pid = child_of(forever);
  trace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL);
  if (write(numbers[1], &pid, sizeof pid) != sizeof pid) puts("no write");
  forever();
}
static void exit_kill(void) {
  pid_t pid = 0;
  if (pipe(numbers)) return;
  pid_t tracer = child_of(kills_with);
  if (read(numbers[0], &pid, sizeof pid) != sizeof pid) puts("no read");
  kill(tracer, SIGKILL);
  hear("tracer", tracer, 0);
  while (kill(pid, 0) == 0) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    char *end = strrchr(text_of(path), ')');
    if (!end || end[2] == 'Z') break;
    poll(NULL, 0, 1);
  }
  puts("tracee is gone");
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "executed") == 0) return 42;
  setvbuf(stdout, NULL, _IONBF, 0);
  alarm(30); /* a wait for what does not come */
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 2);
  self[n > 0 ? n : 0] = 0;
  fork_events();
  vfork_events();
  clone_events();
  seized_fork();
  exec_events();
  exit_events();
  thread_events();
  exit_kill();
}
