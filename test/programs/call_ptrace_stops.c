/* ptrace(2): stops for signals and of job control, PTRACE_ATTACH, SEIZE, INTERRUPT, LISTEN and DETACH, and what the parent hears. */
#include "traced.h"
#include <poll.h>
#include <sys/prctl.h>

static void forever(void) { for (;;) pause(); }

/* The letter of /proc/PID/stat, and who traces it. */
static char state_of(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  char *end = strrchr(text_of(path), ')');
  return end ? end[2] : '-';
}
static void until(pid_t pid, char state) { while (state_of(pid) != state) poll(NULL, 0, 1); }
static void state(const char *what, pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  char *text = text_of(path), *line = strstr(text, "State:"), *tracer = strstr(text, "TracerPid:");
  printf("%s: %.*s, traced %s\n", what, (int)strcspn(line + 7, "\n"), line + 7,
         atoi(tracer + 10) == getpid() ? "here" : atoi(tracer + 10) ? "elsewhere" : "by nobody");
}

static void report(int sig, siginfo_t *si, void *u) {
  printf("  handler %d code %d from %s value %d\n", sig, si->si_code, si->si_pid == getppid() ? "parent" : si->si_pid == 0 ? "0" : "another", si->si_value.sival_int);
}
static void with_handlers(void) {
  struct sigaction sa = {.sa_sigaction = report, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &sa, NULL);
  sigaction(SIGUSR2, &sa, NULL);
  signal(SIGHUP, SIG_IGN);
  raise(SIGWINCH);
  forever();
}

static void signals(void) {
  pid_t pid = traced_child(with_handlers);
  resume(pid, 0);
  hear("a signal that is ignored", pid, 0);
  resume(pid, SIGWINCH); until(pid, 'S');
  state("parked", pid);
  kill(pid, SIGUSR1);
  hear("USR1", pid, 0); info("", pid); state("stopped", pid);
  hear("nothing new", pid, WNOHANG);
  resume(pid, SIGUSR1); until(pid, 'S');
  kill(pid, SIGUSR1);
  hear("USR1", pid, 0);
  puts("becomes USR2");
  resume(pid, SIGUSR2); until(pid, 'S');
  kill(pid, SIGUSR1);
  hear("USR1", pid, 0);
  siginfo_t si;
  trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
  si.si_code = -1; si.si_value.sival_int = 77; si.si_pid = 0;
  ask("SETSIGINFO", PTRACE_SETSIGINFO, pid, 0, (unsigned long)&si);
  resume(pid, SIGUSR1); until(pid, 'S');
  kill(pid, SIGHUP);
  hear("HUP, which is ignored", pid, 0);
  puts("becomes USR1 that is blocked");
  unsigned long set = 1UL << (SIGUSR1 - 1);
  trace(PTRACE_SETSIGMASK, pid, 8, (unsigned long)&set);
  resume(pid, SIGUSR1); until(pid, 'S');
  kill(pid, SIGTERM);
  hear("TERM", pid, 0);
  kill(pid, SIGUSR2); kill(pid, SIGUSR2); sigqueue(pid, SIGRTMIN + 1, (union sigval){5});
  resume(pid, 0);
  hear("sent while stopped", pid, 0); info("", pid);
  resume(pid, 0);
  hear("and", pid, 0); info("", pid);
  resume(pid, SIGTERM);
  hear("ended", pid, 0);
  hear("gone", pid, 0);
}

static void waits(void) {
  pid_t pid = traced_child(forever);
  siginfo_t si;
  resume(pid, 0); until(pid, 'S');
  kill(pid, SIGINT);
  until(pid, 't');
  memset(&si, 0, sizeof si);
  printf("waitid %d:", waitid(P_PID, pid, &si, WSTOPPED | WNOWAIT));
  printf(" signal %d code %d status %d its %d\n", si.si_signo, si.si_code, si.si_status, si.si_pid == pid);
  printf("waitid of ends %d:", waitid(P_PID, pid, &si, WEXITED));
  printf(" code %d status %d\n", si.si_code, si.si_status);
  memset(&si, 0, sizeof si);
  printf("once more %d: code %d\n", waitid(P_PID, pid, &si, WSTOPPED | WNOHANG), si.si_code);
  resume(pid, 0); until(pid, 'S');
  kill(pid, SIGINT); until(pid, 't');
  hear("any child", -1, 0);
  resume(pid, 0); until(pid, 'S');
  kill(pid, SIGINT); until(pid, 't');
  hear("of clones", -1, __WCLONE);
  hear("of all", -1, __WALL | WNOHANG);
  resume(pid, 0);
  finish(pid);
}

static void on_child(int sig, siginfo_t *si, void *u) {
  printf("  SIGCHLD code %d status %d\n", si->si_code, si->si_status);
}
static void told(void) {
  struct sigaction sa = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGCHLD, &sa, NULL);
  pid_t pid = traced_child(forever);
  resume(pid, 0); until(pid, 'S');
  kill(pid, SIGINT); until(pid, 't');
  hear("told", pid, 0);
  puts("not told with SA_NOCLDSTOP");
  sa.sa_flags |= SA_NOCLDSTOP;
  sigaction(SIGCHLD, &sa, NULL);
  resume(pid, 0); until(pid, 'S');
  kill(pid, SIGINT); until(pid, 't');
  hear("told", pid, 0);
  resume(pid, SIGKILL);
  hear("told", pid, 0);
  signal(SIGCHLD, SIG_IGN);
  pid = child_of(begin_traced);
  hear("a tracee is kept, though SIGCHLD is ignored", pid, 0);
  resume(pid, SIGTERM);
  hear("its end", pid, 0);
  signal(SIGCHLD, SIG_DFL);
}

static void attached(void) {
  pid_t pid = child_of(forever);
  until(pid, 'S');
  ask("ATTACH", PTRACE_ATTACH, pid, 0, 0);
  hear("attached", pid, 0); info("", pid); state("attached", pid);
  ask("DETACH", PTRACE_DETACH, pid, 0, 0);
  until(pid, 'S'); state("detached", pid);
  ask("not any more", PTRACE_CONT, pid, 0, 0);
  trace(PTRACE_ATTACH, pid, 0, 0);
  hear("attached", pid, 0);
  ask("DETACH with SIGSTOP", PTRACE_DETACH, pid, 0, SIGSTOP);
  hear("stopped as a child", pid, WUNTRACED);
  state("stopped", pid);
  ask("ATTACH to a stopped one", PTRACE_ATTACH, pid, 0, 0);
  hear("attached", pid, 0); info("", pid); state("attached", pid);
  resume(pid, 0);
  hear("the stop of ATTACH", pid, 0); info("", pid);
  resume(pid, 0); until(pid, 'S');
  state("goes on, stopped or not", pid);
  hear("continued", pid, WNOHANG | WCONTINUED);
  kill(pid, SIGCONT);
  hear("SIGCONT", pid, 0); info("", pid);
  hear("continued too", pid, WNOHANG | WCONTINUED);
  resume(pid, SIGCONT); until(pid, 'S');
  kill(pid, SIGSTOP);
  hear("STOP", pid, 0); info("", pid);
  resume(pid, SIGSTOP);
  hear("group stop", pid, 0); info("", pid); state("group stop", pid);
  ask("DETACH", PTRACE_DETACH, pid, 0, 0);
  until(pid, 'T'); state("stays stopped", pid);
  kill(pid, SIGCONT); until(pid, 'S');
  hear("continued", pid, WCONTINUED);
  trace(PTRACE_ATTACH, pid, 0, 0);
  hear("attached", pid, 0);
  ask("DETACH with SIGTERM", PTRACE_DETACH, pid, 0, SIGTERM);
  hear("ended", pid, 0);
}

static void seized(void) {
  pid_t pid = child_of(forever);
  until(pid, 'S');
  ask("SEIZE", PTRACE_SEIZE, pid, 0, 0);
  hear("runs", pid, WNOHANG); state("runs", pid);
  ask("INTERRUPT", PTRACE_INTERRUPT, pid, 0, 0);
  hear("interrupted", pid, 0); info("", pid); state("interrupted", pid);
  ask("INTERRUPT again", PTRACE_INTERRUPT, pid, 0, 0);
  hear("nothing new", pid, WNOHANG);
  resume(pid, 0);
  hear("interrupted again", pid, 0); info("", pid);
  ask("LISTEN", PTRACE_LISTEN, pid, 0, 0);
  ask("CONT while it listens", PTRACE_CONT, pid, 0, 0);
  hear("nothing", pid, WNOHANG); state("listens", pid);
  ask("INTERRUPT", PTRACE_INTERRUPT, pid, 0, 0);
  hear("interrupted", pid, 0); info("", pid);
  resume(pid, 0); until(pid, 'S');
  kill(pid, SIGSTOP);
  hear("STOP", pid, 0); info("", pid);
  ask("LISTEN at a signal", PTRACE_LISTEN, pid, 0, 0);
  resume(pid, SIGSTOP);
  hear("group stop", pid, 0); info("", pid);
  ask("LISTEN", PTRACE_LISTEN, pid, 0, 0);
  hear("nothing", pid, WNOHANG);
  kill(pid, SIGCONT);
  hear("continues", pid, 0); info("", pid);
  resume(pid, 0);
  hear("and SIGCONT", pid, 0); info("", pid);
  resume(pid, SIGCONT); until(pid, 'S');
  kill(pid, SIGSTOP); hear("STOP", pid, 0);
  resume(pid, SIGSTOP); hear("group stop", pid, 0);
  resume(pid, 0); until(pid, 'S');
  state("goes on", pid);
  ask("INTERRUPT", PTRACE_INTERRUPT, pid, 0, 0);
  hear("a group stop again", pid, 0); info("", pid);
  kill(pid, SIGCONT);
  resume(pid, 0);
  hear("continues", pid, 0); info("", pid);
  resume(pid, 0); hear("SIGCONT", pid, 0);
  resume(pid, 0); until(pid, 'S');
  ask("DETACH one that runs", PTRACE_DETACH, pid, 0, 0);
  ask("INTERRUPT", PTRACE_INTERRUPT, pid, 0, 0);
  hear("interrupted", pid, 0);
  ask("DETACH", PTRACE_DETACH, pid, 0, 0);
  until(pid, 'S'); state("detached", pid);
  kill(pid, SIGSTOP); hear("stopped", pid, WUNTRACED);
  ask("SEIZE a stopped one", PTRACE_SEIZE, pid, 0, 0);
  hear("group stop", pid, 0); info("", pid);
  kill(pid, SIGKILL);
  hear("killed", pid, 0);
}

/* Somebody else traces our child: what do we hear? */
static int to_tracer[2], from_tracer[2];
static void give(int fd) { if (write(fd, "x", 1) != 1) puts("no write"); }
static void take(int fd) { char c; if (read(fd, &c, 1) != 1) puts("no read"); }
static pid_t target;
static void stranger(void) {
  ask("tracer: ATTACH", PTRACE_ATTACH, target, 0, 0);
  hear("tracer", target, 0);
  resume(target, SIGSTOP);
  hear("tracer, group stop", target, 0);
  give(from_tracer[1]); take(to_tracer[0]);
  kill(target, SIGCONT);
  resume(target, 0);
  hear("tracer, SIGCONT", target, 0);
  resume(target, SIGCONT);
  give(from_tracer[1]); take(to_tracer[0]);
  kill(target, SIGTERM);
  hear("tracer, TERM", target, 0);
  resume(target, SIGTERM); until(target, 'Z');
  give(from_tracer[1]); take(to_tracer[0]);
  hear("tracer, end", target, 0);
  hear("tracer, gone", target, 0);
  give(from_tracer[1]);
}

static void strangers(void) {
  if (pipe(to_tracer) || pipe(from_tracer)) return;
  target = child_of(forever);
  until(target, 'S');
  pid_t tracer = child_of(stranger);
  take(from_tracer[0]);
  hear("parent, group stop", target, WUNTRACED);
  hear("parent, once", target, WUNTRACED | WNOHANG);
  give(to_tracer[1]); take(from_tracer[0]);
  hear("parent, continued", target, WCONTINUED | WNOHANG);
  hear("parent, nothing", target, WNOHANG);
  give(to_tracer[1]); take(from_tracer[0]);
  hear("parent, before the tracer", target, WNOHANG);
  give(to_tracer[1]); take(from_tracer[0]);
  hear("parent, end", target, 0);
  hear("tracer", tracer, 0);
}

/* The tracer ends. */
static void deserter(void) {
  trace(PTRACE_SEIZE, target, 0, 0);
  trace(PTRACE_INTERRUPT, target, 0, 0);
  hear("tracer", target, 0);
}
static void killer(void) {
  trace(PTRACE_SEIZE, target, 0, PTRACE_O_EXITKILL);
}
static void silent(void) {
  trace(PTRACE_ATTACH, target, 0, 0);
  until(target, 't');
}
static void zombie_keeper(void) {
  trace(PTRACE_SEIZE, target, 0, 0);
  kill(target, SIGKILL);
  until(target, 'Z');
}
static void tracers_end(void) {
  target = child_of(forever); until(target, 'S');
  hear("tracer ends", child_of(deserter), 0);
  until(target, 'S'); state("goes on", target);
  hear("tracer that has not heard of the stop", child_of(silent), 0);
  hear("stopped", target, WUNTRACED);
  kill(target, SIGCONT);
  hear("tracer ends", child_of(killer), 0);
  hear("EXITKILL", target, 0);
  target = child_of(forever); until(target, 'S');
  hear("tracer of a zombie", child_of(zombie_keeper), 0);
  hear("the zombie", target, 0);
}

static void breakpoint(void) { asm volatile("ebreak"); puts("  past the breakpoint"); }
static void segv(void) { *(volatile int *)8 = 1; puts("  past the fault"); }
static void faults(void) {
  pid_t pid = traced_child(breakpoint);
  resume(pid, 0);
  hear("ebreak", pid, 0);
  siginfo_t si;
  registers r;
  trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
  get_registers(pid, &r);
  printf("  code %d at pc %d\n", si.si_code, (unsigned long)si.si_addr == r.r[0]);
  unsigned long code = 0;
  trace(PTRACE_PEEKTEXT, pid, r.r[0], (unsigned long)&code);
  r.r[0] += (code & 3) == 3 ? 4 : 2;
  set_registers(pid, &r);
  resume(pid, 0);
  hear("goes on", pid, 0);
  pid = traced_child(segv);
  resume(pid, 0);
  hear("fault", pid, 0);
  trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
  printf("  code %d at %lx\n", si.si_code, (unsigned long)si.si_addr);
  resume(pid, 0);
  hear("the same again", pid, 0);
  resume(pid, SIGSEGV);
  int how = hear("delivered", pid, 0);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  alarm(30); /* a wait for what does not come */
  signals();
  waits();
  told();
  attached();
  seized();
  strangers();
  tracers_end();
  faults();
}
