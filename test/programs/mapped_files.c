/* Files of tmpfs and memfd_create that are mapped while they change: holes that lie in their first page, copies between and within them, reads and
 * writes whose memory is a mapping of the same file. */
#include "call.h"
#include <sys/sendfile.h>

static int fds[2];
static char bytes[8 * 4096];

/* Equal bytes in runs; . is a zero. */
static void runs(const char *what, int fd) {
  long n = pread(fd, bytes, sizeof bytes, 0);
  printf("%s:", what);
  for (long i = 0; i < n;) {
    long end = i;
    while (end < n && bytes[end] == bytes[i]) end++;
    printf(" %ld%c", end - i, bytes[i] ? bytes[i] : '.');
    i = end;
  }
  puts("");
}
/* Which pages of the window have entries. */
static void entries(const char *what, int pages) {
  uint64_t entry[16];
  int fd = open("/proc/self/pagemap", O_RDONLY);
  pread(fd, entry, pages * 8, (uintptr_t)BASE / PG * 8), close(fd);
  printf("%s: ", what);
  for (int i = 0; i < pages; i++) printf("%d", (int)(entry[i] >> 63));
  puts("");
}
static void fresh(int fd) {
  ftruncate(fd, 0);
  for (int i = 0; i < 4; i++) memset(bytes, 'a' + i, PG), pwrite(fd, bytes, PG, i * PG);
}

static void holes(int fd) {
  static const long hole[][2] = {{0, 40}, {100, 40}, {0, 4095}, {1, 4095}, {0, 4096}, {4096, 40}, {5000, 40}, {4000, 200}};
  for (unsigned i = 0; i < sizeof hole / sizeof *hole; i++) {
    fresh(fd);
    mmap(AT(0), 4 * PG, RW, MAP_SHARED | MAP_FIXED, fd, 0), mmap(AT(4), 4 * PG, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    madvise(AT(0), 8 * PG, 22 /* MADV_POPULATE_READ */), *AT(6) = 'P';
    printf("%ld+%ld, ", hole[i][0], hole[i][1]);
    is("punch", fallocate(fd, 3, hole[i][0], hole[i][1]));
    entries("there", 8);
    printf("%c %c\n", *AT(3), *AT(6));
    clear(8);
  }
  runs("left", fd);
}

static void copy_range(const char *what, int from, long at, int to, long there, long count) {
  loff_t in = at, out = there;
  is(what, syscall(SYS_copy_file_range, from, &in, to, &out, count, 0));
  printf("  positions %ld %ld\n", (long)in, (long)out);
}
static void send_file(const char *what, int from, long at, int to, long there, long count) {
  off_t in = at;
  lseek(to, there, SEEK_SET);
  is(what, sendfile(to, from, &in, count));
  printf("  positions %ld %ld\n", (long)in, (long)lseek(to, 0, SEEK_CUR));
}

static void copies(void) {
  fresh(fds[0]), fresh(fds[1]);
  copy_range("to another file system", fds[0], 0, fds[1], 0, PG), copy_range("back", fds[1], 0, fds[0], 0, PG);
  copy_range("to another one, 2^63", fds[0], 0x7fffffffffffff00, fds[1], 0, PG);
  copy_range("over itself", fds[1], 0, fds[1], 100, PG), copy_range("of nothing", fds[1], 0, fds[1], 0, 0);
  copy_range("over what is not there", fds[1], 3 * PG + 96, fds[1], 4 * PG, 2 * PG);
  copy_range("from behind the end", fds[1], 10 * PG, fds[1], 10 * PG + 5, 2 * PG);
  copy_range("from the end", fds[1], 5 * PG, fds[1], 0, 2 * PG);
  runs("now", fds[1]);
  fresh(fds[1]), send_file("sent behind itself", fds[1], 2 * PG, fds[1], 4 * PG, 6 * PG), runs("grown", fds[1]);
  fresh(fds[1]), send_file("sent over itself", fds[1], 0, fds[1], PG, 3 * PG), runs("now", fds[1]);
  fresh(fds[1]), send_file("sent down", fds[1], PG, fds[1], 0, 3 * PG), runs("now", fds[1]);
  fresh(fds[1]), send_file("to the other", fds[0], 100, fds[1], 4 * PG, 9 * PG), runs("now", fds[1]);
}

/* Memory and file are the same pages. */
static void themselves(int fd) {
  fresh(fd);
  mmap(AT(0), 4 * PG, RW, MAP_SHARED | MAP_FIXED, fd, 0), mmap(AT(4), 4 * PG, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
  is("read of a page into it", pread(fd, AT(1), PG, PG)), is("into the next", pread(fd, AT(2), PG, PG));
  is("write of a page to it", pwrite(fd, AT(3), PG, 3 * PG)), is("to another", pwrite(fd, AT(3), PG, 0));
  runs("now", fd);
  is("read into a private copy", pread(fd, AT(5), PG, 2 * PG)), is("and it is written back", pwrite(fd, AT(5), 100, 3 * PG));
  is("read into several", pread(fd, AT(5), 3 * PG, 0)), printf("%c%c%c\n", *AT(5), *AT(6), *AT(7));
  is("write behind the end", pwrite(fd, AT(2), PG, 5 * PG + 10)), runs("now", fd);
  is("cut", ftruncate(fd, PG + 10)), printf("%s %s\n", touch(AT(5), 0), touch(AT(6), 0));
  is("grown", ftruncate(fd, 4 * PG)), printf("%d %d %d\n", AT(5)[5], AT(5)[50], *AT(6));
  entries("there", 8), runs("now", fd);
  fresh(fd);
  is("read up", pread(fd, AT(1), 3 * PG, 0)), runs("now", fd), fresh(fd);
  is("read down", pread(fd, AT(0), 3 * PG, PG)), runs("now", fd), fresh(fd);
  is("written up", pwrite(fd, AT(0), 3 * PG, PG)), runs("now", fd), fresh(fd);
  is("written down, from a private mapping", pwrite(fd, AT(4) + PG, 3 * PG, 0)), runs("now", fd), fresh(fd);
  is("written behind the end", pwrite(fd, AT(1), 3 * PG, 2 * PG + 512)), runs("now", fd);
  clear(8);
}

/* Only what is touched is mapped: no fault-around. */
static void secrets(void) {
  int fd = syscall(447, 0);
  ftruncate(fd, 4 * PG);
  mmap(AT(0), 4 * PG, RW, MAP_SHARED | MAP_FIXED, fd, 0), memset(AT(0), 's', 4 * PG);
  mmap(AT(4), 4 * PG, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  printf("%c, ", *AT(5)), entries("secret", 8);
  clear(8), close(fd);
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 65536);
  fds[0] = syscall(SYS_memfd_create, "m", 0), fds[1] = open("/tmp/mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
  for (int i = 0; i < 2; i++) holes(fds[i]), themselves(fds[i]);
  copies();
  secrets();
  return 0;
}
