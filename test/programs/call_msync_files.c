/* msync, fsync, fdatasync, sync_file_range, sync, syncfs, posix_fadvise: flags and errors on mappings and files of every kind, and
 * that read, write and mappings of one file see the same bytes in every order. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG 4096L
#define RW (PROT_READ | PROT_WRITE)

static void is(const char *what, long r) { printf("%s: %ld %s\n", what, r, r == -1 ? errno_name(errno) : ""); }
static long range(int fd, long offset, long bytes, unsigned flags) { return syscall(SYS_sync_file_range, fd, offset, bytes, flags); }

static void mappings(int fd) {
  char *p = mmap(NULL, 6 * PG, RW, MAP_SHARED, fd, 0);
  is("sync", msync(p, 6 * PG, MS_SYNC));
  is("async", msync(p, 6 * PG, MS_ASYNC));
  is("invalidate", msync(p, 6 * PG, MS_INVALIDATE));
  is("sync, invalidate", msync(p, 6 * PG, MS_SYNC | MS_INVALIDATE));
  is("async, invalidate", msync(p, 6 * PG, MS_ASYNC | MS_INVALIDATE));
  is("nothing", msync(p, 6 * PG, 0));
  is("both", msync(p, 6 * PG, MS_SYNC | MS_ASYNC));
  is("unknown", msync(p, 6 * PG, 8));
  is("unknown, unaligned", msync(p + 1, 6 * PG, 8));
  is("unaligned", msync(p + 1, PG, MS_SYNC));
  is("odd length", msync(p, 1, MS_SYNC));
  is("no length", msync(p, 0, MS_SYNC));
  is("no length, unmapped", msync((void *)PG, 0, MS_SYNC));
  is("wraps", msync(p, -1, MS_SYNC));
  is("all of memory", msync(0, -PG, MS_SYNC));
  is("unmapped", msync((void *)PG, PG, MS_SYNC));
  is("kernel half", msync((void *)(1L << 62), PG, MS_SYNC));
  munmap(p + 2 * PG, PG);
  is("hole", msync(p, 6 * PG, MS_SYNC));
  is("hole, async", msync(p, 6 * PG, MS_ASYNC));
  is("hole, nothing", msync(p, 6 * PG, 0));
  is("begins in the hole", msync(p + 2 * PG, 2 * PG, MS_SYNC));
  is("only the hole", msync(p + 2 * PG, PG, MS_SYNC));
  mlock(p + 4 * PG, PG);
  is("locked", msync(p + 4 * PG, PG, MS_SYNC));
  is("locked, invalidate", msync(p + 4 * PG, PG, MS_SYNC | MS_INVALIDATE));
  is("hole and locked, invalidate", msync(p, 6 * PG, MS_INVALIDATE));
  is("before the locked, invalidate", msync(p + 3 * PG, PG, MS_INVALIDATE));
  munlock(p + 4 * PG, PG);
  mprotect(p, PG, PROT_NONE);
  is("no access", msync(p, PG, MS_SYNC));
  char *a = mmap(NULL, PG, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *s = mmap(NULL, PG, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  is("anonymous", msync(a, PG, MS_SYNC));
  is("shared anonymous", msync(s, PG, MS_SYNC));
  ftruncate(fd, PG);
  is("past the end", msync(p + 4 * PG, PG, MS_SYNC));
  munmap(p, 6 * PG), munmap(a, PG), munmap(s, PG);
}

static void kinds(int fd) {
  int pipes[2], pair[2], directory = open("/tmp", O_RDONLY), null = open("/dev/null", O_RDWR), ro = open("/tmp/ms", O_RDONLY), path = open("/tmp/ms", O_PATH),
      memory = memfd_create("m", 0), proc = open("/proc/self/maps", O_RDONLY);
  pipe(pipes);
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  static const char *names[] = {"file", "read only", "pipe", "socket", "directory", "null", "memfd", "proc", "O_PATH", "bad"};
  int files[] = {fd, ro, pipes[1], pair[0], directory, null, memory, proc, path, 99};
  for (int i = 0; i < 10; i++) {
    printf("%s\n", names[i]);
    is(" fsync", fsync(files[i]));
    is(" fdatasync", fdatasync(files[i]));
    is(" syncfs", syncfs(files[i]));
    is(" range", range(files[i], 0, 0, 7));
    is(" range, no flags", range(files[i], 0, 0, 0));
    is(" range, bad flags", range(files[i], 0, 0, 8));
    is(" advise", syscall(SYS_fadvise64, files[i], 0L, 0L, POSIX_FADV_DONTNEED));
  }
  is("range negative", range(fd, -1, 1, 2));
  is("range negative length", range(fd, 0, -1, 2));
  is("range wraps", range(fd, LONG_MAX, 1, 2));
  is("range at the top", range(fd, LONG_MAX, 0, 2));
  is("range beyond", range(fd, 1L << 40, PG, 2));
  is("advise unknown", syscall(SYS_fadvise64, fd, 0L, 0L, 6));
  is("advise negative length", syscall(SYS_fadvise64, fd, 0L, -1L, 0));
  is("advise negative offset", syscall(SYS_fadvise64, fd, -1L, 1L, 0));
  sync();
}

static void coherence(int fd) {
  char buffer[64] = "", *first = mmap(NULL, 4 * PG, RW, MAP_SHARED, fd, 0), *second = mmap(NULL, 2 * PG, PROT_READ, MAP_SHARED, fd, 2 * PG),
       *own = mmap(NULL, 4 * PG, RW, MAP_PRIVATE, fd, 0);
  ftruncate(fd, 4 * PG);
  is("write", pwrite(fd, "written", 7, 2 * PG + 3));
  printf("%s %s %s\n", first + 2 * PG + 3, second + 3, own + 2 * PG + 3);
  memcpy(first + 2 * PG + 3, "STORED", 6);
  pread(fd, buffer, 7, 2 * PG + 3);
  printf("%s %s %s\n", buffer, second + 3, own + 2 * PG + 3);
  own[2 * PG + 3] = '*';
  pwrite(fd, "again", 5, 2 * PG + 3);
  printf("%s %s %s\n", first + 2 * PG + 3, second + 3, own + 2 * PG + 3);
  /* From the file to its own mapping and back, across a page. */
  memcpy(first + PG - 4, "12345678", 8);
  is("read into the mapping", pread(fd, first + 3 * PG, 8, PG - 4));
  is("write from the mapping", pwrite(fd, first + 3 * PG, 8, 100));
  printf("%.8s %.8s\n", first + 3 * PG, first + 100);
  struct iovec parts[2] = {{first + PG - 2, 4}, {first + 102, 2}};
  is("writev from the mapping", pwritev(fd, parts, 2, 200));
  printf("%.6s\n", first + 200);
  int other = open("/tmp/ms", O_RDWR | O_APPEND);
  is("append", write(other, "end", 3));
  first = mremap(first, 4 * PG, 5 * PG, MREMAP_MAYMOVE);
  printf("%.3s %d\n", first + 4 * PG, first[4 * PG + 3]);
  fflush(stdout);
  if (fork() == 0) {
    first[0] = 'c';
    own[0] = 'p';
    pwrite(fd, "child", 5, PG);
    _exit(0);
  }
  wait(NULL);
  printf("%c %d %.5s\n", first[0], own[0], own + PG);
  close(open("/tmp/ms", O_RDWR | O_TRUNC));
  pwrite(fd, "new", 3, 0);
  printf("%s %s\n", first, own);
  is("truncate by name", truncate("/tmp/ms", 2));
  printf("%s %s\n", first, own);
  rename("/tmp/ms", "/tmp/mt");
  first[1] = '!';
  pread(fd, buffer, 2, 0);
  printf("%.2s\n", buffer);
  unlink("/tmp/mt");
}

int main(void) {
  int fd = open("/tmp/ms", O_RDWR | O_CREAT | O_TRUNC, 0600);
  ftruncate(fd, 6 * PG);
  mappings(fd);
  kinds(fd);
  coherence(fd);
  return 0;
}
