/* RLIMIT_AS, DATA, STACK and MEMLOCK: what each call answers at the limit, with and without capabilities; getrlimit, setrlimit and
 * prlimit64 themselves. */
#include "call.h"
#include <grp.h>
#include <sys/resource.h>

static unsigned char vec[64];
static void limit(int which, unsigned long soft, unsigned long hard) {
  struct rlimit r = {soft, hard};
  if (setrlimit(which, &r)) printf("setrlimit %d: %s\n", which, errno_name(errno));
}
static void user(void) { setgroups(0, 0); setresgid(1000, 1000, 1000); setresuid(1000, 1000, 1000); }
static unsigned long size_now(void) { return status("VmSize") * 1024UL; }
static unsigned long data_now(void) { return status("VmData") * 1024UL; }

static void address_space(void) {
  map(0, 8, RW, PRIV);
  char *other = map(20, 4, PROT_NONE, PRIV);
  limit(RLIMIT_AS, size_now() + 4 * PG, RLIM_INFINITY);
  at("5 pages", map(40, 5, PROT_NONE, PRIV));
  at("4 pages", map(40, 4, PROT_NONE, PRIV));
  at("1 more", map(50, 1, PROT_NONE, PRIV));
  at("over a mapping", map(0, 2, PROT_READ, PRIV));
  at("over its end and on", map(6, 4, PROT_READ, PRIV));
  is("munmap", munmap(AT(40), 2 * PG));
  at("mremap grow 3", mremap(other, 4 * PG, 7 * PG, MREMAP_MAYMOVE));
  at("mremap grow 2", mremap(other, 4 * PG, 6 * PG, 0));
  at("mremap move", mremap(other, 6 * PG, 6 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(60)));
  at("mremap dontunmap", mremap(AT(60), 6 * PG, 6 * PG, MREMAP_MAYMOVE | 4, NULL));
  long brk = syscall(SYS_brk, 0);
  printf("brk grows by %ld\n", syscall(SYS_brk, brk + 2 * PG) - brk);
  limit(RLIMIT_AS, size_now() - 2 * PG, RLIM_INFINITY);
  at("over a mapping, below what is there", map(3, 2, PROT_READ | PROT_EXEC, PRIV));
  maps("cut all the same", 80);
  is("mprotect", mprotect(AT(1), PG, PROT_NONE));
  at("shared", map(50, 1, RW, SHAR));
  map(1000, 1, RW, PRIV);
  limit(RLIMIT_AS, 0, RLIM_INFINITY);
  at("limit 0", mmap(NULL, PG, PROT_NONE, PRIV, -1, 0));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(mmap(NULL, PG, PROT_NONE, PRIV, -1, 0) == MAP_FAILED);
  int how = 0;
  if (child > 0) waitpid(child, &how, 0);
  printf("fork works: %d, the child has the limit: %d\n", child > 0, WEXITSTATUS(how));
}

static void data(void) {
  map(0, 8, RW, PRIV);
  map(20, 8, PROT_READ, PRIV);
  limit(RLIMIT_DATA, data_now() + 3 * PG, RLIM_INFINITY);
  at("4 writable pages", map(40, 4, RW, PRIV));
  at("4 pages that cannot be written", map(40, 4, PROT_READ, PRIV));
  at("4 shared pages", map(50, 4, RW, SHAR));
  at("4 pages that grow down", map(60, 4, RW, PRIV | MAP_GROWSDOWN));
  is("make 4 writable", mprotect(AT(20), 4 * PG, RW));
  is("make 3 writable", mprotect(AT(20), 3 * PG, RW));
  is("make 1 more writable", mprotect(AT(24), PG, RW));
  is("take it from others", mprotect(AT(0), PG, PROT_READ));
  is("make 1 more writable", mprotect(AT(24), PG, RW));
  long brk = syscall(SYS_brk, 0);
  printf("brk grows by %ld\n", syscall(SYS_brk, brk + PG) - brk);
  at("mremap", mremap(AT(1), 2 * PG, 3 * PG, MREMAP_MAYMOVE));
  limit(RLIMIT_DATA, data_now() - 2 * PG, RLIM_INFINITY);
  at("over a mapping, below what is there", map(3, 2, RW, PRIV | MAP_NORESERVE));
  maps("cut all the same", 80);
  limit(RLIMIT_DATA, 0, RLIM_INFINITY);
  at("soft limit 0, no hard one", map(70, 1, RW, PRIV));
  printf("brk grows by %ld\n", syscall(SYS_brk, brk + PG) - brk);
  limit(RLIMIT_DATA, 0, data_now() + PG);
  at("soft limit 0, a hard one", map(80, 1, RW, PRIV));
  at("beyond the hard one", map(82, 1, RW, PRIV));
}

static volatile char *deep;
static void stack(void) {
  map(5000, 2, RW, PRIV | MAP_GROWSDOWN);
  limit(RLIMIT_STACK, 10 * PG, RLIM_INFINITY);
  printf("grows to 10 pages: %s\n", touch(AT(4992), 1));
  printf("not to 11: %s\n", touch(AT(4991), 1));
  limit(RLIMIT_STACK, 12 * PG, RLIM_INFINITY);
  printf("with a higher limit: %s\n", touch(AT(4991), 1));
  maps("after", 6000);
  limit(RLIMIT_AS, size_now() + PG, RLIM_INFINITY);
  limit(RLIMIT_STACK, RLIM_INFINITY, RLIM_INFINITY);
  printf("RLIMIT_AS 2 pages: %s\n", touch(AT(4989), 1));
  printf("RLIMIT_AS 1 page: %s\n", touch(AT(4990), 1));
}

static void locking(const char *who) {
  printf("%s\n", who);
  map(0, 16, RW, PRIV);
  limit(RLIMIT_MEMLOCK, 4 * PG, 16 * PG);
  is("mlock 5", mlock(AT(0), 5 * PG));
  is("mlock 4", mlock(AT(0), 4 * PG));
  is("mlock them again", mlock(AT(0), 4 * PG));
  is("mlock 2 of them and 1 more", mlock(AT(2), 3 * PG));
  is("mlock 1 more", mlock(AT(8), PG));
  at("MAP_LOCKED", map(20, 1, RW, PRIV | MAP_LOCKED));
  at("mremap grow", mremap(AT(0), 4 * PG, 5 * PG, MREMAP_MAYMOVE));
  printf("VmLck %ld\n", status("VmLck"));
  is("mlockall current", mlockall(MCL_CURRENT));
  is("munlockall", munlockall());
  is("mlockall future", mlockall(MCL_FUTURE));
  at("map 4", map(30, 4, RW, PRIV));
  at("map 5", map(40, 5, RW, PRIV));
  long brk = syscall(SYS_brk, 0);
  printf("brk grows by %ld\n", syscall(SYS_brk, brk + 2 * PG) - brk);
  printf("VmLck %ld\n", status("VmLck"));
  munlockall();
  limit(RLIMIT_MEMLOCK, 0, 16 * PG);
  is("limit 0: mlock", mlock(AT(5), PG));
  is("mlock2", syscall(SYS_mlock2, AT(5), PG, 1));
  is("mlock2 unknown flags", syscall(SYS_mlock2, AT(5), PG, 2));
  is("mlock length 0", mlock(AT(5), 0));
  is("mlockall", mlockall(MCL_FUTURE));
  is("mlockall unknown flags", mlockall(8));
  at("MAP_LOCKED", map(50, 1, RW, PRIV | MAP_LOCKED));
  is("munlock", munlock(AT(5), PG));
  munlockall();
  limit(RLIMIT_MEMLOCK, 4 * PG + 1, 16 * PG);
  is("4 pages and a byte: 5 pages", mlock(AT(6), 5 * PG));
  is("4 pages", mlock(AT(6), 4 * PG));
  is("wraps", mlock((void *)-PG, 2 * PG));
  is("2^63", mlock((void *)TOP, PG));
}
static void lock_root(void) { locking("root"); }
static void lock_user(void) { user(); locking("user"); }

static void show(const char *what, int which) {
  struct rlimit r;
  if (getrlimit(which, &r)) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld %ld\n", what, (long)r.rlim_cur, (long)r.rlim_max);
}

static void calls(void) {
  for (int i = 0; i < 16; i++) if (i != 6 && i != 11) show("limit", i);
  show("16", 16);
  show("-1", -1);
  is("getrlimit to nowhere", syscall(SYS_getrlimit, RLIMIT_AS, 8));
  is("setrlimit from nowhere", syscall(SYS_setrlimit, RLIMIT_AS, 8));
  is("setrlimit 16 from nowhere", syscall(SYS_setrlimit, 16, 8));
  struct rlimit r = {5, 4};
  is("soft above hard", setrlimit(RLIMIT_CORE, &r));
  is("soft above hard of 16", syscall(SYS_setrlimit, 16, &r));
  r = (struct rlimit){1, 2000000};
  is("more files than there can be", setrlimit(RLIMIT_NOFILE, &r));
  r = (struct rlimit){3, 1048576};
  is("as many as there can be", setrlimit(RLIMIT_NOFILE, &r));
  r = (struct rlimit){64, 64};
  setrlimit(RLIMIT_NOFILE, &r);
  r = (struct rlimit){1000, 2000};
  is("lower", setrlimit(RLIMIT_CORE, &r));
  r.rlim_max = 3000;
  is("root raises the hard limit", setrlimit(RLIMIT_CORE, &r));
  struct rlimit old;
  is("prlimit", prlimit(0, RLIMIT_CORE, &r, &old));
  printf("%ld %ld\n", (long)old.rlim_cur, (long)old.rlim_max);
  is("prlimit of nobody", prlimit(99999, RLIMIT_CORE, NULL, &old));
  is("prlimit of -1", prlimit(-1, RLIMIT_CORE, NULL, &old));
  is("prlimit 16", syscall(SYS_prlimit64, 0, 16, NULL, &old));
  is("prlimit nothing", syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, NULL));
  is("prlimit to nowhere", syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, 8));
  is("prlimit from nowhere", syscall(SYS_prlimit64, 0, RLIMIT_CORE, 8, NULL));
  is("prlimit from nowhere of nobody", syscall(SYS_prlimit64, 99999, RLIMIT_CORE, 8, NULL));
  r = (struct rlimit){10, 20};
  is("prlimit to nowhere, and set", syscall(SYS_prlimit64, 0, RLIMIT_CORE, &r, 8));
  show("it is set", RLIMIT_CORE);
  pid_t parent = getpid();
  user();
  r.rlim_max = 21;
  is("a user raises the hard limit", setrlimit(RLIMIT_CORE, &r));
  r.rlim_max = 20;
  r.rlim_cur = 15;
  is("a user raises the soft limit", setrlimit(RLIMIT_CORE, &r));
  r.rlim_max = 19;
  is("a user lowers the hard limit", setrlimit(RLIMIT_CORE, &r));
  is("a user asks about another's process", prlimit(getppid(), RLIMIT_CORE, NULL, &old));
  is("and sets it", prlimit(getppid(), RLIMIT_CORE, &r, NULL));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) { pause(); _exit(0); }
  r = (struct rlimit){PG, PG};
  is("its own child's", prlimit(child, RLIMIT_AS, &r, &old));
  is("and reads it", prlimit(child, RLIMIT_AS, NULL, &old));
  printf("%ld %ld\n", (long)old.rlim_cur, (long)old.rlim_max);
  is("raises its hard limit", (r.rlim_max = 2 * PG, prlimit(child, RLIMIT_AS, &r, NULL)));
  kill(child, 9);
  waitpid(child, NULL, 0);
}

int main(void) {
  in_child(address_space);
  in_child(data);
  in_child(stack);
  in_child(lock_root);
  in_child(lock_user);
  in_child(calls);
  return 0;
}
