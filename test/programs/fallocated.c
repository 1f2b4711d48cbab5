/* Pages that only fallocate(2) made: there, but with nothing in them yet. What mincore, lseek, fault-around and cachestat say of them, and what fills them. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG 4096L
#define N 16
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
static int fd;

static void blocks(void) {
  struct stat s;
  fstat(fd, &s);
  printf("  size %ld blocks %ld\n", (long)s.st_size, (long)s.st_blocks);
}
static void segments(void) {
  long at = 0;
  printf("  data");
  while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
    long end = lseek(fd, at, SEEK_HOLE);
    printf(" %ld-%ld", at, end);
    at = end;
  }
  printf(" %s\n", errno_name(errno));
}
static void resident(void *at, int pages) {
  unsigned char vec[64];
  mincore(at, pages * PG, vec);
  printf("  in memory ");
  for (int i = 0; i < pages; i++) printf("%d", vec[i]);
  puts("");
}
/* Which pages this mapping has entries for: bit 63 of pagemap. */
static void mapped(void *at, int pages) {
  uint64_t entries[64];
  int map = open("/proc/self/pagemap", O_RDONLY);
  pread(map, entries, pages * 8, (uintptr_t)at / PG * 8);
  close(map);
  printf("  mapped    ");
  for (int i = 0; i < pages; i++) printf("%d", (int)(entries[i] >> 63));
  puts("");
}
static void cached(void) {
  uint64_t range[2] = {0, 0}, stat[5] = {0};
  long r = syscall(451, fd, range, stat, 0);
  printf("  cachestat %ld: %ld\n", r, (long)stat[0]);
}
static char *fresh(void) {
  fd = open("/tmp/fallocated", O_RDWR | O_CREAT | O_TRUNC, 0600);
  ftruncate(fd, N * PG);
  if (fallocate(fd, 0, 0, N * PG) != 0) puts("no fallocate");
  /* Where fault-around maps depends on the address. */
  return mmap((void *)0x20000000, N * PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
}
static void end(char *map) {
  munmap(map, N * PG);
  close(fd);
  unlink("/tmp/fallocated");
}
static void all(const char *what, char *map) {
  puts(what);
  resident(map, N), mapped(map, N), segments(), blocks(), cached();
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 65536);
  char page[2 * PG];
  memset(page, 'p', sizeof page);
  char *map = fresh();
  all("made", map);
  map[5 * PG] = 1;
  all("a store", map);
  volatile char c = map[7 * PG];
  all("a load", map);
  printf("read %ld", (long)pread(fd, page, PG, 9 * PG));
  printf(" %d\n", page[10]);
  all("a read", map);
  memset(page, 'p', sizeof page);
  printf("write %ld\n", (long)pwrite(fd, page, 10, 10 * PG + 5));
  all("a write of a part", map);
  printf("%d %d %d\n", map[10 * PG], map[10 * PG + 5], map[10 * PG + 15]);
  printf("again %d\n", fallocate(fd, 0, 12 * PG, 2 * PG));
  all("a second fallocate", map);
  printf("punch %d\n", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 14 * PG + 10, 20));
  all("a part punched", map);
  printf("punch %d\n", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PG + 10, 3 * PG));
  all("more punched", map);
  printf("truncate %d\n", ftruncate(fd, 15 * PG + 10));
  all("cut inside a page", map);
  printf("truncate %d\n", ftruncate(fd, N * PG));
  all("grown again", map);
  end(map);

  map = fresh();
  char *copy = mmap((void *)0x20100000, N * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);
  copy[3 * PG] = 1;
  all("a store to a private mapping", map);
  resident(copy, N), mapped(copy, N);
  c = copy[4 * PG];
  all("a load from it", map);
  resident(copy, N), mapped(copy, N);
  printf("populate %d\n", madvise(map + 8 * PG, 2 * PG, MADV_POPULATE_READ));
  all("populated", map);
  printf("willneed %d\n", madvise(map, N * PG, MADV_WILLNEED));
  all("needed soon", map);
  c = map[3 * PG];
  all("a load near what is there", map);
  munmap(copy, N * PG);
  printf("remove %d\n", madvise(map + 8 * PG, 4 * PG, MADV_REMOVE));
  all("removed", map);
  struct iovec to = {page, PG}, from = {map + 12 * PG, PG};
  printf("process_vm_readv %ld\n", (long)process_vm_readv(getpid(), &to, 1, &from, 1, 0));
  all("read by a call", map);
  printf("msync %d\n", msync(map, N * PG, MS_SYNC));
  printf("fsync %d\n", fsync(fd));
  all("synced", map);
  end(map);

  puts("nothing in between");
  map = fresh();
  int other = open("/tmp/fallocated2", O_RDWR | O_CREAT | O_TRUNC, 0600);
  off_t at = 0, out = 0;
  printf("sendfile %ld\n", (long)sendfile(other, fd, &at, 2 * PG));
  at = 4 * PG;
  printf("copy_file_range %ld\n", (long)syscall(SYS_copy_file_range, fd, &at, other, &out, 2 * PG, 0));
  int ends[2];
  pipe(ends);
  at = 8 * PG;
  printf("splice %ld\n", (long)splice(fd, &at, ends[1], NULL, PG, 0));
  all("passed on", map);
  unlink("/tmp/fallocated2");
  int status, pid = fork();
  if (pid == 0) {
    map[6 * PG] = 2;
    _exit(0);
  }
  waitpid(pid, &status, 0);
  all("a store of a child", map);
  mlock(map + 13 * PG, PG);
  all("locked", map);
  pwrite(fd, page, 2 * PG, PG);
  all("whole pages written", map);
  end(map);

  puts("past the end, kept");
  fd = open("/tmp/fallocated", O_RDWR | O_CREAT | O_TRUNC, 0600);
  printf("keep size %d\n", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4 * PG));
  segments(), blocks(), cached();
  printf("write %ld\n", (long)pwrite(fd, "x", 1, 3 * PG));
  segments(), blocks(), cached();
  map = mmap(NULL, N * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  resident(map, N);
  printf("truncate %d\n", ftruncate(fd, PG));
  segments(), blocks(), cached();
  end(map);

  puts("sparse");
  fd = open("/tmp/fallocated", O_RDWR | O_CREAT | O_TRUNC, 0600);
  printf("truncate %d\n", ftruncate(fd, 1L << 46));
  printf("write %ld\n", (long)pwrite(fd, "x", 1, 3 * PG));
  printf("data %ld\n", (long)lseek(fd, 1L << 44, SEEK_DATA));
  printf("hole %ld\n", (long)lseek(fd, 1L << 44, SEEK_HOLE));
  segments(), blocks();
  close(fd);

  puts("memfd");
  fd = memfd_create("m", 0);
  printf("%d\n", fallocate(fd, 0, 0, N * PG));
  map = mmap(NULL, N * PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  all("populated by mmap", map);
  end(map);

  puts("a minor fault of userfaultfd");
  fd = memfd_create("m", 0);
  printf("%d\n", fallocate(fd, 0, 0, N * PG));
  map = mmap(NULL, N * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  struct uffdio_api api = {UFFD_API, UFFD_FEATURE_MINOR_SHMEM};
  printf("api %d\n", ioctl(uffd, UFFDIO_API, &api));
  struct uffdio_register range = {{(uintptr_t)map, N * PG}, UFFDIO_REGISTER_MODE_MINOR};
  printf("register %d\n", ioctl(uffd, UFFDIO_REGISTER, &range));
  struct uffdio_continue page_there = {{(uintptr_t)map + 2 * PG, 2 * PG}, UFFDIO_CONTINUE_MODE_DONTWAKE};
  printf("continue %d\n", ioctl(uffd, UFFDIO_CONTINUE, &page_there));
  all("continued", map);
  end(map);
  return c;
}
