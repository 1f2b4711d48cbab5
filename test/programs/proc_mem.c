/* /proc/PID/mem reads and writes what the program itself may not, but never what is shared; and no mapping changes by it. */
// flags: -Wno-unused-result
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "errno_name.h"

#define K 4096UL
static int mem;
static sigjmp_buf jump;

static void caught(int number) { siglongjmp(jump, number); }

static void put(const char *what, char *at, const char *bytes) {
  ssize_t n = pwrite(mem, bytes, strlen(bytes) + 1, (off_t)at);
  printf("%s: write %zd %s\n", what, n, n < 0 ? errno_name(errno) : "");
}

static void get(const char *what, char *at, size_t length) {
  char bytes[64] = "";
  ssize_t n = pread(mem, bytes, length, (off_t)at);
  printf("%s: read %zd %s \"%s\"\n", what, n, n < 0 ? errno_name(errno) : "", bytes);
}

static const char *touch(volatile char *at) {
  if (sigsetjmp(jump, 1)) return "faults";
  *at = 'w';
  return "works";
}

static char *map(int prot, int flags, int fd) {
  char *all = mmap(NULL, 3 * K, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(all + 2 * K, K);
  return mmap(all + K, K, prot, flags | MAP_FIXED, fd, 0);
}

static int code(void) {
  int (*volatile function)(void) = NULL;
  (void)function;
  return 0;
}

int main(void) {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  signal(SIGSEGV, caught), signal(SIGBUS, caught);
  mem = open("/proc/self/mem", O_RDWR);
  char *page = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  strcpy(page, "own");
  get("writable", page, 4), put("writable", page, "changed"), printf("it says %s\n", page);
  mprotect(page, K, PROT_READ);
  put("read-only", page, "forced"), printf("it says %s, a store %s\n", page, touch(page));
  put("read-only again", page + 10, "twice"), printf("it says %s, a store %s\n", page + 10, touch(page));
  mprotect(page, K, PROT_NONE);
  get("none", page, 7), put("none", page, "hidden"), get("none", page, 7), printf("a store %s\n", touch(page));
  mprotect(page, K, PROT_READ);
  printf("then it says %s\n", page);
  char *fresh = map(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  get("none, untouched", fresh, 4), put("none, untouched", fresh, "made");
  get("none, made", fresh, 5);
  char *read_only = map(PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  get("zero page", read_only, 4), put("zero page", read_only, "zero"), printf("it says %s\n", read_only);
  char *shared = map(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
  strcpy(shared, "shared");
  put("shared", shared, "other"), mprotect(shared, K, PROT_READ), put("shared, read-only", shared, "never"), get("shared", shared, 6);
  mprotect(shared, K, PROT_NONE), get("shared, none", shared, 6), put("shared, none", shared, "never");
  int fd = open("/tmp/mem", O_CREAT | O_RDWR | O_TRUNC, 0600);
  write(fd, "in the file", 12);
  char *file = map(PROT_READ, MAP_PRIVATE, fd);
  put("private file", file, "copy"), printf("it says %s", file);
  char bytes[16];
  pread(fd, bytes, 12, 0), printf(", the file %s\n", bytes);
  int only = open("/tmp/mem", O_RDONLY);
  char *unwritable = map(PROT_READ, MAP_SHARED, only);
  put("shared file open to read", unwritable, "never"), get("shared file open to read", unwritable, 12);
  ftruncate(fd, 0);
  get("past the end", unwritable, 4), put("past the end", file, "past");
  get("over the end of a mapping", page + K - 3, 8), put("over the end of a mapping", page + K - 3, "1234567");
  get("nothing there", page + K, 4), put("nothing there", page + K, "x");
  get("address zero", NULL, 4), get("far", (char *)-1, 4), get("past the user's", (char *)0x4000000000UL, 4);
  get("no length", page, 0), get("no length, nothing there", NULL, 0);
  unsigned char first = *(unsigned char *)code, same;
  pread(mem, &same, 1, (off_t)code);
  printf("code: %s, written %zd, runs %d, a store %s\n", first == same ? "the same" : "other", pwrite(mem, &first, 1, (off_t)code), code(), touch((char *)code));
  lseek(mem, (off_t)page, SEEK_SET);
  printf("by position: %zd", read(mem, bytes, 3)), printf(" then at %ld, end %ld\n", lseek(mem, 0, SEEK_CUR) - (long)page, lseek(mem, 0, SEEK_END));
  fflush(stdout);
  int pid = fork();
  if (pid == 0) {
    put("parent's from the child's own file", page, "whose");
    printf("the child says %s\n", page);
    fflush(stdout), _exit(0);
  }
  waitpid(pid, NULL, 0);
  mprotect(page, K, PROT_READ);
  printf("the parent says %s\n", page);
  unlink("/tmp/mem");
  return 0;
}
