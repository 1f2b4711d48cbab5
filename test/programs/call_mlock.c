/* mlock(2), mlock2(2), munlock(2), mlockall(2) and munlockall(2): flags, sizes and addresses at the edges, holes and what is left
 * behind them, what is made resident, the limit, and what fork, exec, mremap and mmap make of it. */
#include "call.h"
#include <sys/resource.h>

#define ONFAULT 1
static long lock2(void *p, unsigned long length, unsigned long flags) { return syscall(SYS_mlock2, p, length, flags); }

static void locked(const char *what, int pages) {
  unsigned char vec[64];
  printf("%s: locked %ld KiB, resident ", what, status("VmLck:"));
  for (int i = 0; i < pages; i++) printf("%c", mincore(AT(i), PG, vec) ? ' ' : '0' + (vec[0] & 1));
  puts("");
}

/* lo and lf of VmFlags, mapping by mapping. */
static void flags_of(const char *what) {
  unsigned long start = 0;
  printf("%s:", what);
  for (char *line = strtok(text_of("/proc/self/smaps"), "\n"); line; line = strtok(NULL, "\n")) {
    unsigned long s, e;
    if (sscanf(line, "%lx-%lx ", &s, &e) == 2 && strchr(line, '-') < strchr(line, ' ')) start = s;
    if (strncmp(line, "VmFlags:", 8) || start < (unsigned long)BASE || start >= (unsigned long)AT(64)) continue;
    printf(" %ld%s%s", (start - (unsigned long)BASE) / PG, strstr(line, " lo") ? " lo" : "", strstr(line, " lf") ? " lf" : "");
  }
  puts("");
}

static void edges(void) {
  static const unsigned long at[] = {0, 1, PG, END - PG, END, 1UL << 47, TOP - PG, TOP, -PG, -1};
  static const unsigned long lengths[] = {0, 1, PG, END, TOP, -PG, -PG + 1, -1};
  char text[80];
  for (unsigned i = 0; i < sizeof at / sizeof *at; i++) {
    if (at[i] == END - PG) continue;
    for (unsigned l = 0; l < sizeof lengths / sizeof *lengths; l++) {
      sprintf(text, "%lx + %lx", at[i], lengths[l]);
      long a = syscall(SYS_mlock, at[i], lengths[l]); int ea = errno;
      long b = syscall(SYS_munlock, at[i], lengths[l]); int eb = errno;
      long c = syscall(SYS_mlock2, at[i], lengths[l], ONFAULT); int ec = errno;
      printf("%s: %s %s %s\n", text, a ? errno_name(ea) : "0", b ? errno_name(eb) : "0", c ? errno_name(ec) : "0");
    }
  }
  for (int bit = 0; bit <= 34; bit++) printf("mlock2 flag %d: %s\n", bit, lock2(AT(0), PG, 1UL << bit) ? errno_name(errno) : "0");
  munlock(AT(0), PG);
  static const unsigned long all[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 1UL << 31, 1UL << 32, (1UL << 32) | 1, TOP, -1};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
    printf("mlockall %lx: %s\n", all[i], syscall(SYS_mlockall, all[i]) ? errno_name(errno) : "0");
    munlockall();
  }
}

static void parts(void) {
  map(0, 16, RW, PRIV);
  is("mlock", mlock(AT(2) + 5, PG));
  locked("two pages", 16), maps("cut", 16), flags_of("flags");
  is("again", mlock(AT(2), 2 * PG));
  is("nothing", mlock(AT(8), 0));
  is("on fault", lock2(AT(6), 2 * PG, ONFAULT));
  locked("on fault", 16), flags_of("flags");
  *AT(6) = 1;
  locked("touched", 16);
  is("on fault what is locked", lock2(AT(2), PG, ONFAULT));
  is("locked what is on fault", lock2(AT(7), PG, 0));
  locked("both", 16), flags_of("flags");
  is("munlock a part", munlock(AT(3), 4 * PG));
  locked("left", 16), flags_of("flags"), maps("left", 16);
  is("munlock all", munlock(AT(0), 16 * PG));
  locked("none", 16), maps("one again", 16);
  munmap(AT(5), PG);
  is("over a hole", mlock(AT(3), 4 * PG));
  locked("up to the hole", 16), maps("cut", 16);
  is("from a hole", mlock(AT(5), 2 * PG));
  is("munlock over a hole", munlock(AT(0), 16 * PG));
  locked("up to the hole", 16), maps("left", 16);
  is("munlock behind it", munlock(AT(6), 10 * PG));
  clear(16);
}

static void kinds(void) {
  int fd = open("/tmp/file", O_RDWR | O_CREAT, 0600);
  (void)!ftruncate(fd, 2 * PG);
  map(0, 1, PROT_NONE, PRIV), map(2, 1, PROT_READ, PRIV), map(4, 1, PROT_WRITE, PRIV), map(6, 1, PROT_EXEC, PRIV), map(8, 2, RW, SHAR);
  mmap(AT(12), 4 * PG, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0), mmap(AT(18), 2 * PG, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  map(22, 1, RW, MAP_ANONYMOUS | 8), map(24, 1, RW, PRIV | MAP_NORESERVE), map(26, 1, RW, PRIV | MAP_GROWSDOWN);
  static const struct { const char *name; int page, pages; } each[] = {{"none", 0, 1}, {"read", 2, 1}, {"write", 4, 1}, {"exec", 6, 1}, {"shared", 8, 2},
    {"file", 12, 2}, {"file beyond its end", 12, 4}, {"shared file", 18, 2}, {"droppable", 22, 1}, {"noreserve", 24, 1}, {"growsdown", 26, 1}};
  for (unsigned i = 0; i < sizeof each / sizeof *each; i++) {
    is(each[i].name, mlock(AT(each[i].page), each[i].pages * PG));
    locked("  then", 28);
  }
  flags_of("flags");
  printf("none: %s, mprotect %d\n", touch(AT(0), 0), mprotect(AT(0), PG, RW));
  locked("readable now", 2);
  is("madvise", madvise(AT(8), PG, MADV_DONTNEED));
  is("dontneed locked", madvise(AT(8), PG, 24));
  is("free", madvise(AT(2), PG, MADV_FREE));
  is("pageout", madvise(AT(2), PG, 21));
  is("cold", madvise(AT(2), PG, 20));
  at("grown", mremap(AT(8), 2 * PG, 4 * PG, 0));
  at("moved", mremap(AT(18), 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(40)));
  at("dontunmap", mremap(AT(24), PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, AT(44)));
  locked("moved", 48), flags_of("flags");
  printf("stack grown %s\n", touch(AT(25), 1));
  locked("grown", 28);
  munmap(AT(0), 64 * PG);
  locked("none", 1);
}

static void in_fork(void) { locked("child", 8), flags_of("child's flags"); }

static void all(void) {
  map(0, 4, RW, PRIV);
  is("current", mlockall(MCL_CURRENT));
  locked("current", 0 * 4);
  flags_of("flags");
  map(6, 2, RW, PRIV);
  flags_of("new one");
  munlockall();
  clear(8);
  is("future", mlockall(MCL_FUTURE));
  map(0, 2, RW, PRIV), map(3, 1, PROT_NONE, PRIV), map(5, 1, RW, SHAR);
  locked("future", 8), flags_of("flags");
  is("munlock one", munlock(AT(0), PG));
  locked("one less", 8);
  in_child(in_fork);
  is("future on fault", mlockall(MCL_FUTURE | MCL_ONFAULT));
  map(7, 1, RW, PRIV);
  locked("on fault", 8), flags_of("flags");
  is("on fault alone", mlockall(MCL_ONFAULT));
  is("munlockall", munlockall());
  locked("none", 8), flags_of("flags");
  map(10, 1, RW, PRIV);
  locked("new one", 11);
  munlockall();
  clear(16);
}

/* Of the window only: all that a program has is not the same everywhere. */
static void current(void) {
  map(0, 4, RW, PRIV), map(5, 2, PROT_NONE, PRIV), map(8, 2, RW, SHAR);
  *AT(1) = 1;
  is("current on fault", mlockall(MCL_CURRENT | MCL_ONFAULT));
  unsigned char vec[4];
  mincore(AT(0), 4 * PG, vec);
  printf("%d%d%d%d\n", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1);
  flags_of("flags");
  is("current", mlockall(MCL_CURRENT));
  mincore(AT(0), 4 * PG, vec);
  printf("%d%d%d%d\n", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1);
  flags_of("flags");
  munlockall();
  flags_of("unlocked");
}

static void limited(void) {
  struct rlimit limit = {8 * PG, 8 * PG};
  setrlimit(RLIMIT_MEMLOCK, &limit);
  map(0, 32, RW, PRIV);
  is("root has no limit", mlock(AT(0), 20 * PG));
  if (setgid(7) || setuid(7)) return;
  is("more", mlock(AT(20), PG));
  is("what is locked", mlock(AT(0), 8 * PG));
  is("twenty that are locked", mlock(AT(0), 20 * PG));
  is("with one more", mlock(AT(0), 21 * PG));
  is("munlock", munlock(AT(0), 20 * PG));
  is("eight", mlock(AT(0), 8 * PG));
  is("the same and none", mlock(AT(4), 4 * PG));
  is("half of them and one more", mlock(AT(7), 2 * PG));
  is("eight and a byte", mlock(AT(0), 8 * PG + 1));
  is("on fault counts too", lock2(AT(16), PG, ONFAULT));
  is("beyond, unmapped", mlock(AT(100), PG));
  is("mlockall", mlockall(MCL_CURRENT));
  is("mlockall future", mlockall(MCL_FUTURE));
  at("mmap", mmap(NULL, PG, RW, PRIV, -1, 0));
  at("noreserve", mmap(NULL, PG, PROT_NONE, PRIV | MAP_NORESERVE, -1, 0));
  at("in its place", map(0, 1, RW, PRIV));
  at("grow it", mremap(AT(4), 4 * PG, 5 * PG, MREMAP_MAYMOVE));
  at("shrink it", mremap(AT(4), 4 * PG, 3 * PG, 0));
  at("now grow it", mremap(AT(4), 3 * PG, 4 * PG, 0));
  is("munlockall", munlockall());
  limit.rlim_cur = PG - 1;
  setrlimit(RLIMIT_MEMLOCK, &limit);
  is("less than a page", mlock(AT(0), 1));
  limit.rlim_cur = 0;
  setrlimit(RLIMIT_MEMLOCK, &limit);
  is("none", mlock(AT(0), PG));
  is("nothing of none", mlock(AT(0), 0));
  is("nothing of none, unmapped", mlock(AT(99), 0));
  is("none, bad flag", lock2(AT(0), PG, 2));
  is("none, all", mlockall(MCL_FUTURE));
  is("none, bad", mlockall(0));
  is("none, alone", mlockall(MCL_ONFAULT));
  is("munlock", munlock(AT(0), PG));
  is("munlockall", munlockall());
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc == 2) { printf("exec: locked %ld\n", status("VmLck:")); return 0; }
  text_of("/proc/self/smaps");
  edges();
  parts();
  kinds();
  all();
  in_child(current);
  map(0, 2, RW, PRIV), mlock(AT(0), 2 * PG);
  in_child(in_fork);
  locked("parent", 2);
  clear(2);
  mlockall(MCL_FUTURE);
  pid_t child = fork();
  if (child == 0) execl(argv[0], argv[0], "x", NULL);
  waitpid(child, NULL, 0);
  child = vfork();
  if (child == 0) execl(argv[0], argv[0], "x", NULL);
  waitpid(child, NULL, 0);
  munlockall();
  in_child(limited);
  return 0;
}
