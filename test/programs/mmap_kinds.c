/* mmap of what is no ordinary file: pipes, sockets, files of /proc and /sys, devices, directories; which of its reasons comes first. */
#include "call.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static void one(int prot, int flags, long length, long offset, int fd) {
  void *p = mmap(NULL, length, prot, flags, fd, offset);
  printf(" %s", p == MAP_FAILED ? errno_name(errno) : "ok");
  if (p != MAP_FAILED) munmap(p, length);
}

static void try(const char *name, int fd) {
  static const int prots[] = {PROT_READ, PROT_READ | PROT_WRITE, PROT_EXEC};
  static const int flags[] = {MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_SHARED_VALIDATE | MAP_SYNC, MAP_PRIVATE | MAP_POPULATE,
    MAP_SHARED | MAP_LOCKED, MAP_PRIVATE | MAP_GROWSDOWN, MAP_PRIVATE | MAP_HUGETLB, 0, 3 | MAP_ANONYMOUS};
  printf("%s%s:", name, fd < 0 ? " (none)" : "");
  for (int p = 0; p < 3; p++) {
    for (unsigned f = 0; f < sizeof flags / sizeof *flags; f++) one(prots[p], flags[f], 2 * PG, 0, fd);
    printf(" /");
  }
  one(PROT_READ, MAP_PRIVATE, 2 * PG, 123, fd);
  one(PROT_READ, MAP_PRIVATE, 2 * PG, 1L << 62, fd);
  one(PROT_READ, MAP_PRIVATE, 0, 0, fd);
  one(PROT_READ, MAP_PRIVATE, 1L << 40, 0, fd);
  puts("");
}

int main(void) {
  int ends[2], sockets[2];
  sigset_t none;
  sigemptyset(&none);
  pipe(ends);
  socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
  try("-1", -1);
  try("99", 99);
  try("reading end", ends[0]);
  try("writing end", ends[1]);
  try("socket", sockets[0]);
  try("epoll", epoll_create1(0));
  try("eventfd", eventfd(0, 0));
  try("timerfd", timerfd_create(CLOCK_MONOTONIC, 0));
  try("signalfd", signalfd(-1, &none, 0));
  try("pidfd", syscall(SYS_pidfd_open, getpid(), 0));
  try("userfaultfd", syscall(SYS_userfaultfd, 1));
  try("directory", open("/", O_RDONLY));
  try("path", open("/proc", O_PATH));
  try("/dev/null", open("/dev/null", O_RDWR));
  try("/dev/zero", open("/dev/zero", O_RDWR));
  try("/dev/zero, reading", open("/dev/zero", O_RDONLY));
  try("/dev/zero, writing", open("/dev/zero", O_WRONLY));
  try("/dev/full", open("/dev/full", O_RDWR));
  try("/dev/urandom", open("/dev/urandom", O_RDONLY));
  try("maps", open("/proc/self/maps", O_RDONLY));
  try("mem", open("/proc/self/mem", O_RDWR));
  try("cmdline", open("/proc/self/cmdline", O_RDONLY));
  try("pagemap", open("/proc/self/pagemap", O_RDONLY));
  try("/proc/meminfo", open("/proc/meminfo", O_RDONLY));
  try("/proc/kpagecount", open("/proc/kpagecount", O_RDONLY));
  try("setting", open("/proc/sys/vm/overcommit_memory", O_RDWR));
  try("/sys", open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDWR));
  try("memfd", memfd_create("x", 0));
  try("memfd, no exec", memfd_create("x", 8));
  try("memfd of huge pages", memfd_create("x", MFD_HUGETLB));
  try("file, writing", open("/kinds", O_CREAT | O_WRONLY, 0600));
  try("file, reading", open("/kinds", O_RDONLY));
  try("file, appending", open("/kinds", O_APPEND | O_RDWR));
  return 0;
}
