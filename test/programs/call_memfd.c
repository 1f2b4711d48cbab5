/* memfd_create: flags, names, modes, links in /proc, maps; vm.memfd_noexec; and the seals: F_ADD_SEALS and F_GET_SEALS. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG 4096L
#define RW (PROT_READ | PROT_WRITE)
#define NOEXEC 8
#define EXEC 16
#define ADD 1033
#define GET 1034
enum { SEAL = 1, SHRINK = 2, GROW = 4, WRITE = 8, FUTURE = 16, SEXEC = 32 };

static long create(const char *name, unsigned flags) { return syscall(SYS_memfd_create, name, flags); }
static void is(const char *what, long r) { printf("%s: %ld %s\n", what, r, r == -1 ? errno_name(errno) : ""); }
static void did(const char *what, long r) { printf("%s: %s\n", what, r == -1 ? errno_name(errno) : "ok"); }
static void mapped(const char *what, void *p, long pages) {
  printf("%s: %s\n", what, p == MAP_FAILED ? errno_name(errno) : "mapped");
  if (p != MAP_FAILED) munmap(p, pages * PG);
}
static void show(const char *what, int fd) {
  char path[64], text[600];
  struct stat s;
  if (fd < 0) { printf("%s: %s\n", what, errno_name(errno)); return; }
  snprintf(path, 64, "/proc/self/fd/%d", fd);
  int n = readlink(path, text, sizeof text - 1);
  text[n < 0 ? 0 : n] = 0;
  fstat(fd, &s);
  printf("%s: %s mode %o links %ld size %ld blocks %ld seals %d cloexec %d flags %o\n", what, n > 60 ? "(long)" : text, s.st_mode, (long)s.st_nlink,
         (long)s.st_size, (long)s.st_blocks, fcntl(fd, GET), fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
}
static void lines(const char *key) {
  FILE *f = fopen("/proc/self/maps", "r");
  char line[600];
  while (fgets(line, sizeof line, f)) if (strstr(line, key)) printf("  %.4s %.8s %s", strchr(line, ' ') + 1, strchr(line, ' ') + 6, strstr(line, "/"));
  fclose(f);
}
static void setting(const char *value) {
  int fd = open("/proc/sys/vm/memfd_noexec", O_RDWR);
  char text[8] = "";
  is("set memfd_noexec", fd < 0 ? -1 : write(fd, value, strlen(value)));
  close(fd);
  fd = open("/proc/sys/vm/memfd_noexec", O_RDONLY);
  read(fd, text, 7);
  printf("memfd_noexec %s", text);
  close(fd);
}

static void creation(void) {
  char name[300];
  memset(name, 'n', sizeof name);
  name[249] = 0;
  show("plain", create("plain", 0));
  show("empty name", create("", 0));
  show("with / and blanks", create("a/b c\n", 0));
  show("cloexec", create("c", MFD_CLOEXEC));
  show("sealing", create("s", MFD_ALLOW_SEALING));
  show("noexec", create("x", NOEXEC));
  show("exec", create("e", EXEC));
  show("exec, sealing", create("e", EXEC | MFD_ALLOW_SEALING));
  show("both", create("b", NOEXEC | EXEC));
  show("longest name", create(name, 0));
  name[249] = 'n', name[250] = 0;
  show("too long", create(name, 0));
  show("bad pointer", create((char *)8, 0));
  show("unknown flag", create("u", 32));
  show("huge size without huge", create("u", 21u << 26));
  show("huge", create("h", MFD_HUGETLB));
  show("huge, sealing", create("h", MFD_HUGETLB | MFD_ALLOW_SEALING));
  show("huge 2M", create("h", MFD_HUGETLB | 21u << 26));
  show("huge 64K", create("h", MFD_HUGETLB | 16u << 26));
  show("huge of no size", create("h", MFD_HUGETLB | 13u << 26));
  show("top bit", create("h", 1u << 31));
  int huge = create("h", MFD_HUGETLB);
  if (huge >= 0) {
    is("huge: ftruncate", ftruncate(huge, 2 << 20));
    mapped("huge: mmap", mmap(NULL, 2 << 20, RW, MAP_SHARED, huge, 0), 512);
    is("huge: write", write(huge, "x", 1));
    is("huge: ftruncate odd", ftruncate(huge, 4096));
  }
  int fd = create("mapped", 0);
  ftruncate(fd, 3 * PG);
  char *p = mmap(NULL, 2 * PG, RW, MAP_SHARED, fd, PG), *q = mmap(NULL, PG, PROT_READ, MAP_PRIVATE, fd, 0);
  lines("/memfd:");
  p[0] = 'p';
  pwrite(fd, "q", 1, 0);
  printf("%c %c\n", p[0], q[0]);
  char path[64];
  snprintf(path, 64, "/proc/self/fd/%d", fd);
  int again = open(path, O_RDONLY);
  show("opened again", again);
  mapped("read only, shared, writable", mmap(NULL, PG, RW, MAP_SHARED, again, 0), 1);
  p = mmap(NULL, PG, PROT_READ, MAP_SHARED, again, 0);
  did("mprotect up", mprotect(p, PG, RW));
  did("mprotect exec", mprotect(p, PG, PROT_READ | PROT_EXEC));
  close(fd);
  close(again);
  lines("/memfd:");
}

static int sealed(const char *what, int seals) {
  int fd = create("sealed", MFD_ALLOW_SEALING);
  ftruncate(fd, 2 * PG);
  write(fd, "content", 7);
  printf("%s: add %ld", what, (long)fcntl(fd, ADD, seals));
  printf(" get %d\n", fcntl(fd, GET));
  return fd;
}
static void effects(const char *what, int seals) {
  int fd = sealed(what, seals);
  did(" write", pwrite(fd, "w", 1, 0));
  did(" write across the end", pwrite(fd, "wwww", 4, 2 * PG - 2));
  did(" write at the end", pwrite(fd, "w", 1, 2 * PG));
  did(" write nothing", pwrite(fd, "", 0, 0));
  did(" grow", ftruncate(fd, 3 * PG));
  did(" shrink", ftruncate(fd, PG));
  did(" same size", ftruncate(fd, PG));
  did(" allocate inside", syscall(SYS_fallocate, fd, 0, 0, 10));
  did(" allocate beyond", syscall(SYS_fallocate, fd, 0, 4 * PG, PG));
  did(" allocate beyond, keep size", syscall(SYS_fallocate, fd, 1, 4 * PG, PG));
  did(" punch", syscall(SYS_fallocate, fd, 3, 0, PG));
  mapped(" map shared, writable", mmap(NULL, PG, RW, MAP_SHARED, fd, 0), 1);
  mapped(" map private, writable", mmap(NULL, PG, RW, MAP_PRIVATE, fd, 0), 1);
  mapped(" map executable", mmap(NULL, PG, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0), 1);
  char *p = mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, 0);
  printf(" map shared, readable: %s\n", p == MAP_FAILED ? errno_name(errno) : "mapped");
  if (p != MAP_FAILED) did(" mprotect up", mprotect(p, PG, RW));
  did(" chmod", fchmod(fd, 0600));
  did(" chmod with x", fchmod(fd, 0700));
  char path[64];
  snprintf(path, 64, "/proc/self/fd/%d", fd);
  int again = open(path, O_RDWR | O_TRUNC);
  did(" open and truncate", again);
  did(" more seals", fcntl(fd, ADD, SHRINK));
  printf(" now %d\n", fcntl(fd, GET));
  if (p != MAP_FAILED) munmap(p, PG);
  close(fd);
  if (again >= 0) close(again);
}

static void refusals(void) {
  int fd = create("plain", 0);
  is("get, not sealable", fcntl(fd, GET));
  is("add, not sealable", fcntl(fd, ADD, WRITE));
  is("add nothing, not sealable", fcntl(fd, ADD, 0));
  close(fd);
  fd = create("s", MFD_ALLOW_SEALING);
  ftruncate(fd, PG);
  is("unknown seal", fcntl(fd, ADD, 64));
  is("unknown and known", fcntl(fd, ADD, 65));
  is("wide argument", syscall(SYS_fcntl, fd, ADD, 1L << 32));
  is("nothing", fcntl(fd, ADD, 0));
  char *p = mmap(NULL, 2 * PG, RW, MAP_SHARED, fd, 0);
  is("write seal, mapped", fcntl(fd, ADD, WRITE));
  is("others, mapped", fcntl(fd, ADD, SHRINK));
  mprotect(p, PG, PROT_READ);
  is("write seal, half read only", fcntl(fd, ADD, WRITE));
  mprotect(p, 2 * PG, PROT_READ);
  is("write seal, read only", fcntl(fd, ADD, WRITE));
  is("future write seal, mapped", fcntl(fd, ADD, FUTURE));
  did("mprotect up again", mprotect(p, PG, RW));
  p[0] = 'x';
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    munmap(p, 2 * PG);
    is("write seal, mapped by the parent", fcntl(fd, ADD, WRITE));
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  char *copy = mmap(NULL, PG, RW, MAP_PRIVATE, fd, 0);
  munmap(p, 2 * PG);
  is("write seal, private mapping left", fcntl(fd, ADD, WRITE));
  copy[0] = 'y';
  printf("%c\n", copy[0]);
  is("seal", fcntl(fd, ADD, SEAL));
  is("after the last", fcntl(fd, ADD, GROW));
  is("the same", fcntl(fd, ADD, WRITE));
  is("get", fcntl(fd, GET));
  char path[64];
  snprintf(path, 64, "/proc/self/fd/%d", fd);
  int ro = open(path, O_RDONLY), tmp = open("/tmp/sealed", O_RDWR | O_CREAT, 0600), pipes[2], null = open("/dev/null", O_RDWR);
  pipe(pipes);
  is("read only: add", fcntl(ro, ADD, SEAL));
  is("read only: get", fcntl(ro, GET));
  is("tmpfs: get", fcntl(tmp, GET));
  is("tmpfs: add", fcntl(tmp, ADD, WRITE));
  is("pipe: get", fcntl(pipes[1], GET));
  is("pipe: add", fcntl(pipes[1], ADD, WRITE));
  is("pipe, read end: add", fcntl(pipes[0], ADD, WRITE));
  is("device: get", fcntl(null, GET));
  is("bad fd", fcntl(99, GET));
  unlink("/tmp/sealed");
  fd = create("x", NOEXEC);
  is("noexec: add exec", fcntl(fd, ADD, SEXEC));
  did("noexec: chmod x", fchmod(fd, 0777));
  did("noexec: chmod", fchmod(fd, 0640));
  is("noexec: get", fcntl(fd, GET));
  fd = create("e", EXEC | MFD_ALLOW_SEALING);
  ftruncate(fd, PG);
  p = mmap(NULL, PG, RW, MAP_SHARED, fd, 0);
  is("exec seal of an executable, mapped", fcntl(fd, ADD, SEXEC));
  munmap(p, PG);
  is("exec seal of an executable", fcntl(fd, ADD, SEXEC));
  is("get", fcntl(fd, GET));
  fd = create("e", EXEC | MFD_ALLOW_SEALING);
  fchmod(fd, 0600);
  is("exec seal of one made not executable", fcntl(fd, ADD, SEXEC));
  is("get", fcntl(fd, GET));
}

int main(void) {
  setting("0\n");
  creation();
  puts("seals");
  refusals();
  effects("none", 0);
  effects("shrink", SHRINK);
  effects("grow", GROW);
  effects("write", WRITE);
  effects("future write", FUTURE);
  effects("seal", SEAL);
  effects("exec", SEXEC);
  effects("all", 63);
  puts("sysctl");
  setting("1\n");
  show("plain", create("plain", 0));
  show("exec", create("e", EXEC));
  show("noexec", create("n", NOEXEC));
  setting("2\n");
  show("plain", create("plain", 0));
  show("exec", create("e", EXEC));
  show("noexec", create("n", NOEXEC));
  setting("3\n");
  setting("1\n");
  return 0;
}
