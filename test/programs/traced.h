/* What the programs share that trace others: what a wait hears, in words and without numbers of processes, and requests of ptrace(2). */
#ifndef TRACED_H
#define TRACED_H
#include "call.h"
#include <elf.h>
#include <linux/ptrace.h>
#include <sys/uio.h>

#define RA 1
#define SP 2
#define A0 10
#define A7 17
/* pc, then x1 to x31. */
typedef struct { unsigned long r[32]; } registers;

static long trace(long request, pid_t pid, unsigned long addr, unsigned long data) {
  return syscall(SYS_ptrace, request, pid, addr, data);
}

static void ask(const char *what, long request, pid_t pid, unsigned long addr, unsigned long data) {
  is(what, trace(request, pid, addr, data));
}

static void resume(pid_t pid, int sig) { if (trace(PTRACE_CONT, pid, 0, sig)) is("  CONT", -1); }
static void to_call(pid_t pid, int sig) { if (trace(PTRACE_SYSCALL, pid, 0, sig)) is("  SYSCALL", -1); }

static long get_registers(pid_t pid, registers *r) {
  struct iovec v = {r, sizeof *r};
  return trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&v);
}

static long set_registers(pid_t pid, registers *r) {
  struct iovec v = {r, sizeof *r};
  return trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, (unsigned long)&v);
}

static void describe(const char *who, int how) {
  printf("%s: ", who);
  if (WIFEXITED(how)) printf("exited %d\n", WEXITSTATUS(how));
  else if (WIFSIGNALED(how)) printf("killed by %d\n", WTERMSIG(how));
  else if (WIFCONTINUED(how)) printf("continued\n");
  else if (how >> 16) printf("event %d with signal %d\n", how >> 16, WSTOPSIG(how));
  else if (WSTOPSIG(how) == (SIGTRAP | 0x80)) printf("at a call\n");
  else printf("stopped by %d\n", WSTOPSIG(how));
}

/* Waits for one and says what happened. */
static int hear(const char *who, pid_t pid, int options) {
  int how = 0;
  pid_t r = waitpid(pid, &how, options);
  if (r < 0) printf("%s: %s\n", who, errno_name(errno));
  else if (r == 0) printf("%s: nothing\n", who);
  else if (r != pid && pid > 0) printf("%s: another one\n", who);
  else describe(who, how);
  return r > 0 ? how : -1;
}

/* siginfo_t of the stop: signal, code, and whether it names this process. */
static void info(const char *what, pid_t pid) {
  siginfo_t si;
  memset(&si, 0, sizeof si);
  if (trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si)) { is(what, -1); return; }
  printf("%s: signal %d code %#x from %s\n", what, si.si_signo, si.si_code,
         si.si_pid == pid ? "itself" : si.si_pid == getpid() ? "its tracer" : si.si_pid ? "another" : "0");
}

/* A child that runs f; it ends with 0. */
static pid_t child_of(void (*f)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) { f(); fflush(stdout); _exit(0); }
  return pid;
}

/* As child_of, traced by its parent and stopped by SIGSTOP. */
static void (*traced_function)(void);
static void begin_traced(void) {
  if (trace(PTRACE_TRACEME, 0, 0, 0)) is("TRACEME", -1);
  syscall(SYS_kill, getpid(), SIGSTOP); /* raise makes more calls afterwards */
  traced_function();
}
static pid_t traced_child(void (*f)(void)) {
  traced_function = f;
  pid_t pid = child_of(begin_traced);
  int how;
  if (waitpid(pid, &how, 0) != pid || !WIFSTOPPED(how) || WSTOPSIG(how) != SIGSTOP) puts("child did not stop");
  return pid;
}

static void finish(pid_t pid) {
  int how;
  kill(pid, SIGKILL);
  while (waitpid(pid, &how, __WALL) == pid && !WIFEXITED(how) && !WIFSIGNALED(how)) ;
}
#endif
