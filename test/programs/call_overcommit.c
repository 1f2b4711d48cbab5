/* vm.overcommit_memory 0, 1 and 2 with CommitLimit and Committed_AS; vm.max_map_count; vm.mmap_min_addr: what the calls answer, and
 * what may be written to the settings. */
#include "call.h"
#include <grp.h>
#include <sched.h>

#define VM "/proc/sys/vm/"
static unsigned long ram, mib = 256;
static void user(void) { setgroups(0, 0); setresgid(1000, 1000, 1000); setresuid(1000, 1000, 1000); }
static void set(const char *name, const char *text) {
  char path[100]; snprintf(path, sizeof path, VM "%s", name);
  long r = put(path, text);
  if (r < 0) printf("%s = %s: %s\n", name, text, errno_name(errno));
}
static void value(const char *name) {
  char path[100]; snprintf(path, sizeof path, VM "%s", name);
  printf("%s is %s", name, text_of(path));
}
/* MiB promised now, less what was promised before. Linux counts by processor and in batches: small differences do not show. */
static long promised0;
static long promised(void) { return (meminfo("Committed_AS:") - promised0 + 512) / 1024; }
static void rebase(void) { promised0 = meminfo("Committed_AS:"); }
static char *mmap_mib(long m, int prot, int flags) { return mmap(NULL, m << 20, prot, flags, -1, 0); }

static void guess(void) {
  rebase();
  at("half of RAM", mmap(AT(0), ram / 2, RW, PRIV | MAP_FIXED, -1, 0));
  printf("promised %d\n", promised() >= 80);
  at("and again", mmap_mib(ram / 2 >> 20, RW, PRIV));
  at("and again", mmap_mib(ram / 2 >> 20, RW, PRIV));
  at("more than RAM", mmap_mib((ram >> 20) + 64, RW, PRIV));
  at("read-only", mmap_mib((ram >> 20) + 64, PROT_READ, PRIV));
  at("without reserve", mmap_mib((ram >> 20) + 64, RW, PRIV | MAP_NORESERVE));
  at("shared", mmap_mib((ram >> 20) + 64, RW, SHAR));
  at("shared read-only", mmap_mib((ram >> 20) + 64, PROT_READ, SHAR));
  at("shared without reserve", mmap_mib((ram >> 20) + 64, RW, SHAR | MAP_NORESERVE));
  char *none = mmap_mib((ram >> 20) + 64, PROT_NONE, PRIV);
  is("make it writable", mprotect(none, ram + (64 << 20), RW));
  is("make a part of it writable", mprotect(none, 16 << 20, RW));
  at("mremap beyond RAM", mremap(AT(0), ram / 2, ram * 2, MREMAP_MAYMOVE));
  long brk = syscall(SYS_brk, 0);
  printf("brk beyond RAM grows by %ld\n", syscall(SYS_brk, brk + ram + (64 << 20)) - brk);
}

static void accounting(void) {
  rebase();
  char *p = mmap_mib(64, RW, PRIV);
  printf("64 private: %ld\n", promised());
  munmap(p, 16 << 20); p += 16 << 20;
  printf("16 unmapped: %ld\n", promised());
  mprotect(p, 16 << 20, PROT_READ);
  printf("16 untouched ones read-only: %ld\n", promised());
  p[20 << 20] = 1;
  mprotect(p + (16 << 20), 16 << 20, PROT_READ);
  printf("16 touched ones read-only: %ld\n", promised());
  mprotect(p, 32 << 20, RW);
  printf("all writable: %ld\n", promised());
  munmap(p, 48 << 20);
  printf("gone: %ld\n", promised());
  p = mmap_mib(48, RW, PRIV);
  char *q = mremap(p, 48 << 20, 80 << 20, MREMAP_MAYMOVE);
  printf("grown by 32: %ld\n", promised());
  q = mremap(q, 80 << 20, 40 << 20, 0);
  printf("shrunk by 40: %ld\n", promised());
  char *r = mremap(q, 40 << 20, 40 << 20, MREMAP_MAYMOVE | 4, NULL);
  printf("moved, the old one kept: %ld\n", promised());
  munmap(q, 40 << 20); munmap(r, 40 << 20);
  printf("gone: %ld\n", promised());
  p = mmap_mib(32, RW, SHAR);
  printf("32 shared: %ld\n", promised());
  q = mremap(p, 0, 32 << 20, MREMAP_MAYMOVE);
  printf("a second view: %ld\n", promised());
  munmap(p, 32 << 20);
  printf("one view gone: %ld\n", promised());
  munmap(q, 32 << 20);
  printf("both gone: %ld\n", promised());
  p = mmap_mib(32, RW, SHAR | MAP_NORESERVE);
  printf("32 shared without reserve: %ld\n", promised());
  memset(p, 1, 16 << 20);
  printf("16 of them touched: %ld\n", promised());
  munmap(p, 32 << 20);
  p = mmap_mib(32, RW, PRIV | MAP_NORESERVE);
  printf("32 private without reserve: %ld\n", promised());
  mprotect(p, 32 << 20, PROT_NONE);
  mprotect(p, 32 << 20, RW);
  printf("made writable again: %ld\n", promised());
  munmap(p, 32 << 20);
  p = mmap_mib(32, RW, PRIV);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) { printf("a child promises as much again: %d\n", promised() >= 60); fflush(stdout); _exit(0); }
  waitpid(child, NULL, 0);
  printf("it has ended: %ld\n", promised());
  at("over it", mmap(p, 32 << 20, RW, PRIV | MAP_FIXED, -1, 0) == p ? AT(0) : MAP_FAILED);
  printf("the same: %ld\n", promised());
}

static void always(void) {
  set("overcommit_memory", "1");
  at("twice RAM", mmap_mib(ram * 2 >> 20, RW, PRIV));
  at("64 GiB", mmap_mib(64 << 10, RW, PRIV));
  at("64 GiB shared", mmap_mib(64 << 10, RW, SHAR));
  set("overcommit_memory", "0");
}

static void never_ends(void) {
  set("overcommit_ratio", "100");
  long limit = meminfo("CommitLimit:"), left = limit - meminfo("Committed_AS:");
  rebase();
  printf("limit is RAM: %d\n", limit == (long)(ram / 1024));
  at("twice what is left", mmap_mib(left * 2 >> 10, RW, PRIV));
  at("without reserve, too", mmap_mib(left * 2 >> 10, RW, PRIV | MAP_NORESERVE));
  at("shared, too", mmap_mib(left * 2 >> 10, RW, SHAR | MAP_NORESERVE));
  at("read-only", mmap_mib(left * 2 >> 10, PROT_READ, PRIV));
  char *half = mmap_mib(left * 5 / 8 >> 10, RW, PRIV);
  at("five eighths of what is left", half == MAP_FAILED ? half : AT(0));
  at("and three quarters", mmap_mib(left * 3 / 4 >> 10, RW, PRIV));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(0);
  printf("fork: %s\n", child < 0 ? errno_name(errno) : "ok");
  if (child > 0) waitpid(child, NULL, 0);
  at("over them", mmap(half, left / 2 >> 20 << 20, RW, PRIV | MAP_FIXED, -1, 0) == half ? AT(0) : MAP_FAILED);
  char *more = mmap_mib(left / 4 >> 10, RW, PRIV);
  at("a quarter more", more == MAP_FAILED ? more : AT(0));
  at("grow it to three", mremap(more, left / 4 >> 10 << 20, left * 3 / 4 >> 10 << 20, MREMAP_MAYMOVE));
  char *none = mmap_mib(left >> 10, PROT_NONE, PRIV);
  is("make too much writable", mprotect(none, left >> 10 << 20, RW));
  long brk = syscall(SYS_brk, 0);
  printf("brk grows by %ld\n", syscall(SYS_brk, brk + (left << 10)) - brk);
}
static void never_user(void) {
  set("admin_reserve_kbytes", "65536");
  set("user_reserve_kbytes", "0");
  long left = meminfo("CommitLimit:") - meminfo("Committed_AS:");
  char *p = mmap_mib((left >> 10) - 32, RW, PRIV);
  at("root comes near the limit", p == MAP_FAILED ? p : AT(0));
  munmap(p, ((left >> 10) - 32) << 20);
  fflush(stdout);
  if (fork() == 0) {
    user();
    at("a user does not", mmap_mib((left >> 10) - 32, RW, PRIV));
    char *q = mmap_mib((left >> 10) - 96, RW, PRIV);
    at("but so far", q == MAP_FAILED ? q : AT(0));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
}
static void never_kbytes(void) {
  set("overcommit_kbytes", "40960");
  value("overcommit_ratio");
  printf("limit %ld\n", meminfo("CommitLimit:"));
  at("64 MiB", mmap_mib(64, RW, PRIV));
  set("overcommit_ratio", "50");
  value("overcommit_kbytes");
  printf("limit is half of RAM: %d\n", meminfo("CommitLimit:") == (long)(ram / PG * 50 / 100 * 4));
}

static void many(void) {
  int n = 0;
  for (int i = 0; i < 100; i++) map(i, 1, i & 1 ? PROT_READ : PROT_NONE, PRIV);
  char *line = text_of("/proc/self/maps");
  for (; *line; line++) n += *line == '\n';
  char text[20]; snprintf(text, sizeof text, "%d", n + 1);
  set("max_map_count", text);
  at("one more", map(200, 1, PROT_READ, PRIV));
  at("and another", map(202, 1, PROT_READ, PRIV));
  at("beyond", map(204, 1, PROT_READ, PRIV));
  at("no new one", map(205, 1, PROT_READ, PRIV));
  is("munmap of the end", munmap(AT(202), 2 * PG));
  map(300, 1, PROT_READ, PRIV);
  mmap(AT(400), 3 * PG, RW, PRIV, -1, 0);
  is("cut in two", munmap(AT(401), PG));
  is("cut by mprotect", mprotect(AT(401), PG, PROT_READ));
  is("cut by mlock", mlock(AT(401), PG));
  is("cut by madvise", madvise(AT(401), PG, MADV_DONTFORK));
  at("cut by mremap", mremap(AT(401), PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(500)));
  at("over the middle", map(401, 1, PROT_READ, PRIV));
  maps("after", 510);
  set("max_map_count", "65530");
}
static void many_short(void) { set("max_map_count", "0"); at("limit 0", map(0, 1, RW, PRIV)); set("max_map_count", "65530"); }

static void low(const char *who) {
  printf("%s\n", who);
  at("page 0", mmap(NULL, PG, RW, PRIV | MAP_FIXED, -1, 0));
  at("page 0, noreplace", mmap(NULL, PG, RW, PRIV | MAP_FIXED_NOREPLACE, -1, 0));
  at("page 1", mmap((void *)PG, PG, RW, PRIV | MAP_FIXED, -1, 0));
  at("page 16", mmap((void *)(16 * PG), PG, RW, PRIV | MAP_FIXED, -1, 0) == (void *)(16 * PG) ? AT(16) : MAP_FAILED);
  char *p = mmap((void *)PG, PG, RW, PRIV, -1, 0);
  printf("a hint of page 1: %ld\n", (long)p / (long)PG < 100 ? (long)p / (long)PG : -1);
  map(0, 1, RW, PRIV);
  at("mremap to page 0", mremap(AT(0), PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, NULL));
  map(1, 1, RW, PRIV);
  at("mremap to page 2", mremap(AT(1), PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)(2 * PG)));
}
static void low_root(void) { low("root"); }
static void low_user(void) { user(); low("user"); }
static void low_moved(void) {
  set("mmap_min_addr", "65536");
  low("root, 65536");
  user(); set("mmap_min_addr", "0");
}

static void writes(const char *name, const char *const *texts) {
  char path[100]; snprintf(path, sizeof path, VM "%s", name);
  for (; *texts; texts++) {
    long r = put(path, *texts);
    printf("%s <- '", name);
    for (const char *c = *texts; *c; c++) if (*c == '\n') printf("\\n"); else putchar(*c);
    if (r < 0) printf("': %s, ", errno_name(errno)); else printf("': %ld, ", r);
    printf("%s", text_of(path));
  }
}
static void parsing(void) {
  static const char *const ints[] = {"1\n", " 2", "0\n\n", "3", "-1", "\n", "x", "0x1\n", "02", "08", "1a", "1 2\n", "2\t7 8", "000000000000000000001",
                                     "99999999999", "-", "+1", "0x", "1,2", "0", NULL};
  writes("overcommit_memory", ints);
  static const char *const ratio[] = {"80\n", "-80", "2147483647", "2147483648", "-2147483648", "-2147483649", "50", NULL};
  writes("overcommit_ratio", ratio);
  static const char *const longs[] = {"1\n", "-1", "-0", "18446744073709551615", "18446744073709551616", "1 2", "0xffff", "010", "q", "0", NULL};
  writes("overcommit_kbytes", longs);
  value("overcommit_ratio");
  put(VM "overcommit_ratio", "50");
  static const char *const counts[] = {"-1", "2147483648", "65530", NULL};
  writes("max_map_count", counts);
  int fd = open(VM "max_map_count", O_WRONLY);
  is("write", write(fd, "1000 ", 5));
  is("write on", write(fd, "77", 2));
  is("pwrite at 3", pwrite(fd, "88", 2, 3));
  is("write nothing", pwrite(fd, "", 0, 0));
  close(fd);
  value("max_map_count");
  put(VM "max_map_count", "65530");
  fd = open(VM "overcommit_memory", O_RDWR);
  char text[8];
  is("read 1", read(fd, text, 1));
  is("read 8", read(fd, text, 8));
  close(fd);
  user();
  is("a user may read", open(VM "overcommit_memory", O_RDONLY) < 0 ? -1 : 0);
  is("a user may not write", open(VM "overcommit_memory", O_WRONLY));
  is("nor both", open(VM "mmap_min_addr", O_RDWR));
  is("mmap_rnd_bits", open(VM "mmap_rnd_bits", O_RDONLY));
}

int main(void) {
  ram = meminfo("MemTotal:") * 1024UL;
  in_child(parsing);
  in_child(accounting);
  in_child(guess);
  in_child(always);
  set("overcommit_memory", "2");
  in_child(never_ends);
  in_child(never_user);
  in_child(never_kbytes);
  set("overcommit_memory", "0");
  in_child(many);
  in_child(many_short);
  in_child(low_root);
  in_child(low_user);
  in_child(low_moved);
  put(VM "mmap_min_addr", "4096"); // programs that are run after it, on the same machine, find it as it was
  return 0;
}
