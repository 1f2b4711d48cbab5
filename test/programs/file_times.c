/* Times of a file that mappings change: that of the last access by mmap and read, as relatime has it, and those of the last change by stores. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PG 4096L
#define RW (PROT_READ | PROT_WRITE)
static int fd;
static struct stat before;

static int differs(struct timespec a, struct timespec b) { return a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec; }
/* Which times have changed since the last question; time passes before the next. */
static void changed(const char *what) {
  struct stat now;
  fstat(fd, &now);
  printf("%s:%s%s%s\n", what, differs(before.st_atim, now.st_atim) ? " accessed" : "", differs(before.st_mtim, now.st_mtim) ? " modified" : "",
         differs(before.st_ctim, now.st_ctim) ? " changed" : "");
  before = now;
  struct timespec moment = {0, 30000000};
  nanosleep(&moment, NULL);
}

int main(void) {
  char byte = 'x';
  fd = open("/tmp/file_times", O_RDWR | O_CREAT | O_TRUNC, 0600);
  ftruncate(fd, 8 * PG);
  fstat(fd, &before);
  changed("nothing");
  pwrite(fd, &byte, 1, 0), changed("write");
  pread(fd, &byte, 1, 0), changed("read after a write");
  pread(fd, &byte, 1, 0), changed("read again");
  char *map = mmap(NULL, 8 * PG, RW, MAP_SHARED, fd, 0);
  changed("mmap after a read");
  pwrite(fd, &byte, 1, 0), changed("write");
  char *copy = mmap(NULL, 8 * PG, RW, MAP_PRIVATE, fd, 0);
  changed("mmap after a write");
  map[0] = 1, changed("a first store");
  map[1] = 1, changed("a second store");
  map[PG] = 1, changed("a store to another page");
  volatile char c = map[2 * PG];
  changed("a load");
  map[2 * PG] = 1, changed("a store after it");
  copy[0] = 1, changed("a store to a private mapping");
  mprotect(map, PG, PROT_READ), mprotect(map, PG, RW), changed("mprotect");
  map[2] = 1, changed("a store after that");
  madvise(map, PG, MADV_DONTNEED), map[0] = 1, changed("a store to what was dropped");
  msync(map, 8 * PG, MS_SYNC), changed("msync");
  fsync(fd), changed("fsync");
  pread(fd, map + 4 * PG, 1, 0), changed("a read into the mapping");
  mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, 0), changed("another mmap");
  munmap(map, 8 * PG), changed("munmap");
  unlink("/tmp/file_times");
  return c;
}
