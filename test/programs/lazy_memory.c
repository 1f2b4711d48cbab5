/* (LazyFree of smaps is left out: the kernel counts it some pages later.)
   MADV_FREE, MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED and MAP_DROPPABLE: what of them is seen while there is memory enough. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "errno_name.h"

#define PG 4096UL
#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_KEEPONFORK
#define MADV_WIPEONFORK 18
#define MADV_KEEPONFORK 19
#endif
#define DROPPABLE 8
static const int rw = PROT_READ | PROT_WRITE;

static void is(const char *what, int result) { printf("%s: %s\n", what, result < 0 ? errno_name(errno) : "ok"); }
/* A line of smaps of the mapping that holds the address, in KiB; flags: whether a VmFlag is there. */
static long smaps(char *at, const char *field) {
  FILE *f = fopen("/proc/self/smaps", "r");
  char line[512];
  long value = -1;
  int inside = 0;
  while (fgets(line, sizeof line, f)) {
    unsigned long s, e;
    if (sscanf(line, "%lx-%lx ", &s, &e) == 2) inside = (unsigned long)at >= s && (unsigned long)at < e;
    if (!inside) continue;
    if (!strncmp(line, field, strlen(field)) && line[strlen(field)] == ':') value = atol(line + strlen(field) + 1);
    if (!strncmp(line, "VmFlags:", 8) && strlen(field) == 2) value = strstr(line, field) != NULL;
  }
  fclose(f);
  return value;
}
static void show(const char *what, char *m) {
  printf("%s: Rss %ld Dirty %ld Anonymous %ld Referenced %ld\n", what, smaps(m, "Rss"), smaps(m, "Private_Dirty") + smaps(m, "Shared_Dirty"),
         smaps(m, "Anonymous"), smaps(m, "Referenced"));
}
static char *map(size_t pages, int prot, int flags, int fd) { return mmap(NULL, pages * PG, prot, flags, fd, 0); }
static volatile char sink;
static void incore(const char *what, char *m, int pages) {
  unsigned char vec[64];
  mincore(m, pages * PG, vec);
  printf("%s: ", what);
  for (int i = 0; i < pages; i++) putchar('0' + (vec[i] & 1));
  putchar('\n');
}

int main(void) {
  char *gap = map(64, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  char *m = map(8, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  mprotect(gap, PG, PROT_READ);
  memset(m, 1, 8 * PG);
  show("written", m);
  is("free", madvise(m, 4 * PG, MADV_FREE));
  show("freed", m);
  m[0] = 2;
  show("written again", m);
  sink = m[PG];
  show("read again", m);
  printf("contents %d %d %d\n", m[0], m[PG], m[4 * PG]);
  read(open("/dev/zero", O_RDONLY), m + 2 * PG, 8);
  show("written by the kernel", m);
  is("cold", madvise(m, 8 * PG, MADV_COLD));
  show("cold", m);
  sink = m[7 * PG];
  show("one read", m);
  is("pageout", madvise(m, 8 * PG, MADV_PAGEOUT));
  printf("after pageout %d %d\n", m[0], m[7 * PG]);
  fflush(stdout);
  madvise(m, 8 * PG, MADV_FREE);
  if (fork() == 0) {
    show("child", m);
    m[0] = 3;
    show("child wrote", m);
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  show("parent", m);
  m[0] = 4;
  show("parent wrote", m);
  mlock(m, PG);
  is("free locked", madvise(m, PG, MADV_FREE));
  is("cold locked", madvise(m, PG, MADV_COLD));
  is("pageout locked", madvise(m, PG, MADV_PAGEOUT));

  int fd = open("/tmp_lazy", O_RDWR | O_CREAT, 0600);
  static char page[4096];
  for (int i = 0; i < 8; i++) pwrite(fd, page, PG, i * PG);
  char *f = map(8, rw, MAP_SHARED, fd), *p = map(8, rw, MAP_PRIVATE, fd);
  is("free of a file", madvise(f, PG, MADV_FREE));
  sink = f[0];
  is("cold of a file", madvise(f, 8 * PG, MADV_COLD));
  printf("file: Rss %ld Referenced %ld\n", smaps(f, "Rss"), smaps(f, "Referenced"));
  is("pageout of a file", madvise(f, 8 * PG, MADV_PAGEOUT));
  printf("file: Rss %ld\n", smaps(f, "Rss"));
  incore("file", f, 8);
  p[0] = 1;
  sink = p[PG];
  printf("private: Rss %ld Anonymous %ld\n", smaps(p, "Rss"), smaps(p, "Anonymous"));
  is("free of a private file", madvise(p, PG, MADV_FREE));
  is("pageout of a private file", madvise(p, 8 * PG, MADV_PAGEOUT));
  printf("private: Rss %ld Anonymous %ld, %d\n", smaps(p, "Rss"), smaps(p, "Anonymous"), p[0]);
  is("willneed of a file", madvise(f, 8 * PG, MADV_WILLNEED));
  is("willneed of memory", madvise(m, 8 * PG, MADV_WILLNEED));
  is("willneed of a hole", madvise((char *)0x1000, PG, MADV_WILLNEED));

  char *d = map(8, rw, DROPPABLE | MAP_ANONYMOUS, -1);
  is("droppable", d == MAP_FAILED ? -1 : 0);
  memset(d, 5, 8 * PG);
  printf("Rss %ld dp %ld wf %ld dd %ld nr %ld ac %ld\n", smaps(d, "Rss"), smaps(d, "dp"), smaps(d, "wf"),
         smaps(d, "dd"), smaps(d, "nr"), smaps(d, "ac"));
  is("droppable locked", map(1, rw, DROPPABLE | MAP_ANONYMOUS | MAP_LOCKED, -1) == MAP_FAILED ? -1 : 0);
  is("droppable stack", map(1, rw, DROPPABLE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1) == MAP_FAILED ? -1 : 0);
  is("droppable huge", map(512, rw, DROPPABLE | MAP_ANONYMOUS | MAP_HUGETLB, -1) == MAP_FAILED ? -1 : 0);
  is("droppable file", map(1, rw, DROPPABLE, fd) == MAP_FAILED ? -1 : 0);
  is("mlock", mlock(d, 8 * PG));
  printf("lo %ld, Locked %ld\n", smaps(d, "lo"), smaps(d, "Locked"));
  is("munlock", munlock(d, 8 * PG));
  is("keeponfork", madvise(d, PG, MADV_KEEPONFORK));
  is("wipeonfork", madvise(d, PG, MADV_WIPEONFORK));
  is("dodump", madvise(d, PG, MADV_DODUMP));
  is("dontfork", madvise(d, PG, MADV_DONTFORK));
  is("dofork", madvise(d, PG, MADV_DOFORK));
  is("free", madvise(d, PG, MADV_FREE));
  fflush(stdout);
  if (fork() == 0) {
    printf("child %d\n", d[0]);
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  printf("parent %d\n", d[0]);
  return 0;
}
