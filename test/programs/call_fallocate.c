/* fallocate in all modes, lseek with SEEK_DATA and SEEK_HOLE, copy_file_range, sendfile and splice on files that are mapped. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PG 4096L
static int fd;
static char *map;

static void is(const char *what, long r) { printf("%s: %ld %s\n", what, r, r == -1 ? errno_name(errno) : ""); }
static void size(void) { struct stat s; fstat(fd, &s); printf("  size %ld blocks %ld\n", (long)s.st_size, (long)s.st_blocks); }
static long allocate(int mode, long offset, long length) { return syscall(SYS_fallocate, fd, mode, offset, length); }
static void sum(void) {
  printf("  ");
  for (int i = 0; i < 8; i++) {
    int n = 0;
    for (int k = 0; k < PG; k++) n += map[i * PG + k] != 0;
    printf(" %d", n);
  }
  puts("");
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

int main(void) {
  fd = open("/tmp/fa", O_RDWR | O_CREAT | O_TRUNC, 0600);
  static char page[PG];
  memset(page, 'p', PG);
  is("allocate", allocate(0, 100, 3 * PG));
  size();
  is("keep size", allocate(FALLOC_FL_KEEP_SIZE, 6 * PG, 2 * PG));
  size();
  is("inside", allocate(0, 0, PG));
  size();
  is("ftruncate", ftruncate(fd, 8 * PG));
  size();
  map = mmap(NULL, 8 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *copy = mmap(NULL, 8 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  for (int i = 0; i < 8; i++) memset(map + i * PG, 'a' + i, PG);
  size();
  copy[2 * PG] = 'C', copy[3 * PG] = 'C';
  is("punch", allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PG + 10, 2 * PG));
  size();
  sum();
  segments();
  printf("copies %d %d\n", copy[2 * PG], copy[3 * PG]);
  is("punch within a page", allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 * PG + 10, 20));
  sum();
  is("punch past the end", allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 7 * PG, 100 * PG));
  size();
  is("punch nothing there", allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100 * PG, PG));
  segments();
  static const int modes[] = {FALLOC_FL_PUNCH_HOLE, FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                              FALLOC_FL_INSERT_RANGE, FALLOC_FL_UNSHARE_RANGE, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE,
                              FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 4, 128, -1};
  for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) printf("mode %d", modes[i]), is("", allocate(modes[i], 0, PG));
  is("offset negative", allocate(0, -1, PG));
  is("length zero", allocate(0, 0, 0));
  is("length negative", allocate(0, 0, -1));
  is("overflows", allocate(0, LONG_MAX, LONG_MAX));
  is("punch overflows", allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, LONG_MAX, 2));
  is("too much", allocate(0, 0, 1L << 40));
  size();
  is("too much, keep size", allocate(FALLOC_FL_KEEP_SIZE, 0, LONG_MAX));
  size();
  int keep = fd, pipes[2], zero = open("/dev/zero", O_RDWR);
  pipe2(pipes, O_NONBLOCK);
  fd = open("/tmp/fa", O_RDONLY), is("read only", allocate(0, 0, PG)), is("read only, unknown mode", allocate(FALLOC_FL_COLLAPSE_RANGE, 0, PG));
  fd = pipes[1], is("pipe", allocate(0, 0, PG)), is("pipe, unknown mode", allocate(FALLOC_FL_ZERO_RANGE, 0, PG));
  fd = open("/tmp", O_RDONLY), is("directory", allocate(0, 0, PG));
  fd = zero, is("device", allocate(0, 0, PG));
  fd = 99, is("bad fd", allocate(0, 0, PG));
  fd = keep;
  struct rlimit limit = {9 * PG, RLIM_INFINITY}, old;
  getrlimit(RLIMIT_FSIZE, &old);
  setrlimit(RLIMIT_FSIZE, &limit);
  signal(SIGXFSZ, SIG_IGN);
  is("at the limit", allocate(0, 8 * PG, PG));
  is("above the limit", allocate(0, 8 * PG, PG + 1));
  is("above the limit, keep size", allocate(FALLOC_FL_KEEP_SIZE, 8 * PG, 2 * PG));
  setrlimit(RLIMIT_FSIZE, &old);
  size();

  puts("seek");
  ftruncate(fd, 0);
  ftruncate(fd, 10 * PG);
  segments();
  pwrite(fd, "x", 1, 2 * PG + 5);
  map[4 * PG] = 1;
  char reads = map[6 * PG];
  segments();
  size();
  is("data before the end", lseek(fd, 9 * PG, SEEK_DATA));
  is("hole before the end", lseek(fd, 9 * PG + 1, SEEK_HOLE));
  is("data at the end", lseek(fd, 10 * PG, SEEK_DATA));
  is("hole at the end", lseek(fd, 10 * PG, SEEK_HOLE));
  is("data negative", lseek(fd, -1, SEEK_DATA));
  is("hole inside data", lseek(fd, 2 * PG + 7, SEEK_HOLE));
  is("data inside data", lseek(fd, 2 * PG + 7, SEEK_DATA));
  is("position", lseek(fd, 0, SEEK_CUR));
  is("whence", lseek(fd, 0, 5));
  is("negative", lseek(fd, -1, SEEK_SET));
  is("pipe", lseek(pipes[0], 0, SEEK_DATA));

  puts("copies");
  memset(map, 'm', PG);
  int other = open("/tmp/fb", O_RDWR | O_CREAT | O_TRUNC, 0600);
  ftruncate(other, 4 * PG);
  char *seen = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
  off_t in = 10, out = 20;
  seen[0] = 's';
  is("copy_file_range", syscall(SYS_copy_file_range, fd, &in, other, &out, 100, 0));
  printf("%ld %ld %c%c%c%d\n", (long)in, (long)out, seen[0], seen[20], seen[119], seen[120]);
  in = 0;
  is("sendfile", sendfile(other, fd, &in, 5));
  printf("%.6s\n", seen);
  in = 0, out = PG - 2;
  is("splice in", syscall(SYS_splice, fd, &in, pipes[1], NULL, 8, 0));
  is("splice out", syscall(SYS_splice, pipes[0], NULL, other, &out, 8, 0));
  printf("%.8s\n", seen + PG - 2);
  in = 0, out = 0;
  is("flags", syscall(SYS_copy_file_range, fd, &in, other, &out, 1, 1));
  is("overlap", syscall(SYS_copy_file_range, fd, &in, fd, &out, 10, 0));
  in = 10 * PG - 3;
  is("to the end", syscall(SYS_copy_file_range, fd, &in, other, &out, 10, 0));
  is("at the end", syscall(SYS_copy_file_range, fd, &in, other, &out, 10, 0));
  in = -100;
  is("negative", syscall(SYS_copy_file_range, fd, &in, other, &out, 10, 0));
  in = -1;
  is("negative, wraps", syscall(SYS_copy_file_range, fd, &in, other, &out, 10, 0));
  in = 0;
  out = 6 * PG;
  is("beyond", syscall(SYS_copy_file_range, fd, &in, other, &out, 10, 0));
  struct stat s;
  fstat(other, &s);
  printf("size %ld blocks %ld\n", (long)s.st_size, (long)s.st_blocks);
  unlink("/tmp/fa"), unlink("/tmp/fb");
  return reads;
}
