/* munmap(2), mprotect(2), msync(2) and mincore(2): sizes and addresses at the edges, holes, and what is left behind. */
#include "call.h"

static unsigned char vec[64];
static void set_up(void) {
  clear(200);
  map(0, 4, RW, PRIV); map(4, 2, PROT_READ, PRIV); map(6, 2, RW, SHAR); map(10, 4, RW, PRIV); map(14, 1, PROT_NONE, PRIV);
}
static const struct { const char *name; unsigned long value; } ADDRESSES[] = {
  {"page 1", 0x1000001000UL}, {"page 1 + 1", 0x1000001001UL}, {"page 8, a hole", 0x1000008000UL}, {"0", 0}, {"end - 1 page", 0x3ffffff000UL},
  {"end", 0x4000000000UL}, {"2^63", 1UL << 63}, {"-1 page", -4096UL}, {"-1", -1UL},
}, LENGTHS[] = {
  {"0", 0}, {"1", 1}, {"4096", 4096}, {"4097", 4097}, {"5 pages", 5 * 4096}, {"9 pages", 9 * 4096}, {"the space", 0x4000000000UL}, {"the space + 1", 0x4000000001UL},
  {"2^63", 1UL << 63}, {"-1 page", -4096UL}, {"-1 page + 1", -4095UL}, {"-1", -1UL},
};
#define COUNT(a) (int)(sizeof a / sizeof *a)

static long do_munmap(void *p, unsigned long n) { return munmap(p, n); }
static long do_mprotect(void *p, unsigned long n) { return mprotect(p, n, PROT_READ); }
static long do_mprotect_bad(void *p, unsigned long n) { return mprotect(p, n, 0x40); }
static long do_mprotect_down(void *p, unsigned long n) { return mprotect(p, n, PROT_READ | PROT_GROWSDOWN); }
static long do_mprotect_up(void *p, unsigned long n) { return mprotect(p, n, PROT_READ | PROT_GROWSUP); }
static long do_msync(void *p, unsigned long n) { return msync(p, n, MS_SYNC); }
static long do_msync_async(void *p, unsigned long n) { return msync(p, n, MS_ASYNC); }
static long do_mincore(void *p, unsigned long n) { return mincore(p, n, vec); }
static long do_mlock(void *p, unsigned long n) { return n > 1UL << 30 && n < 1UL << 62 ? 0 : mlock(p, n); }
static long do_munlock(void *p, unsigned long n) { return munlock(p, n); }
static long do_mlock2(void *p, unsigned long n) { return n > 1UL << 30 && n < 1UL << 62 ? 0 : syscall(SYS_mlock2, p, n, 1); }
static const struct { const char *name; long (*call)(void *, unsigned long); } CALLS[] = {
  {"munmap", do_munmap}, {"mprotect", do_mprotect}, {"mprotect bits", do_mprotect_bad}, {"mprotect down", do_mprotect_down}, {"mprotect up", do_mprotect_up},
  {"msync", do_msync}, {"msync async", do_msync_async}, {"mincore", do_mincore}, {"mlock", do_mlock}, {"munlock", do_munlock}, {"mlock2", do_mlock2},
};

/* Only what is certain to leave the program itself alone. */
static int is_safe(unsigned long address, unsigned long length) {
  unsigned long end = address + length;
  if (length == 0 || end < address) return 1;
  if (address < END && address + (1UL << 30) > END) return 0; /* the stack may be there */
  if (address >= END || end > END) return 1;
  return address >= (unsigned long)BASE && end <= (unsigned long)BASE + (1UL << 30);
}

int main(void) {
  for (int c = 0; c < COUNT(CALLS); c++)
    for (int a = 0; a < COUNT(ADDRESSES); a++) {
      printf("%s(%s):", CALLS[c].name, ADDRESSES[a].name);
      for (int l = 0; l < COUNT(LENGTHS); l++) {
        if (!is_safe(ADDRESSES[a].value, LENGTHS[l].value)) continue;
        set_up();
        memset(vec, 9, sizeof vec);
        long r = CALLS[c].call((void *)ADDRESSES[a].value, LENGTHS[l].value);
        printf(" %s %s", LENGTHS[l].name, r ? errno_name(errno) : "ok");
        if (c == 7) for (int i = 0; i < 9; i++) printf("%s%d", i ? "" : " ", vec[i]);
        munlockall();
      }
      puts("");
    }
  set_up();
  is("munmap over holes", munmap(AT(3), 8 * PG)); maps("after", 200);
  is("munmap of a hole", munmap(AT(5), 2 * PG));
  is("munmap past the last", munmap(AT(14), 8 * PG)); maps("after", 200);
  set_up();
  is("mprotect up to a hole and on", mprotect(AT(2), 9 * PG, PROT_EXEC)); maps("what came before it has changed", 200);
  is("mprotect from a hole", mprotect(AT(8), 3 * PG, PROT_EXEC));
  is("mprotect of nothing in a hole", mprotect(AT(8), 0, PROT_EXEC));
  is("mprotect both ways", mprotect(AT(1), PG, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
  is("mprotect both ways, unaligned", mprotect(AT(1) + 1, PG, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
  is("mprotect high bits", syscall(SYS_mprotect, AT(1), PG, 1UL << 32 | PROT_READ));
  is("mprotect PROT_SEM", mprotect(AT(1), PG, PROT_READ | 8));
  set_up();
  is("joined again", (mprotect(AT(1), PG, PROT_READ), mprotect(AT(1), PG, RW))); maps("after", 200);
  is("write only", mprotect(AT(1), PG, PROT_WRITE)); printf("read %s write %s\n", touch(AT(1), 0), touch(AT(1), 1));
  is("exec only", mprotect(AT(1), PG, PROT_EXEC)); printf("read %s write %s\n", touch(AT(1), 0), touch(AT(1), 1));
  is("none", mprotect(AT(1), PG, PROT_NONE)); printf("read %s write %s\n", touch(AT(1), 0), touch(AT(1), 1));
  maps("after", 200);
  map(100, 4, RW, PRIV | MAP_GROWSDOWN);
  is("grows down, from its start", mprotect(AT(102), PG, PROT_READ | PROT_GROWSDOWN)); maps("after", 200);
  is("grows down, of one that does not", mprotect(AT(1), PG, PROT_READ | PROT_GROWSDOWN));
  is("grows down, below one that does", mprotect(AT(98), 4 * PG, PROT_READ | PROT_GROWSDOWN));
  is("grows down, ends below it", mprotect(AT(96), 2 * PG, PROT_READ | PROT_GROWSDOWN));
  int fd = open("/proc/self/exe", O_RDONLY);
  mmap(AT(120), 2 * PG, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
  is("a shared file open for reading: write", mprotect(AT(120), PG, RW));
  is("exec", mprotect(AT(120), PG, PROT_READ | PROT_EXEC));
  mmap(AT(130), 2 * PG, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  is("a private one: write", mprotect(AT(130), PG, RW));
  maps("after", 200);
  is("msync flags 0", msync(AT(0), PG, 0));
  is("msync invalidate", msync(AT(0), PG, MS_INVALIDATE));
  is("msync both", msync(AT(0), PG, MS_SYNC | MS_ASYNC));
  is("msync unknown", msync(AT(0), PG, 8));
  is("msync high bits", syscall(SYS_msync, AT(0), PG, 1UL << 32 | MS_SYNC));
  mlock(AT(10), PG);
  is("msync invalidate locked", msync(AT(10), PG, MS_INVALIDATE));
  is("msync invalidate up to locked", msync(AT(6), 5 * PG, MS_INVALIDATE | MS_SYNC));
  munlockall();
  is("mincore to nowhere", mincore(AT(0), PG, (void *)8));
  is("mincore to nowhere, unmapped", mincore(AT(50), PG, (void *)8));
  is("mincore to read-only memory", mincore(AT(0), PG, (void *)AT(4)));
  is("mincore of length 0 to nowhere", mincore(AT(0), 0, (void *)8));
  is("mincore vec 2^63", syscall(SYS_mincore, AT(0), PG, TOP));
  set_up();
  *AT(0) = 1; *AT(2) = 1; *AT(7) = 1; (void)*(volatile char *)AT(4);
  is("mincore of what was touched", mincore(AT(0), 8 * PG, vec));
  for (int i = 0; i < 8; i++) printf("%d ", vec[i]);
  puts("");
  memset(vec, 9, sizeof vec);
  is("mincore up to a hole", mincore(AT(6), 4 * PG, vec));
  for (int i = 0; i < 4; i++) printf("%d ", vec[i]);
  puts("");
  return 0;
}
