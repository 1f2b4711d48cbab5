/* What operations add to the machine's counts (/proc/meminfo, /proc/vmstat) and the process's (/proc/self/status), in pages. Pages by age are left out:
 * Linux moves them between its lists in batches, and so what it cannot evict is told only where it has just been locked. */
#include "call.h"
#include <sys/shm.h>
#include <sys/stat.h>

static const char *const memory[] = {"AnonPages", "Mapped", "Shmem", "Cached", "PageTables", "Mlocked", "Unevictable", "Committed_AS", "AnonHugePages", "ShmemHugePages", "ShmemPmdMapped"};
static const char *const events[] = {"nr_anon_pages", "nr_mapped", "nr_file_pages", "nr_shmem", "nr_page_table_pages", "nr_mlock", "nr_anon_transparent_hugepages", "nr_shmem_hugepages",
                                     "nr_shmem_pmdmapped", "pgfault", "pgmajfault", "pgreuse", "thp_fault_alloc", "thp_split_pmd", "thp_file_alloc", "thp_file_mapped", "drop_pagecache", "drop_slab"};
static const char *const own[] = {"VmLck", "RssAnon", "RssFile", "RssShmem", "VmPTE"};
#define MEMORY (sizeof memory / sizeof *memory)
#define EVENTS (sizeof events / sizeof *events)
#define OWN (sizeof own / sizeof *own)

static long before[MEMORY + EVENTS + OWN], after[MEMORY + EVENTS + OWN];
static char all[1 << 16];

static long field(const char *name, const char *follows) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, "\n%s%s", name, follows);
  char *at = strstr(text_buffer, wanted);
  return at ? atol(at + strlen(wanted)) : -1;
}
static void take(long *to) {
  put("/proc/sys/vm/stat_refresh", "1");
  text_of("/proc/vmstat");
  for (size_t i = 0; i < EVENTS; i++) to[MEMORY + i] = field(events[i], " ");
  text_of("/proc/meminfo");
  for (size_t i = 0; i < MEMORY; i++) to[i] = field(memory[i], ":") / 4;
  text_of("/proc/self/status");
  for (size_t i = 0; i < OWN; i++) to[MEMORY + EVENTS + i] = field(own[i], ":") / 4;
}
static void tell(const char *what, int tells_lists) {
  printf("%s:", what);
  for (size_t i = 0; i < MEMORY + EVENTS + OWN; i++) {
    const char *name = i < MEMORY ? memory[i] : i < MEMORY + EVENTS ? events[i - MEMORY] : own[i - MEMORY - EVENTS];
    long change = after[i] - before[i];
    if (change != 0 && (tells_lists || strcmp(name, "Unevictable") != 0)) printf(" %s %+ld", name, change);
  }
  puts("");
}
#define COUNT_ALL(what, lists, ...) \
  do { \
    take(before); \
    __VA_ARGS__; \
    take(after); \
    tell(what, lists); \
  } while (0)
#define COUNT(what, ...) COUNT_ALL(what, 0, __VA_ARGS__)

static void fill(char *p, int pages) {
  for (int i = 0; i < pages; i++) p[i * PG] = 1;
}
static void load(char *p, int pages) {
  for (int i = 0; i < pages; i++) (void)*(volatile char *)(p + i * PG);
}
/* A table of its own for each, and one above for all. */
static char *place(int pages, int flags, int fd) {
  static char *next = (char *)0x1000000000UL;
  char *p = mmap(next, pages * PG, RW, flags | MAP_FIXED, fd, 0);
  next += 8 << 20;
  return p;
}

static char *p, *q;
static int fd;
static char page[PG];

static void private(void) {
  COUNT("private", p = place(400, PRIV, -1));
  COUNT("written", fill(p, 400));
  COUNT("another, read", q = place(400, PRIV, -1); load(q, 400));
  COUNT("half of it written", fill(q, 200));
  COUNT("gone", munmap(q, 400 * PG));
  COUNT_ALL("mlock", 1, mlock(p, 100 * PG));
  COUNT_ALL("munlock of half", 1, munlock(p, 50 * PG));
  COUNT_ALL("the rest gone", 1, munmap(p, 100 * PG));
  p += 100 * PG;
  COUNT("MADV_FREE", madvise(p, 100 * PG, MADV_FREE));
  COUNT("MADV_DONTNEED", madvise(p, 100 * PG, MADV_DONTNEED));
  COUNT("mprotect", mprotect(p, 300 * PG, PROT_READ));
  COUNT("gone", munmap(p, 300 * PG));
  COUNT_ALL("mlock of untouched memory", 1, p = place(100, PRIV, -1); mlock(p, 100 * PG));
  COUNT_ALL("gone", 1, munmap(p, 100 * PG));
  COUNT("locked on fault", p = place(100, PRIV, -1); mlock2(p, 100 * PG, 1); fill(p, 10));
  COUNT("gone", munmap(p, 100 * PG));
}

static void shared(void) {
  COUNT("shared", p = place(400, SHAR, -1));
  COUNT("written", fill(p, 300));
  COUNT("holes read", load(p + 300 * PG, 50));
  COUNT("MADV_DONTNEED", madvise(p, 100 * PG, MADV_DONTNEED));
  COUNT("MADV_REMOVE", madvise(p, 100 * PG, MADV_REMOVE));
  COUNT_ALL("mlock", 1, mlock(p + 100 * PG, 100 * PG));
  COUNT_ALL("munlock", 1, munlock(p + 100 * PG, 100 * PG));
  COUNT("gone", munmap(p, 400 * PG));
  COUNT("a memfd", fd = memfd_create("m", 0); for (int i = 0; i < 200; i++) write(fd, page, PG));
  COUNT("mapped and read", p = place(200, MAP_SHARED, fd); load(p, 200));
  COUNT("privately, 50 written", q = place(200, MAP_PRIVATE, fd); fill(q, 50));
  COUNT("both gone", munmap(p, 200 * PG); munmap(q, 200 * PG));
  COUNT("shorter", ftruncate(fd, 100 * PG));
  COUNT("a hole", fallocate(fd, 3, 0, 50 * PG));
  COUNT("fallocate", fallocate(fd, 0, 0, 100 * PG));
  COUNT("drop_caches", put("/proc/sys/vm/drop_caches", "3"));
  COUNT("closed", close(fd));
  int id = shmget(IPC_PRIVATE, 100 * PG, 0600);
  COUNT("a segment", p = shmat(id, (char *)0x2000000000UL, 0); fill(p, 100));
  COUNT("gone", shmdt(p); shmctl(id, IPC_RMID, NULL));
  fd = syscall(447, 0);
  ftruncate(fd, 100 * PG);
  COUNT("secret", p = place(100, MAP_SHARED, fd); fill(p, 50));
  COUNT("gone", munmap(p, 100 * PG); close(fd));
  COUNT("a file of a tmpfs", fd = open("/counted", O_RDWR | O_CREAT, 0600); for (int i = 0; i < 100; i++) write(fd, page, PG));
  COUNT("gone", close(fd); unlink("/counted"));
}

static void huge(void) {
  COUNT("huge pages", p = place(2048, PRIV, -1); madvise(p, 2048 * PG, MADV_HUGEPAGE));
  COUNT("two written", fill(p, 1); fill(p + 512 * PG, 1));
  COUNT("one read", load(p + 1024 * PG, 1));
  COUNT("it is written", fill(p + 1024 * PG, 1));
  COUNT("a page gone", munmap(p + PG, PG));
  COUNT("a page dropped", madvise(p + 514 * PG, PG, MADV_DONTNEED));
  COUNT("gone", munmap(p, 2048 * PG));
}

int main(void) {
  setvbuf(stdout, all, _IOFBF, sizeof all);
  memset(all, 0, sizeof all);
  memset(text_buffer, 0, sizeof text_buffer);
  mmap((char *)0xff0000000UL, PG, RW, PRIV | MAP_FIXED | MAP_POPULATE, -1, 0);
  for (int i = 0; i < 3; i++) take(before), take(after), snprintf(all, sizeof all, "%+ld", after[0]);
  memset(all, 0, sizeof all);
  private();
  shared();
  huge();
}
