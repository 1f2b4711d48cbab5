/* MADV_COLD and MADV_PAGEOUT of shared memory that is a huge page: as a whole, in part, mapped small, mapped elsewhere, past the end of the file. */
#include "collapse.h"
#include <sys/stat.h>
#include <sys/wait.h>

#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif

#define P ((char *)BASE)
#define Q ((char *)BASE + 8 * HUGE)
static int fd;

/* A file whose first huge page is one, mapped by nobody. */
static void file_with_huge_page(long pages) {
  if (fd > 0) close(fd);
  munmap(P, 16 * HUGE);
  fd = memory_file(pages);
  long written = pages < HUGE_PAGES ? pages : HUGE_PAGES;
  char *p = mmap(P, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  fill(p, 0, written);
  if (madvise(p, HUGE, MADV_COLLAPSE)) perror("collapse");
  munmap(p, HUGE);
}

/* Private ones are mapped by small entries. */
static void view(char *at, long pages, long offset, int flags) {
  if (mmap(at, pages * PG, RW, flags | MAP_FIXED, fd, offset * PG) != at) perror("mmap");
  if (flags == MAP_PRIVATE && madvise(at, pages * PG, MADV_NOHUGEPAGE)) perror("nohugepage");
}

static void read_pages(char *p, long from, long to) {
  for (long i = from; i < to; i++) *(volatile char *)(p + i * PG);
}

static void state(const char *what) {
  struct stat st;
  fstat(fd, &st);
  printf("  %s: huge %ld kB, mapped %ld + %ld kB, accessed %ld + %ld, %ld kB of file\n", what, field("/proc/meminfo", "ShmemHugePages", NULL),
    field("/proc/self/smaps", "Rss", P), field("/proc/self/smaps", "Rss", Q), field("/proc/self/smaps", "Referenced", P),
    field("/proc/self/smaps", "Referenced", Q), (long)st.st_blocks / 2);
}

static void advise(const char *what, char *start, long pages, int advice) {
  is(what, madvise(start, pages * PG, advice));
  state("then");
}

static void in_part(const char *name, int advice) {
  printf("%s\n", name);
  file_with_huge_page(HUGE_PAGES);
  view(P, HUGE_PAGES, 0, MAP_PRIVATE);
  read_pages(P, 40, 41);
  state("mapped small");
  advise("a page", P + 40 * PG, 1, advice);
  read_pages(P, 40, 41);
  state("again");
  advise("a page of none", P + 40 * PG, 1, advice);

  file_with_huge_page(HUGE_PAGES);
  view(P, HUGE_PAGES, 0, MAP_PRIVATE);
  read_pages(P, 0, HUGE_PAGES);
  advise("all, mapped small", P, HUGE_PAGES, advice);
  read_pages(P, 0, HUGE_PAGES);
  advise("all but one", P, HUGE_PAGES - 1, advice);

  file_with_huge_page(HUGE_PAGES);
  view(P, HUGE_PAGES, 0, MAP_PRIVATE);
  read_pages(P, 0, HUGE_PAGES);
  P[7 * PG] = 1;
  advise("all, one copied", P, HUGE_PAGES, advice);

  file_with_huge_page(HUGE_PAGES);
  view(P, HUGE_PAGES, 0, MAP_SHARED);
  read_pages(P, 0, 1);
  state("mapped whole");
  advise("whole", P, HUGE_PAGES, advice);
  read_pages(P, 0, 1);
  advise("part of a whole", P + 100 * PG, 3, advice);
  read_pages(P, 0, 1);
  state("again");
}

static void elsewhere(const char *name, int advice) {
  printf("%s, mapped elsewhere\n", name);
  file_with_huge_page(HUGE_PAGES);
  view(P, HUGE_PAGES, 0, MAP_PRIVATE);
  view(Q, HUGE_PAGES, 0, MAP_PRIVATE);
  read_pages(P, 40, 41);
  read_pages(Q, 40, 41);
  advise("few pages of both", P, HUGE_PAGES, advice);

  file_with_huge_page(HUGE_PAGES);
  view(P, HUGE_PAGES, 0, MAP_PRIVATE);
  view(Q, HUGE_PAGES, 0, MAP_PRIVATE);
  read_pages(P, 0, 1);
  read_pages(Q, 0, 1);
  advise("the first page of both", P, HUGE_PAGES, advice);
  munmap(Q, PG);
  advise("the first page of one", P, HUGE_PAGES, advice);

  file_with_huge_page(HUGE_PAGES);
  view(P, HUGE_PAGES, 0, MAP_PRIVATE);
  view(Q, HUGE_PAGES, 0, MAP_PRIVATE);
  read_pages(P, 0, HUGE_PAGES);
  read_pages(Q, 90, 91);
  advise("all of one, some of the other", P, HUGE_PAGES, advice);
  advise("some of the other", Q, HUGE_PAGES, advice);
  munmap(P + HUGE / 2, HUGE / 2);
  advise("some of both", Q, HUGE_PAGES, advice);

  file_with_huge_page(HUGE_PAGES);
  view(P, HUGE_PAGES, 0, MAP_SHARED);
  view(Q, HUGE_PAGES, 0, MAP_PRIVATE);
  read_pages(P, 0, 1);
  read_pages(Q, 90, 91);
  state("whole, and some small");
  advise("whole, and some small", P, HUGE_PAGES, advice);
  advise("part of whole, and some small", P, 100, advice);
  advise("some small, and whole", Q, HUGE_PAGES, advice);

  file_with_huge_page(HUGE_PAGES);
  view(P, HUGE_PAGES, 0, MAP_PRIVATE);
  read_pages(P, 40, 41);
  fflush(stdout);
  if (fork() == 0) {
    read_pages(P, 60, 61);
    is("in a child", madvise(P, HUGE, advice));
    state("child");
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  state("parent");
}

static void anonymous(const char *name, int advice) {
  printf("%s, of no file\n", name);
  file_with_huge_page(HUGE_PAGES);
  mmap(P, HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  P[0] = 1;
  state("a huge page");
  advise("all", P, HUGE_PAGES, advice);
  P[0] = 2;
  advise("half", P, HUGE_PAGES / 2, advice);
}

static void locked(const char *name, int advice) {
  printf("%s, locked elsewhere\n", name);
  file_with_huge_page(HUGE_PAGES);
  view(P, HUGE_PAGES, 0, MAP_PRIVATE);
  view(Q, 20, 100, MAP_SHARED);
  read_pages(P, 40, 41);
  read_pages(Q, 10, 11);
  mlock(Q, 20 * PG);
  advise("a page", P + 40 * PG, 1, advice);
}

static void past_the_end(const char *name, int advice) {
  printf("%s, a short file\n", name);
  file_with_huge_page(100);
  state("mapped by nobody");
  view(P, HUGE_PAGES, 0, MAP_PRIVATE);
  read_pages(P, 40, 41);
  advise("a page", P + 40 * PG, 1, advice);
  file_with_huge_page(100);
  view(P, HUGE_PAGES, 0, MAP_SHARED);
  read_pages(P, 40, 41);
  state("mapped whole");
  advise("part of whole", P + 40 * PG, 1, advice);
  ftruncate(fd, HUGE);
  read_pages(P, 0, HUGE_PAGES);
  state("longer");
  file_with_huge_page(100);
  ftruncate(fd, 99 * PG + 5);
  state("shorter");
  view(P, HUGE_PAGES, 0, MAP_SHARED);
  read_pages(P, 40, 41);
  state("mapped");
}

int main(void) {
  set_huge_pages("always");
  static const struct { const char *name; int advice; } both[] = {{"cold", MADV_COLD}, {"pageout", MADV_PAGEOUT}};
  for (int i = 0; i < 2; i++) {
    in_part(both[i].name, both[i].advice);
    elsewhere(both[i].name, both[i].advice);
    anonymous(both[i].name, both[i].advice);
    locked(both[i].name, both[i].advice);
    past_the_end(both[i].name, both[i].advice);
  }
  return 0;
}
