/* remap_file_pages(2), as 6.12 emulates it; and the calls about protection keys, which riscv64 has not. */
#include "call.h"

static long remap(void *p, unsigned long size, unsigned long prot, unsigned long pgoff, unsigned long flags) {
  return syscall(SYS_remap_file_pages, p, size, prot, pgoff, flags);
}

static void fill(void) {
  clear(40);
  map(0, 8, RW, SHAR);
  for (int i = 0; i < 8; i++) *AT(i) = 'a' + i;
}
static void show(const char *what) {
  printf("%s:", what);
  for (int i = 0; i < 8; i++) if (touch(AT(i), 0)[0] == 'o') printf(" %c", *AT(i) ? *AT(i) : '0'); else printf(" -");
  maps("", 40);
}

int main(void) {
  fill();
  is("one page", remap(AT(1), PG, 0, 5, 0));
  show("after");
  is("three pages over the first", remap(AT(0), 3 * PG, 0, 4, 0));
  show("after");
  is("back", remap(AT(0), 8 * PG, 0, 0, 0));
  show("after");
  *AT(0) = 'A';
  show("written");
  is("beyond the object", remap(AT(2), PG, 0, 100, 0));
  printf("its page: %s\n", touch(AT(2), 0));
  fill();
  is("prot", remap(AT(1), PG, PROT_READ, 5, 0));
  is("unaligned address", remap(AT(1) + 5, PG, 0, 5, 0));
  is("size less than a page", remap(AT(1), PG - 1, 0, 5, 0));
  is("size 0", remap(AT(1), 0, 0, 5, 0));
  is("size and a half", remap(AT(1), PG + 5, 0, 6, 0));
  show("after");
  is("size -1", remap(AT(1), -1UL, 0, 5, 0));
  is("wraps", remap((void *)-PG, 2 * PG, 0, 5, 0));
  is("2^63", remap((void *)TOP, PG, 0, 5, 0));
  is("offset wraps", remap(AT(1), 2 * PG, 0, -1UL, 0));
  is("offset -1", remap(AT(1), PG, 0, -1UL, 0));
  is("offset 2^52 - 1", remap(AT(1), PG, 0, (1UL << 52) - 1, 0));
  is("offset 2^51", remap(AT(1), PG, 0, 1UL << 51, 0));
  is("offset 2^51 - 1", remap(AT(1), PG, 0, (1UL << 51) - 1, 0));
  is("offset 2^51 - 2", remap(AT(1), PG, 0, (1UL << 51) - 2, 0));
  is("flags", remap(AT(1), PG, 0, 5, -1UL));
  is("nonblock", remap(AT(1), PG, 0, 6, MAP_NONBLOCK));
  is("not mapped", remap(AT(20), PG, 0, 0, 0));
  is("address 0", remap(0, PG, 0, 0, 0));
  fill();
  is("beyond its end", remap(AT(6), 4 * PG, 0, 0, 0));
  map(8, 2, RW, PRIV);
  is("into a private one", remap(AT(6), 4 * PG, 0, 0, 0));
  map(8, 2, RW, SHAR);
  is("into another object", remap(AT(6), 4 * PG, 0, 0, 0));
  is("private", (map(12, 2, RW, PRIV), remap(AT(12), PG, 0, 1, 0)));
  show("after");
  fill();
  is("one read-only", mprotect(AT(2), PG, PROT_READ));
  is("over parts with other rights", remap(AT(1), 3 * PG, 0, 0, 0));
  is("of a read-only part", remap(AT(2), PG, 0, 7, 0));
  show("after");
  fill();
  is("three views", (remap(AT(2), PG, 0, 6, 0), remap(AT(4), PG, 0, 6, 0), 0));
  is("over all of them", remap(AT(1), 5 * PG, 0, 0, 0));
  show("after");
  is("locked", mlock(AT(3), PG));
  is("remap it", remap(AT(3), PG, 0, 1, 0));
  printf("VmLck %ld\n", status("VmLck"));
  show("after");
  munlockall();
  char path[] = "/tmp/remap_XXXXXX";
  int fd = mkstemp(path);
  unlink(path);
  write(fd, "file", 4); ftruncate(fd, 3 * PG); pwrite(fd, "second", 6, PG); pwrite(fd, "third", 5, 2 * PG);
  mmap(AT(20), 3 * PG, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  is("of a file", remap(AT(20), PG, 0, 2, 0));
  printf("%.6s %.6s\n", AT(20), AT(21));
  int ro = open("/proc/self/exe", O_RDONLY);
  mmap(AT(30), PG, PROT_READ, MAP_SHARED | MAP_FIXED, ro, 0);
  is("of a file that is open for reading", remap(AT(30), PG, 0, 1, 0));
  is("pkey_alloc", syscall(SYS_pkey_alloc, 0, 0));
  is("pkey_free", syscall(SYS_pkey_free, 0));
  is("pkey_mprotect", syscall(SYS_pkey_mprotect, AT(0), PG, PROT_READ, -1));
  return 0;
}
