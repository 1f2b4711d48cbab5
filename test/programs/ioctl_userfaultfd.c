/* The requests of ioctl_userfaultfd(2) on every kind of memory: their errors in Linux's order, boundary sizes and addresses, what is
 * left in their result, and what the mappings and pages are afterwards. */
#include "userfault.h"

static struct message m;

static void registering(void) {
  struct reg r;
  uffd = open_uffd(O_NONBLOCK, 0);
  map(0, 4, RW, PRIV);
  is("nowhere", ioctl(uffd, IO_REGISTER, (void *)8));
  for (unsigned long mode = 0; mode < 16; mode++) is("mode", register_at(AT(0), 1, mode));
  r = (struct reg){span(AT(0), 1), 1UL << 32 | MISSING, 0};
  is("a high mode", ioctl(uffd, IO_REGISTER, &r));
  struct { const char *what; uint64_t start, len; } odd[] = {
    {"length 0", (uintptr_t)BASE, 0}, {"half a page", (uintptr_t)BASE, 2048}, {"a page and a byte", (uintptr_t)BASE, PG + 1},
    {"unaligned", (uintptr_t)BASE + 1, PG}, {"at the end", END, PG}, {"over the end", END - PG, 2 * PG},
    {"just below the end", END - PG, PG}, {"half", TOP, PG}, {"negative", -PG, PG}, {"wraps", -PG, 2 * PG},
    {"all", 0, -PG}, {"all of the user's", 0, END}, {"a hole", (uintptr_t)AT(100), PG}, {"a hole and more", (uintptr_t)AT(100), 64 * PG},
    {"from a hole", (uintptr_t)AT(-2), 4 * PG}, {"with a hole behind", (uintptr_t)AT(3), 9 * PG}, {"2^63 long", (uintptr_t)BASE, TOP},
  };
  for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) {
    struct range range = {odd[i].start, odd[i].len};
    r = (struct reg){range, MISSING, 0};
    printf("%s: ", odd[i].what);
    is("register", ioctl(uffd, IO_REGISTER, &r));
    printf("%s: ", odd[i].what);
    is("unregister", ioctl(uffd, IO_UNREGISTER, &range));
    printf("%s: ", odd[i].what);
    is("wake", ioctl(uffd, IO_WAKE, &range));
  }
  is("unregister nowhere", ioctl(uffd, IO_UNREGISTER, (void *)8));
  is("wake nowhere", ioctl(uffd, IO_WAKE, (void *)8));
  clear(16);
  map(0, 8, RW, PRIV), r = (struct reg){span(AT(2), 3), MISSING, 0};
  is("in the middle", ioctl(uffd, IO_REGISTER, &r));
  printf("requests %lx\n", r.ioctls);
  maps("is cut", 8), flags_of("its flags", AT(2)), flags_of("others'", AT(0));
  is("again, more", register_at(AT(1), 5, MISSING)), maps("grown", 8);
  is("a part goes", unregister_at(AT(3), 1)), maps("cut", 8);
  is("it all goes", unregister_at(AT(0), 8)), maps("joined", 8);
  is("nothing goes", unregister_at(AT(0), 8));
  register_at(AT(0), 8, MISSING);
  mprotect(AT(2), 2 * PG, PROT_READ), maps("protected", 8), mprotect(AT(2), 2 * PG, RW), maps("joined", 8);
  map(8, 2, RW, PRIV), maps("a neighbour", 10);
  int other = uffd, first;
  uffd = open_uffd(O_NONBLOCK, 0), first = uffd;
  is("busy", register_at(AT(0), 2, MISSING));
  is("busy in the end", register_at(AT(7), 3, MISSING)), maps("unchanged", 10);
  is("the neighbour is free", register_at(AT(8), 2, MISSING)), maps("two files", 10);
  is("another's is unregistered", unregister_at(AT(6), 4)), maps("by the other", 10);
  uffd = other, close(first);
  close(uffd), maps("closed", 10), clear(10);
}

static void kinds(void) {
  uffd = open_uffd(O_NONBLOCK, 0);
  int fd = open("/userfault", O_RDWR | O_CREAT | O_TRUNC, 0600), mem = syscall(SYS_memfd_create, "m", 2), zero = open("/dev/zero", O_RDWR);
  ftruncate(fd, 4 * PG), ftruncate(mem, 4 * PG);
  int ro;
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", mem), ro = open(path, O_RDONLY);
  int sealed = syscall(SYS_memfd_create, "s", 2);
  ftruncate(sealed, 4 * PG), fcntl(sealed, 1033, 0x10);
  int secret = syscall(447, 0);
  ftruncate(secret, 4 * PG);
  int shm = syscall(194, 0, 4 * PG, 0600 | 01000);
  struct { const char *what; int prot, flags, fd; } kind[] = {
    {"anonymous", RW, PRIV, -1}, {"shared anonymous", RW, SHAR, -1}, {"read-only anonymous", PROT_READ, PRIV, -1},
    {"no access", PROT_NONE, PRIV, -1}, {"memfd shared", RW, MAP_SHARED, mem}, {"memfd private", RW, MAP_PRIVATE, mem},
    {"memfd read-only, shared", PROT_READ, MAP_SHARED, ro}, {"memfd read-only, private", PROT_READ, MAP_PRIVATE, ro},
    {"memfd shared, not writable now", PROT_READ, MAP_SHARED, mem}, {"sealed memfd", PROT_READ, MAP_SHARED, sealed},
    {"sealed memfd, private", RW, MAP_PRIVATE, sealed}, {"secret", RW, MAP_SHARED, secret},
    {"zero private", RW, MAP_PRIVATE, zero}, {"zero shared", RW, MAP_SHARED, zero}, {"droppable", RW, 8 | MAP_ANONYMOUS, -1},
    {"grows down", RW, PRIV | MAP_GROWSDOWN, -1}, {"locked", RW, PRIV | MAP_LOCKED, -1},
    {"huge pages", RW, PRIV | MAP_HUGETLB | MAP_NORESERVE, -1}, {"shared huge pages", RW, SHAR | MAP_HUGETLB | MAP_NORESERVE, -1},
  };
  for (unsigned i = 0; i < sizeof kind / sizeof *kind; i++) {
    int huge = (kind[i].flags & MAP_HUGETLB) != 0;
    long pages = huge ? 1024 : 4;
    void *p = mmap(BASE, pages * PG, kind[i].prot, kind[i].flags | MAP_FIXED, kind[i].fd, 0);
    if (p == MAP_FAILED) { printf("%s: not mapped, %s\n", kind[i].what, errno_name(errno)); continue; }
    for (int mode = 1; mode < 8; mode++) {
      struct reg r = {span(p, huge ? 512 : 2), mode, 0x77};
      int result = ioctl(uffd, IO_REGISTER, &r);
      printf("%s, mode %d: %s %lx\n", kind[i].what, mode, result ? errno_name(errno) : "0", r.ioctls);
      if (!result && mode == 5) flags_of("flags", p);
      if (!result) unregister_at(p, huge ? 512 : 2);
    }
    if (huge) {
      is("half of one", register_at(p, 256, MISSING));
      is("from the half", register_at((char *)p + 256 * PG, 256, MISSING));
    }
    munmap(p, pages * PG);
  }
  char *s = (char *)syscall(196, shm, BASE, 0);
  at("segment", s), is("register", register_at(s, 2, MISSING)), is("unregister", unregister_at(s, 2));
  syscall(197, s), syscall(195, shm, 0, 0);
  uintptr_t here = (uintptr_t)&here & -PG;
  is("the stack", register_at((void *)here, 1, MISSING)), unregister_at((void *)here, 1);
  char *heap = (char *)syscall(SYS_brk, 0);
  syscall(SYS_brk, heap + 2 * PG), heap = (char *)(((uintptr_t)heap + PG - 1) & -PG);
  is("the heap", register_at(heap, 1, MISSING)), unregister_at(heap, 1);
  is("the program", register_at((void *)((uintptr_t)registering & -PG), 1, MISSING));
  close(uffd), close(fd), close(mem), close(zero), close(ro), close(sealed), close(secret), unlink("/userfault");
}

static int64_t copy_left(const char *what, void *dst, void *src, uint64_t len, uint64_t mode) {
  struct copy c = {(uintptr_t)dst, (uintptr_t)src, len, mode, 77 * PG};
  left(what, ioctl(uffd, IO_COPY, &c), c.done);
  return c.done;
}
static void fill_left(const char *what, unsigned long request, void *p, uint64_t len, uint64_t mode) {
  struct fill z = {{(uintptr_t)p, len}, mode, 77 * PG};
  left(what, ioctl(uffd, request, &z), z.done);
}

static void copying(void) {
  long before = status("RssAnon:");
  uffd = open_uffd(O_NONBLOCK, 0);
  map(0, 8, RW, PRIV), map(8, 2, PROT_READ, PRIV), map(12, 4, RW, PRIV);
  register_at(AT(0), 10, MISSING);
  struct copy c = {(uintptr_t)AT(0), (uintptr_t)source, PG, 0, 0};
  is("copy nowhere", ioctl(uffd, IO_COPY, (void *)8));
  is("zero nowhere", ioctl(uffd, IO_ZEROPAGE, (void *)8));
  copy_left("length 0", AT(0), source, 0, 0);
  copy_left("half a page", AT(0), source, 2048, 0);
  copy_left("unaligned", AT(0) + 1, source, PG, 0);
  copy_left("mode 4", AT(0), source, PG, 4);
  copy_left("mode 2^32", AT(0), source, PG, 1UL << 32);
  copy_left("protected", AT(0), source, PG, 2);
  copy_left("protected, in a hole", AT(40), source, PG, 2);
  copy_left("target beyond", (void *)END, source, PG, 0);
  copy_left("source beyond", AT(0), (void *)END, PG, 0);
  copy_left("source below the end", AT(0), (void *)(END - PG), PG, 0);
  copy_left("source 0", AT(0), NULL, PG, 0);
  copy_left("source negative", AT(0), (void *)-PG, PG, 0);
  copy_left("a hole", AT(40), source, PG, 0);
  copy_left("over the end of the mapping", AT(7), source, 2 * PG, 0);
  copy_left("not registered", AT(12), source, PG, 0);
  copy_left("source is a hole", AT(0), AT(40), PG, 0);
  copy_left("unaligned source", AT(0), source + 100, PG, 0);
  printf("%c %c\n", AT(0)[0], AT(0)[PG - 1]);
  copy_left("there already", AT(0), source, PG, 0);
  copy_left("there already, source is a hole", AT(0), AT(40), PG, 0);
  copy_left("two and then one that is there", AT(4), source, PG, 0), copy_left("up to it", AT(2), source, 4 * PG, 0);
  printf("%c %c %c\n", *AT(2), *AT(3), *AT(4));
  copy_left("source ends", AT(5), AT(15), 2 * PG, 0);
  copy_left("in read-only memory", AT(8), source + PG, PG, 0), printf("%c, store %s\n", *AT(8), touch(AT(8), 1));
  fill_left("zeroes in it", IO_ZEROPAGE, AT(9), PG, 0), printf("%d\n", *AT(9));
  fill_left("zero: mode 2", IO_ZEROPAGE, AT(6), PG, 2);
  fill_left("zero: length 0", IO_ZEROPAGE, AT(6), 0, 0);
  fill_left("zero: a hole", IO_ZEROPAGE, AT(40), PG, 0);
  fill_left("zero: not registered", IO_ZEROPAGE, AT(12), PG, 0);
  fill_left("zero: there", IO_ZEROPAGE, AT(0), PG, 0);
  fill_left("zero: two", IO_ZEROPAGE, AT(6), 2 * PG, 0);
  printf("%d, store %s\n", *AT(6), touch(AT(6), 1));
  fill_left("continue on anonymous memory", IO_CONTINUE, AT(7), PG, 0);
  struct protect w = {span(AT(0), 1), 0};
  is("writeprotect", ioctl(uffd, IO_WRITEPROTECT, &w));
  for (int mode = 1; mode < 8; mode++) w.mode = mode, is("mode", ioctl(uffd, IO_WRITEPROTECT, &w));
  w.mode = 0, w.range.len = 0, is("writeprotect length 0", ioctl(uffd, IO_WRITEPROTECT, &w));
  is("writeprotect nowhere", ioctl(uffd, IO_WRITEPROTECT, (void *)8));
  printf("rss %ld, faults seen %s\n", status("RssAnon:") - before, read(uffd, &m, sizeof m) < 0 ? "none" : "some");
  unsigned char vec[16];
  mincore(AT(0), 10 * PG, vec);
  for (int i = 0; i < 10; i++) printf("%d", vec[i]);
  puts("");
  int other = uffd;
  uffd = open_uffd(O_NONBLOCK, 0);
  madvise(AT(0), PG, MADV_DONTNEED);
  copy_left("of another file", AT(0), source, PG, 0), printf("%c\n", *AT(0));
  close(uffd), uffd = other;
  (void)c;
  close(uffd), clear(16);
}

static void poisoning(void) {
  uffd = open_uffd(O_NONBLOCK, 0);
  map(0, 8, RW, PRIV);
  register_at(AT(0), 8, MISSING);
  fill_left("poison: mode 2", IO_POISON, AT(0), PG, 2);
  is("poison nowhere", ioctl(uffd, IO_POISON, (void *)8));
  fill_left("poison", IO_POISON, AT(0), 3 * PG, 0);
  fill_left("again", IO_POISON, AT(0), PG, 0);
  fill_left("zero over it", IO_ZEROPAGE, AT(0), PG, 0);
  printf("load %s store %s\n", touch(AT(0), 0), touch(AT(0), 1));
  is("a call", read(open("/dev/zero", O_RDONLY), AT(0), 10));
  is("populate", madvise(AT(0), PG, 22 /* MADV_POPULATE_READ */)), is("mlock", mlock(AT(0), PG)), munlock(AT(0), PG);
  unsigned char vec[8];
  mincore(AT(0), 8 * PG, vec);
  printf("mincore %d%d\n", vec[0], vec[3]);
  uint64_t entry = 0;
  pread(open("/proc/self/pagemap", O_RDONLY), &entry, 8, (uintptr_t)BASE / PG * 8);
  printf("pagemap %lx\n", entry >> 55);
  mprotect(AT(0), PG, PROT_READ), mprotect(AT(0), PG, RW);
  printf("after mprotect %s\n", touch(AT(0), 0));
  fflush(stdout);
  if (fork() == 0) { printf("in a child %s %s\n", touch(AT(1), 0), touch(AT(4), 0)), fflush(stdout), _exit(0); }
  wait(NULL);
  void *moved = mremap(AT(1), PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(20));
  at("moved", moved), printf("%s\n", touch(AT(20), 0));
  is("copy over it", copy_to(AT(0), source, 1, 0)), printf("%c\n", *AT(0));
  madvise(AT(2), PG, MADV_DONTNEED);
  is("dropped, then zero", fill_at(IO_ZEROPAGE, AT(2), 1, 0)), printf("%s\n", touch(AT(2), 0));
  fill_left("poison over a page", IO_POISON, AT(0), PG, 0);
  fill_left("poison up to a page", IO_POISON, AT(6), 3 * PG, 0);
  fill_left("poison two", IO_POISON, AT(6), 2 * PG, 0);
  close(uffd);
  printf("stays after closing: %s\n", touch(AT(6), 0));
  clear(24);
}

static void sharing(void) {
  int mem = syscall(SYS_memfd_create, "m", 0);
  ftruncate(mem, 8 * PG);
  char *alias = mmap(NULL, 8 * PG, RW, MAP_SHARED, mem, 0);
  alias[0] = 'A';
  uffd = open_uffd(O_NONBLOCK, 0);
  mmap(BASE, 10 * PG, RW, MAP_SHARED | MAP_FIXED, mem, 0);
  is("register", register_at(AT(0), 10, MISSING));
  printf("what is there is mapped: %c\n", *AT(0));
  copy_left("copy", AT(1), source, PG, 0), printf("in the file %c\n", alias[PG]);
  copy_left("copy over what the file has", AT(0), source, PG, 0);
  alias[2 * PG] = 'B';
  copy_left("not mapped, but there", AT(2), source, PG, 0);
  fill_left("zero", IO_ZEROPAGE, AT(3), PG, 0), printf("%d %d\n", *AT(3), alias[3 * PG]);
  copy_left("beyond the end", AT(8), source, PG, 0);
  fill_left("zero beyond", IO_ZEROPAGE, AT(8), PG, 0), fill_left("poison beyond", IO_POISON, AT(9), PG, 0);
  printf("touch beyond %s\n", touch(AT(8), 0));
  fill_left("continue, not registered so", IO_CONTINUE, AT(2), PG, 0), printf("%c\n", *AT(2));
  fill_left("continue without a page", IO_CONTINUE, AT(5), PG, 0);
  fill_left("continue beyond", IO_CONTINUE, AT(9), PG, 0);
  fill_left("continue mode 4", IO_CONTINUE, AT(2), PG, 4), fill_left("continue protected", IO_CONTINUE, AT(2), PG, 2);
  fill_left("poison", IO_POISON, AT(5), PG, 0), printf("%s, the file %d\n", touch(AT(5), 0), alias[5 * PG]);
  copy_left("copy over poison", AT(5), source, PG, 0);
  printf("shared %s\n", status("RssShmem:") > 0 ? "some" : "none");
  close(uffd), clear(10);
  uffd = open_uffd(O_NONBLOCK, 0);
  mmap(BASE, 8 * PG, RW, MAP_SHARED | MAP_FIXED, mem, 0);
  is("register for both", register_at(AT(0), 8, MISSING | MINOR));
  flags_of("flags", AT(0));
  is("a call", syscall(SYS_getrandom, AT(0), 0, 0));
  fill_left("continue", IO_CONTINUE, AT(0), 3 * PG, 0), printf("%c %c\n", *AT(0), *AT(2));
  fill_left("continue again", IO_CONTINUE, AT(2), 2 * PG, 0);
  close(uffd), clear(8);
  uffd = open_uffd(O_NONBLOCK, 0);
  mmap(BASE, 8 * PG, RW, MAP_PRIVATE | MAP_FIXED, mem, 0);
  is("register a private view", register_at(AT(0), 8, MISSING | MINOR));
  fill_left("continue", IO_CONTINUE, AT(0), PG, 0), printf("%c, store %s, file %c\n", *AT(0), touch(AT(0), 1), alias[0]);
  copy_left("copy where the file has a page", AT(2), source, PG, 0), printf("%c, file %c\n", *AT(2), alias[2 * PG]);
  copy_left("copy where it has none", AT(6), source, PG, 0), printf("%c, file %d\n", *AT(6), alias[6 * PG]);
  fill_left("zero", IO_ZEROPAGE, AT(7), PG, 0), printf("%d, store %s\n", *AT(7), touch(AT(7), 1));
  printf("anon %s\n", status("RssAnon:") > 0 ? "some" : "none");
  close(uffd), clear(8), munmap(alias, 8 * PG), close(mem);
}

static void move_left(const char *what, void *dst, void *src, uint64_t len, uint64_t mode) {
  struct copy c = {(uintptr_t)dst, (uintptr_t)src, len, mode, 77 * PG};
  left(what, ioctl(uffd, IO_MOVE, &c), c.done);
}
static void moving(void) {
  long before = status("RssAnon:");
  uffd = open_uffd(O_NONBLOCK, 0);
  map(0, 8, RW, PRIV), map(16, 8, RW, PRIV);
  register_at(AT(0), 8, MISSING);
  memset(AT(16), 'x', 3 * PG), (void)*(volatile char *)AT(20);
  is("move nowhere", ioctl(uffd, IO_MOVE, (void *)8));
  move_left("length 0", AT(0), AT(16), 0, 0), move_left("unaligned", AT(0) + 1, AT(16), PG, 0);
  move_left("unaligned source", AT(0), AT(16) + 1, PG, 0), move_left("mode 4", AT(0), AT(16), PG, 4);
  move_left("to a hole", AT(40), AT(16), PG, 0), move_left("from a hole", AT(0), AT(40), PG, 0);
  move_left("to what is not registered", AT(22), AT(16), PG, 0);
  move_left("over the end", AT(7), AT(16), 2 * PG, 0), move_left("from over the end", AT(0), AT(23), 2 * PG, 0);
  move_left("one", AT(0), AT(16), PG, 0), printf("%c, and there again %d\n", *AT(0), *AT(16));
  move_left("to where there is one", AT(0), AT(17), PG, 0);
  move_left("nothing there", AT(1), AT(19), PG, 0);
  move_left("nothing there, allowed", AT(1), AT(19), PG, ALLOW_HOLES);
  move_left("with holes", AT(1), AT(17), 5 * PG, 0);
  move_left("the zero page", AT(4), AT(20), PG, 0), printf("%d\n", *AT(4));
  printf("%c %c, store %s\n", *AT(1), *AT(2), touch(AT(1), 1));
  AT(18)[0] = 'y';
  move_left("holes allowed", AT(5), AT(18), 3 * PG, ALLOW_HOLES), printf("%c\n", *AT(5));
  move_left("within a mapping", AT(6), AT(5), PG, 0), printf("%c\n", *AT(6));
  map(32, 2, RW, PRIV), *AT(32) = 'z', mprotect(AT(32), PG, PROT_READ);
  move_left("other rights", AT(7), AT(32), PG, 0), mprotect(AT(32), PG, RW);
  mlock(AT(32), PG), move_left("locked", AT(7), AT(32), PG, 0), munlock(AT(32), PG);
  int mem = syscall(SYS_memfd_create, "m", 0);
  ftruncate(mem, PG);
  mmap(AT(36), PG, RW, MAP_SHARED | MAP_FIXED, mem, 0), *AT(36) = 'q';
  move_left("shared", AT(7), AT(36), PG, 0);
  mmap(AT(36), PG, RW, MAP_PRIVATE | MAP_FIXED, mem, 0), *AT(36) = 'r';
  move_left("private of a file", AT(7), AT(36), PG, 0);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) { pause(), _exit(0); }
  move_left("shared with a child", AT(7), AT(32), PG, 0);
  kill(child, 9), waitpid(child, NULL, 0);
  move_left("the child is gone", AT(7), AT(32), PG, 0);
  *AT(32) = 'Z';
  move_left("written since", AT(7), AT(32), PG, 0), printf("%c\n", *AT(7));
  fill_at(IO_POISON, AT(3), 1, 0), map(34, 1, RW, PRIV), register_at(AT(34), 1, MISSING);
  move_left("poison", AT(34), AT(3), PG, 0);
  if (fork() == 0) { move_left("of another memory", AT(7), AT(32), PG, 0), fflush(stdout), _exit(0); }
  wait(NULL);
  printf("rss %ld\n", status("RssAnon:") - before);
  close(uffd), close(mem), clear(40);
}

static void huge(void) {
  syscall(167, 41, 0, 0, 0, 0);
  put("/sys/kernel/mm/transparent_hugepage/enabled", "always");
  uffd = open_uffd(O_NONBLOCK, SIGBUS_INSTEAD);
  map(0, 2048, RW, PRIV), map(4096, 2048, RW, PRIV);
  is("register", register_at(AT(0), 2048, MISSING));
  printf("touch %s\n", touch(AT(100), 1));
  *AT(4096) = 'h', *AT(4096 + 1000) = 'i', *AT(4096 + 1034) = 'k';
  printf("huge before %s\n", strstr(text_of("/proc/self/smaps"), "AnonHugePages:      2048") || strstr(text_of("/proc/self/smaps"), "AnonHugePages:      6144") ? "yes" : "no");
  move_left("a huge page", AT(0), AT(4096), 512 * PG, 0), printf("%c\n", *AT(0));
  copy_left("over it", AT(5), source, PG, 0), fill_left("zero over it", IO_ZEROPAGE, AT(5), PG, 0);
  move_left("a part of one", AT(600), AT(4096 + 1000), PG, 0), printf("%c\n", *AT(600));
  move_left("one where there is a table", AT(512), AT(4096 + 1024), 512 * PG, 0), printf("%c\n", *AT(512 + 10));
  copy_left("small ones in the rest", AT(1100), source, 4 * PG, 0), printf("%c\n", *AT(1102));
  is("collapse", madvise(AT(1024), 512 * PG, 25));
  close(uffd), clear(8192);
}

/* A number of smaps for the mapping that holds a page of the window. */
static long smaps_of(void *p, const char *field) {
  int inside = 0;
  for (char *line = strtok(text_of("/proc/self/smaps"), "\n"); line; line = strtok(NULL, "\n")) {
    unsigned long start, end;
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr(line, '-') < strchr(line, ' '))
      inside = start <= (uintptr_t)p && (uintptr_t)p < end;
    if (inside && !strncmp(line, field, strlen(field))) return atol(line + strlen(field));
  }
  return -1;
}

/* Where no page table is, PAGEMAP_SCAN says of no page that it was written. */
static const char *table(void *p) {
  struct { uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, any, returned; } a = {.size = 96};
  uint64_t region[3];
  a.start = (uintptr_t)p, a.end = a.start + PG, a.vec = (uintptr_t)region, a.vec_len = 1, a.inverted = a.mask = 2, a.returned = 255;
  int pagemap = open("/proc/self/pagemap", O_RDONLY);
  int found = ioctl(pagemap, 0xc0606610, &a);
  close(pagemap);
  return found == 0 ? "there" : found == 1 ? "none" : "?";
}

/* What becomes of marks, of entries that only the kernel has written through, and of page tables. */
static void entries(void) {
  int memory = open("/proc/self/mem", O_RDWR);
  char byte = 'z';
  uffd = open_uffd(O_NONBLOCK, SIGBUS_INSTEAD);
  map(0, 8, RW, PRIV), register_at(AT(0), 8, MISSING);
  printf("no table: %s\n", table(AT(0)));
  printf("touch %s, table: %s\n", touch(AT(0), 1), table(AT(0)));
  fill_left("poison", IO_POISON, AT(0), 6 * PG, 0);
  is("read by /proc", pread(memory, &byte, 1, (uintptr_t)AT(0))), is("written", pwrite(memory, "w", 1, (uintptr_t)AT(0)));
  is("free", madvise(AT(0), 2 * PG, MADV_FREE)), is("cold", madvise(AT(2), PG, 20)), is("pageout", madvise(AT(3), PG, 21));
  is("dontneed", madvise(AT(4), PG, MADV_DONTNEED));
  uint64_t entry[6];
  int pagemap = open("/proc/self/pagemap", O_RDONLY);
  pread(pagemap, entry, sizeof entry, (uintptr_t)BASE / PG * 8);
  for (int i = 0; i < 6; i++) printf(" %lx", (long)(entry[i] >> 60));
  puts("");
  close(uffd), clear(8);
  /* Shared memory: a store of another one's counts for all who map the page. */
  int mem = syscall(SYS_memfd_create, "m", 0);
  ftruncate(mem, 4 * PG);
  mmap(AT(0), 4 * PG, RW, MAP_SHARED | MAP_FIXED, mem, 0), mmap(AT(8), 4 * PG, PROT_READ, MAP_SHARED | MAP_FIXED, mem, 0);
  for (int i = 0; i < 4; i++) touch(AT(i), 0), touch(AT(8 + i), 0);
  printf("dirty %ld\n", smaps_of(AT(8), "Shared_Dirty:"));
  is("written by /proc", pwrite(memory, "w", 1, (uintptr_t)AT(0))), printf("dirty %ld\n", smaps_of(AT(8), "Shared_Dirty:"));
  is("populated", madvise(AT(1), PG, 23)), printf("dirty %ld\n", smaps_of(AT(8), "Shared_Dirty:"));
  touch(AT(2), 1), printf("stored, dirty %ld\n", smaps_of(AT(8), "Shared_Dirty:"));
  uffd = open_uffd(O_NONBLOCK, SIGBUS_INSTEAD);
  munmap(AT(0), 4 * PG), mmap(AT(512), 4 * PG, RW, MAP_SHARED | MAP_FIXED, mem, 0), register_at(AT(512), 4, MISSING), ftruncate(mem, 0), ftruncate(mem, 4 * PG);
  printf("shared: touch %s, table: %s\n", touch(AT(512), 1), table(AT(512)));
  close(uffd), close(mem), munmap(AT(512), 4 * PG), close(memory), close(pagemap), clear(16);
}

static void holes_and_folios(void) {
  uffd = open_uffd(O_NONBLOCK, SIGBUS_INSTEAD);
  map(0, 2048, RW, PRIV), map(4096, 2048, RW, PRIV), register_at(AT(0), 2048, MISSING);
  move_left("holes", AT(0), AT(4096 + 512), PG, 2);
  printf("tables: %s, %s\n", table(AT(0)), table(AT(4096 + 512)));
  *AT(4096 + 512) = 'a', printf("huge: %ld\n", smaps_of(AT(4096), "AnonHugePages:"));
  *AT(4096) = 'b', *AT(4096 + 100) = 'c', printf("huge: %ld\n", smaps_of(AT(4096), "AnonHugePages:"));
  move_left("a part of a huge page", AT(1), AT(4096 + 90), 20 * PG, 0);
  printf("%c, anonymous: %ld and %ld\n", *AT(11), smaps_of(AT(0), "Anonymous:"), smaps_of(AT(4096), "Anonymous:"));
  close(uffd), clear(8192);
}

int main(void) {
  begin();
  registering();
  kinds();
  copying();
  poisoning();
  sharing();
  moving();
  entries();
  huge();
  holes_and_folios();
  return 0;
}
