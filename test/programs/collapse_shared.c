/* MADV_COLLAPSE of shared memory: what becomes a huge page, who maps it, and what takes it apart again. */
#include "collapse.h"
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/shm.h>

static void machine(const char *what) {
  printf("  %s: ShmemHugePages %ld ShmemPmdMapped %ld AnonHugePages %ld FilePmdMapped %ld\n", what, field("/proc/meminfo", "ShmemHugePages", NULL),
    field("/proc/meminfo", "ShmemPmdMapped", NULL), field("/proc/meminfo", "AnonHugePages", NULL), field("/proc/meminfo", "FilePmdMapped", NULL));
}

static void contents(const char *what, char *start, long pages) {
  long same = 0, zero = 0;
  for (long i = 0; i < pages; i++) {
    long value = *(volatile long *)(start + i * PG);
    same += value == i + 1;
    zero += value == 0;
  }
  printf("  %s: %ld as written, %ld zero\n", what, same, zero);
}

static char *shared(int fd, long pages, long offset) {
  char *p = mmap(BASE, pages * PG, RW, MAP_SHARED | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, offset * PG);
  if (p != BASE) perror("mmap");
  return p;
}

static void anonymous(void) {
  printf("shared anonymous\n");
  char *p = shared(-1, 2 * HUGE_PAGES, 0);
  collapse("untouched", p, HUGE);
  fill(p, 0, HUGE_PAGES);
  smaps("before", p);
  collapse("full", p, HUGE);
  smaps("after", p);
  machine("after");
  contents("after", p, HUGE_PAGES);
  collapse("again", p, HUGE);
  p[HUGE + 7 * PG] = 1;
  printf("  in core %ld\n", in_core(p, 2 * HUGE_PAGES));
  collapse("one page touched", p + HUGE, HUGE);
  printf("  in core %ld\n", in_core(p, 2 * HUGE_PAGES));
  smaps("both", p);
  machine("both");
  clear(8 * HUGE_PAGES);
  machine("gone");
}

static void ranges(void) {
  printf("ranges\n");
  char *p = shared(-1, 3 * HUGE_PAGES, 0);
  fill(p, 0, 3 * HUGE_PAGES);
  collapse("in one", p + PG, HUGE - 2 * PG);
  collapse("less than one", p + PG, HUGE);
  collapse("one and some", p + PG, 2 * HUGE);
  smaps("after", p);
  machine("after");
  collapse("all", p, 3 * HUGE);
  machine("after");
  clear(8 * HUGE_PAGES);
  p = shared(-1, 3 * HUGE_PAGES, 0);
  p[0] = p[2 * HUGE] = 1;
  collapse("one in the midst untouched", p, 3 * HUGE);
  machine("after");
  clear(8 * HUGE_PAGES);
  p = shared(-1, HUGE_PAGES - 1, 0);
  fill(p, 0, HUGE_PAGES - 1);
  collapse("small mapping", p, HUGE - PG);
  clear(8 * HUGE_PAGES);
  int fd = memory_file(2 * HUGE_PAGES + 1);
  p = shared(fd, 2 * HUGE_PAGES, 1);
  fill(p, 0, HUGE_PAGES);
  collapse("not aligned in the file", p, HUGE);
  clear(8 * HUGE_PAGES);
  close(fd);
  fd = memory_file(HUGE_PAGES / 2);
  p = shared(fd, HUGE_PAGES, 0);
  fill(p, 0, HUGE_PAGES / 2);
  collapse("short file", p, HUGE);
  smaps("after", p);
  machine("after");
  printf("  in core %ld\n", in_core(p, HUGE_PAGES));
  clear(8 * HUGE_PAGES);
  close(fd);
}

static void advice(void) {
  printf("advice\n");
  char *p = shared(-1, HUGE_PAGES, 0);
  fill(p, 0, HUGE_PAGES);
  madvise(p, HUGE, MADV_NOHUGEPAGE);
  collapse("not to be huge", p, HUGE);
  madvise(p, HUGE, MADV_HUGEPAGE);
  collapse("may be huge", p, HUGE);
  clear(8 * HUGE_PAGES);
  p = shared(-1, HUGE_PAGES, 0);
  fill(p, 0, HUGE_PAGES);
  is("mlock", mlock(p, HUGE));
  collapse("locked", p, HUGE);
  smaps("after", p);
  printf("  VmLck %ld\n", field("/proc/self/status", "VmLck", NULL));
  is("munlock", munlock(p, HUGE));
  mprotect(p, HUGE, PROT_READ);
  smaps("read only", p);
  mprotect(p, HUGE, PROT_NONE);
  collapse("no access", p, HUGE);
  mprotect(p, HUGE, RW);
  contents("again", p, HUGE_PAGES);
  smaps("again", p);
  clear(8 * HUGE_PAGES);
  p = shared(-1, HUGE_PAGES, 0);
  fill(p, 0, HUGE_PAGES);
  mprotect(p, HUGE, PROT_READ);
  collapse("read only", p, HUGE);
  smaps("after", p);
  mprotect(p, HUGE, RW);
  fill(p, 0, HUGE_PAGES);
  smaps("written", p);
  clear(8 * HUGE_PAGES);
}

static char *collapsed(int fd, long pages) {
  char *p = shared(fd, pages, 0);
  fill(p, 0, pages);
  if (madvise(p, pages * PG, MADV_COLLAPSE)) perror("collapse");
  return p;
}

static void parts(void) {
  printf("parts\n");
  char *p = collapsed(-1, HUGE_PAGES);
  munmap(p + 100 * PG, 10 * PG);
  smaps("low after munmap", p);
  contents("low", p, 100);
  smaps("low", p);
  smaps("high", p + 110 * PG);
  machine("munmap");
  clear(8 * HUGE_PAGES);
  p = collapsed(-1, HUGE_PAGES);
  mprotect(p + 100 * PG, 10 * PG, PROT_READ);
  smaps("low after mprotect", p);
  smaps("midst", p + 100 * PG);
  p[100 * PG - 1] = 1;
  smaps("low", p);
  mprotect(p + 100 * PG, 10 * PG, RW);
  smaps("whole", p);
  madvise(p, HUGE, MADV_DONTNEED);
  *(volatile char *)p;
  smaps("read again", p);
  clear(8 * HUGE_PAGES);
  p = collapsed(-1, HUGE_PAGES);
  is("dontneed", madvise(p + 5 * PG, PG, MADV_DONTNEED));
  smaps("after dontneed of one", p);
  *(volatile char *)(p + 5 * PG);
  smaps("read", p);
  contents("read", p, HUGE_PAGES);
  madvise(p, HUGE, MADV_DONTNEED);
  smaps("after dontneed of all", p);
  p[3 * PG + 9] = 1;
  smaps("written", p);
  clear(8 * HUGE_PAGES);
  p = collapsed(-1, HUGE_PAGES);
  is("remove", madvise(p + 5 * PG, PG, MADV_REMOVE));
  smaps("after remove", p);
  machine("remove");
  printf("  in core %ld\n", in_core(p, HUGE_PAGES));
  contents("remove", p, HUGE_PAGES);
  smaps("read", p);
  collapse("again", p, HUGE);
  smaps("again", p);
  contents("again", p, HUGE_PAGES);
  is("remove all", madvise(p, HUGE, MADV_REMOVE));
  smaps("after", p);
  machine("remove all");
  clear(8 * HUGE_PAGES);
  p = collapsed(-1, 2 * HUGE_PAGES);
  char *q = mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 4 * HUGE);
  at("mremap", q);
  smaps("moved", q);
  q = mremap(p + HUGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 6 * HUGE + PG);
  smaps("moved askew", q);
  *(volatile char *)q;
  smaps("read", q);
  machine("moved");
  clear(8 * HUGE_PAGES);
  p = collapsed(-1, HUGE_PAGES);
  is("cold", madvise(p, HUGE, MADV_COLD));
  smaps("cold", p);
  is("cold in part", madvise(p, PG, MADV_COLD));
  machine("cold in part");
  clear(8 * HUGE_PAGES);
  p = collapsed(-1, HUGE_PAGES);
  contents("end", p, HUGE_PAGES);
  clear(8 * HUGE_PAGES);
  machine("end");
}

static void files(void) {
  printf("files\n");
  int fd = memory_file(2 * HUGE_PAGES);
  char *p = collapsed(fd, 2 * HUGE_PAGES);
  long value = 4711;
  is("pwrite", pwrite(fd, &value, sizeof value, 9 * PG));
  printf("  seen %ld\n", *(long *)(p + 9 * PG));
  *(long *)(p + 9 * PG) = 10;
  is("pread", pread(fd, &value, sizeof value, 9 * PG));
  printf("  read %ld\n", value);
  smaps("before", p);
  is("ftruncate", ftruncate(fd, HUGE + 10 * PG));
  smaps("after", p);
  machine("after");
  contents("rest", p, HUGE_PAGES + 10);
  smaps("read", p);
  is("ftruncate", ftruncate(fd, 10 * PG));
  machine("after");
  is("ftruncate", ftruncate(fd, 2 * HUGE));
  contents("larger", p, 2 * HUGE_PAGES);
  is("ftruncate", ftruncate(fd, 0));
  machine("empty");
  clear(8 * HUGE_PAGES);
  close(fd);
  fd = memory_file(HUGE_PAGES);
  p = collapsed(fd, HUGE_PAGES);
  clear(8 * HUGE_PAGES);
  machine("unmapped");
  p = shared(fd, HUGE_PAGES, 0);
  smaps("mapped again", p);
  printf("  %ld\n", *(volatile long *)p);
  smaps("read", p);
  madvise(p, HUGE, MADV_NOHUGEPAGE);
  madvise(p, HUGE, MADV_DONTNEED);
  printf("  %ld\n", *(volatile long *)p);
  smaps("read, not to be huge", p);
  clear(8 * HUGE_PAGES);
  p = shared(fd, HUGE_PAGES / 2, 0);
  printf("  %ld\n", *(volatile long *)p);
  smaps("half", p);
  clear(8 * HUGE_PAGES);
  close(fd);
  machine("closed");
  fd = memory_file(HUGE_PAGES);
  is("fallocate", fallocate(fd, 0, 0, HUGE));
  p = shared(fd, HUGE_PAGES, 0);
  collapse("fallocated", p, HUGE);
  machine("fallocated");
  contents("fallocated", p, HUGE_PAGES);
  fill(p, 0, HUGE_PAGES);
  is("punch", fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 17 * PG + 5, 3 * PG));
  machine("punched");
  contents("punched", p, HUGE_PAGES);
  clear(8 * HUGE_PAGES);
  close(fd);
  fd = memory_file(HUGE_PAGES);
  p = shared(fd, HUGE_PAGES, 0);
  fill(p, 0, HUGE_PAGES);
  clear(8 * HUGE_PAGES);
  is("seal", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  p = mmap(BASE, HUGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
  collapse("sealed", p, HUGE);
  if (p == BASE) smaps("sealed", p);
  clear(8 * HUGE_PAGES);
  close(fd);
  machine("closed");
}

static void mappers(void) {
  printf("mappers\n");
  int fd = memory_file(HUGE_PAGES);
  char *p = shared(fd, HUGE_PAGES, 0);
  fill(p, 0, HUGE_PAGES);
  char *q = mmap(BASE + 2 * HUGE, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  char *r = mmap(BASE + 4 * HUGE + PG, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  char *s = mmap(BASE + 6 * HUGE, HUGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
  contents("second", q, HUGE_PAGES);
  contents("askew", r, HUGE_PAGES);
  contents("private", s, HUGE_PAGES);
  s[5 * PG + 100] = 9;
  smaps("private before", s);
  collapse("one of four", p, HUGE);
  smaps("first", p);
  smaps("second", q);
  smaps("askew", r);
  smaps("private", s);
  machine("one of four");
  contents("second", q, HUGE_PAGES);
  smaps("second", q);
  printf("  %ld\n", *(volatile long *)(r + 5 * PG));
  smaps("askew", r);
  printf("  %ld %d\n", *(volatile long *)(s + 6 * PG), s[5 * PG + 100]);
  smaps("private", s);
  collapse("private with a copy", s, HUGE);
  collapse("askew", r, HUGE);
  collapse("second", q, HUGE);
  smaps("first", p);
  machine("all");
  munmap(s, HUGE);
  s = mmap(BASE + 6 * HUGE, HUGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
  collapse("private", s, HUGE);
  smaps("private", s);
  s[7 * PG + 8] = 1;
  smaps("private, written", s);
  printf("  %ld %ld\n", *(volatile long *)(s + 8 * PG), *(volatile long *)(p + 7 * PG));
  smaps("private, read", s);
  pid_t child = fork();
  if (child == 0) {
    smaps("child first", p);
    smaps("child private", s);
    fill(p, 0, 3);
    smaps("child first, written", p);
    contents("child", p, HUGE_PAGES);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  smaps("parent", p);
  munmap(p, HUGE);
  smaps("second alone", q);
  clear(8 * HUGE_PAGES);
  close(fd);
  machine("end");
}

static void copies(void) {
  printf("private file\n");
  int fd = memory_file(HUGE_PAGES);
  char *p = shared(fd, HUGE_PAGES, 0);
  fill(p, 0, HUGE_PAGES);
  clear(8 * HUGE_PAGES);
  p = mmap(BASE, HUGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
  collapse("never touched", p, HUGE);
  smaps("after", p);
  p[3 * PG + 8] = 1;
  smaps("written", p);
  collapse("with a copy", p, HUGE);
  pid_t child = fork();
  if (child == 0) {
    smaps("child", p);
    contents("child", p, HUGE_PAGES);
    smaps("child", p);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  clear(8 * HUGE_PAGES);
  close(fd);
}

static void segment(void) {
  printf("segment\n");
  int id = shmget(IPC_PRIVATE, HUGE, IPC_CREAT | 0600);
  char *p = shmat(id, BASE, 0);
  if (p != BASE) perror("shmat");
  collapse("untouched", p, HUGE);
  fill(p, 0, 20);
  collapse("touched", p, HUGE);
  smaps("touched", p);
  contents("touched", p, HUGE_PAGES);
  shmdt(p);
  machine("detached");
  p = shmat(id, BASE, SHM_RDONLY);
  contents("again", p, HUGE_PAGES);
  smaps("again", p);
  shmdt(p);
  shmctl(id, IPC_RMID, NULL);
  machine("removed");
}

/* Small pages of a huge one, mapped as a whole again; and no swap to take it to. */
static void tables(void) {
  printf("tables\n");
  char *p = collapsed(-1, HUGE_PAGES);
  mprotect(p + 100 * PG, 10 * PG, PROT_READ);
  p[3 * PG + 8] = 1;
  mprotect(p + 100 * PG, 10 * PG, RW);
  smaps("one page", p);
  is("collapse", madvise(p, HUGE, MADV_COLLAPSE));
  smaps("whole again", p);
  clear(8 * HUGE_PAGES);
  p = collapsed(-1, HUGE_PAGES);
  is("pageout", madvise(p, HUGE, 21));
  smaps("pageout", p);
  machine("pageout");
  contents("pageout", p, HUGE_PAGES);
  clear(8 * HUGE_PAGES);
}

static void pagemap(void) {
  printf("pagemap\n");
  char *p = collapsed(-1, HUGE_PAGES);
  int fd = open("/proc/self/pagemap", O_RDONLY);
  uint64_t entries[3];
  if (pread(fd, entries, sizeof entries, ((uintptr_t)p / PG + 100) * 8) != sizeof entries) perror("pread");
  for (int i = 0; i < 3; i++) printf("  %lx\n", (unsigned long)(entries[i] >> 55));
  uint64_t regions[3 * 4];
  struct { uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, anyof, result; } scan = {
    96, 0, (uintptr_t)p, (uintptr_t)p + HUGE, 0, (uintptr_t)regions, 4, 0, 0, 0, 0, 127};
  int found = ioctl(fd, _IOWR('f', 16, scan), &scan);
  is("scan", found);
  for (int i = 0; i < found; i++) printf("  %ld-%ld %lx\n", (long)(regions[i * 3] - (uintptr_t)p) / (long)PG, (long)(regions[i * 3 + 1] - (uintptr_t)p) / (long)PG, (unsigned long)regions[i * 3 + 2]);
  close(fd);
  clear(8 * HUGE_PAGES);
}

static void userfault(void) {
  printf("userfaultfd\n");
  int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  struct uffdio_api api = {.api = UFFD_API, .features = 0};
  is("api", ioctl(uffd, UFFDIO_API, &api));
  char *p = shared(-1, HUGE_PAGES, 0);
  fill(p, 0, 100);
  struct uffdio_register missing = {.range = {(uintptr_t)p, HUGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  is("register", ioctl(uffd, UFFDIO_REGISTER, &missing));
  collapse("with holes", p, HUGE);
  smaps("with holes", p);
  is("unregister", ioctl(uffd, UFFDIO_UNREGISTER, &missing.range));
  fill(p, 0, HUGE_PAGES);
  is("register", ioctl(uffd, UFFDIO_REGISTER, &missing));
  collapse("full", p, HUGE);
  smaps("full", p);
  clear(8 * HUGE_PAGES);
  close(uffd);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  set_huge_pages("never");
  anonymous();
  ranges();
  advice();
  parts();
  files();
  mappers();
  copies();
  segment();
  tables();
  pagemap();
  userfault();
  return 0;
}
