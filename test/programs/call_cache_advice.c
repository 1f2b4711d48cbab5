/* cachestat(2), posix_fadvise(2), readahead(2), and the calls that are not there or refuse: map_shadow_stack, swapon, swapoff. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG 4096UL
struct range { uint64_t off, len; };
struct stats { uint64_t cache, dirty, writeback, evicted, recently; };

static void show(const char *what, long r) {
  if (r == -1) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, r);
}
static void cache(const char *what, int fd, uint64_t off, uint64_t len) {
  struct range r = {off, len};
  struct stats s;
  memset(&s, 0x55, sizeof s);
  if (syscall(451, fd, &r, &s, 0) < 0) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: cache %ld dirty %ld writeback %ld evicted %ld %ld\n", what, (long)s.cache, (long)s.dirty, (long)s.writeback, (long)s.evicted, (long)s.recently);
}
static long advise(int fd, long off, long len, int advice) { return syscall(SYS_fadvise64, fd, off, len, advice); }

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 65536);
  int fd = open("/tmp/pages", O_RDWR | O_CREAT, 0600), ro = open("/tmp/pages", O_RDONLY), wo = open("/tmp/pages", O_WRONLY), path = open("/tmp/pages", O_PATH);
  int dir = open("/tmp", O_RDONLY), mem = memfd_create("m", 0), p[2], ep = epoll_create1(0), sock = socket(AF_UNIX, SOCK_STREAM, 0), null = open("/dev/null", O_RDWR);
  static char buffer[8 * PG];
  struct range r = {0, 0};
  struct stats s;
  pipe(p);
  puts("-- cachestat");
  cache("empty", fd, 0, 0);
  pwrite(fd, buffer, 8 * PG, 0);
  pwrite(fd, buffer, PG, 20 * PG);
  cache("all", fd, 0, 0);
  cache("first four", fd, 0, 4 * PG);
  cache("from the sixth byte of the eighth page on", fd, 7 * PG + 5, 0);
  cache("one byte", fd, PG + 1, 1);
  cache("two bytes over an edge", fd, PG - 1, 2);
  cache("the hole", fd, 8 * PG, 12 * PG);
  cache("beyond the end", fd, 100 * PG, PG);
  cache("2^63", fd, 1UL << 63, PG);
  cache("-1", fd, -1UL, 1);
  cache("from 1, -1 bytes", fd, 1, -1UL);
  cache("from 4 pages, -1 bytes", fd, 4 * PG, -1UL);
  cache("wraps to a page", fd, -PG, 2 * PG);
  cache("read-only", ro, 0, 0);
  cache("write-only", wo, 0, 0);
  cache("O_PATH", path, 0, 0);
  cache("directory", dir, 0, 0);
  ftruncate(mem, 10 * PG);
  char *m = mmap(NULL, 10 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
  m[3 * PG] = 1;
  cache("memfd", mem, 0, 0);
  cache("pipe", p[0], 0, 0);
  cache("epoll", ep, 0, 0);
  cache("socket", sock, 0, 0);
  cache("/dev/null", null, 0, 0);
  cache("bad fd", 99, 0, 0);
  show("flags", syscall(451, fd, &r, &s, 1));
  show("flags, bad fd", syscall(451, 99, &r, &s, 1));
  show("range nowhere", syscall(451, fd, 8, &s, 0));
  show("range nowhere, flags", syscall(451, fd, 8, &s, 1));
  show("range nowhere, bad fd", syscall(451, 99, 8, &s, 0));
  show("statistics nowhere", syscall(451, fd, &r, 8, 0));
  fchmod(fd, 0444);
  fflush(stdout);
  if (fork() == 0) {
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    cache("another user's, opened read-only", ro, 0, 0);
    cache("another user's, opened to write", fd, 0, 0);
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  puts("-- fadvise64");
  for (int advice = -1; advice < 9; advice++) printf("advice %d: ", advice), show("", advise(fd, 0, 0, advice));
  show("length -1", advise(fd, 0, -1, 0));
  show("offset -1", advise(fd, -1, 0, 0));
  show("offset 2^62", advise(fd, 1L << 62, 1L << 62, 4));
  show("length -1, bad advice", advise(fd, 0, -1, 99));
  show("pipe", advise(p[0], 0, 0, 0));
  show("pipe, bad advice", advise(p[0], 0, 0, 99));
  show("directory", advise(dir, 0, 0, 0));
  show("memfd", advise(mem, 0, 0, 3));
  show("memfd, bad advice", advise(mem, 0, 0, 99));
  show("/dev/null", advise(null, 0, 0, 0));
  show("/dev/null, bad advice", advise(null, 0, 0, 99));
  show("epoll", advise(ep, 0, 0, 0));
  show("socket", advise(sock, 0, 0, 0));
  show("O_PATH", advise(path, 0, 0, 0));
  show("write-only", advise(wo, 0, 0, 3));
  show("bad fd", advise(99, 0, 0, 0));
  show("bad fd, bad advice", advise(99, 0, 0, 99));
  advise(fd, 0, 0, 4);
  cache("after DONTNEED", fd, 0, 0);
  puts("-- readahead");
  show("file", syscall(SYS_readahead, fd, 0, 8 * PG));
  show("read-only", syscall(SYS_readahead, ro, 0, 8 * PG));
  show("write-only", syscall(SYS_readahead, wo, 0, 8 * PG));
  show("O_PATH", syscall(SYS_readahead, path, 0, 8 * PG));
  show("nothing", syscall(SYS_readahead, ro, 0, 0));
  show("offset -1", syscall(SYS_readahead, ro, -1L, PG));
  show("length -1", syscall(SYS_readahead, ro, 0, -1L));
  show("beyond the end", syscall(SYS_readahead, ro, 1L << 40, PG));
  show("memfd", syscall(SYS_readahead, mem, 0, PG));
  show("directory", syscall(SYS_readahead, dir, 0, PG));
  show("pipe", syscall(SYS_readahead, p[0], 0, PG));
  show("pipe's other end", syscall(SYS_readahead, p[1], 0, PG));
  show("socket", syscall(SYS_readahead, sock, 0, PG));
  show("/dev/null", syscall(SYS_readahead, null, 0, PG));
  show("epoll", syscall(SYS_readahead, ep, 0, PG));
  show("bad fd", syscall(SYS_readahead, 99, 0, PG));
  cache("a file that nothing was read of", mem, 0, 0);
  puts("-- others");
  show("map_shadow_stack", syscall(453, 0, PG, 0));
  show("swapon, no such file", syscall(SYS_swapon, "/tmp/none", 0));
  show("swapon, flags", syscall(SYS_swapon, "/tmp/none", 0x100000));
  show("swapon, nowhere", syscall(SYS_swapon, 8, 0));
  show("swapon, nowhere, flags", syscall(SYS_swapon, 8, 0x100000));
  show("swapon, directory", syscall(SYS_swapon, "/tmp", 0));
  show("swapon, device", syscall(SYS_swapon, "/dev/null", 0));
  show("swapon, empty name", syscall(SYS_swapon, "", 0));
  show("swapon, tmpfs", syscall(SYS_swapon, "/tmp/pages", 0));
  show("swapon, every flag", syscall(SYS_swapon, "/tmp/pages", 0x7ffff));
  show("swapoff, no such file", syscall(SYS_swapoff, "/tmp/none"));
  show("swapoff, nowhere", syscall(SYS_swapoff, 8));
  show("swapoff, directory", syscall(SYS_swapoff, "/tmp"));
  show("swapoff, no swap", syscall(SYS_swapoff, "/dev/null"));
  show("swapoff, empty name", syscall(SYS_swapoff, ""));
  fflush(stdout);
  if (fork() == 0) {
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    show("swapon as another", syscall(SYS_swapon, "/tmp/pages", 0));
    show("swapon as another, flags", syscall(SYS_swapon, "/tmp/pages", 0x100000));
    show("swapoff as another", syscall(SYS_swapoff, "/tmp/none"));
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  return 0;
}
