/* mincore(2): errors in their order, what counts as resident, and files of others, whose cache is nobody's business. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG 4096UL
static unsigned char vec[64];

static void show(const char *what, long r) {
  if (r == -1) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, r);
}
static void pages(const char *what, void *at, int n) {
  memset(vec, 0x55, sizeof vec);
  long r = mincore(at, n * PG, vec);
  printf("%s: %s", what, r < 0 ? errno_name(errno) : "");
  for (int i = 0; i < n; i++) printf(" %x", vec[i]);
  printf(" %s\n", vec[n] == 0x55 ? "" : "too far");
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 65536);
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  char *p = mmap(NULL, 32 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  p[0] = p[2 * PG] = 1;
  volatile char c = p[4 * PG];
  pages("anonymous", p, 8);
  munmap(p + 10 * PG, PG);
  pages("up to a hole", p + 8 * PG, 4);
  pages("from a hole", p + 10 * PG, 2);
  show("unaligned", mincore(p + 1, PG, vec));
  show("length 0", mincore(p, 0, NULL));
  show("length 0 in a hole", mincore(p + 10 * PG, 0, NULL));
  show("length 1", mincore(p, 1, vec));
  show("length -1", mincore(p, -1UL, vec));
  show("length 2^63", mincore(p, 1UL << 63, vec));
  show("address 2^63", mincore((void *)(1UL << 63), PG, vec));
  show("address -4096", mincore((void *)-PG, PG, vec));
  show("address -4096, length 0", mincore((void *)-PG, 0, vec));
  show("vector nowhere", mincore(p, PG, (void *)8));
  show("vector at 2^63", mincore(p, PG, (void *)(1UL << 63)));
  show("vector nowhere, hole", mincore(p + 10 * PG, PG, (void *)8));
  show("vector nowhere, unaligned", mincore(p + 1, PG, (void *)8));
  show("vector nowhere, length 0", mincore(p, 0, (void *)8));
  char *none = mmap(NULL, 2 * PG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pages("without access", none, 2);
  mprotect(p, PG, PROT_NONE);
  pages("access taken away", p, 2);
  int fd = open("/tmp/theirs", O_RDWR | O_CREAT, 0644), ro = open("/tmp/theirs", O_RDONLY);
  ftruncate(fd, 8 * PG);
  pwrite(fd, "x", 1, 2 * PG);
  char *shared = mmap(NULL, 10 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *copy = mmap(NULL, 8 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0);
  pages("a file", shared, 10), pages("a private view", copy, 8);
  copy[5 * PG] = 1;
  pages("written privately", copy, 8);
  char *zero = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  zero[PG] = 1;
  pages("shared anonymous", zero, 4);
  fflush(stdout);
  if (fork() == 0) {
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    pages("another's file", shared, 10), pages("another's file, privately", copy, 8);
    int again = open("/tmp/theirs", O_RDONLY);
    pages("opened by oneself", mmap(NULL, 8 * PG, PROT_READ, MAP_SHARED, again, 0), 8);
    pages("another's shared memory", zero, 4);
    pages("up to a hole", shared + 8 * PG, 2);
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  fchmod(fd, 0666);
  if (fork() == 0) {
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    pages("another's file that one may write", shared, 8);
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  fchmod(fd, 0444), fchown(fd, 1000, 1000);
  if (fork() == 0) {
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    pages("one's own file that one may not write", shared, 8);
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  (void)c;
  return 0;
}
