/* PTRACE_SYSCALL, PTRACE_SYSEMU and PTRACE_GET_SYSCALL_INFO: stops before and after calls, what the tracer sees of them and can change. */
#include "traced.h"
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

static long call(long number, long a, long b, long c) {
  register long a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c, a7 asm("a7") = number;
  asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}

static long name(long number) { return number == -1 ? -1 : number; }

/* What the registers and PTRACE_GET_SYSCALL_INFO say at a stop. */
static unsigned long entry_pc;
static void show(pid_t pid) {
  registers r;
  struct ptrace_syscall_info i;
  memset(&i, 0, sizeof i);
  long bytes = trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, (unsigned long)&i);
  get_registers(pid, &r);
  printf("  a0 %ld a1 %ld a7 %ld; %ld bytes, op %d", (long)r.r[A0], (long)r.r[A0 + 1], name(r.r[A7]), bytes, i.op);
  if (i.op == PTRACE_SYSCALL_INFO_ENTRY) {
    entry_pc = r.r[0];
    printf(" number %lld of %lld %lld %lld", (long long)i.entry.nr, (long long)i.entry.args[0], (long long)i.entry.args[1], (long long)i.entry.args[2]);
  }
  if (i.op == PTRACE_SYSCALL_INFO_EXIT)
    printf(" pc %+ld result %lld error %d", (long)(r.r[0] - entry_pc), (long long)i.exit.rval, i.exit.is_error);
  printf(" pc %s sp %s\n", i.instruction_pointer == r.r[0] ? "same" : "other", i.stack_pointer == r.r[SP] ? "same" : "other");
}

static void step(pid_t pid, int sig) {
  unsigned long message = 99;
  to_call(pid, sig);
  int how = hear("child", pid, 0);
  if (how < 0 || !WIFSTOPPED(how)) return;
  if (trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&message) == 0) printf("  message %lu", message);
  info("", pid);
  show(pid);
}

static void calls(void) {
  call(SYS_getuid, 1, 2, 3);
  call(SYS_getuid, 1, 2, 3);
  printf("dup(-1) %ld\n", call(SYS_dup, -1, 2, 3));
  printf("close changed to getsid(0): %d\n", call(SYS_close, 77, 0, 0) == getsid(0));
  printf("skipped %ld\n", call(SYS_close, 77, 0, 0));
  printf("skipped, with a result %ld\n", call(SYS_close, 77, 0, 0));
  printf("result changed %ld\n", call(SYS_close, 77, 0, 0));
  printf("second argument changed %ld\n", call(SYS_fcntl, 1, F_SETFD, 0));
  printf("unknown %ld\n", call(4000, 1, 2, 3));
}

/* From one stop at a call to the next. */
static void next(pid_t pid) { to_call(pid, 0); int how; waitpid(pid, &how, 0); }
static void next_of(pid_t pid, long number) {
  struct ptrace_syscall_info i;
  do {
    next(pid);
    memset(&i, 0, sizeof i);
    if (trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, (unsigned long)&i) < 0) { is("GET_SYSCALL_INFO", -1); return; }
  } while (i.op != PTRACE_SYSCALL_INFO_ENTRY || (long)i.entry.nr != number);
  entry_pc = i.instruction_pointer;
}
static void set_x(pid_t pid, int x, long value) {
  registers r;
  get_registers(pid, &r);
  r.r[x] = value;
  set_registers(pid, &r);
}

static void walk(void) {
  pid_t pid = traced_child(calls);
  puts("without TRACESYSGOOD");
  step(pid, 0);
  puts("with it");
  ask("SETOPTIONS", PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
  next_of(pid, SYS_getuid); puts("getppid"); show(pid); step(pid, 0);
  next_of(pid, SYS_dup); puts("dup"); show(pid); step(pid, 0);
  next_of(pid, SYS_close); puts("another call"); set_x(pid, A7, SYS_getsid); set_x(pid, A0, 0);
  show(pid); next(pid);
  registers r; get_registers(pid, &r); printf("  a0 of orig %ld\n", (long)r.r[A0]);
  set_x(pid, A0, getsid(0));
  next_of(pid, SYS_close); puts("skipped"); set_x(pid, A7, -1); step(pid, 0);
  next_of(pid, SYS_close); puts("skipped with a result"); set_x(pid, A7, -1); set_x(pid, A0, 123); step(pid, 0);
  next_of(pid, SYS_close); puts("result"); next(pid); set_x(pid, A0, 456); show(pid);
  next_of(pid, SYS_fcntl); puts("argument"); set_x(pid, A0 + 1, F_GETFD); step(pid, 0);
  next_of(pid, 4000); puts("unknown"); show(pid); step(pid, 0);
  next_of(pid, SYS_exit_group); puts("exit"); step(pid, 0);
}

static void emulated(void) {
  printf("emulated %ld\n", call(SYS_close, 77, 0, 0));
  printf("emulated %ld\n", call(SYS_close, 77, 0, 0));
  printf("made %ld\n", call(SYS_dup, 77, 0, 0));
}

static void emulate(void) {
  pid_t pid = traced_child(emulated);
  ask("SETOPTIONS", PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
  next_of(pid, SYS_close);
  kill(pid, SIGKILL);
  hear("killed at a call", pid, 0);
  pid = traced_child(emulated);
  trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
  ask("SYSEMU", 31, pid, 0, 0);
  hear("child", pid, 0);
  show(pid);
  set_x(pid, A0, 11);
  to_call(pid, 0);
  hear("child", pid, 0);
  show(pid);
  next_of(pid, SYS_close); /* the second */
  ask("SYSEMU", 31, pid, 0, 0);
  while (hear("child", pid, 0) > 0) {
    struct ptrace_syscall_info i;
    trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, (unsigned long)&i);
    if (i.op == PTRACE_SYSCALL_INFO_ENTRY && i.entry.nr == SYS_dup) break;
    if (trace(PTRACE_SYSCALL, pid, 0, 0)) break;
    if (i.entry.nr == SYS_exit_group) continue;
    hear("child", pid, 0);
    trace(31, pid, 0, 0);
  }
  finish(pid);
}

static int pipe_of[2];
static void handler(int sig) { printf("handler %d\n", sig); }
static void interrupted(void) {
  char byte;
  struct sigaction sa = {.sa_handler = handler};
  sigaction(SIGUSR1, &sa, NULL);
  sa.sa_flags = SA_RESTART;
  sigaction(SIGUSR2, &sa, NULL);
  printf("read %ld\n", call(SYS_read, pipe_of[0], (long)&byte, 1));
  printf("read again %ld\n", call(SYS_read, pipe_of[0], (long)&byte, 1));
  struct timespec t = {1000, 0};
  printf("sleep %ld\n", call(SYS_nanosleep, (long)&t, 0, 0));
  printf("sleep given up %ld\n", call(SYS_nanosleep, (long)&t, 0, 0));
}

/* The child is to be in its call before it is disturbed. */
static void in_call(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  for (;;) {
    char *state = strrchr(text_of(path), ')');
    if (state && state[2] == 'S') return;
    poll(NULL, 0, 1);
  }
}

static void show_restart(pid_t pid) {
  registers r;
  struct ptrace_syscall_info i;
  memset(&i, 0, sizeof i);
  trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, (unsigned long)&i);
  get_registers(pid, &r);
  long a0 = r.r[A0];
  printf("  op %d a0 %s%ld a7 %ld pc %+ld\n", i.op, a0 > 1000 ? "address" : "", a0 > 1000 ? 0 : a0, (long)r.r[A7], (long)(r.r[0] - entry_pc));
}

static void restarts(void) {
  if (pipe(pipe_of)) return;
  pipe_of[0] = dup2(pipe_of[0], 50); pipe_of[1] = dup2(pipe_of[1], 51);
  pid_t pid = traced_child(interrupted);
  trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
  next_of(pid, SYS_read);
  registers r;
  puts("a signal without SA_RESTART");
  to_call(pid, 0); in_call(pid); kill(pid, SIGUSR1);
  hear("child", pid, 0); show_restart(pid);
  to_call(pid, 0); hear("child", pid, 0); show_restart(pid);
  to_call(pid, SIGUSR1);
  hear("child", pid, 0);
  next_of(pid, SYS_read);
  puts("a signal that is not delivered");
  to_call(pid, 0); in_call(pid); kill(pid, SIGUSR1);
  hear("child", pid, 0); show_restart(pid);
  to_call(pid, 0); hear("child", pid, 0); show_restart(pid);
  to_call(pid, 0); hear("child", pid, 0); show_restart(pid);
  puts("a signal with SA_RESTART");
  to_call(pid, 0); in_call(pid); kill(pid, SIGUSR2);
  hear("child", pid, 0); show_restart(pid);
  to_call(pid, 0); hear("child", pid, 0); show_restart(pid);
  to_call(pid, SIGUSR2);
  hear("child", pid, 0);
  next_of(pid, SYS_read); show_restart(pid);
  if (write(pipe_of[1], "x", 1) != 1) puts("no write");
  to_call(pid, 0); hear("child", pid, 0); show_restart(pid);
  next_of(pid, SYS_nanosleep);
  puts("a sleep and a signal that is not delivered");
  to_call(pid, 0); in_call(pid); kill(pid, SIGUSR1);
  hear("child", pid, 0); show_restart(pid);
  to_call(pid, 0); hear("child", pid, 0); show_restart(pid);
  to_call(pid, 0); hear("child", pid, 0); show_restart(pid);
  puts("and one that is");
  to_call(pid, 0); in_call(pid); kill(pid, SIGUSR1);
  hear("child", pid, 0); show_restart(pid);
  to_call(pid, 0); hear("child", pid, 0); show_restart(pid);
  to_call(pid, SIGUSR1);
  hear("child", pid, 0);
  next_of(pid, SYS_nanosleep);
  puts("a result instead of the restart");
  to_call(pid, 0); in_call(pid); kill(pid, SIGUSR1);
  hear("child", pid, 0);
  set_x(pid, A0, 5);
  to_call(pid, 0); hear("child", pid, 0);
  get_registers(pid, &r); printf("  a0 %ld\n", (long)r.r[A0]);
  resume(pid, 0);
  hear("child", pid, 0);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  alarm(30); /* a wait for what does not come */
  walk();
  emulate();
  restarts();
}
