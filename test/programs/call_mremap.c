/* mremap(2): every flag and combination, sizes and addresses at the edges, several mappings, what is left behind. */
#include "call.h"

#define MAYMOVE MREMAP_MAYMOVE
#define FIXED MREMAP_FIXED
#define DONTUNMAP 4
static void set_up(void) {
  clear(200);
  map(0, 4, RW, PRIV); map(4, 2, PROT_READ, PRIV); map(6, 2, RW, SHAR); map(10, 4, RW, PRIV);
  for (int i = 0; i < 4; i++) { *AT(i) = 'a' + i; *AT(10 + i) = 'k' + i; }
  *AT(6) = 's';
}
static void *remap(void *p, unsigned long old, unsigned long new, unsigned long flags, void *to) {
  return (void *)syscall(SYS_mremap, p, old, new, flags, to);
}
static void text(long page, int pages) {
  for (int i = 0; i < pages; i++) {
    const char *r = touch(AT(page + i), 0);
    printf("%c", r[0] == 'o' ? *AT(page + i) ? *AT(page + i) : '0' : '-');
  }
  puts("");
}

static void edges(void) {
  static const unsigned long ADDRESS[] = {0x1000000000UL, 0x1000000001UL, 0x1000008000UL, 0, 0x3ffffff000UL, 0x4000000000UL, 1UL << 63, -4096UL};
  static const unsigned long LENGTH[] = {0, 1, 4096, 0x4000000000UL, 1UL << 63, -4096UL, -1UL};
  for (unsigned a = 0; a < 8; a++) for (unsigned o = 0; o < 7; o++) {
    printf("%lx %lx:", ADDRESS[a], LENGTH[o]);
    for (unsigned n = 0; n < 7; n++) for (unsigned f = 0; f < 2; f++) {
      if (a == 4) continue; /* the stack may be there */
      set_up();
      void *r = remap((void *)ADDRESS[a], LENGTH[o], LENGTH[n], f, NULL);
      printf(" %s", r == MAP_FAILED ? errno_name(errno) : r == AT(0) ? "there" : "moved");
      if (r != MAP_FAILED && r != AT(0)) munmap(r, LENGTH[n]);
    }
    puts("");
  }
}

static void flags(void) {
  for (unsigned f = 0; f < 16; f++) {
    set_up();
    char what[20]; snprintf(what, sizeof what, "flags %u", f);
    at(what, remap(AT(1), 2 * PG, 2 * PG, f, AT(50)) == AT(50) ? AT(50) : errno ? remap(AT(1), 2 * PG, 2 * PG, f, AT(50)) : NULL);
    errno = 0;
  }
  at("flags 2^32", remap(AT(1), PG, PG, 1UL << 32, NULL));
  at("fixed, unaligned", remap(AT(1), PG, PG, MAYMOVE | FIXED, AT(50) + 1));
  at("fixed, 0", remap(AT(1), PG, PG, MAYMOVE | FIXED, NULL));
  set_up();
  at("fixed, end of space", remap(AT(1), PG, PG, MAYMOVE | FIXED, (void *)END));
  at("fixed, beyond the space", remap(AT(1), PG, 2 * PG, MAYMOVE | FIXED, (void *)(END - PG)));
  at("fixed, 2^63", remap(AT(1), PG, PG, MAYMOVE | FIXED, (void *)TOP));
  at("fixed, -1 page", remap(AT(1), PG, PG, MAYMOVE | FIXED, (void *)-PG));
  at("fixed onto itself", remap(AT(1), PG, PG, MAYMOVE | FIXED, AT(1)));
  at("fixed onto its end", remap(AT(1), 2 * PG, PG, MAYMOVE | FIXED, AT(2)));
  at("fixed, new size over the old", remap(AT(2), PG, 3 * PG, MAYMOVE | FIXED, AT(0)));
  at("fixed just below", remap(AT(2), PG, PG, MAYMOVE | FIXED, AT(1)));
  maps("after", 200);
  at("dontunmap, other size", remap(AT(10), PG, 2 * PG, MAYMOVE | DONTUNMAP, NULL));
  at("dontunmap, a byte more", remap(AT(10), PG, PG + 1, MAYMOVE | DONTUNMAP, NULL));
  at("dontunmap unaligned wish", remap(AT(10), PG, PG, MAYMOVE | DONTUNMAP, AT(50) + 1));
  at("dontunmap of a part, wish", remap(AT(11), 2 * PG, 2 * PG, MAYMOVE | DONTUNMAP, AT(60)));
  maps("after", 200); text(10, 4); text(60, 2);
  at("dontunmap of shared memory", remap(AT(6), 2 * PG, 2 * PG, MAYMOVE | DONTUNMAP, AT(70)));
  maps("after", 200); text(6, 2); text(70, 2);
}

static void sizes(void) {
  set_up(); at("shrink", remap(AT(0), 4 * PG, PG, 0, NULL)); maps("after", 200); text(0, 4);
  set_up(); at("shrink a middle", remap(AT(1), 2 * PG, PG, 0, NULL)); maps("after", 200);
  set_up(); at("shrink over others", remap(AT(2), 10 * PG, PG, 0, NULL)); maps("all of them are gone", 200);
  set_up(); at("same size over others", remap(AT(2), 10 * PG, 10 * PG, 0, NULL));
  at("same size beyond the space", remap(AT(2), END, END, 0, NULL));
  at("shrink beyond the space", remap(AT(2), END, PG, 0, NULL));
  at("grow over others", remap(AT(2), 10 * PG, 11 * PG, MAYMOVE, NULL));
  at("grow from the middle", remap(AT(1), PG, 2 * PG, 0, NULL));
  at("grow into the next", remap(AT(0), 4 * PG, 5 * PG, 0, NULL));
  at("grow into a hole", remap(AT(10), 4 * PG, 8 * PG, 0, NULL)); maps("after", 200); text(10, 8);
  set_up(); map(18, 2, RW, PRIV); at("grow up to the next", remap(AT(10), 4 * PG, 8 * PG, 0, NULL)); maps("after", 200);
  set_up(); at("grow by moving, fixed", remap(AT(1), 2 * PG, 4 * PG, MAYMOVE | FIXED, AT(50))); maps("after", 200); text(50, 4);
  set_up(); at("shrink by moving, fixed", remap(AT(0), 4 * PG, 2 * PG, MAYMOVE | FIXED, AT(50))); maps("after", 200); text(50, 2);
  set_up(); at("move over others", remap(AT(0), 2 * PG, 4 * PG, MAYMOVE | FIXED, AT(5))); maps("after", 200); text(5, 4);
  set_up(); at("move several, fixed", remap(AT(2), 4 * PG, 4 * PG, MAYMOVE | FIXED, AT(50))); maps("after", 200);
  set_up(); at("move several, what was there is gone", (map(50, 2, RW, PRIV), remap(AT(2), 4 * PG, 4 * PG, MAYMOVE | FIXED, AT(50)))); maps("after", 200);
  set_up(); at("shrink several by moving", remap(AT(2), 6 * PG, 2 * PG, MAYMOVE | FIXED, AT(50))); maps("after", 200);
  set_up(); at("and back", (remap(AT(1), 2 * PG, 2 * PG, MAYMOVE | FIXED, AT(50)), remap(AT(50), 2 * PG, 2 * PG, MAYMOVE | FIXED, AT(1)))); maps("after", 200);
  set_up(); at("beyond the end of the mapping", remap(AT(10), 8 * PG, 8 * PG, MAYMOVE | FIXED, AT(50)));
  at("a size in bytes", remap(AT(10), 1, PG + 1, MAYMOVE | FIXED, AT(50))); maps("after", 200);
  set_up(); at("old size 0, private", remap(AT(0), 0, PG, MAYMOVE, NULL));
  at("old size 0, shared", remap(AT(6), 0, PG, MAYMOVE | FIXED, AT(50))); text(50, 1);
  at("old size 0, may not move", remap(AT(6), 0, PG, 0, NULL));
  at("old size 0, dontunmap", remap(AT(6), 0, 0, MAYMOVE | DONTUNMAP, NULL));
  at("old size 0, more than the object", remap(AT(6), 0, 4 * PG, MAYMOVE | FIXED, AT(60))); printf("%s %s\n", touch(AT(61), 0), touch(AT(62), 0));
  maps("after", 200);
}

static void locked(void) {
  set_up(); mlock(AT(0), 4 * PG); printf("VmLck %ld\n", status("VmLck"));
  at("grow", remap(AT(2), 2 * PG, 4 * PG, MAYMOVE | FIXED, AT(50))); printf("VmLck %ld\n", status("VmLck"));
  unsigned char v[4]; mincore(AT(50), 4 * PG, v); printf("populated %d%d%d%d\n", v[0], v[1], v[2], v[3]);
  at("dontunmap of a part", remap(AT(0), PG, PG, MAYMOVE | DONTUNMAP, AT(60))); printf("VmLck %ld\n", status("VmLck"));
  at("dontunmap of all", remap(AT(50), 4 * PG, 4 * PG, MAYMOVE | DONTUNMAP, AT(70))); printf("VmLck %ld\n", status("VmLck"));
  maps("after", 200);
  munlockall(); printf("VmLck %ld\n", status("VmLck"));
}

int main(void) {
  in_child(edges);
  in_child(flags);
  in_child(sizes);
  in_child(locked);
  long vdso = 0;
  for (char *line = strtok(text_of("/proc/self/maps"), "\n"); line; line = strtok(NULL, "\n")) if (strstr(line, "[vdso]")) vdso = strtol(line, NULL, 16);
  at("grow the vdso", remap((void *)vdso, PG, 2 * PG, MAYMOVE, NULL));
  at("dontunmap of the vdso", remap((void *)vdso, PG, PG, MAYMOVE | DONTUNMAP, AT(0)));
  at("move the vdso", remap((void *)vdso, PG, PG, MAYMOVE | FIXED, AT(0)));
  maps("after", 20);
  return 0;
}
