/* Faults of shared memory that has a huge page already: with no table there, with an empty one, and with one that maps something. */
#include "collapse.h"
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>

enum kind { ANONYMOUS, ZERO, MEMFD, SYSV, PRIVATE, KINDS };
static const char *const names[] = {"anonymous", "/dev/zero", "memfd", "segment", "private memfd"};

static int last_fd = -1;

/* A mapping of memory that has one huge page, which is not mapped; no table, or with `table` an empty one. */
static char *make(enum kind kind, int table) {
  char *p = MAP_FAILED;
  int fd = -1;
  if (kind == ANONYMOUS) p = mmap(BASE, HUGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (kind == ZERO) p = mmap(BASE, HUGE, RW, MAP_SHARED | MAP_FIXED, fd = open("/dev/zero", O_RDWR), 0);
  if (kind == MEMFD || kind == PRIVATE) p = mmap(BASE, HUGE, RW, MAP_SHARED | MAP_FIXED, fd = memory_file(HUGE_PAGES), 0);
  if (kind == SYSV) {
    int id = shmget(IPC_PRIVATE, HUGE, IPC_CREAT | 0600);
    p = shmat(id, BASE, 0);
    shmctl(id, IPC_RMID, NULL);
  }
  if (p != BASE) { perror(names[kind]); exit(1); }
  fill(p, 0, HUGE_PAGES);
  if (madvise(p, HUGE, MADV_COLLAPSE)) perror("collapse");
  if (kind == PRIVATE) p = mmap(BASE, HUGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
  if (table) {
    madvise(p, HUGE, MADV_DONTNEED);
    madvise(p, HUGE, MADV_NOHUGEPAGE);
    *(volatile char *)(p + 100 * PG);
    madvise(p, HUGE, MADV_HUGEPAGE);
  }
  madvise(p, HUGE, MADV_DONTNEED);
  last_fd = fd;
  return p;
}

static void end(void) {
  clear(8 * HUGE_PAGES);
  if (last_fd >= 0) close(last_fd);
  last_fd = -1;
}

static long faults(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

static void load(char *p, long page) { (void)*(volatile char *)(p + page * PG); }
static void store(char *p, long page) { *(volatile char *)(p + page * PG + 16) = 1; }

/* Which pages are mapped, from the page map: first-last. */
static void present(char *p, long pages) {
  static uint64_t entries[4 * 512];
  int fd = open("/proc/self/pagemap", O_RDONLY);
  if (pread(fd, entries, pages * 8, (uintptr_t)p / PG * 8) != pages * 8) perror("pread");
  close(fd);
  printf("  present:");
  for (long i = 0; i < pages; i++) {
    if (!(entries[i] >> 63)) continue;
    long first = i;
    while (i + 1 < pages && entries[i + 1] >> 55 == entries[first] >> 55) i++;
    printf(" %ld-%ld %lx", first, i, (unsigned long)(entries[first] >> 55));
  }
  puts("");
}

/* Faults of touching all the pages, after the one. */
static void rest(char *p, int write) {
  long before = faults();
  for (long i = 0; i < HUGE_PAGES; i++) if (write) store(p, i); else load(p, i);
  long taken = faults() - before;
  printf("  the rest: %ld faults\n", taken);
  smaps("rest", p);
}

static void first_touch(enum kind kind, int table, int write) {
  printf("%s, %s, %s\n", names[kind], table ? "empty table" : "no table", write ? "store" : "load");
  char *p = make(kind, table);
  long before = faults();
  if (write) store(p, 37); else load(p, 37);
  long taken = faults() - before;
  printf("  %ld faults\n", taken);
  present(p, HUGE_PAGES);
  smaps("touched", p);
  rest(p, 0);
  rest(p, 1);
  end();
}

static void not_to_be_huge(enum kind kind, int write) {
  printf("%s, not to be huge, %s\n", names[kind], write ? "store" : "load");
  char *p = make(kind, 0);
  madvise(p, HUGE, MADV_NOHUGEPAGE);
  if (write) store(p, 37); else load(p, 37);
  present(p, HUGE_PAGES);
  smaps("touched", p);
  rest(p, 1);
  end();
  printf("%s, none in this process, %s\n", names[kind], write ? "store" : "load");
  p = make(kind, 0);
  is("off", prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
  if (write) store(p, 37); else load(p, 37);
  present(p, HUGE_PAGES);
  is("on", prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
  end();
}

/* Something is mapped in the table already. */
static void others_there(enum kind kind) {
  printf("%s, one page is there\n", names[kind]);
  char *p = make(kind, 1);
  store(p, 37);
  madvise(p, 30 * PG, MADV_DONTNEED);
  madvise(p + 40 * PG, HUGE - 40 * PG, MADV_DONTNEED);
  present(p, HUGE_PAGES);
  store(p, 5);
  present(p, HUGE_PAGES);
  load(p, 200);
  present(p, HUGE_PAGES);
  store(p, 201);
  store(p, 300);
  present(p, HUGE_PAGES);
  end();
}

/* The mapping has not all of the huge page, or has it elsewhere. */
static void in_part(enum kind kind, int table) {
  printf("%s, cut, %s\n", names[kind], table ? "empty table" : "no table");
  char *p = make(kind, table);
  munmap(p + 500 * PG, 12 * PG);
  store(p, 37);
  present(p, HUGE_PAGES);
  load(p, 499);
  present(p, HUGE_PAGES);
  end();
  p = make(kind, table);
  munmap(p, PG);
  store(p, 37);
  load(p, 3);
  present(p, HUGE_PAGES);
  end();
  p = make(kind, table);
  mprotect(p, 10 * PG, PROT_READ);
  store(p, 37);
  load(p, 3);
  load(p, 13);
  present(p, HUGE_PAGES);
  mprotect(p, 10 * PG, RW);
  store(p, 300);
  present(p, HUGE_PAGES);
  smaps("whole", p);
  end();
  p = make(kind, table);
  char *q = mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 3 * HUGE + 7 * PG);
  store(q, 37);
  load(q, 511);
  present(q, HUGE_PAGES);
  end();
}

/* Pages past the end of the file that lie in its last huge page. */
static void past_the_end(long size, long page) {
  int fd = memory_file(size);
  char *p = mmap(BASE, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  fill(p, 0, size);
  if (madvise(p, HUGE, MADV_COLLAPSE)) perror("collapse");
  printf("%ld pages, page %ld\n", size, page);
  printf("  mapped: load %s store %s\n", touch(p + page * PG, 0), touch(p + page * PG, 1));
  madvise(p, HUGE, MADV_DONTNEED);
  printf("  store %s\n", touch(p + page * PG, 1));
  present(p, HUGE_PAGES);
  madvise(p, HUGE, MADV_DONTNEED);
  printf("  load %s\n", touch(p + page * PG, 0));
  present(p, HUGE_PAGES);
  madvise(p, HUGE, MADV_DONTNEED);
  is("  populate read", madvise(p, HUGE, MADV_POPULATE_READ));
  present(p, HUGE_PAGES);
  madvise(p, HUGE, MADV_DONTNEED);
  int ends[2];
  if (pipe(ends)) perror("pipe");
  is("  write to a pipe", write(ends[1], p + page * PG, 1));
  close(ends[0]);
  close(ends[1]);
  present(p, HUGE_PAGES);
  clear(8 * HUGE_PAGES);
  close(fd);
}

/* The window of a load begins below the huge page, or there is a hole in it. */
static void windows(void) {
  printf("windows\n");
  int fd = memory_file(3 * HUGE_PAGES);
  char *p = mmap(BASE, 3 * HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  fill(p, HUGE_PAGES, 2 * HUGE_PAGES);
  if (madvise(p + HUGE, HUGE, MADV_COLLAPSE)) perror("collapse");
  clear(8 * HUGE_PAGES);
  p = mmap(BASE + 5 * PG, 2 * HUGE, RW, MAP_SHARED | MAP_FIXED, fd, HUGE - 7 * PG);
  load(p, 0);
  present(p, 2 * HUGE_PAGES);
  madvise(p, 2 * HUGE, MADV_DONTNEED);
  load(p, 9);
  present(p, 2 * HUGE_PAGES);
  load(p, HUGE_PAGES + 8);
  present(p, 2 * HUGE_PAGES);
  clear(8 * HUGE_PAGES);
  is("punch", fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, HUGE + 17 * PG, PG));
  p = mmap(BASE, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, HUGE);
  load(p, 17);
  present(p, HUGE_PAGES);
  store(p, 60);
  present(p, HUGE_PAGES);
  clear(8 * HUGE_PAGES);
  close(fd);
}

static void populated(enum kind kind, int table) {
  printf("%s, populated, %s\n", names[kind], table ? "empty table" : "no table");
  char *p = make(kind, table);
  is("read", madvise(p + 3 * PG, PG, MADV_POPULATE_READ));
  present(p, HUGE_PAGES);
  end();
  p = make(kind, table);
  is("write", madvise(p + 3 * PG, PG, MADV_POPULATE_WRITE));
  present(p, HUGE_PAGES);
  end();
  p = make(kind, table);
  is("mlock", mlock(p + 3 * PG, PG));
  present(p, HUGE_PAGES);
  munlockall();
  end();
  p = make(kind, table);
  int ends[2];
  if (pipe(ends)) perror("pipe");
  is("write", write(ends[1], "abc", 3));
  is("read", read(ends[0], p + 9 * PG, 3));
  present(p, HUGE_PAGES);
  close(ends[0]);
  close(ends[1]);
  end();
}

/* A file that has a name, loses it before it is mapped, or after. Twice mapped, the two are one mapping all the same. */
static void named(int unlinked_before, int unlinked_after) {
  printf("tmpfs, unlinked %s\n", unlinked_before ? "before" : unlinked_after ? "after" : "never");
  int fd = shm_open("/named", O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0 || ftruncate(fd, 2 * HUGE)) perror("shm_open");
  if (unlinked_before) shm_unlink("/named");
  char *p = mmap(BASE, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  if (!unlinked_before && unlinked_after) shm_unlink("/named");
  mmap(BASE + HUGE, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, HUGE);
  maps("maps", 2 * HUGE_PAGES);
  fill(p, 0, 2 * HUGE_PAGES);
  if (madvise(p, 2 * HUGE, MADV_COLLAPSE)) perror("collapse");
  madvise(p, 2 * HUGE, MADV_NOHUGEPAGE);
  madvise(p, 2 * HUGE, MADV_DONTNEED);
  store(p, 37);
  store(p, HUGE_PAGES + 37);
  present(p, 2 * HUGE_PAGES);
  clear(8 * HUGE_PAGES);
  if (!unlinked_before && !unlinked_after) shm_unlink("/named");
  close(fd);
}

static void past_the_end_of_pages(void) {
  printf("100 pages, empty table\n");
  int fd = memory_file(100);
  char *p = mmap(BASE, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  fill(p, 0, 100);
  if (madvise(p, HUGE, MADV_COLLAPSE)) perror("collapse");
  madvise(p, HUGE, MADV_NOHUGEPAGE);
  madvise(p, HUGE, MADV_DONTNEED);
  printf("  load %s\n", touch(p + 105 * PG, 0));
  present(p, HUGE_PAGES);
  madvise(p, HUGE, MADV_DONTNEED);
  store(p, 95);
  printf("  load %s store %s\n", touch(p + 105 * PG, 0), touch(p + 400 * PG, 1));
  present(p, HUGE_PAGES);
  is("ftruncate", ftruncate(fd, 90 * PG));
  present(p, HUGE_PAGES);
  clear(8 * HUGE_PAGES);
  close(fd);
}

static void watched(enum kind kind, int mode) {
  printf("%s, userfaultfd mode %d\n", names[kind], mode);
  char *p = make(kind, 1);
  int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  struct uffdio_api api = {.api = UFFD_API, .features = 0};
  is("api", ioctl(uffd, UFFDIO_API, &api));
  struct uffdio_register range = {.range = {(uintptr_t)p, HUGE}, .mode = mode};
  is("register", ioctl(uffd, UFFDIO_REGISTER, &range));
  store(p, 37);
  present(p, HUGE_PAGES);
  load(p, 137);
  present(p, HUGE_PAGES);
  end();
  close(uffd);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  set_huge_pages("never");
  for (enum kind kind = 0; kind < KINDS; kind++) {
    for (int table = 0; table < 2; table++) {
      first_touch(kind, table, 0);
      first_touch(kind, table, 1);
      in_part(kind, table);
      populated(kind, table);
    }
    not_to_be_huge(kind, 0);
    not_to_be_huge(kind, 1);
    others_there(kind);
  }
  past_the_end(100, 101);
  past_the_end(100, 95);
  past_the_end(100, 111);
  past_the_end(100, 112);
  past_the_end(100, 300);
  past_the_end(96, 97);
  past_the_end_of_pages();
  named(0, 0);
  named(1, 1);
  named(0, 1);
  windows();
  watched(ANONYMOUS, UFFDIO_REGISTER_MODE_MISSING);
  watched(MEMFD, UFFDIO_REGISTER_MODE_MISSING);
  return 0;
}
