/* brk(2): answers at every step and edge, what is left of a page, what stands in its way, limits, maps, fork and exec. */
#include "call.h"
#include <sys/resource.h>

static unsigned long start;

static unsigned long heap(unsigned long address) { return syscall(SYS_brk, address); }

/* The answer counts from where the heap was when this began. */
static void go(const char *what, long offset) { printf("%s: %ld\n", what, (long)(heap(start + offset) - start)); }

/* The mappings around the heap, pages counted from its start; with a name when it is [heap]. */
static void shown(const char *what) {
  unsigned long from = start & -PG;
  printf("%s:", what);
  for (char *line = strtok(text_of("/proc/self/maps"), "\n"); line; line = strtok(NULL, "\n")) {
    unsigned long s, e; char rights[8], name[256] = "";
    sscanf(line, "%lx-%lx %7s %*s %*s %*s %255[^\n]", &s, &e, rights, name);
    if (e <= from || s >= from + 4096 * PG) continue;
    printf(" [%ld-%ld %s%s%s]", ((long)s - (long)from) / (long)PG, (long)(e - from) / (long)PG, rights, *name ? " " : "", name);
  }
  puts("");
}

static void edges(void) {
  static const unsigned long at[] = {0, 1, PG, END - PG, END - 1, END, END + PG, 1UL << 47, TOP - 1, TOP, TOP + PG, -PG, -1};
  for (unsigned i = 0; i < sizeof at / sizeof *at; i++) printf("brk %lx: %ld\n", at[i], (long)(heap(at[i]) - start));
  go("one byte before it", -1);
  go("a page before it", -(long)PG);
  go("far before it", -(1L << 40));
  go("itself", 0);
}

static void steps(void) {
  static const long to[] = {1, 2, PG - 1, PG, PG + 1, 3 * PG - 1, 3 * PG, 10 * PG + 5, 10 * PG + 4, 10 * PG, 9 * PG + 4095, 9 * PG, 1, 0, 0};
  for (unsigned i = 0; i < sizeof to / sizeof *to; i++) {
    char text[32];
    sprintf(text, "to %ld", to[i]), go(text, to[i]);
    shown("  maps");
  }
}

/* Bytes that were given back are zero when they come again, but for those of a page that stayed. */
static void contents(void) {
  char *p = (char *)start;
  go("three pages", 3 * PG);
  memset(p, 'x', 3 * PG);
  go("one and a half", PG + PG / 2);
  go("three again", 3 * PG);
  printf("%d %d %d %d\n", p[PG], p[PG + PG / 2], p[2 * PG - 1], p[2 * PG]);
  go("nothing", 0);
  printf("read of it: %s\n", touch(p, 0));
  go("one", 1);
  printf("%d, end of its page %s, the next %s\n", p[0], touch(p + PG - 1, 1), touch(p + PG, 0));
  go("nothing", 0);
}

static void in_the_way(void) {
  unsigned long page = (start + PG - 1) & -PG;
  char *wall = mmap((void *)(page + 8 * PG), PG, PROT_READ, PRIV | MAP_FIXED, -1, 0);
  shown("a wall");
  go("up to it, less a page", 7 * PG);
  go("up to it", 8 * PG);
  go("a byte beyond", 8 * PG + 1);
  go("far beyond", 64 * PG);
  go("back", 2 * PG);
  munmap(wall, PG);
  wall = mmap((void *)(page + 300 * PG), PG, RW, PRIV | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
  go("up to a stack's gap", 44 * PG);
  go("into it", 45 * PG);
  go("next to it", 300 * PG);
  go("back", 0);
  munmap(wall, PG);
  go("ten pages", 10 * PG);
  munmap((void *)(page + 4 * PG), 2 * PG);
  shown("a hole");
  go("more", 12 * PG);
  go("less, above the hole", 7 * PG);
  go("into the hole", 5 * PG);
  go("up over the hole again", 6 * PG);
  shown("again");
  go("beyond what is left", 8 * PG);
  go("below the hole", 2 * PG);
  munmap((void *)page, 2 * PG);
  go("less than what is gone", PG);
  go("grow from there", 3 * PG);
  shown("left");
  go("back", 0);
  go("four pages", 4 * PG);
  mprotect((void *)(page + PG), 2 * PG, PROT_READ);
  shown("protected");
  go("six", 6 * PG);
  shown("six");
  go("one", PG);
  go("back", 0);
  go("two", 2 * PG);
  at("moved away", mremap((void *)page, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(0)));
  go("three", 3 * PG);
  shown("three");
  go("back", 0);
  clear(4);
  go("two", 2 * PG);
  mmap((void *)(page + 2 * PG), PG, RW, PRIV | MAP_FIXED, -1, 0);
  shown("a neighbour of the same kind");
  go("a byte more", 2 * PG + 1);
  munmap((void *)(page + 2 * PG), PG);
  mmap((void *)page, PG, PROT_READ, SHAR | MAP_FIXED, -1, 0);
  go("over another kind", 4 * PG);
  shown("another kind");
  go("back over it", 0);
  shown("back");
}

static void limited(void) {
  struct rlimit limit, none = {RLIM_INFINITY, RLIM_INFINITY};
  go("four", 4 * PG);
  limit = (struct rlimit){0, RLIM_INFINITY};
  setrlimit(RLIMIT_DATA, &limit);
  go("no data: the same", 4 * PG);
  go("a byte more", 4 * PG + 1);
  go("less", 3 * PG);
  go("more than that", 4 * PG);
  setrlimit(RLIMIT_DATA, &none);
  setrlimit(RLIMIT_AS, &limit);
  go("no address space", 5 * PG);
  go("within the page", 3 * PG - 5);
  go("the page again", 3 * PG);
  setrlimit(RLIMIT_AS, &none);
  go("five", 5 * PG);
  limit.rlim_cur = 0;
  setrlimit(RLIMIT_STACK, &limit);
  go("the stack has no part in it", 6 * PG);
  go("back", 0);
  if (setgid(7) || setuid(7)) return;
  limit = (struct rlimit){2 * PG, 2 * PG};
  setrlimit(RLIMIT_MEMLOCK, &limit);
  printf("mlockall %s\n", mlockall(MCL_FUTURE) ? errno_name(errno) : "ok");
  go("one locked", PG);
  go("two locked", 2 * PG);
  go("three locked", 3 * PG);
  printf("locked %ld\n", status("VmLck:"));
  go("back", 0);
}

static void locked(void) {
  mlockall(MCL_FUTURE);
  go("three", 3 * PG);
  unsigned char vec[3] = {9, 9, 9};
  mincore((void *)((start + PG - 1) & -PG), 3 * PG, vec);
  printf("resident %d%d%d, locked %ld\n", vec[0] & 1, vec[1] & 1, vec[2] & 1, status("VmLck:"));
  go("one", PG);
  printf("locked %ld\n", status("VmLck:"));
  munlockall();
  go("two", 2 * PG);
  printf("locked %ld\n", status("VmLck:"));
  go("back", 0);
}

static void child(void) {
  printf("its heap: %ld\n", (long)(heap(0) - start));
  go("grown", 9 * PG);
  memset((void *)start, 'c', 100);
}

static void inherited(void) {
  go("three", 3 * PG);
  strcpy((char *)start, "parent");
  in_child(child);
  printf("%s, %ld\n", (char *)start, (long)(heap(0) - start));
  go("back", 0);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  text_of("/proc/self/maps"), touch("", 0);
  start = (heap(0) + PG - 1) & -PG; /* what the C library has of it stays below */
  heap(start);
  edges();
  steps();
  contents();
  in_the_way();
  in_child(locked);
  inherited();
  in_child(limited);
  printf("mlock of it: ");
  go("one", PG);
  is("mlock", mlock((void *)start, PG));
  is("madvise", madvise((void *)start, PG, MADV_DONTNEED));
  go("two", 2 * PG);
  printf("locked %ld\n", status("VmLck:"));
  go("back", 0);
  printf("locked %ld\n", status("VmLck:"));
  return 0;
}
