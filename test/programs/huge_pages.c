// Transparent huge pages as a program sees them: faults, resident pages, what splits one and what does not.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errno_name.h"

#define PAGE 4096ul
#define HUGE (2ul << 20)
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static char smaps[1 << 16];
static unsigned char vector[8192];

static long minor_faults(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// Stores to (or loads from) every `step`th byte; returns the faults that this took.
static long touch(volatile char *from, size_t bytes, size_t step, int writes) {
  long before = minor_faults();
  for (size_t at = 0; at < bytes; at += step) {
    if (writes) from[at] = 1;
    else (void)from[at];
  }
  return minor_faults() - before;
}

static long field(const char *text, const char *name) {
  const char *at = strstr(text, name);
  return at ? atol(at + strlen(name)) : -1;
}

// Rss and AnonHugePages of the mappings that touch a range, and the pages that mincore finds.
static void show(const char *what, char *from, size_t bytes) {
  size_t length = 0;
  int file = open("/proc/self/smaps", O_RDONLY);
  for (ssize_t got; (got = read(file, smaps + length, sizeof smaps - 1 - length)) > 0;) length += got;
  close(file);
  smaps[length] = 0;
  long resident = 0, huge = 0, mappings = 0;
  for (char *line = smaps; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
    unsigned long start, end;
    if (sscanf(line, "%lx-%lx ", &start, &end) != 2) continue;
    if (end <= (uintptr_t)from || start >= (uintptr_t)from + bytes) continue;
    mappings++;
    resident += field(line, "Rss:");
    huge += field(line, "AnonHugePages:");
  }
  long in_core = 0;
  for (size_t at = 0; at < bytes; at += PAGE) {
    vector[0] = 0;
    if (mincore(from + at, PAGE, vector) == 0) in_core += vector[0] & 1;
  }
  printf("%-44s Rss %5ld kB, huge %5ld kB, in core %4ld, mappings %ld\n", what, resident, huge, in_core, mappings);
}

static char *reserve(size_t bytes) {
  char *all = mmap(NULL, bytes + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return (char *)(((uintptr_t)all + HUGE) & ~(HUGE - 1));
}

// Fresh memory that begins `offset` bytes above a multiple of 2 MiB, with unmapped room around it.
static char *fresh(size_t offset, size_t bytes) {
  char *base = reserve(bytes + offset);
  munmap(base, bytes + offset);
  return mmap(base + offset, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void say(const char *what, long result) { printf("%-44s %s\n", what, result < 0 ? errno_name(errno) : "0"); }

static void print_file(const char *path) {
  char text[256];
  int file = open(path, O_RDONLY);
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  printf("%s: %.*s", path, (int)(length > 0 ? length : 0), text);
}

static int set_file(const char *path, const char *value) {
  int file = open(path, O_WRONLY);
  ssize_t written = write(file, value, strlen(value));
  int problem = errno;
  close(file);
  errno = problem;
  return written < 0 ? -1 : 0;
}

#define SYS "/sys/kernel/mm/transparent_hugepage/"

static void settings(void) {
  static const char *const names[] = {"enabled", "defrag", "shmem_enabled", "use_zero_page", "hpage_pmd_size",
                                      "khugepaged/defrag", "khugepaged/max_ptes_none", "khugepaged/max_ptes_shared",
                                      "khugepaged/max_ptes_swap", "khugepaged/pages_to_scan",
                                      "khugepaged/scan_sleep_millisecs", "khugepaged/alloc_sleep_millisecs",
                                      "hugepages-2048kB/enabled", "hugepages-64kB/enabled"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[128];
    snprintf(path, sizeof path, SYS "%s", names[i]);
    print_file(path);
  }
}

static void first_touches(void) {
  char *p = fresh(0, 2 * HUGE);
  printf("faults of one store %ld\n", touch(p + 5 * PAGE, 1, 1, 1));
  show("one store", p, 2 * HUGE);
  printf("faults of storing to all %ld\n", touch(p, 2 * HUGE, PAGE, 1));
  show("all stored to", p, 2 * HUGE);
  munmap(p, 2 * HUGE);

  p = fresh(0, 2 * HUGE);
  printf("faults of one load %ld\n", touch(p + 7 * PAGE, 1, 1, 0));
  show("one load", p, 2 * HUGE);
  printf("faults of loading all %ld\n", touch(p, 2 * HUGE, PAGE, 0));
  printf("faults of a store to the zero page %ld\n", touch(p + 3 * PAGE, 1, 1, 1));
  show("one store after loads", p, 2 * HUGE);
  printf("faults of storing to all %ld\n", touch(p, HUGE, PAGE, 1));
  show("the lower half stored to", p, 2 * HUGE);
  munmap(p, 2 * HUGE);

  p = fresh(HUGE / 2, 2 * HUGE);
  printf("faults in an unaligned mapping %ld\n", touch(p, 2 * HUGE, PAGE, 1));
  show("unaligned", p, 2 * HUGE);
  munmap(p, 2 * HUGE);

  p = fresh(0, HUGE - PAGE);
  printf("faults in a mapping a page short %ld\n", touch(p, HUGE - PAGE, PAGE, 1));
  munmap(p, HUGE - PAGE);
}

static void splits(void) {
  char *p = fresh(0, HUGE);
  touch(p, 1, 1, 1);
  say("mprotect of a page", mprotect(p + 9 * PAGE, PAGE, PROT_READ));
  show("a page read-only", p, HUGE);
  printf("faults of storing below and above %ld\n", touch(p, 9 * PAGE, PAGE, 1) + touch(p + 10 * PAGE, HUGE - 10 * PAGE, PAGE, 1));
  say("mprotect back", mprotect(p + 9 * PAGE, PAGE, PROT_READ | PROT_WRITE));
  show("writable again", p, HUGE);
  printf("faults of storing to it %ld\n", touch(p + 9 * PAGE, 1, 1, 1));
  munmap(p, HUGE);

  p = fresh(0, HUGE);
  touch(p, 1, 1, 1);
  say("mprotect of all", mprotect(p, HUGE, PROT_READ));
  show("all read-only", p, HUGE);
  say("mprotect of all to nothing", mprotect(p, HUGE, PROT_NONE));
  show("no access", p, HUGE);
  say("mprotect of all back", mprotect(p, HUGE, PROT_READ | PROT_WRITE));
  printf("faults of storing to all %ld\n", touch(p, HUGE, PAGE, 1));
  show("writable again", p, HUGE);
  munmap(p, HUGE);

  p = fresh(0, 2 * HUGE);
  touch(p, 2 * HUGE, HUGE, 1);
  munmap(p + 100 * PAGE, PAGE);
  show("a page unmapped", p, 2 * HUGE);
  munmap(p + HUGE, HUGE / 2);
  show("half of the other", p, 2 * HUGE);
  munmap(p, 2 * HUGE);

  p = fresh(0, 2 * HUGE);
  touch(p, 2 * HUGE, HUGE, 1);
  say("MADV_DONTNEED of a page", madvise(p + 3 * PAGE, PAGE, MADV_DONTNEED));
  show("a page dropped", p, 2 * HUGE);
  printf("faults of storing to it %ld\n", touch(p + 3 * PAGE, 1, 1, 1));
  say("MADV_DONTNEED of the first", madvise(p, HUGE, MADV_DONTNEED));
  say("MADV_DONTNEED of the second", madvise(p + HUGE, HUGE, MADV_DONTNEED));
  show("all dropped", p, 2 * HUGE);
  printf("faults where there was a table %ld, a huge page %ld\n", touch(p, HUGE, PAGE, 1), touch(p + HUGE, HUGE, PAGE, 1));
  show("all again", p, 2 * HUGE);
  munmap(p, 2 * HUGE);

  p = fresh(0, HUGE);
  touch(p, 1, 1, 1);
  say("MADV_SEQUENTIAL of a part", madvise(p, 3 * PAGE, MADV_SEQUENTIAL));
  show("a part is another mapping", p, HUGE);
  munmap(p, HUGE);

  p = fresh(0, HUGE);
  touch(p, 1, 1, 1);
  say("mlock of a part", mlock(p, 3 * PAGE));
  show("a part locked", p, HUGE);
  munmap(p, HUGE);

  p = fresh(0, HUGE);
  touch(p, 1, 1, 0);
  say("MADV_DONTNEED of a page of zeroes", madvise(p + 3 * PAGE, PAGE, MADV_DONTNEED));
  show("a page of zeroes dropped", p, HUGE);
  munmap(p, HUGE);
}

static void small_table_stays(void) {
  char *p = fresh(0, HUGE);
  madvise(p, HUGE, MADV_NOHUGEPAGE);
  touch(p, 1, 1, 1);
  madvise(p, HUGE, MADV_HUGEPAGE);
  printf("faults beside a small page %ld\n", touch(p, HUGE, PAGE, 1));
  madvise(p, HUGE, MADV_DONTNEED);
  printf("faults below an empty table %ld\n", touch(p, HUGE, PAGE, 1));
  munmap(p, HUGE);
  char *half = mmap(p, HUGE / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  touch(half, HUGE / 2, PAGE, 1);
  mmap(half + HUGE / 2, HUGE / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  munmap(half, HUGE / 2);
  mmap(half, HUGE / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  printf("faults where a neighbour kept the table %ld\n", touch(half, HUGE, PAGE, 1));
  munmap(half, HUGE);
  mmap(half, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  printf("faults after all was unmapped %ld\n", touch(half, HUGE, PAGE, 1));
  munmap(half, HUGE);
}

static void in_child(const char *what, void (*act)(char *), char *p) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    printf("%s, in the child:\n", what);
    act(p);
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

static void store_one(char *p) {
  printf("faults of one store %ld\n", touch(p + 8 * PAGE, 1, 1, 1));
  show("one store after fork", p, HUGE);
  printf("faults of storing to all %ld\n", touch(p, HUGE, PAGE, 1));
}
static void only_look(char *p) { show("nothing stored", p, HUGE); }
static void store_all(char *p) { printf("faults of storing to all %ld\n", touch(p, HUGE, PAGE, 1)); }

static void forks(void) {
  char *p = fresh(0, HUGE);
  touch(p, 1, 1, 1);
  in_child("a huge page", store_one, p);
  show("the child is gone", p, HUGE);
  printf("faults of storing to all %ld\n", touch(p, HUGE, PAGE, 1));
  show("stored to", p, HUGE);
  in_child("a huge page", only_look, p);
  int ready[2], go[2];
  char byte;
  if (pipe(ready) || pipe(go)) return;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    if (read(go[0], &byte, 1) != 1) _exit(1);
    printf("faults of the child's stores %ld\n", touch(p, HUGE, PAGE, 1));
    fflush(stdout);
    _exit(0);
  }
  printf("faults of the parent's one store %ld\n", touch(p, 1, 1, 1));
  show("the child lives", p, HUGE);
  fflush(stdout);
  if (write(go[1], "x", 1) != 1) return;
  waitpid(child, NULL, 0);
  printf("faults of the parent's stores %ld\n", touch(p, HUGE, PAGE, 1));
  munmap(p, HUGE);

  p = fresh(0, HUGE);
  touch(p, 1, 1, 0);
  in_child("the zero page", store_one, p);
  printf("faults of a store to zeroes %ld\n", touch(p, 1, 1, 1));
  munmap(p, HUGE);

  p = fresh(0, HUGE);
  madvise(p, HUGE, MADV_NOHUGEPAGE);
  touch(p, 1, 1, 1);
  madvise(p, HUGE, MADV_DONTNEED);
  madvise(p, HUGE, MADV_HUGEPAGE);
  in_child("an empty table", store_all, p);
  munmap(p, HUGE);

  p = fresh(0, HUGE);
  touch(p, 1, 1, 1);
  madvise(p, HUGE, MADV_WIPEONFORK);
  in_child("wiped", store_all, p);
  munmap(p, HUGE);
}

static void moves(void) {
  char *p = fresh(0, 2 * HUGE), *room = reserve(4 * HUGE);
  touch(p, 2 * HUGE, HUGE, 1);
  p[5] = 42;
  char *q = mremap(p, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, room);
  printf("moved %d %d\n", q == room, q[5]);
  show("to a multiple of 2 MiB", q, 2 * HUGE);
  p = mremap(q, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 2 * HUGE + PAGE);
  show("elsewhere", p, 2 * HUGE);
  printf("faults of storing to all %ld, %d\n", touch(p, 2 * HUGE, PAGE, 1), p[5]);
  munmap(p, 2 * HUGE);

  p = fresh(0, 2 * HUGE);
  touch(p, 2 * HUGE, HUGE, 1);
  q = mremap(p, 2 * HUGE, HUGE + PAGE, 0);
  show("shrunk", p, 2 * HUGE);
  q = mremap(p, HUGE + PAGE, 4 * HUGE, MREMAP_MAYMOVE);
  printf("faults after growing %ld\n", touch(q, 4 * HUGE, PAGE, 1));
  munmap(q, 4 * HUGE);

  p = fresh(0, HUGE);
  touch(p, 1, 1, 1);
  q = mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, room);
  show("MREMAP_DONTUNMAP: new", q, HUGE);
  show("MREMAP_DONTUNMAP: old", p, HUGE);
  printf("faults in the old %ld\n", touch(p, HUGE, PAGE, 1));
  munmap(p, HUGE);
  munmap(q, HUGE);
  p = fresh(0, HUGE);
  madvise(p, HUGE, MADV_NOHUGEPAGE);
  touch(p, 1, 1, 1);
  madvise(p, HUGE, MADV_HUGEPAGE);
  q = mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, room);
  printf("faults where a table was %ld, and is %ld\n", touch(p, HUGE, PAGE, 1), touch(q, HUGE, PAGE, 1));
  munmap(p, HUGE);
  munmap(q, HUGE);
}

static void populates(void) {
  char *p = fresh(0, 2 * HUGE);
  long before = minor_faults();
  say("MADV_POPULATE_WRITE", madvise(p, 2 * HUGE, MADV_POPULATE_WRITE));
  printf("faults %ld\n", minor_faults() - before);
  show("populated", p, 2 * HUGE);
  munmap(p, 2 * HUGE);
  p = fresh(0, 2 * HUGE);
  before = minor_faults();
  say("MADV_POPULATE_READ", madvise(p, HUGE + 5 * PAGE, MADV_POPULATE_READ));
  printf("faults %ld\n", minor_faults() - before);
  show("populated", p, 2 * HUGE);
  munmap(p, 2 * HUGE);
  p = fresh(0, 8 * PAGE);
  before = minor_faults();
  say("MADV_POPULATE_WRITE of 8 pages", madvise(p, 8 * PAGE, MADV_POPULATE_WRITE));
  printf("faults %ld\n", minor_faults() - before);
  munmap(p, 8 * PAGE);
}

static void collapses(void) {
  char *p = fresh(0, 2 * HUGE);
  say("MADV_COLLAPSE of untouched memory", madvise(p, 2 * HUGE, MADV_COLLAPSE));
  show("collapsed", p, 2 * HUGE);
  madvise(p, 2 * HUGE, MADV_NOHUGEPAGE);
  touch(p, HUGE, 64 * PAGE, 1);
  p[64 * PAGE + 1] = 77;
  show("eight small pages", p, 2 * HUGE);
  say("MADV_COLLAPSE of MADV_NOHUGEPAGE", madvise(p, HUGE, MADV_COLLAPSE));
  madvise(p, 2 * HUGE, MADV_HUGEPAGE);
  say("MADV_COLLAPSE of a page", madvise(p, PAGE, MADV_COLLAPSE));
  say("MADV_COLLAPSE of all but a page", madvise(p + PAGE, HUGE - PAGE, MADV_COLLAPSE));
  show("still small", p, 2 * HUGE);
  long before = minor_faults();
  say("MADV_COLLAPSE", madvise(p, HUGE, MADV_COLLAPSE));
  printf("faults %ld, content %d\n", minor_faults() - before, p[64 * PAGE + 1]);
  show("collapsed", p, 2 * HUGE);
  printf("faults of storing to all %ld\n", touch(p, HUGE, PAGE, 1));
  say("MADV_COLLAPSE again", madvise(p, HUGE, MADV_COLLAPSE));
  say("MADV_COLLAPSE of both", madvise(p, 2 * HUGE, MADV_COLLAPSE));
  show("both", p, 2 * HUGE);
  mprotect(p, PAGE, PROT_READ);
  say("MADV_COLLAPSE of two mappings", madvise(p, HUGE, MADV_COLLAPSE));
  munmap(p, 2 * HUGE);
  say("MADV_COLLAPSE of nothing", madvise(p, HUGE, MADV_COLLAPSE));

  p = fresh(0, HUGE);
  touch(p, 1, 1, 0);
  say("MADV_COLLAPSE of the zero page", madvise(p, HUGE, MADV_COLLAPSE));
  show("the zero page", p, HUGE);
  munmap(p, HUGE);
  p = fresh(0, HUGE);
  madvise(p, HUGE, MADV_NOHUGEPAGE);
  touch(p, HUGE, PAGE, 0);
  madvise(p, HUGE, MADV_HUGEPAGE);
  say("MADV_COLLAPSE of small zero pages", madvise(p, HUGE, MADV_COLLAPSE));
  show("small zero pages", p, HUGE);
  touch(p, 1, 1, 1);
  mprotect(p, HUGE, PROT_READ);
  say("MADV_COLLAPSE of read-only memory", madvise(p, HUGE, MADV_COLLAPSE));
  show("read-only", p, HUGE);
  mprotect(p, HUGE, PROT_NONE);
  say("MADV_COLLAPSE of PROT_NONE", madvise(p, HUGE, MADV_COLLAPSE));
  munmap(p, HUGE);
  p = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  touch(p, HUGE, PAGE, 1);
  munmap(p, 2 * HUGE);
}

static void disable_in_child(char *p) {
  printf("PR_GET_THP_DISABLE %d\n", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
  store_all(p);
}

static void switches(void) {
  char *p = fresh(0, HUGE);
  say("PR_SET_THP_DISABLE", prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
  say("PR_SET_THP_DISABLE with a third", prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0));
  say("PR_GET_THP_DISABLE with a second", prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0));
  printf("PR_GET_THP_DISABLE %d\n", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
  in_child("disabled", disable_in_child, p);
  say("MADV_COLLAPSE", madvise(p, HUGE, MADV_COLLAPSE));
  say("PR_SET_THP_DISABLE off", prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
  printf("enabled: faults %ld\n", touch(p, HUGE, PAGE, 1));
  munmap(p, HUGE);

  say("madvise", set_file(SYS "enabled", "madvise"));
  print_file(SYS "enabled");
  p = fresh(0, 2 * HUGE);
  madvise(p, HUGE, MADV_HUGEPAGE);
  printf("advised: faults %ld\n", touch(p, HUGE, PAGE, 1));
  printf("not advised: faults %ld\n", touch(p + HUGE, HUGE, PAGE, 1));
  munmap(p, 2 * HUGE);
  say("never", set_file(SYS "enabled", "never\n"));
  print_file(SYS "enabled");
  p = fresh(0, HUGE);
  madvise(p, HUGE, MADV_HUGEPAGE);
  printf("advised: faults %ld\n", touch(p, HUGE, PAGE, 1));
  say("MADV_COLLAPSE", madvise(p, HUGE, MADV_COLLAPSE));
  show("never", p, HUGE);
  munmap(p, HUGE);
  say("sometimes", set_file(SYS "enabled", "sometimes"));
  say("always", set_file(SYS "enabled", "always"));
  print_file(SYS "enabled");
  say("use_zero_page", set_file(SYS "use_zero_page", "0"));
  p = fresh(0, HUGE);
  printf("without a zero page: faults %ld\n", touch(p + PAGE, HUGE - PAGE, PAGE, 0));
  show("loads", p, HUGE);
  munmap(p, HUGE);
  say("use_zero_page", set_file(SYS "use_zero_page", "1"));
  say("defrag", set_file(SYS "defrag", "defer+madvise"));
  print_file(SYS "defrag");
  say("defrag", set_file(SYS "defrag", "madvise"));
  say("hpage_pmd_size", set_file(SYS "hpage_pmd_size", "1"));
}

static void places(void) {
  char *p = mmap(NULL, 3 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  printf("MAP_STACK: faults %ld\n", touch(p, 3 * HUGE, PAGE, 1));
  munmap(p, 3 * HUGE);
  p = (char *)(((uintptr_t)syscall(SYS_brk, 0) + HUGE - 1) & ~(HUGE - 1));
  syscall(SYS_brk, p + 2 * HUGE);
  printf("heap: faults %ld\n", touch(p, 2 * HUGE, PAGE, 1));
  p = fresh(0, HUGE);
  int ends[2];
  if (pipe(ends)) return;
  long before = minor_faults();
  ssize_t put = write(ends[1], p + 600, 300), got = read(ends[0], p + 3 * PAGE - 100, 300);
  printf("read and written by the kernel: %zd %zd, faults %ld\n", put, got, minor_faults() - before);
  munmap(p, HUGE);
}

int main(void) {
  touch(smaps, sizeof smaps, PAGE, 1);
  touch(smaps, sizeof smaps, PAGE, 0);
  show("nothing", NULL, 0);
  settings();
  // khugepaged must not come between: it looks once now, and then not before the end.
  say("scan_sleep_millisecs", set_file(SYS "khugepaged/scan_sleep_millisecs", "3600000\n"));
  print_file(SYS "khugepaged/scan_sleep_millisecs");
  first_touches();
  splits();
  small_table_stays();
  forks();
  moves();
  populates();
  collapses();
  switches();
  places();
  return -set_file(SYS "khugepaged/scan_sleep_millisecs", "10000");
}
