/* /proc/self/smaps and its kin after known operations: every line of the program's own mappings, by sharing and dirt. */
// flags: -Wno-unused-result
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "errno_name.h"

#define K 4096UL
static char text[1 << 20];

static char *load(const char *path) {
  int fd = open(path, O_RDONLY);
  ssize_t all = 0, n;
  while (fd >= 0 && (n = read(fd, text + all, sizeof text - 1 - all)) > 0) all += n;
  close(fd);
  text[all] = 0;
  return text;
}

/* The entry of the mapping that begins at an address, its addresses, device and inode left out. THP lines are another test's. */
static void entry(const char *what, const char *path, void *at) {
  char start[32];
  snprintf(start, sizeof start, "\n%08lx-", (unsigned long)at);
  *text = '\n';
  int fd = open(path, O_RDONLY);
  ssize_t all = 1, n;
  while ((n = read(fd, text + all, sizeof text - 1 - all)) > 0) all += n;
  close(fd);
  text[all] = 0;
  char *from = strstr(text, start), *line;
  printf("%s\n", what);
  if (!from) {
    puts("  not there");
    return;
  }
  from = strtok(from + 1, "\n");
  char rights[8] = "", name[256] = "";
  unsigned long first, last, offset;
  sscanf(from, "%lx-%lx %7s %lx %*s %*s %255[^\n]", &first, &last, rights, &offset, name);
  printf("  %lu pages %s offset %lx \"%s\" column %d\n", (last - first) / K, rights, offset, name,
         *name ? (int)(strstr(from, name) - from) : (int)strlen(from));
  int lines = 0;
  while ((line = strtok(NULL, "\n"))) {
    if (strchr("0123456789abcdef", line[0]) && strchr(line, '-')) break;
    if (strncmp(line, "THPeligible", 11) == 0) {
      printf("  THPeligible, %zu\n", strlen(line));
      continue;
    }
    if (lines++ < 40) printf("  %s\n", line);
  }
}

static void smaps(const char *what, void *at) { entry(what, "/proc/self/smaps", at); }

static void *map(int pages, int prot, int flags, int fd, off_t offset) {
  /* A page without access on each side, so that nothing is merged. */
  char *all = mmap(NULL, (pages + 2) * K, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  void *got = mmap(all + K, pages * K, prot, flags | MAP_FIXED, fd, offset);
  if (got == MAP_FAILED) printf("mmap: %s\n", errno_name(errno));
  return got;
}

static void fill(char *at, int first, int count) {
  for (int i = first; i < first + count; i++) at[i * K] = 1;
}

static int sum(volatile char *at, int first, int count) {
  int all = 0;
  for (int i = first; i < first + count; i++) all += at[i * K];
  return all;
}

static int made_file(const char *path, int pages) {
  int fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0600);
  static char page[K];
  memset(page, 7, sizeof page);
  for (int i = 0; i < pages; i++) write(fd, page, sizeof page);
  return fd;
}

static char *anonymous, *shared, *private_file, *shared_file;

static void kinds(void) {
  anonymous = map(16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  smaps("anonymous, untouched", anonymous);
  sum(anonymous, 8, 3);
  smaps("anonymous, three pages read", anonymous);
  fill(anonymous, 0, 5);
  fill(anonymous, 8, 1);
  smaps("anonymous, six pages written", anonymous);
  shared = map(8, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  fill(shared, 0, 3);
  smaps("shared anonymous, three pages written", shared);
  sum(shared, 5, 1);
  smaps("shared anonymous, another read", shared);
  int fd = made_file("/tmp/smaps_file", 6);
  private_file = map(6, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  fill(private_file, 1, 2);
  smaps("private mapping of a file, two pages written", private_file);
  shared_file = map(4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 2 * K);
  fill(shared_file, 0, 4);
  smaps("shared mapping of the same file", shared_file);
  smaps("private mapping again", private_file);
  close(fd);
}

static void flags(void) {
  static const struct {
    const char *name;
    int prot, flags;
  } maps[] = {{"none", PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS},
              {"read", PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS},
              {"write", PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS},
              {"execute", PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS},
              {"all", PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS},
              {"shared", PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS},
              {"shared read", PROT_READ, MAP_SHARED | MAP_ANONYMOUS},
              {"no reserve", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE},
              {"locked", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED},
              {"grows down", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN},
              {"populate", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE},
              {"populate read", PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE}};
  for (unsigned i = 0; i < sizeof maps / sizeof *maps; i++) {
    char *at = map(4, maps[i].prot, maps[i].flags, -1, 0);
    smaps(maps[i].name, at);
    munmap(at, 4 * K);
  }
  static const struct {
    const char *name;
    int advice;
  } advices[] = {{"random", MADV_RANDOM},       {"sequential", MADV_SEQUENTIAL}, {"don't fork", MADV_DONTFORK},
                 {"wipe on fork", MADV_WIPEONFORK}, {"don't dump", MADV_DONTDUMP}};
  for (unsigned i = 0; i < sizeof advices / sizeof *advices; i++) {
    char *at = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fill(at, 0, 2);
    madvise(at, 4 * K, advices[i].advice);
    smaps(advices[i].name, at);
    munmap(at, 4 * K);
  }
  char *at = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fill(at, 0, 1);
  mlock2(at, 4 * K, MLOCK_ONFAULT);
  smaps("locked on fault", at);
  fill(at, 0, 2);
  smaps("locked on fault, two written", at);
  munlock(at, 4 * K);
  smaps("unlocked", at);
  mprotect(at, 4 * K, PROT_NONE);
  smaps("then without access", at);
  mprotect(at, 4 * K, PROT_READ);
  madvise(at, 2 * K, MADV_DONTNEED);
  smaps("and thrown away", at);
  munmap(at, 4 * K);
}

static void forked(void) {
  int to[2], back[2];
  pipe(to), pipe(back);
  fflush(stdout);
  if (fork() == 0) {
    char byte;
    smaps("child: anonymous", anonymous);
    smaps("child: shared", shared);
    fill(anonymous, 0, 2);
    sum(anonymous, 2, 1);
    sum(shared, 0, 8);
    smaps("child: two written, one read", anonymous);
    smaps("child: shared, all read", shared);
    smaps("child: private file", private_file);
    sum(private_file, 0, 6);
    smaps("child: private file, read", private_file);
    fflush(stdout);
    write(to[1], "x", 1);
    read(back[0], &byte, 1);
    _exit(0);
  }
  char byte;
  read(to[0], &byte, 1);
  smaps("parent: anonymous", anonymous);
  smaps("parent: shared", shared);
  smaps("parent: private file", private_file);
  write(back[1], "x", 1);
  wait(NULL);
  smaps("alone again", anonymous);
  fill(anonymous, 0, 5);
  smaps("alone, written", anonymous);
}

static void moved(void) {
  char *at = map(8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fill(at, 0, 4);
  at = mremap(at, 8 * K, 16 * K, MREMAP_MAYMOVE);
  smaps("moved and larger", at);
  munmap(at, 2 * K);
  smaps("cut", at + 2 * K);
  char *end = mmap(at + 16 * K, K, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  smaps("next to it", end);
}

int main(void) {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  kinds();
  flags();
  forked();
  moved();
  return 0;
}
