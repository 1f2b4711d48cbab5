/* PTRACE_PEEKDATA, POKEDATA and /proc/PID/mem on a tracee: whatever its memory's protection says, but not shared read-only, secret or device memory. */
#include "traced.h"

static void forever(void) { for (;;) pause(); }

static void peek(const char *what, pid_t pid, void *p) {
  unsigned long got = 0;
  if (trace(PTRACE_PEEKDATA, pid, (unsigned long)p, (unsigned long)&got)) is(what, -1);
  else printf("%s: %lx\n", what, got);
}
static void poke(const char *what, pid_t pid, void *p, unsigned long value) {
  ask(what, PTRACE_POKEDATA, pid, (unsigned long)p, value);
}
static int mem_of(pid_t pid, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  return open(path, flags);
}
static void mem(const char *what, pid_t pid, void *p) {
  int fd = mem_of(pid, O_RDWR);
  unsigned long word = 0;
  printf("%s mem: ", what);
  is("read", pread(fd, &word, 8, (off_t)(unsigned long)p));
  word++;
  printf("  then ");
  is("write", pwrite(fd, &word, 8, (off_t)(unsigned long)p));
  close(fd);
}

static int file, secret;
static char path[] = "/tmp/traced.XXXXXX";
static void maps_of_child(const char *what, pid_t pid) {
  char name[64], *line;
  snprintf(name, sizeof name, "/proc/%d/smaps", pid);
  printf("%s:", what);
  int in = 0;
  for (line = strtok(text_of(name), "\n"); line; line = strtok(NULL, "\n")) {
    unsigned long start;
    if (sscanf(line, "%lx-", &start) == 1 && strchr(line, '-') && strchr("rwxps-", line[strcspn(line, " ") + 1])) in = start >= (unsigned long)BASE && start < (unsigned long)AT(64);
    if (in && (!strncmp(line, "Anonymous:", 10) || !strncmp(line, "Rss:", 4))) printf(" %ld", atol(strchr(line, ':') + 1));
  }
  puts("");
}

static void prepare(void) {
  file = mkstemp(path);
  char page[8192];
  memset(page, 'f', sizeof page);
  if (write(file, page, sizeof page) != sizeof page) puts("no file");
  int ro = open(path, O_RDONLY);
  map(0, 1, RW, PRIV); memset(AT(0), 'a', PG);
  map(2, 1, RW, PRIV); memset(AT(2), 'a', PG); mprotect(AT(2), PG, PROT_READ);
  map(4, 1, PROT_NONE, PRIV);
  map(6, 1, RW, SHAR); memset(AT(6), 's', PG);
  map(8, 1, RW, SHAR); memset(AT(8), 's', PG); mprotect(AT(8), PG, PROT_READ);
  mmap(AT(10), PG, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
  mmap(AT(12), PG, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0);
  mmap(AT(14), PG, PROT_READ, MAP_SHARED | MAP_FIXED, ro, 0);
  mmap(AT(16), PG, PROT_NONE, MAP_SHARED | MAP_FIXED, file, 0);
  mmap(AT(18), 3 * PG, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
  map(22, 1, PROT_READ | PROT_WRITE | PROT_EXEC, PRIV);
  map(24, 1, PROT_READ, PRIV);
  map(26, 1, PROT_READ | PROT_EXEC, PRIV);
  map(30, 1, RW, PRIV); memset(AT(30), 'a', PG); mprotect(AT(30), PG, PROT_NONE);
  map(32, 1, PROT_NONE, PRIV);
  map(34, 1, RW, PRIV); memset(AT(34), 'a', PG); mprotect(AT(34), PG, PROT_NONE);
  map(36, 1, PROT_EXEC, PRIV);
  secret = syscall(447, 0);
  if (secret >= 0 && ftruncate(secret, PG) == 0) {
    mmap(AT(28), PG, RW, MAP_SHARED | MAP_FIXED, secret, 0);
    memset(AT(28), 'x', PG);
  }
}

static void each(pid_t pid) {
  static const struct { const char *what; int page; } of[] = {
    {"private", 0}, {"nothing", 1}, {"private, read-only", 2}, {"PROT_NONE", 4}, {"shared", 6}, {"shared, read-only", 8},
    {"file, private", 10}, {"file, shared read-only", 12}, {"file, shared, opened read-only", 14}, {"file, shared PROT_NONE", 16},
    {"end of file", 20}, {"untouched", 24}, {"secret", 28}, {"used, then PROT_NONE", 30}, {"executable", 36}};
  for (unsigned i = 0; i < sizeof of / sizeof *of; i++) {
    void *p = AT(of[i].page);
    printf("%s\n", of[i].what);
    peek("  peek", pid, p);
    poke("  poke", pid, p, 0x1111);
    peek("  peek", pid, p);
    mem(" ", pid, p);
    peek("  peek", pid, p);
  }
}

/* Looked at, and not written. */
static void only_read(pid_t pid) {
  peek("PROT_NONE, only read", pid, AT(32));
  peek("used, then PROT_NONE, only read", pid, AT(34));
}

static void crossing(pid_t pid) {
  peek("across two pages that are there", pid, AT(19) - 4);
  peek("across the end of a mapping", pid, AT(1) - 4);
  poke("poke across the end", pid, AT(1) - 4, 0x4444444444444444);
  peek("what is left of it", pid, AT(1) - 8);
  poke("poke across into read-only", pid, AT(18) + PG - 4, 0x5555555555555555);
  peek("done", pid, AT(19) - 4);
  int fd = mem_of(pid, O_RDONLY);
  char byte[16];
  is("mem across the end", pread(fd, byte, 16, (off_t)(unsigned long)(AT(1) - 8)));
  is("mem opened to read", pwrite(fd, byte, 1, (off_t)(unsigned long)AT(0)));
  close(fd);
}

static void what_it_sees(void) {
  printf("child: private %x, read-only %x, shared %x, file private %x, file shared %x\n", *(int *)AT(0), *(int *)AT(2), *(int *)AT(6), *(int *)AT(10), *(int *)AT(12));
  printf("child: writes read-only: %s\n", touch(AT(2), 1));
  static const int none[] = {4, 30, 32, 34, 36};
  for (int i = 0; i < 5; i++) printf("child: reads page %d: %s\n", none[i], touch(AT(none[i]), 0));
  printf("child: reads PROT_NONE: %s, end of file: %s\n", touch(AT(4), 0), touch(AT(20), 0));
}
static void stops_then_looks(void) {
  what_it_sees();
}

/* Code that the tracee has run before is changed under it. */
static int add_one(int x);
asm(".text\n.balign 4\n.option push\n.option norvc\nadd_one:\n addi a0, a0, 1\n ret\n.option pop\n");
static void runs_code(void) {
  long sum = 0;
  for (int i = 0; i < 100000; i++) sum += add_one(i);
  printf("child: %ld, %d\n", sum, add_one(1));
  raise(SIGSTOP);
  printf("child: changed %d\n", add_one(1));
  raise(SIGSTOP);
  printf("child: and back %d\n", add_one(1));
}
static void code(void) {
  pid_t pid = traced_child(runs_code);
  resume(pid, 0);
  hear("code has run", pid, 0);
  unsigned long at = (unsigned long)add_one, old = 0;
  trace(PTRACE_PEEKTEXT, pid, at, (unsigned long)&old);
  ask("POKETEXT", PTRACE_POKETEXT, pid, at, (old & ~0xffffffffUL) | 0x00550513 /* addi a0, a0, 5 */);
  printf("here it is still %d\n", add_one(1));
  resume(pid, 0);
  hear("changed", pid, 0);
  int fd = mem_of(pid, O_RDWR);
  is("mem", pwrite(fd, &old, 4, (off_t)at));
  resume(pid, 0);
  hear("child", pid, 0);
  /* A breakpoint in code that has run. */
  pid = traced_child(runs_code);
  resume(pid, 0);
  hear("code has run", pid, 0);
  ask("breakpoint", PTRACE_POKETEXT, pid, at, (old & ~0xffffffffUL) | 0x00100073);
  resume(pid, 0);
  hear("breakpoint", pid, 0);
  registers r;
  get_registers(pid, &r);
  printf("  at it %d, a0 %ld\n", r.r[0] == at, (long)r.r[A0]);
  trace(PTRACE_POKETEXT, pid, at, old);
  r.r[A0] = 10;
  set_registers(pid, &r);
  resume(pid, 0);
  hear("stop", pid, 0);
  resume(pid, 0);
  hear("child", pid, 0);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  alarm(30); /* a wait for what does not come */
  prepare();
  pid_t pid = traced_child(stops_then_looks);
  each(pid);
  only_read(pid);
  crossing(pid);
  maps_of_child("resident and anonymous", pid);
  resume(pid, 0);
  for (int how; (how = hear("child", pid, 0)) > 0 && WIFSTOPPED(how);) resume(pid, WSTOPSIG(how));
  printf("here: private %x, read-only %x, shared %x, file private %x, file shared %x\n", *(int *)AT(0), *(int *)AT(2), *(int *)AT(6), *(int *)AT(10), *(int *)AT(12));
  code();
  unlink(path);
}
