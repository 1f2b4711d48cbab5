/* ptrace(2): its requests on a stopped child, and what it refuses. */
#include "traced.h"
#include <sys/prctl.h>

static volatile long word = 0x1122334455667788;
static void nothing(void) {}
static void forever(void) { for (;;) pause(); }

static void errors(void) {
  ask("no such process", PTRACE_CONT, 999999, 0, 0);
  ask("number 0", PTRACE_CONT, 0, 0, 0);
  ask("number -1", PTRACE_ATTACH, -1, 0, 0);
  ask("oneself", PTRACE_ATTACH, getpid(), 0, 0);
  pid_t child = child_of(forever);
  ask("a child that is not traced", PTRACE_CONT, child, 0, 0);
  ask("unknown request, not traced", 12345, child, 0, 0);
  ask("SEIZE with an address", PTRACE_SEIZE, child, 8, 0);
  ask("SEIZE with unknown options", PTRACE_SEIZE, child, 0, 0x100);
  ask("SEIZE with high options", PTRACE_SEIZE, child, 0, 1UL << 40);
  ask("SEIZE of nobody, with an address", PTRACE_SEIZE, 999999, 8, 0);
  ask("SEIZE", PTRACE_SEIZE, child, 0, PTRACE_O_EXITKILL);
  ask("twice", PTRACE_SEIZE, child, 0, 0);
  ask("and ATTACH", PTRACE_ATTACH, child, 0, 0);
  ask("CONT of one that runs", PTRACE_CONT, child, 0, 0);
  ask("PEEKDATA of one that runs", PTRACE_PEEKDATA, child, (unsigned long)&word, 0);
  ask("unknown request of one that runs", 12345, child, 0, 0);
  ask("KILL of one that runs", PTRACE_KILL, child, 0, 0);
  hear("killed", child, 0);
  ask("of one that is gone", PTRACE_CONT, child, 0, 0);
  child = child_of(nothing);
  siginfo_t si;
  waitid(P_PID, child, &si, WEXITED | WNOWAIT);
  ask("ATTACH to a zombie", PTRACE_ATTACH, child, 0, 0);
  ask("SEIZE a zombie", PTRACE_SEIZE, child, 0, 0);
  hear("zombie", child, 0);
}

static void peeks(pid_t pid) {
  long got = 0;
  ask("PEEKDATA", PTRACE_PEEKDATA, pid, (unsigned long)&word, (unsigned long)&got);
  printf("  %lx\n", got);
  ask("PEEKTEXT unaligned", PTRACE_PEEKTEXT, pid, (unsigned long)&word + 1, (unsigned long)&got);
  printf("  %lx\n", got & 0xffffffffffffff);
  ask("PEEKDATA at 0", PTRACE_PEEKDATA, pid, 0, (unsigned long)&got);
  ask("PEEKDATA at the end", PTRACE_PEEKDATA, pid, END - 4, (unsigned long)&got);
  ask("PEEKDATA of the kernel", PTRACE_PEEKDATA, pid, TOP, (unsigned long)&got);
  ask("PEEKDATA to nowhere", PTRACE_PEEKDATA, pid, (unsigned long)&word, 8);
  ask("POKEDATA", PTRACE_POKEDATA, pid, (unsigned long)&word, 42);
  ask("POKETEXT", PTRACE_POKETEXT, pid, (unsigned long)&word + 8 * 0, 43);
  ask("POKEDATA at 0", PTRACE_POKEDATA, pid, 0, 1);
  ask("PEEKDATA", PTRACE_PEEKDATA, pid, (unsigned long)&word, (unsigned long)&got);
  printf("  %lx, here %lx\n", got, word);
  ask("PEEKUSR", PTRACE_PEEKUSR, pid, 0, (unsigned long)&got);
  ask("POKEUSR", PTRACE_POKEUSR, pid, 0, 0);
}

static void register_sets(pid_t pid) {
  registers r, again;
  struct iovec v = {&r, sizeof r};
  unsigned long at = (unsigned long)&v;
  ask("GETREGSET", PTRACE_GETREGSET, pid, NT_PRSTATUS, at);
  printf("  %zu bytes, pc %s, sp %s, a7 %lu\n", v.iov_len, r.r[0] ? "there" : "0", r.r[SP] ? "there" : "0", r.r[A7]);
  v.iov_len = 1024;
  char large[1024];
  v.iov_base = large;
  ask("more than there is", PTRACE_GETREGSET, pid, NT_PRSTATUS, at);
  printf("  %zu bytes\n", v.iov_len);
  v.iov_len = 8;
  ask("the first", PTRACE_GETREGSET, pid, NT_PRSTATUS, at);
  printf("  %zu bytes\n", v.iov_len);
  v.iov_len = 0;
  ask("none", PTRACE_GETREGSET, pid, NT_PRSTATUS, at);
  v.iov_len = 12;
  ask("half a register", PTRACE_GETREGSET, pid, NT_PRSTATUS, at);
  v.iov_len = 264;
  ask("NT_PRFPREG", PTRACE_GETREGSET, pid, NT_PRFPREG, at);
  printf("  %zu bytes\n", v.iov_len);
  ask("set NT_PRFPREG", PTRACE_SETREGSET, pid, NT_PRFPREG, at);
  v.iov_len = 1024;
  ask("large NT_PRFPREG", PTRACE_GETREGSET, pid, NT_PRFPREG, at);
  printf("  %zu bytes\n", v.iov_len);
  v.iov_len = 1024;
  ask("vector registers", PTRACE_GETREGSET, pid, 0x900, at);
  ask("no such set", PTRACE_GETREGSET, pid, 0x999, at);
  ask("set 0", PTRACE_GETREGSET, pid, 0, at);
  ask("iovec nowhere", PTRACE_GETREGSET, pid, NT_PRSTATUS, 8);
  v.iov_base = (void *)8; v.iov_len = 256;
  ask("to nowhere", PTRACE_GETREGSET, pid, NT_PRSTATUS, at);
  ask("from nowhere", PTRACE_SETREGSET, pid, NT_PRSTATUS, at);
  r.r[9] = 0x123456789abcdef0;
  printf("set %ld", set_registers(pid, &r));
  get_registers(pid, &again);
  printf(", the same %d\n", memcmp(&r, &again, sizeof r) == 0);
  unsigned long f[33];
  v.iov_base = f; v.iov_len = sizeof f;
  trace(PTRACE_GETREGSET, pid, NT_PRFPREG, at);
  f[8] = 0x4008000000000000; f[32] = 0xffffffff000000e5;
  ask("set f8 and fcsr", PTRACE_SETREGSET, pid, NT_PRFPREG, at);
  memset(f, 0, sizeof f);
  trace(PTRACE_GETREGSET, pid, NT_PRFPREG, at);
  printf("  f8 %lx fcsr %lx\n", f[8], f[32] & 0xffffffff);
  ask("GETREGS", 12, pid, 0, (unsigned long)&r);
  ask("GETFPREGS", 14, pid, 0, (unsigned long)&r);
}

static void masks(pid_t pid) {
  unsigned long set = 0;
  ask("GETSIGMASK", PTRACE_GETSIGMASK, pid, 8, (unsigned long)&set);
  printf("  %lx\n", set);
  ask("GETSIGMASK of 4 bytes", PTRACE_GETSIGMASK, pid, 4, (unsigned long)&set);
  ask("GETSIGMASK to nowhere", PTRACE_GETSIGMASK, pid, 8, 8);
  set = ~0UL;
  ask("SETSIGMASK", PTRACE_SETSIGMASK, pid, 8, (unsigned long)&set);
  trace(PTRACE_GETSIGMASK, pid, 8, (unsigned long)&set);
  printf("  %lx\n", set);
  ask("SETSIGMASK of 16 bytes", PTRACE_SETSIGMASK, pid, 16, (unsigned long)&set);
  ask("SETSIGMASK from nowhere", PTRACE_SETSIGMASK, pid, 8, 8);
  set = 0;
  trace(PTRACE_SETSIGMASK, pid, 8, (unsigned long)&set);
}

static void peek_pending(const char *what, pid_t pid, unsigned long from, unsigned flags, int count) {
  struct ptrace_peeksiginfo_args args = {from, flags, count};
  siginfo_t si[4];
  memset(si, 0, sizeof si);
  long r = trace(PTRACE_PEEKSIGINFO, pid, (unsigned long)&args, (unsigned long)si);
  is(what, r);
  for (int i = 0; i < r; i++) printf("  %d value %d\n", si[i].si_signo, si[i].si_value.sival_int);
}

static void pending(pid_t pid) {
  unsigned long set = ~0UL;
  trace(PTRACE_SETSIGMASK, pid, 8, (unsigned long)&set);
  for (int i = 0; i < 3; i++) sigqueue(pid, SIGRTMIN, (union sigval){.sival_int = 10 + i});
  sigqueue(pid, SIGUSR1, (union sigval){.sival_int = 20});
  peek_pending("PEEKSIGINFO own", pid, 0, 0, 4);
  peek_pending("PEEKSIGINFO shared", pid, 0, 1, 4);
  peek_pending("from the second", pid, 1, 1, 2);
  peek_pending("beyond", pid, 9, 1, 2);
  peek_pending("none", pid, 0, 1, 0);
  peek_pending("unknown flags", pid, 0, 2, 1);
  peek_pending("-1 of them", pid, 0, 1, -1);
  ask("from nowhere", PTRACE_PEEKSIGINFO, pid, 8, 8);
}

static void options(pid_t pid) {
  unsigned long message = 99;
  ask("SETOPTIONS all", PTRACE_SETOPTIONS, pid, 0, 0xff | PTRACE_O_EXITKILL);
  ask("SETOPTIONS unknown", PTRACE_SETOPTIONS, pid, 0, 0x100);
  ask("SETOPTIONS high", PTRACE_SETOPTIONS, pid, 0, 1UL << 33);
  ask("SUSPEND_SECCOMP", PTRACE_SETOPTIONS, pid, 0, 1 << 21);
  ask("SETOPTIONS none", PTRACE_SETOPTIONS, pid, 0, 0);
  ask("GETEVENTMSG", PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&message);
  printf("  %lu\n", message);
  ask("GETEVENTMSG to nowhere", PTRACE_GETEVENTMSG, pid, 0, 8);
}

static void others(pid_t pid) {
  char bytes[128];
  unsigned long at = (unsigned long)bytes;
  memset(bytes, 1, sizeof bytes);
  ask("INTERRUPT without SEIZE", PTRACE_INTERRUPT, pid, 0, 0);
  ask("LISTEN without SEIZE", PTRACE_LISTEN, pid, 0, 0);
  ask("SINGLESTEP", PTRACE_SINGLESTEP, pid, 0, 0);
  ask("SYSEMU_SINGLESTEP", 32, pid, 0, 0);
  ask("SYSEMU with signal 65", 31, pid, 0, 65);
  ask("SINGLESTEP with signal 65", PTRACE_SINGLESTEP, pid, 0, 65);
  ask("SINGLEBLOCK", 33, pid, 0, 0);
  ask("signal 65", PTRACE_CONT, pid, 0, 65);
  ask("signal -1", PTRACE_CONT, pid, 0, -1UL);
  ask("DETACH with signal 65", PTRACE_DETACH, pid, 0, 65);
  ask("GET_SYSCALL_INFO", PTRACE_GET_SYSCALL_INFO, pid, sizeof bytes, at);
  printf("  op %d pad %d%d%d arch %x\n", bytes[0], bytes[1], bytes[2], bytes[3], *(unsigned *)(bytes + 4));
  ask("GET_SYSCALL_INFO of 4 bytes", PTRACE_GET_SYSCALL_INFO, pid, 4, at);
  ask("GET_SYSCALL_INFO of none", PTRACE_GET_SYSCALL_INFO, pid, 0, 8);
  ask("GET_SYSCALL_INFO to nowhere", PTRACE_GET_SYSCALL_INFO, pid, 24, 8);
  ask("SECCOMP_GET_FILTER", PTRACE_SECCOMP_GET_FILTER, pid, 0, at);
  ask("SECCOMP_GET_METADATA", PTRACE_SECCOMP_GET_METADATA, pid, 16, at);
  ask("GET_SYSCALL_USER_DISPATCH_CONFIG", 0x4211, pid, 32, at);
  printf("  mode %d\n", bytes[0]);
  ask("of 8 bytes", 0x4211, pid, 8, at);
  ask("SET_SYSCALL_USER_DISPATCH_CONFIG", 0x4210, pid, 32, at);
  ask("of 8 bytes", 0x4210, pid, 8, at);
  ask("unknown", 12345, pid, 0, 0);
  ask("GETSIGINFO to nowhere", PTRACE_GETSIGINFO, pid, 0, 8);
  ask("SETSIGINFO from nowhere", PTRACE_SETSIGINFO, pid, 0, 8);
  ask("high request", (1L << 32) | PTRACE_CONT, pid, 0, 0);
}

static void traceme(void) {
  ask("TRACEME", PTRACE_TRACEME, 12345, 6, 7);
  ask("again", PTRACE_TRACEME, 0, 0, 0);
}

static void ptracer(void) {
  is("PR_SET_PTRACER 0", prctl(0x59616d61, 0, 0, 0, 0));
  is("PR_SET_PTRACER any", prctl(0x59616d61, -1UL, 0, 0, 0));
  is("PR_SET_PTRACER parent", prctl(0x59616d61, getppid(), 0, 0, 0));
  is("PR_SET_PTRACER nobody", prctl(0x59616d61, 999999, 0, 0, 0));
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  alarm(30); /* a wait for what does not come */
  errors();
  pid_t pid = traced_child(forever);
  info("GETSIGINFO", pid);
  peeks(pid);
  register_sets(pid);
  masks(pid);
  options(pid);
  others(pid);
  pending(pid);
  finish(pid);
  hear("TRACEME", child_of(traceme), 0);
  hear("PR_SET_PTRACER", child_of(ptracer), 0);
}
