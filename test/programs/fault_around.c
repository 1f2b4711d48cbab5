/* What one fault maps: the pages of the cache around it (do_fault_around), and what mprotect makes writable at once. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ /* musl */
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#define PG 4096UL
static int pagemap, statm;
static sigjmp_buf back;

static long faults(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_minflt;
}
static long major(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_majflt;
}
/* Resident pages of files and shared memory. */
static long shared(void) {
  char text[128];
  long size, resident, file;
  text[pread(statm, text, sizeof text - 1, 0)] = 0;
  sscanf(text, "%ld %ld %ld", &size, &resident, &file);
  return file;
}
static long before, residentBefore;
static void begin(void) { residentBefore = shared(); before = faults(); }
static void end(const char *what, char *at, int pages) {
  long count = faults() - before, resident = shared() - residentBefore;
  uint64_t entries[128];
  pread(pagemap, entries, pages * 8, (uintptr_t)at / PG * 8);
  printf("%-34s faults %ld, shared %+ld ", what, count, resident);
  for (int i = 0; i < pages; i++) putchar(entries[i] >> 63 ? entries[i] >> 61 & 1 ? 'f' : 'a' : '.');
  putchar('\n');
}
static volatile char sink;
static void rd(char *p) { sink = *(volatile char *)p; }
static void wr(char *p) { *(volatile char *)p = 1; }
static void onSignal(int s) { siglongjmp(back, s); }

static int file(const char *name, int pages, const char *present) {
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
  char page[PG];
  memset(page, 'x', PG);
  for (int i = 0; i < pages; i++)
    if (!present || present[i] == 'x') pwrite(fd, page, PG, i * PG);
  ftruncate(fd, pages * PG);
  return fd;
}
static char *map(size_t pages, int prot, int flags, int fd, long page) {
  /* At a place that is a multiple of 64 pages, the same on every machine. */
  char *at = (char *)0x2000000000;
  munmap(at - 64 * PG, 1024 * PG);
  return mmap(at + page % 64 * PG, pages * PG, prot, flags | MAP_FIXED, fd, page * PG);
}

static void around(void) {
  int fd = file("/tmp/around", 64, NULL);
  char *m;
  m = map(64, PROT_READ, MAP_PRIVATE, fd, 0); begin(); rd(m + 20 * PG); end("private, read page 20", m, 64);
  begin(); rd(m + 16 * PG); rd(m + 31 * PG); end("  its window", m, 64);
  begin(); rd(m + 15 * PG); rd(m + 32 * PG); end("  beside the window", m, 64);
  m = map(64, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); begin(); rd(m + 3 * PG); end("shared, read page 3", m, 64);
  begin(); wr(m + 4 * PG); end("  write page 4", m, 64);
  begin(); wr(m + 40 * PG); end("  write page 40", m, 64);
  begin(); rd(m + 41 * PG); end("  read page 41", m, 64);
  m = map(64, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0); begin(); wr(m + 20 * PG); end("private, write page 20", m, 64);
  begin(); rd(m + 21 * PG); end("  read page 21", m, 64);
  begin(); wr(m + 21 * PG); end("  write page 21", m, 64);
  m = map(32, PROT_READ, MAP_PRIVATE, fd, 5); begin(); rd(m + 0 * PG); end("starts at page 5, read first", m, 32);
  m = map(32, PROT_READ, MAP_PRIVATE, fd, 5); begin(); rd(m + 11 * PG); end("  read page 16 of the file", m, 32);
  m = map(32, PROT_READ, MAP_PRIVATE, fd, 5); begin(); rd(m + 31 * PG); end("  read last", m, 32);
  m = map(7, PROT_READ, MAP_SHARED, fd, 30); begin(); rd(m + 1 * PG); end("7 pages from 30, read page 31", m, 7);
  /* In the virtual address space, not in the file, lies the window. */
  m = mmap((char *)0x2000000000 + 3 * PG, 40 * PG, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
  begin(); rd(m + 14 * PG); end("3 pages off, read page 14", m, 40);
  /* Across the end of a page table: 2 MiB. */
  m = mmap((char *)0x2000200000 - 8 * PG, 20 * PG, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
  begin(); rd(m + 7 * PG); end("before a table's end", m, 20);
  m = mmap((char *)0x2000200000 - 8 * PG, 20 * PG, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
  begin(); rd(m + 8 * PG); end("after a table's start", m, 20);
  munmap(m, 20 * PG);
  m = map(64, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_POPULATE, fd, 0); end("populated", m, 64);
  begin(); m = map(64, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0); end("populate read", m, 64);
  begin(); m = map(64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, fd, 0); end("populate private writable", m, 64);
  begin(); m = map(64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0); end("populate shared writable", m, 64);
  m = map(64, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  begin(); madvise(m + 5 * PG, 20 * PG, MADV_POPULATE_READ); end("MADV_POPULATE_READ", m, 64);
  m = map(64, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  begin(); madvise(m + 5 * PG, 20 * PG, MADV_POPULATE_WRITE); end("MADV_POPULATE_WRITE", m, 64);
  m = map(64, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  rd(m); wr(m + 2 * PG); begin(); madvise(m, 8 * PG, MADV_DONTNEED); end("MADV_DONTNEED of 8", m, 64);
  begin(); rd(m + 12 * PG); end("  read a page that is there", m, 64);
  begin(); rd(m + 3 * PG); end("  read page 3", m, 64);
  m = map(64, PROT_READ, MAP_SHARED, fd, 0);
  begin(); mlock(m + 10 * PG, 4 * PG); end("mlock of 4", m, 64);
  m = map(64, PROT_READ, MAP_SHARED, fd, 0);
  begin(); mlock2(m + 10 * PG, 4 * PG, MLOCK_ONFAULT); rd(m + 11 * PG); end("mlock2 on fault", m, 64);
  /* The kernel's own reads of the program's memory fault too. */
  m = map(64, PROT_READ, MAP_SHARED, fd, 0);
  int pipes[2];
  pipe(pipes);
  begin(); write(pipes[1], m + 35 * PG, 8); end("write(2) from page 35", m, 64);
  close(fd);
}

static void holes(void) {
  char *m;
  int fd = file("/tmp/holes", 32, "x.xx..xxx.x.x.x.................");
  m = map(32, PROT_READ, MAP_SHARED, fd, 0); begin(); rd(m + 2 * PG); end("holes, read page 2", m, 32);
  begin(); rd(m + 1 * PG); end("  read a hole", m, 32);
  begin(); rd(m + 20 * PG); end("  read a hole among holes", m, 32);
  m = map(32, PROT_READ, MAP_SHARED, fd, 0); begin(); rd(m + 4 * PG); end("  anew, read another hole", m, 32);
  m = map(32, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0); begin(); rd(m + 9 * PG); end("  private, read a hole", m, 32);
  close(fd);
  fd = file("/tmp/short", 6, NULL);
  m = map(16, PROT_READ, MAP_SHARED, fd, 0);
  begin();
  int s = sigsetjmp(back, 1);
  if (s == 0) rd(m + 9 * PG);
  printf("signal %d ", s);
  end("past the end", m, 16);
  m = map(16, PROT_READ, MAP_SHARED, fd, 0);
  begin(); rd(m + 5 * PG); end("  last page", m, 16);
  ftruncate(fd, 3 * PG); end("  truncated", m, 16);
  ftruncate(fd, 12 * PG); begin(); rd(m + 2 * PG); end("  read page 2", m, 16);
  begin(); rd(m + 10 * PG); end("  longer, read page 10", m, 16);
  close(fd);
  m = map(32, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  begin(); rd(m + 4 * PG); end("shared anonymous, read", m, 32);
  for (int i = 8; i < 24; i += 3) wr(m + i * PG);
  end("  some written", m, 32);
  madvise(m, 32 * PG, MADV_DONTNEED);
  begin(); rd(m + 9 * PG); end("  dropped, read page 9", m, 32);
  begin(); wr(m + 8 * PG); wr(m + 11 * PG); end("  write what is there", m, 32);
  fflush(stdout);
  if (fork() == 0) {
    begin(); rd(m + 8 * PG); end("  child, read page 8", m, 32);
    begin(); wr(m + 11 * PG); end("  child, write page 11", m, 32);
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  m = map(32, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  begin(); rd(m + 4 * PG); end("private anonymous, read", m, 32);
  begin(); m = map(32, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0); end("  populated", m, 32);
}

/* After each change of the protection: how many faults do 8 stores make? */
static void stores(const char *what, char *m) {
  long count = faults();
  for (int i = 0; i < 8; i++) wr(m + i * PG);
  printf("%-34s faults %ld\n", what, faults() - count);
}
static void there_and_back(const char *what, char *m) {
  mprotect(m, 8 * PG, PROT_READ);
  mprotect(m, 8 * PG, PROT_READ | PROT_WRITE);
  stores(what, m);
}
static void child_once(char *m, int writes) {
  fflush(stdout);
  if (fork() == 0) {
    if (writes) for (int i = 0; i < 8; i += 2) wr(m + i * PG);
    _exit(0);
  }
  wait(NULL);
}

static void writable(void) {
  const int rw = PROT_READ | PROT_WRITE;
  char *m = map(8, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stores("anonymous, fresh", m);
  there_and_back("  there and back", m);
  mprotect(m, 8 * PG, PROT_NONE);
  mprotect(m, 8 * PG, rw);
  stores("  by way of none", m);
  child_once(m, 0);
  stores("  after a child", m);
  child_once(m, 0);
  there_and_back("  after a child, there and back", m);
  there_and_back("  there and back again", m);
  child_once(m, 1);
  there_and_back("  after a child that wrote", m);
  madvise(m, 8 * PG, MADV_DONTNEED);
  for (int i = 0; i < 8; i++) rd(m + i * PG);
  there_and_back("  zero pages", m);
  fflush(stdout);
  if (fork() == 0) {
    there_and_back("  in the child", m);
    there_and_back("  in the child again", m);
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  there_and_back("  parent then", m);

  int fd = file("/tmp/writable", 8, NULL);
  m = map(8, rw, MAP_SHARED, fd, 0);
  rd(m);
  stores("shared file, read", m);
  there_and_back("  there and back", m);
  m = map(8, rw, MAP_SHARED, fd, 0);
  rd(m);
  there_and_back("  read, there and back", m);
  m = map(8, PROT_READ, MAP_SHARED, fd, 0);
  rd(m);
  mprotect(m, 8 * PG, rw);
  stores("  read-only first", m);
  m = map(8, rw, MAP_PRIVATE, fd, 0);
  rd(m);
  there_and_back("private file, read", m);
  there_and_back("  there and back", m);
  child_once(m, 0);
  there_and_back("  after a child", m);
  m = map(8, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 8; i++) rd(m + i * PG);
  there_and_back("shared anonymous, read", m);
  there_and_back("  there and back", m);
  child_once(m, 0);
  there_and_back("  after a child", m);
  char *moved = mremap(m, 8 * PG, 8 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)0x2000400000);
  there_and_back("  moved", moved);
  close(fd);
}

int main(void) {
  static char buffer[65536];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  memset(buffer, 1, sizeof buffer);
  mkdir("/tmp", 0777);
  struct sigaction action = {.sa_handler = onSignal};
  sigaction(SIGBUS, &action, NULL);
  pagemap = open("/proc/self/pagemap", O_RDONLY);
  statm = open("/proc/self/statm", O_RDONLY);
  /* Touch what measuring itself touches. */
  char *m = map(64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 3; i++) {
    begin();
    faults(); major();
    end("warm", m, 64);
  }
  if (sigsetjmp(back, 1) == 0) raise(SIGBUS);
  around();
  holes();
  writable();
  printf("major %ld\n", major());
  fflush(stdout);
  return 0;
}
