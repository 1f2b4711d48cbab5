/* ftruncate and truncate of files that are mapped: SIGBUS past the end, private copies that go too, the rest of the last page,
 * stores beyond the end, holes, and what read, write, pread, lseek and user copies see of it. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG 4096L
#define RW (PROT_READ | PROT_WRITE)
static sigjmp_buf back;
static char *base;

static void caught(int signal, siginfo_t *info, void *context) {
  printf("[%d code %d page %ld] ", signal, info->si_code, ((char *)info->si_addr - base) / PG);
  siglongjmp(back, 1);
}
static void load(const char *what, volatile char *p) {
  printf("%s: ", what);
  if (sigsetjmp(back, 1) == 0) printf("%d\n", *p);
  else puts("");
}
static void store(const char *what, volatile char *p, char c) {
  printf("%s: ", what);
  if (sigsetjmp(back, 1) == 0) *p = c, puts("ok");
  else puts("");
}
static void is(const char *what, long r) { printf("%s: %ld %s\n", what, r, r == -1 ? errno_name(errno) : ""); }
static void size(int fd) { struct stat s; fstat(fd, &s); printf("size %ld blocks %ld\n", (long)s.st_size, (long)s.st_blocks); }
static void tail(const char *what, char *p) {
  int n = 0;
  for (int i = 0; i < PG; i++) n += p[i] != 0;
  printf("%s: %d bytes set, first %d\n", what, n, p[0]);
}
static void residency(const char *what, char *p, int pages) {
  unsigned char v[64];
  printf("%s:", what);
  if (mincore(p, pages * PG, v)) printf(" %s", errno_name(errno));
  else for (int i = 0; i < pages; i++) printf(" %d", v[i] & 1);
  puts("");
}

static void errors(void) {
  is("truncate nothing there", truncate("/tmp/none", 0));
  is("truncate directory", truncate("/tmp", 0));
  is("truncate empty path", truncate("", 0));
  is("truncate negative", truncate("/tmp/tm", -1));
  is("truncate bad pointer", truncate((char *)8, 0));
  is("truncate not a directory", truncate("/tmp/tm/x", 0));
  is("truncate device", truncate("/dev/null", 0));
  int ro = open("/tmp/tm", O_RDONLY), wo = open("/tmp/tm", O_WRONLY), pipes[2], dir = open("/tmp", O_RDONLY), path = open("/tmp/tm", O_PATH);
  pipe(pipes);
  is("ftruncate bad fd", ftruncate(99, 0));
  is("ftruncate read only", ftruncate(ro, 0));
  is("ftruncate negative", ftruncate(wo, -1));
  is("ftruncate pipe", ftruncate(pipes[1], 0));
  is("ftruncate directory", ftruncate(dir, 0));
  is("ftruncate O_PATH", ftruncate(path, 0));
  is("ftruncate write only", ftruncate(wo, 5 * PG));
  is("ftruncate largest", ftruncate(wo, INT64_MAX));
  size(wo);
  is("ftruncate back", ftruncate(wo, 5 * PG));
  struct rlimit limit = {8 * PG, RLIM_INFINITY}, old;
  getrlimit(RLIMIT_FSIZE, &old);
  setrlimit(RLIMIT_FSIZE, &limit);
  signal(SIGXFSZ, SIG_IGN);
  is("ftruncate at the limit", ftruncate(wo, 8 * PG));
  is("ftruncate above the limit", ftruncate(wo, 8 * PG + 1));
  setrlimit(RLIMIT_FSIZE, &old);
  size(wo);
  close(ro), close(wo), close(pipes[0]), close(pipes[1]), close(dir), close(path);
}

int main(void) {
  struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
  sigaction(SIGBUS, &action, NULL);
  sigaction(SIGSEGV, &action, NULL);
  int fd = open("/tmp/tm", O_RDWR | O_CREAT | O_TRUNC, 0600);
  static char page[PG];
  memset(page, 'a', PG);
  for (int i = 0; i < 4; i++) page[0] = 'A' + i, write(fd, page, PG);
  size(fd);
  base = mmap(NULL, 16 * PG, RW, MAP_SHARED, fd, 0);
  char *copy = mmap(NULL, 16 * PG, RW, MAP_PRIVATE, fd, 0);
  load("inside", base + 3 * PG);
  load("past the end", base + 4 * PG);
  store("store past the end", base + 5 * PG, 1);
  for (int i = 0; i < 4; i++) copy[i * PG] = 'a' + i;
  is("shrink to 1.5 pages", ftruncate(fd, PG + PG / 2));
  size(fd);
  residency("shared", base, 4);
  tail("cut page", base + PG);
  load("behind", base + 2 * PG);
  char *saved = base;
  base = copy;
  load("private kept", copy);
  load("private cut page", copy + PG);
  load("private behind", copy + 2 * PG);
  base = saved;
  residency("private", copy, 4);
  base[PG + PG / 2 + 7] = 'x';
  char byte[PG];
  is("read at the end", pread(fd, byte, PG, PG + PG / 2));
  is("grow to 2 pages", ftruncate(fd, 2 * PG));
  is("read what was beyond", pread(fd, byte, PG, PG + PG / 2));
  printf("beyond %d\n", byte[7]);
  tail("cut page after growing", base + PG);
  is("shrink again", ftruncate(fd, PG + PG / 2));
  base[PG + PG / 2 + 9] = 'y';
  is("write at a gap", pwrite(fd, "z", 1, 3 * PG));
  is("read", pread(fd, byte, PG, PG + PG / 2));
  printf("beyond %d\n", byte[9]);
  size(fd);
  load("hole", base + 2 * PG);
  load("written", base + 3 * PG);
  load("rest of the page", base + 3 * PG + 1);
  close(open("/tmp/tm", O_RDWR | O_TRUNC));
  load("after O_TRUNC", base);
  load("private after O_TRUNC", copy);
  size(fd);
  int append = open("/tmp/tm", O_WRONLY | O_APPEND);
  is("write", write(append, "appended", 8));
  is("lseek", lseek(append, 0, SEEK_CUR));
  is("pwrite appends", pwrite(append, "again", 5, 0));
  printf("%.13s\n", base);
  store("store", base + 3, 'X');
  is("pread", pread(fd, byte, 20, 0));
  printf("%.13s\n", byte);
  store("store beyond", base + 100, 'Q');
  is("append", write(append, "!", 1));
  is("pread", pread(fd, byte, PG, 0));
  printf("%d bytes, %.14s\n", (int)lseek(fd, 0, SEEK_END), byte);

  puts("user copies");
  ftruncate(fd, PG);
  int pipes[2];
  pipe2(pipes, O_NONBLOCK);
  is("write from past the end", write(pipes[1], base + PG, 10));
  is("write across the end", write(pipes[1], base + PG - 4, 10));
  is("write", write(pipes[1], "0123456789", 10));
  is("read to past the end", read(pipes[0], base + PG, 10));
  is("read across the end", read(pipes[0], base + PG - 2, 10));
  is("uname there", syscall(160, base + PG));
  is("mlock over the end", mlock(base, 2 * PG));
  is("populate read", madvise(base, 2 * PG, 22));
  is("populate write", madvise(base + PG, PG, 23));
  residency("past the end", base, 2);

  puts("while forked");
  ftruncate(fd, 3 * PG);
  base[0] = 1, base[PG] = 2, base[2 * PG] = 3;
  copy[PG] = 9;
  fflush(stdout);
  if (fork() == 0) {
    ftruncate(fd, PG);
    load("child", base + PG);
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  load("parent", base + PG);
  base = copy;
  load("parent's copy", copy + PG);
  base = saved;
  is("grow", ftruncate(fd, 3 * PG));
  load("zero again", base + PG);
  load("copy is zero", copy + PG);
  store("copy", copy + PG, 5);
  load("file", base + PG);
  errors();
  unlink("/tmp/tm");
  size(fd);
  store("unlinked", base, 7);
  close(fd);
  load("closed", base);
  return 0;
}
