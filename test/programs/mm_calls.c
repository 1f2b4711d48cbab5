/* mmap, munmap, mprotect, mremap, brk, madvise, mincore: results, errnos, contents. Addresses relative to the first. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PG 4096UL
static char *base;

static void at(const char *what, void *p) {
  if (p == MAP_FAILED) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, ((char *)p - base) / (long)PG);
}
static void is(const char *what, long r) { printf("%s: %ld %s\n", what, r, r == -1 ? errno_name(errno) : ""); }

static void residency(char *p, int pages) {
  unsigned char v[64];
  int r = mincore(p, pages * PG, v);
  printf("resident:");
  if (r) printf(" %s", errno_name(errno));
  else for (int i = 0; i < pages; i++) printf(" %d", v[i] & 1);
  puts("");
}

int main(void) {
  base = mmap(NULL, 64 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  at("first", base);
  is("munmap middle", munmap(base + 8 * PG, 4 * PG));
  is("munmap hole again", munmap(base + 8 * PG, 4 * PG));
  at("fits the hole", mmap(base + 8 * PG, 2 * PG, PROT_READ, flags, -1, 0));
  at("hint taken: elsewhere", (char *)mmap(base, PG, PROT_READ, flags, -1, 0) != base ? base : MAP_FAILED);
  at("noreplace", mmap(base, PG, PROT_READ, flags | MAP_FIXED_NOREPLACE, -1, 0));
  at("fixed", mmap(base, PG, PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1, 0));
  at("zero length", mmap(NULL, 0, PROT_READ, flags, -1, 0));
  at("huge", mmap(NULL, 1UL << 40, PROT_READ, flags, -1, 0));
  at("wraps", mmap(NULL, -PG, PROT_READ, flags, -1, 0));
  at("unaligned fixed", mmap(base + 1, PG, PROT_READ, flags | MAP_FIXED, -1, 0));
  at("no type", mmap(NULL, PG, PROT_READ, MAP_ANONYMOUS, -1, 0));
  at("bad fd", mmap(NULL, PG, PROT_READ, MAP_PRIVATE, 99, 0));
  at("bad offset", mmap(NULL, PG, PROT_READ, MAP_PRIVATE, 0, 1));
  is("munmap unaligned", munmap(base + 1, PG));
  is("munmap zero", munmap(base, 0));
  is("munmap wraps", munmap(base, -1UL));
  strcpy(base + 20 * PG, "twenty");
  strcpy(base + 21 * PG, "twenty-one");
  is("mprotect none", mprotect(base + 20 * PG, PG, PROT_NONE));
  is("mprotect back", mprotect(base + 20 * PG, PG, PROT_READ | PROT_WRITE));
  printf("%s %s\n", base + 20 * PG, base + 21 * PG);
  is("mprotect hole", mprotect(base + 7 * PG, 5 * PG, PROT_READ));
  is("mprotect unaligned", mprotect(base + 1, PG, PROT_READ));
  is("mprotect bits", mprotect(base, PG, 0x1000));
  is("mprotect zero", mprotect(base, 0, PROT_READ));
  at("mremap shrink", mremap(base + 20 * PG, 4 * PG, 2 * PG, 0));
  at("mremap grow in place", mremap(base + 20 * PG, 2 * PG, 4 * PG, 0));
  at("mremap no room", mremap(base + 20 * PG, 4 * PG, 8 * PG, 0));
  char *moved = mremap(base + 20 * PG, 4 * PG, 128 * PG, MREMAP_MAYMOVE);
  printf("moved %d %s %s\n", moved != MAP_FAILED && moved != base + 20 * PG, moved, moved + PG);
  at("moved back", mremap(moved, 4 * PG, 4 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, base + 30 * PG));
  printf("%s %s\n", base + 30 * PG, base + 31 * PG);
  at("mremap unmapped", mremap(base + 20 * PG, PG, PG, MREMAP_MAYMOVE));
  at("mremap bad flags", mremap(base + 30 * PG, PG, PG, 64));
  at("mremap fixed alone", mremap(base + 30 * PG, PG, PG, MREMAP_FIXED, base));
  at("mremap overlap", mremap(base + 30 * PG, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, base + 31 * PG));
  at("mremap dontunmap", mremap(base + 30 * PG, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, base + 50 * PG));
  printf("%d %s\n", base[30 * PG], base + 50 * PG);
  at("mremap new zero", mremap(base + 30 * PG, PG, 0, MREMAP_MAYMOVE));
  residency(base + 48 * PG, 6);
  is("dontneed", madvise(base + 50 * PG, PG, MADV_DONTNEED));
  residency(base + 48 * PG, 6);
  printf("%d %s\n", base[50 * PG], base + 51 * PG);
  is("advice?", madvise(base, PG, 12345));
  is("madvise unaligned", madvise(base + 1, PG, MADV_DONTNEED));
  is("madvise hole", madvise(base + 7 * PG, 5 * PG, MADV_DONTNEED));
  residency(base + 8 * PG, 6);
  uintptr_t brk0 = syscall(SYS_brk, 0);
  printf("brk %ld %ld %ld %ld\n", syscall(SYS_brk, brk0 + 12345) - brk0, syscall(SYS_brk, 1) - brk0, syscall(SYS_brk, brk0 + 100000) - brk0,
         syscall(SYS_brk, brk0) - brk0);
  char *shared = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  strcpy(shared, "shared");
  char *twin = mremap(shared, 0, 2 * PG, MREMAP_MAYMOVE);
  printf("twin %d %s\n", twin != shared, twin == MAP_FAILED ? "-" : twin);
  twin[0] = 'S';
  printf("%s\n", shared);
  char *lazy = mmap(NULL, 64UL << 30, PROT_NONE, flags | MAP_NORESERVE, -1, 0);
  printf("64 GiB %d\n", lazy != MAP_FAILED);
  is("open a window", mprotect(lazy + (32UL << 30), 16 * PG, PROT_READ | PROT_WRITE));
  lazy[(32UL << 30) + 5 * PG] = 'x';
  printf("%c\n", lazy[(32UL << 30) + 5 * PG]);
  is("close it all", munmap(lazy, 64UL << 30));
  is("mlock", mlock(base + 50 * PG, 2 * PG));
  is("munlock", munlock(base + 50 * PG, 2 * PG));
  is("msync", msync(base + 50 * PG, 2 * PG, MS_SYNC));
  is("msync both", msync(base + 50 * PG, 2 * PG, MS_SYNC | MS_ASYNC));
  is("msync hole", msync(base + 6 * PG, 8 * PG, MS_SYNC));
  return 0;
}
