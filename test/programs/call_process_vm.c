/* process_vm_readv(2) and process_vm_writev(2): every error in its order, limits, partial transfers, and who may. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG 4096UL
static char *base, *other, *low;
static struct iovec l[1100], r[1100];
static int pid;

static long vm(int write, long id, void *lv, unsigned long ln, void *rv, unsigned long rn, unsigned long flags) {
  return syscall(write ? 271 : 270, id, lv, ln, rv, rn, flags);
}
static void show(const char *what, long n) {
  if (n == -1) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, n);
}
/* One piece on each side, both ways. */
static void both(const char *what, void *la, size_t ln, void *ra, size_t rn) {
  l[0] = (struct iovec){la, ln}, r[0] = (struct iovec){ra, rn};
  long a = vm(0, pid, l, 1, r, 1, 0);
  const char *ea = a == -1 ? errno_name(errno) : "";
  long b = vm(1, pid, l, 1, r, 1, 0);
  printf("%s: %ld %s / %ld %s\n", what, a, ea, b, b == -1 ? errno_name(errno) : "");
}

static void arguments(void) {
  puts("-- arguments");
  l[0] = r[0] = (struct iovec){other, 8};
  for (int bit = 0; bit < 64; bit++)
    if (vm(0, pid, l, 1, r, 1, 1UL << bit) != -1 || errno != EINVAL) printf("flag %d accepted\n", bit);
  show("flags before the rest", vm(0, -1, (void *)8, 1, (void *)8, 1, 1));
  show("nobody", vm(0, 0x7ffffff0, l, 1, r, 1, 0));
  show("0", vm(0, 0, l, 1, r, 1, 0));
  show("-1", vm(0, -1, l, 1, r, 1, 0));
  show("-1 without local", vm(0, -1, l, 0, r, 1, 0));
  show("-1 without remote", vm(0, -1, l, 1, r, 0, 0));
  show("without both", vm(0, pid, NULL, 0, NULL, 0, 0));
  show("without remote", vm(0, pid, l, 1, NULL, 0, 0));
  show("without local, bad remote", vm(0, pid, NULL, 0, (void *)8, 1, 0));
  show("without local, too many remote", vm(0, pid, NULL, 0, r, 1025, 0));
  show("bad local", vm(0, pid, (void *)8, 1, r, 1, 0));
  show("bad local, two", vm(0, pid, (void *)8, 2, r, 1, 0));
  show("bad remote", vm(0, pid, l, 1, (void *)8, 1, 0));
  show("bad remote, nobody", vm(0, -1, l, 1, (void *)8, 1, 0));
  show("local 1025", vm(0, pid, l, 1025, r, 1, 0));
  show("local 1025, bad", vm(0, pid, (void *)8, 1025, r, 1, 0));
  show("local 2^32", vm(0, pid, l, 1UL << 32, r, 1, 0));
  show("local 2^32+1", vm(0, pid, l, (1UL << 32) + 1, r, 1, 0));
  show("local -1", vm(0, pid, l, -1UL, r, 1, 0));
  show("remote 1025", vm(0, pid, l, 1, r, 1025, 0));
  show("remote 2^32", vm(0, pid, l, 1, r, 1UL << 32, 0));
  show("remote -1", vm(0, pid, l, 1, r, -1UL, 0));
  for (int i = 0; i < 1024; i++) l[i] = (struct iovec){base + i * 4, 4}, r[i] = (struct iovec){other + i * 4, 4};
  show("1024 and 1024", vm(0, pid, l, 1024, r, 1024, 0));
  show("1024 and 1024, write", vm(1, pid, l, 1024, r, 1024, 0));
}

static void lengths(void) {
  puts("-- lengths");
  both("nothing", base, 0, other, 0);
  both("local nothing", base, 0, other, 8);
  both("remote nothing", base, 8, other, 0);
  both("local longer", base, 100, other, 60);
  both("remote longer", base, 60, other, 100);
  both("local -1", base, -1UL, other, 8);
  both("remote -1", base, 8, other, -1UL);
  both("local 2^63", base, 1UL << 63, other, 8);
  both("remote 2^63", base, 8, other, 1UL << 63);
  both("local 2^63-1", base, ~(1UL << 63), other, 8);
  both("remote 2^63-1", base, 8, other, ~(1UL << 63));
  both("remote 2^63-1 of nothing", (void *)8, 0, other, ~(1UL << 63));
  both("local 2^40", base, 1UL << 40, other, 8);
  both("remote 2^40", base, 8, other, 1UL << 40);
  both("to the end of what is mapped", base, 64 * PG, other, 64 * PG);
  l[0] = (struct iovec){base, 1UL << 40}, l[1] = (struct iovec){base, 8}, r[0] = (struct iovec){other, 8};
  show("two local, one long", vm(0, pid, l, 2, r, 1, 0));
  l[0] = (struct iovec){base, 1UL << 62}, l[1] = (struct iovec){base, 1UL << 62};
  show("two local, both long", vm(0, pid, l, 2, r, 1, 0));
  l[0] = (struct iovec){base, 8}, r[0] = (struct iovec){other, 4}, r[1] = (struct iovec){other, -1UL};
  show("the second remote is bad", vm(0, pid, l, 1, r, 2, 0));
  r[1] = (struct iovec){(void *)8, 4};
  show("the second remote is nowhere", vm(0, pid, l, 1, r, 2, 0));
  r[0].iov_len = 8;
  show("the second remote is not reached", vm(0, pid, l, 1, r, 2, 0));
  for (int i = 0; i < 8; i++) l[i] = (struct iovec){base, i & 1 ? 0 : 3}, r[i] = (struct iovec){other + i, i & 2 ? 0 : 2};
  show("empty ones between", vm(0, pid, l, 8, r, 8, 0));
}

static void addresses(void) {
  puts("-- addresses");
  static const uint64_t bad[] = {0, 1, 8, 0xfff, 0x3fffffffffULL, 0x4000000000ULL, 0x7fffffffffffffffULL, 0x8000000000000000ULL, 0xffffffff80000000ULL, 0xfffffffffffff000ULL, -1ULL};
  char what[64];
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
    snprintf(what, 64, "local %llx", (unsigned long long)bad[i]), both(what, (void *)bad[i], 8, other, 8);
    if (bad[i] != 0x3fffffffffULL) snprintf(what, 64, "remote %llx", (unsigned long long)bad[i]), both(what, base, 8, (void *)bad[i], 8); /* a stack may end there */
    snprintf(what, 64, "empty local %llx", (unsigned long long)bad[i]), both(what, (void *)bad[i], 0, other, 8);
    snprintf(what, 64, "empty remote %llx", (unsigned long long)bad[i]), both(what, base, 8, (void *)bad[i], 0);
    l[0] = (struct iovec){base, 4}, l[1] = (struct iovec){(void *)bad[i], 4}, r[0] = (struct iovec){other, 8};
    snprintf(what, 64, "second local %llx", (unsigned long long)bad[i]), show(what, vm(0, pid, l, 2, r, 1, 0));
    l[1].iov_len = 0;
    snprintf(what, 64, "second local %llx, empty", (unsigned long long)bad[i]), show(what, vm(0, pid, l, 2, r, 1, 0));
  }
  both("low local 2^63-1", low, ~(1UL << 63), other, 8);
  both("low local 2^40", low, 1UL << 40, other, 8);
  both("low local 2^32", low, 1UL << 32, other, 8);
  l[0] = (struct iovec){low, 1UL << 40}, l[1] = (struct iovec){low, 8}, r[0] = (struct iovec){other, 8};
  show("two local, the first 2^40", vm(0, pid, l, 2, r, 1, 0));
  l[0].iov_len = 1UL << 37;
  show("two local, the first 2^37", vm(0, pid, l, 2, r, 1, 0));
  both("wraps", base, 16, (void *)-8L, 16);
}

/* In memory that both have at the same place: 16 pages, each with its own rights. */
static char *zoo;
static void rights(void) {
  puts("-- rights and holes");
  static const char *const names[] = {"none", "read", "write", "read-write", "exec", "read-exec", "hole", "shared", "untouched", "file", "past the end", "read-write again"};
  for (int i = 0; i < 12; i++) both(names[i], base, PG, zoo + i * PG, PG);
  both("two pages, the second none", base, 2 * PG, zoo + 11 * PG, 2 * PG);
  both("from none on", base, 2 * PG, zoo + 12 * PG, 2 * PG);
  both("unaligned over the edge", base + 5, 4096, zoo + 12 * PG - 100, 4096);
  both("local read-only", zoo + 1 * PG, 16, other, 16);
  both("local none", zoo, 16, other, 16);
  both("local edge", zoo + 12 * PG - 16, 24, other, 24);
  both("local edge, second page", zoo + 12 * PG - 1024, 5000, other, 5000);
  l[0] = (struct iovec){base, 10}, r[0] = (struct iovec){other, 4}, r[1] = (struct iovec){zoo, 4}, r[2] = (struct iovec){other, 2};
  show("hole in the middle", vm(0, pid, l, 1, r, 3, 0));
  l[0] = (struct iovec){base, 4}, l[1] = (struct iovec){zoo, 4}, l[2] = (struct iovec){base, 4}, r[0] = (struct iovec){other, 12};
  show("local hole in the middle", vm(0, pid, l, 3, r, 1, 0));
  /* A thousand pages and some, the last but one missing. */
  char *big = mmap(NULL, 1100 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(big + 1090 * PG, PG);
  l[0] = (struct iovec){base + 16 * PG, 1100 * PG}, r[0] = (struct iovec){big, 1100 * PG};
  show("many pages up to a hole", vm(0, getpid(), l, 1, r, 1, 0));
  r[0].iov_base += 9, r[0].iov_len -= 9;
  show("unaligned", vm(0, getpid(), l, 1, r, 1, 0));
  munmap(big, 1100 * PG);
  char *grows = mmap(NULL, 16 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
  l[0] = (struct iovec){base, 8}, r[0] = (struct iovec){grows - PG, 8};
  show("below a stack", vm(0, getpid(), l, 1, r, 1, 0));
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[256];
  while (fgets(line, 256, maps)) {
    unsigned long from = strtoul(line, NULL, 16);
    if (strstr(line, "[vvar]")) both("vvar", base, 8, (void *)from, 8);
    if (strstr(line, "[vdso]")) both("vdso", base, 8, (void *)from, 8);
  }
  fclose(maps);
}

static void effects(void) {
  puts("-- effects");
  strcpy(base, "written by the parent");
  l[0] = (struct iovec){base, 22}, r[0] = (struct iovec){other, 22};
  pid = fork();
  if (pid == 0) {
    strcpy(base, "still the child's");
    raise(SIGSTOP);
    printf("child: %s / %s\n", other, base), fflush(stdout);
    raise(SIGSTOP);
    printf("child: %s\n", zoo + 8 * PG), fflush(stdout);
    _exit(0);
  }
  waitpid(pid, NULL, WUNTRACED);
  show("write", vm(1, pid, l, 1, r, 1, 0));
  printf("parent: %.4s\n", other);
  char text[64] = "";
  l[0] = (struct iovec){text, 18}, r[0] = (struct iovec){base, 18};
  show("read", vm(0, pid, l, 1, r, 1, 0));
  puts(text);
  fflush(stdout);
  kill(pid, SIGCONT);
  waitpid(pid, NULL, WUNTRACED);
  l[0] = (struct iovec){"brand new page", 15}, r[0] = (struct iovec){zoo + 8 * PG, 15};
  show("write to what nobody touched", vm(1, pid, l, 1, r, 1, 0));
  printf("parent's is still empty: %d\n", zoo[8 * PG] == 0);
  unsigned char vec[1];
  kill(pid, SIGCONT);
  int status;
  waitpid(pid, &status, 0);
  printf("status %d\n", status);
  show("after it was waited for", vm(0, pid, l, 1, r, 1, 0));
}

/* how many of fresh pages are there after each side was given another length */
static void held(void) {
  puts("-- pages held");
  static const struct { int locals, local_pages, remotes, remote_pages; } cases[] = {
    {1, 0, 1, 8}, {1, 1, 1, 8}, {1, 8, 1, 1}, {2, 1, 2, 4}, {1, 2, 3, 4}, {1, 1, 1, 1500}, {1, 1030, 1, 1500}, {1, 1, 1, 0},
  };
  static unsigned char seen[2000];
  for (int write = 0; write < 2; write++)
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
      for (int hole = 0; hole < 3; hole++) {
        char *to = mmap(NULL, 2000 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        char *from = mmap(NULL, 2000 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        madvise(to, 2000 * PG, MADV_NOHUGEPAGE), madvise(from, 2000 * PG, MADV_NOHUGEPAGE);
        if (hole) mprotect((hole == 1 ? to : from) + 3 * PG, PG, PROT_NONE);
        for (int k = 0; k < cases[i].locals; k++) l[k] = (struct iovec){to + k * 2 * PG, cases[i].local_pages * PG ? cases[i].local_pages * PG : 10};
        for (int k = 0; k < cases[i].remotes; k++) r[k] = (struct iovec){from + k * 5 * PG, cases[i].remote_pages * PG};
        printf("%s %u %s ", write ? "write" : "read", i, hole == 0 ? "" : hole == 1 ? "local hole" : "remote hole");
        show("", vm(write, pid, l, cases[i].locals, r, cases[i].remotes, 0));
        int count[2] = {0, 0};
        for (int side = 0; side < 2; side++) {
          mincore(side ? from : to, 2000 * PG, seen);
          for (int k = 0; k < 2000; k++) count[side] += seen[k] & 1;
        }
        printf("  local %d remote %d\n", count[0], count[1]);
        munmap(to, 2000 * PG), munmap(from, 2000 * PG);
      }
}

static int child_ready[2];
static int spawn(void) {
  pipe(child_ready);
  int p = fork();
  if (p == 0) {
    char c;
    close(child_ready[1]);
    read(child_ready[0], &c, 1);
    _exit(0);
  }
  close(child_ready[0]);
  return p;
}
static void done(int p) { close(child_ready[1]), waitpid(p, NULL, 0); }

static void as_user(const char *what, int uid, int gid, int victim) {
  fflush(stdout);
  int p = fork();
  if (p == 0) {
    if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) puts("cannot");
    pid = victim;
    both(what, base, 8, other, 8);
    fflush(stdout), _exit(0);
  }
  waitpid(p, NULL, 0);
}
static void permissions(void) {
  puts("-- permissions");
  int p = spawn();
  as_user("root's, as 1000", 1000, 1000, p);
  as_user("nobody's at all, as 1000", 1000, 1000, 0x7ffffff0);
  done(p);
  fflush(stdout);
  int holder = fork();
  if (holder == 0) {
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    p = spawn();
    pid = p;
    both("of the same user", base, 8, other, 8);
    done(p);
    fflush(stdout), _exit(0);
  }
  waitpid(holder, NULL, 0);
  static const int ids[][3] = {{1000, 1000, 1000}, {1000, 1000, 1001}, {1000, 1001, 1000}, {1001, 1000, 1000}};
  for (int i = 0; i < 4; i++)
    for (int group = 0; group < 2; group++) {
      int ready[2], go[2];
      pipe(ready), pipe(go);
      p = fork();
      if (p == 0) {
        char c;
        const int *x = ids[i];
        if (group) setresgid(x[0], x[1], x[2]), setresuid(1000, 1000, 1000);
        else setresgid(1000, 1000, 1000), setresuid(x[0], x[1], x[2]);
        prctl(PR_SET_DUMPABLE, 1);
        write(ready[1], "x", 1), close(go[1]), read(go[0], &c, 1);
        _exit(0);
      }
      char c, what[64];
      read(ready[0], &c, 1);
      snprintf(what, 64, "%s %d %d %d as 1000", group ? "groups" : "users", ids[i][0], ids[i][1], ids[i][2]);
      as_user(what, 1000, 1000, p);
      close(go[1]), close(go[0]), close(ready[0]), close(ready[1]);
      waitpid(p, NULL, 0);
    }
  for (int dumpable = 0; dumpable < 2; dumpable++) {
    int ready[2], go[2];
    pipe(ready), pipe(go);
    p = fork();
    if (p == 0) {
      char c;
      setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
      prctl(PR_SET_DUMPABLE, dumpable);
      write(ready[1], "x", 1), close(go[1]), read(go[0], &c, 1);
      _exit(0);
    }
    char c;
    read(ready[0], &c, 1);
    as_user(dumpable ? "dumpable" : "not dumpable", 1000, 1000, p);
    pid = p;
    both("as root", base, 8, other, 8);
    close(go[1]), close(go[0]), close(ready[0]), close(ready[1]);
    waitpid(p, NULL, 0);
  }
  p = fork();
  if (p == 0) _exit(0);
  siginfo_t info;
  waitid(P_PID, p, &info, WEXITED | WNOWAIT);
  pid = p;
  both("a zombie", base, 8, other, 8);
  as_user("a zombie as 1000", 1000, 1000, p);
  waitpid(p, NULL, 0);
}

static volatile int tid;
static void *in_thread(void *p) { char c; tid = syscall(SYS_gettid), read(*(int *)p, &c, 1); return NULL; }
static void threads(void) {
  puts("-- by a thread's number");
  int p[2];
  pipe(p);
  pthread_t thread;
  pthread_create(&thread, NULL, in_thread, p);
  while (tid == 0) sched_yield();
  pid = tid;
  both("thread", base, 8, other, 8);
  close(p[1]);
  pthread_join(thread, NULL);
  pid = getpid();
  l[0] = (struct iovec){base, 64}, r[0] = (struct iovec){base + 16, 64};
  for (int i = 0; i < 80; i++) base[i] = 'a' + i % 26;
  show("overlap, read", vm(0, pid, l, 1, r, 1, 0));
  printf("%.80s\n", base);
  for (int i = 0; i < 80; i++) base[i] = 'a' + i % 26;
  show("overlap, write", vm(1, pid, l, 1, r, 1, 0));
}

int main(int argc, char **argv) {
  (void)argc;
  /* What is asked to be moved of base must lie within 2 GiB of the end of user memory: then a piece of that or more is EFAULT. */
  if ((personality(0xffffffff) & ADDR_NO_RANDOMIZE) == 0) {
    personality(ADDR_NO_RANDOMIZE);
    execv("/proc/self/exe", argv);
    return 1;
  }
  setvbuf(stdout, NULL, _IOFBF, 65536);
  base = mmap(NULL, 1200 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  other = base + 1130 * PG;
  memset(base, 'b', 16 * PG), memset(other, 'o', 16 * PG);
  mprotect(base + 1150 * PG, 16 * PG, PROT_NONE);
  zoo = base + 1170 * PG;
  static const int prot[] = {0, 1, 2, 3, 4, 5};
  memset(zoo, 'z', 6 * PG);
  for (int i = 0; i < 6; i++) mprotect(zoo + i * PG, PG, prot[i]);
  munmap(zoo + 6 * PG, PG);
  mmap(zoo + 7 * PG, PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  int fd = memfd_create("m", 0);
  ftruncate(fd, 100);
  mmap(zoo + 9 * PG, 2 * PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  mprotect(zoo + 12 * PG, PG, PROT_NONE);
  low = mmap((void *)0x20000000, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  pid = getpid();
  arguments(), fflush(stdout);
  lengths(), fflush(stdout);
  addresses(), fflush(stdout);
  rights(), fflush(stdout);
  held(), fflush(stdout);
  puts("== of another process"), fflush(stdout);
  pid = spawn();
  lengths(), fflush(stdout);
  rights(), fflush(stdout);
  done(pid);
  effects(), fflush(stdout);
  permissions(), fflush(stdout);
  threads(), fflush(stdout);
  return 0;
}
