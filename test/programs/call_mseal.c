/* mseal(2): arguments, and everything that a sealed mapping refuses, with what is left behind when a range is sealed in part. */
#include "call.h"

static long mseal(void *p, unsigned long length, unsigned long flags) { return syscall(462, p, length, flags); }

/* Pages 0-9 mapped, 4-5 sealed. */
static void set_up(int prot) {
  clear(40);
  map(0, 10, prot, PRIV);
  if (mseal(AT(4), 2 * PG, 0)) is("seal", -1);
}

static void arguments(void) {
  map(0, 4, RW, PRIV); map(6, 2, RW, PRIV);
  is("flags", mseal(AT(0), PG, 1));
  is("flags high", mseal(AT(0), PG, 1UL << 40));
  is("unaligned", mseal(AT(0) + 1, PG, 0));
  is("length 0", mseal(AT(0), 0, 0));
  is("length 0 unmapped", mseal(AT(20), 0, 0));
  is("length -1", mseal(AT(0), -1UL, 0));
  is("length -4096", mseal(AT(0), -PG, 0));
  is("wraps", mseal((void *)-PG, 2 * PG, 0));
  is("2^63", mseal((void *)TOP, PG, 0));
  is("length 2^63", mseal(AT(0), TOP, 0));
  is("address 0", mseal(0, PG, 0));
  is("hole behind", mseal(AT(2), 4 * PG, 0));
  is("hole before", mseal(AT(4), 3 * PG, 0));
  is("hole in", mseal(AT(2), 6 * PG, 0));
  maps("nothing was sealed", 20);
  is("unmap", munmap(AT(0), PG));
  is("one byte", mseal(AT(1), 1, 0));
  is("again", mseal(AT(1), PG, 0));
  is("both", mseal(AT(1), 2 * PG, 0));
  maps("sealed 1 to 2", 20);
  is("unmap sealed", munmap(AT(1), PG));
  is("unmap the rest", munmap(AT(3), PG));
  is("end of space", mseal((void *)(END - PG), 2 * PG, 0));
}

static void unmapping(void) {
  set_up(RW);
  is("munmap it", munmap(AT(4), 2 * PG));
  is("munmap its half", munmap(AT(5), PG));
  is("munmap into it", munmap(AT(3), 2 * PG));
  maps("after", 40);
  is("munmap out of it", munmap(AT(5), 2 * PG));
  maps("after", 40);
  is("munmap over it", munmap(AT(1), 8 * PG));
  maps("after", 40);
  is("munmap all", munmap(AT(0), 40 * PG));
  is("munmap inside a sealed one", munmap(AT(4), PG));
  maps("after", 40);
  at("fixed over", map(4, 2, PROT_READ, PRIV));
  at("fixed over a part", map(3, 2, PROT_READ, PRIV));
  at("fixed over all", map(0, 10, PROT_READ, PRIV));
  at("fixed shared over", map(4, 1, PROT_READ, SHAR));
  at("noreplace", mmap(AT(4), PG, PROT_READ, PRIV | MAP_FIXED_NOREPLACE, -1, 0));
  at("fixed above", map(6, 1, PROT_READ, PRIV));
  maps("after", 40);
}

static void protecting(void) {
  set_up(RW);
  is("same rights", mprotect(AT(4), PG, RW));
  is("less", mprotect(AT(4), 2 * PG, PROT_READ));
  is("none", mprotect(AT(5), PG, PROT_NONE));
  is("length 0", mprotect(AT(4), 0, PROT_READ));
  is("up to it and on", mprotect(AT(2), 6 * PG, PROT_READ));
  maps("the pages before it have changed", 40);
  is("unknown bits", mprotect(AT(4), PG, 0x1000));
}

static void moving(void) {
  set_up(RW);
  at("grow", mremap(AT(4), 2 * PG, 4 * PG, 0));
  at("grow or move", mremap(AT(4), 2 * PG, 4 * PG, MREMAP_MAYMOVE));
  at("shrink", mremap(AT(4), 2 * PG, PG, 0));
  at("same size", mremap(AT(4), 2 * PG, 2 * PG, 0));
  at("same size, may move", mremap(AT(4), 2 * PG, 2 * PG, MREMAP_MAYMOVE));
  at("move", mremap(AT(4), 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(20)));
  at("dontunmap", mremap(AT(4), 2 * PG, 2 * PG, MREMAP_MAYMOVE | 4, AT(20)));
  at("move onto it", mremap(AT(0), 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(4)));
  at("move onto a part", mremap(AT(0), 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(3)));
  maps("after", 40);
  at("shrink into it", mremap(AT(3), 3 * PG, PG, 0));
  maps("after", 40);
  at("old size 0", mremap(AT(4), 0, PG, MREMAP_MAYMOVE));
  at("bad flags", mremap(AT(4), PG, PG, 8));
  at("beyond its end", mremap(AT(5), 2 * PG, 3 * PG, MREMAP_MAYMOVE));
  map(30, 2, RW, SHAR);
  mseal(AT(30), 2 * PG, 0);
  at("second view of sealed shared memory", mremap(AT(30), 0, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(34)));
  maps("after", 40);
}

static const int ADVICE[] = {0, 1, 2, 3, 4, 8, 9, 10, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24};
static void advising(const char *what) {
  printf("%s:", what);
  for (unsigned i = 0; i < sizeof ADVICE / sizeof *ADVICE; i++) {
    int r = madvise(AT(4), 2 * PG, ADVICE[i]);
    printf(" %d %s", ADVICE[i], r ? errno_name(errno) : "ok");
  }
  puts("");
  madvise(AT(4), 2 * PG, 0); madvise(AT(4), 2 * PG, 11); madvise(AT(4), 2 * PG, 17); madvise(AT(4), 2 * PG, 19);
}

static void advise_writable(void) { set_up(RW); advising("sealed, writable"); }
static void advise_read_only(void) { set_up(PROT_READ); advising("sealed, read-only"); }
static void advise_none(void) { set_up(PROT_NONE); advising("sealed, no rights"); }
static void advise_shared(void) { map(4, 2, PROT_READ, SHAR); mseal(AT(4), 2 * PG, 0); advising("sealed, shared read-only"); }

static void others(void) {
  set_up(PROT_READ);
  is("dontneed over it", madvise(AT(0), 10 * PG, MADV_DONTNEED));
  is("dontfork over it", madvise(AT(0), 10 * PG, MADV_DONTFORK));
  maps("after", 40);
  is("mlock", mlock(AT(4), PG));
  printf("VmLck %ld\n", status("VmLck"));
  is("munlock", munlock(AT(4), PG));
  is("mlockall", mlockall(MCL_CURRENT));
  is("munlockall", munlockall());
  is("msync", msync(AT(4), PG, MS_SYNC));
  is("msync invalidate", msync(AT(4), PG, MS_INVALIDATE));
  unsigned char v[4];
  is("mincore", mincore(AT(4), PG, v));
}

static void writing(void) {
  set_up(RW);
  strcpy(AT(4), "kept");
  int fd = open("/proc/self/mem", O_RDWR);
  is("write to /proc/self/mem", pwrite(fd, "over", 5, (off_t)AT(4)));
  printf("%s, store %s\n", AT(4), touch(AT(5), 1));
}

static void child_of_sealed(void) {
  is("in the child: munmap", munmap(AT(4), PG));
  is("in the child: mprotect", mprotect(AT(4), PG, PROT_READ));
  is("in the child: munmap of another", munmap(AT(0), PG));
}

static void stack_and_heap(void) {
  long brk = syscall(SYS_brk, 0);
  long heap = syscall(SYS_brk, brk + 4 * PG);
  long page = (brk + PG - 1) & -PG;
  is("seal a page of the heap", mseal((void *)(page + PG), PG, 0));
  printf("shrink the heap over it: %ld\n", syscall(SYS_brk, brk) - heap);
  printf("shrink the heap above it: %ld\n", syscall(SYS_brk, heap - PG) - heap);
  printf("grow the heap again: %ld\n", syscall(SYS_brk, heap) - heap);
  map(1000, 2, RW, PRIV | MAP_GROWSDOWN);
  mseal(AT(1000), 2 * PG, 0);
  printf("a sealed stack grows: %s\n", touch(AT(999), 1));
  is("munmap the page that has grown", munmap(AT(999), PG));
  maps("after", 1100);
}

int main(void) {
  in_child(arguments);
  in_child(unmapping);
  in_child(protecting);
  in_child(moving);
  in_child(advise_writable);
  in_child(advise_read_only);
  in_child(advise_none);
  in_child(advise_shared);
  in_child(others);
  in_child(writing);
  set_up(RW);
  in_child(child_of_sealed);
  in_child(stack_and_heap);
  return 0;
}
