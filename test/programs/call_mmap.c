/* mmap(2): every flag alone and in company, every protection, lengths, addresses and offsets at the edges, files of every kind and
 * mode, what MAP_FIXED takes away, and what can be done with what was mapped. */
#include "call.h"
#include <sys/resource.h>
#include <sys/socket.h>

#define VALIDATE 3
#define DROPPABLE 8
#define HUGE 0x40000

static int rdwr, rdonly, wronly;

/* Where, for flags that say where; else whether. */
static void try(const char *what, unsigned long address, unsigned long length, unsigned long prot, unsigned long flags, long fd, long offset) {
  char *p = (char *)syscall(SYS_mmap, address, length, prot, flags, fd, offset);
  at(what, p);
  if (p != MAP_FAILED) munmap(p, length);
}

/* Each bit of an argument in the company of others; results that are the same for bits in a row are printed once. */
static void bits(const char *what, unsigned long common, int is_prot, long fd) {
  const char *last = NULL;
  int first = 0;
  printf("%s:", what);
  for (int bit = 0; bit <= 64; bit++) {
    const char *result = NULL;
    if (bit < 64) {
      unsigned long more = 1UL << bit;
      char *p = (char *)syscall(SYS_mmap, AT(8), PG, is_prot ? more : PROT_READ, is_prot ? common : common | more, fd, 0);
      result = p == MAP_FAILED ? errno_name(errno) : p == AT(8) ? "there" : "elsewhere";
      if (p != MAP_FAILED) munmap(p, PG);
    }
    if (last && (bit == 64 || strcmp(last, result))) {
      if (first == bit - 1) printf(" %d %s", first, last); else printf(" %d-%d %s", first, bit - 1, last);
      first = bit;
    }
    last = result;
  }
  puts("");
}

static void flags(void) {
  bits("private anonymous", PRIV, 0, -1);
  bits("shared anonymous", SHAR, 0, -1);
  bits("no type, anonymous", MAP_ANONYMOUS, 0, -1);
  bits("validated anonymous", VALIDATE | MAP_ANONYMOUS, 0, -1);
  bits("private file", MAP_PRIVATE, 0, rdwr);
  bits("shared file", MAP_SHARED, 0, rdwr);
  bits("validated file", VALIDATE, 0, rdwr);
  bits("no type, file", 0, 0, rdwr);
  bits("private file, fixed", MAP_PRIVATE | MAP_FIXED, 0, rdwr);
  bits("droppable", DROPPABLE | MAP_ANONYMOUS, 0, -1);
  bits("protection, private", PRIV, 1, -1);
  bits("protection, shared", SHAR, 1, -1);
  bits("protection, file", MAP_SHARED, 1, rdwr);
  for (int type = 0; type < 16; type++) {
    char text[32];
    sprintf(text, "type %d anonymous", type), try(text, 0, PG, RW, type | MAP_ANONYMOUS, -1, 0);
    sprintf(text, "type %d file", type), try(text, 0, PG, RW, type, rdwr, 0);
  }
}

static void shown(const char *what, unsigned long prot, unsigned long flag, int fd) {
  char text[64];
  at(what, mmap(AT(16), 4 * PG, prot, flag | MAP_FIXED, fd, 0));
  sprintf(text, "  seen"), maps(text, 64);
  munmap(AT(0), 64 * PG);
}

static char *smaps_flags(unsigned long address) {
  static char found[160];
  strcpy(found, "none");
  int here = 0;
  for (char *line = strtok(text_of("/proc/self/smaps"), "\n"); line; line = strtok(NULL, "\n")) {
    unsigned long start, end;
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr(line, '-') < strchr(line, ' ')) here = start <= address && address < end;
    if (here && !strncmp(line, "VmFlags:", 8)) strcpy(found, line + 9);
  }
  return found;
}

static void vm_flags(void) {
  static const struct { const char *name; unsigned long flags, prot; int file; } each[] = {
    {"none", PRIV, RW}, {"growsdown", PRIV | MAP_GROWSDOWN, RW}, {"denywrite", PRIV | MAP_DENYWRITE, RW}, {"executable", PRIV | MAP_EXECUTABLE, RW},
    {"locked", PRIV | MAP_LOCKED, RW}, {"noreserve", PRIV | MAP_NORESERVE, RW}, {"populate", PRIV | MAP_POPULATE, RW},
    {"nonblock", PRIV | MAP_NONBLOCK, RW}, {"populate nonblock", PRIV | MAP_POPULATE | MAP_NONBLOCK, RW}, {"stack", PRIV | MAP_STACK, RW},
    {"sync", PRIV | MAP_SYNC, RW}, {"uninitialized", PRIV | 0x4000000, RW}, {"32bit", PRIV | 0x40, RW}, {"droppable", DROPPABLE | MAP_ANONYMOUS, RW},
    {"shared", SHAR, RW}, {"shared noreserve", SHAR | MAP_NORESERVE, RW}, {"shared locked", SHAR | MAP_LOCKED, RW}, {"shared stack", SHAR | MAP_STACK, RW},
    {"none at all", PRIV, PROT_NONE}, {"exec only", PRIV, PROT_EXEC}, {"write only", PRIV, PROT_WRITE},
    {"file", MAP_PRIVATE, RW, 1}, {"shared file", MAP_SHARED, RW, 1}, {"validated file", VALIDATE, RW, 1}, {"read-only file", MAP_SHARED, PROT_READ, 2},
    {"growsdown file", MAP_PRIVATE | MAP_GROWSDOWN, RW, 1}, {"locked file", MAP_SHARED | MAP_LOCKED, PROT_READ, 1},
    {"shared growsdown file", MAP_SHARED | MAP_GROWSDOWN, RW, 1}, {"droppable locked", DROPPABLE | MAP_ANONYMOUS | MAP_LOCKED, RW},
    {"droppable growsdown", DROPPABLE | MAP_ANONYMOUS | MAP_GROWSDOWN, RW}, {"droppable huge", DROPPABLE | MAP_ANONYMOUS | HUGE, RW},
  };
  for (unsigned i = 0; i < sizeof each / sizeof *each; i++) {
    int fd = each[i].file == 1 ? rdwr : each[i].file == 2 ? rdonly : -1;
    char *p = mmap(AT(1024), 4 * PG, each[i].prot, each[i].flags | MAP_FIXED, fd, 0);
    unsigned char vec[4] = {0};
    if (p == MAP_FAILED) { printf("%s: %s\n", each[i].name, errno_name(errno)); continue; }
    mincore(p, 4 * PG, vec);
    printf("%s: %s, resident %d%d%d%d, locked %ld\n", each[i].name, smaps_flags((unsigned long)p), vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1, status("VmLck:"));
    munmap(p, 4 * PG);
  }
}

static void edges(void) {
  static const unsigned long lengths[] = {0, 1, PG - 1, PG, PG + 1, 1UL << 37, END - PG, END, END + 1, 1UL << 47, TOP - PG, TOP, TOP + PG, -PG - 1, -PG, -PG + 1, -1};
  static const unsigned long addresses[] = {0, 1, PG - 1, PG, PG + 1, END - 2 * PG, END - PG, END - PG + 1, END, END + PG, 1UL << 47, TOP - PG, TOP, TOP + PG, -2 * PG, -PG, -1};
  static const unsigned long kinds[] = {0, MAP_FIXED, MAP_FIXED_NOREPLACE};
  static const char *const names[] = {"", " fixed", " noreplace"};
  char text[80];
  for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    for (int k = 0; k < 3; k++) {
      sprintf(text, "length %lx%s", lengths[i], names[k]);
      if (k != 1 || lengths[i] < 1UL << 37 || lengths[i] >= END) try(text, (unsigned long)AT(0), lengths[i], PROT_NONE, PRIV | MAP_NORESERVE | kinds[k], -1, 0);
    }
    sprintf(text, "length %lx shared", lengths[i]), try(text, 0, lengths[i], PROT_NONE, SHAR | MAP_NORESERVE, -1, 0);
    sprintf(text, "length %lx file", lengths[i]), try(text, 0, lengths[i], PROT_NONE, MAP_SHARED, rdwr, 0);
  }
  for (unsigned i = 0; i < sizeof addresses / sizeof *addresses; i++) {
    for (int k = 0; k < 3; k++) {
      if (addresses[i] >= END - 2 * PG && addresses[i] < END && k == 1) continue; /* the stack may be there */
      char *p = (char *)syscall(SYS_mmap, addresses[i], PG, PROT_NONE, PRIV | kinds[k], -1, 0);
      printf("address %lx%s: %s\n", addresses[i], names[k], p == MAP_FAILED ? errno_name(errno) : p == (char *)addresses[i] ? "there" :
        p == (char *)(addresses[i] & -PG) ? "rounded down" : p == (char *)PG ? "the lowest" : "elsewhere");
      if (p != MAP_FAILED) munmap(p, PG);
    }
  }
  static const unsigned long offsets[] = {0, 1, PG - 1, PG, PG + 1, 1UL << 40, TOP - 2 * PG, TOP - PG, TOP - 1, TOP, TOP + PG, -2 * PG, -PG, -1};
  for (unsigned i = 0; i < sizeof offsets / sizeof *offsets; i++) {
    sprintf(text, "offset %lx anonymous", offsets[i]), try(text, 0, PG, PROT_READ, PRIV, -1, offsets[i]);
    sprintf(text, "offset %lx shared anonymous", offsets[i]), try(text, 0, PG, PROT_READ, SHAR, -1, offsets[i]);
    sprintf(text, "offset %lx file", offsets[i]), try(text, 0, PG, PROT_READ, MAP_SHARED, rdwr, offsets[i]);
    sprintf(text, "offset %lx file, 2 pages", offsets[i]), try(text, 0, 2 * PG, PROT_READ, MAP_PRIVATE, rdwr, offsets[i]);
  }
}

/* Which error comes first. */
static void order(void) {
  try("length 0, bad file", 0, 0, RW, MAP_SHARED, 999, 0);
  try("length 0, bad type", 0, 0, RW, 0, rdwr, 0);
  try("length too large, bad file", 0, -1, RW, MAP_SHARED, 999, 0);
  try("length too large, no type", 0, -1, RW, 0, -1, 0);
  try("bad offset, bad file", 0, PG, RW, MAP_SHARED, 999, 1);
  try("bad offset, length 0", 0, 0, RW, MAP_SHARED, rdwr, 1);
  try("unaligned fixed, bad file", 1, PG, RW, MAP_SHARED | MAP_FIXED, 999, 0);
  try("unaligned fixed, no type", 1, PG, RW, MAP_FIXED | MAP_ANONYMOUS, -1, 0);
  try("unaligned fixed, too long", 1, END, RW, PRIV | MAP_FIXED, -1, 0);
  try("too high fixed, no type", END, PG, RW, MAP_FIXED | MAP_ANONYMOUS, -1, 0);
  try("mapped noreplace, no type", (unsigned long)rdwr, PG, RW, MAP_FIXED_NOREPLACE | MAP_ANONYMOUS, -1, 0);
  try("unknown flag, read-only file", 0, PG, RW, VALIDATE | 0x8000000, rdonly, 0);
  try("sync, read-only file", 0, PG, RW, VALIDATE | MAP_SYNC, rdonly, 0);
  try("huge of a file", 0, PG, RW, MAP_SHARED | HUGE, rdwr, 0);
  try("huge, bad file", 0, PG, RW, MAP_SHARED | HUGE, 999, 0);
  try("anonymous, bad file", 0, PG, RW, PRIV, 999, 0);
  try("both fixed kinds", (unsigned long)AT(0), PG, RW, PRIV | MAP_FIXED | MAP_FIXED_NOREPLACE, -1, 0);
}

static void files(void) {
  int pipes[2], pair[2];
  (void)!pipe(pipes), (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  int unlinked = open("/tmp/unlinked", O_RDWR | O_CREAT, 0600), closed = dup(0);
  unlink("/tmp/unlinked");
  (void)!ftruncate(unlinked, 4 * PG);
  close(closed);
  struct { const char *name; int fd; } each[] = {
    {"read and write", rdwr}, {"read-only", rdonly}, {"write-only", wronly}, {"append", open("/tmp/file", O_RDWR | O_APPEND)},
    {"path only", open("/tmp/file", O_PATH)}, {"directory", open("/tmp", O_RDONLY)}, {"pipe", pipes[0]}, {"socket", pair[0]},
    {"/dev/null", open("/dev/null", O_RDWR)}, {"/dev/zero", open("/dev/zero", O_RDWR)}, {"/dev/zero, read-only", open("/dev/zero", O_RDONLY)},
    {"/proc file", open("/proc/self/maps", O_RDONLY)}, {"unlinked", unlinked}, {"memfd", memfd_create("m", 0)}, {"closed", closed}, {"-1", -1}, {"-2^31", 1 << 31},
  };
  static const struct { const char *name; int prot, flags; } ways[] = {
    {"private none", PROT_NONE, MAP_PRIVATE}, {"private read", PROT_READ, MAP_PRIVATE}, {"private write", RW, MAP_PRIVATE}, {"private exec", PROT_READ | PROT_EXEC, MAP_PRIVATE},
    {"shared none", PROT_NONE, MAP_SHARED}, {"shared read", PROT_READ, MAP_SHARED}, {"shared write only", PROT_WRITE, MAP_SHARED}, {"shared write", RW, MAP_SHARED},
    {"validated write", RW, VALIDATE}, {"validated sync", RW, VALIDATE | MAP_SYNC}, {"validated locked", RW, VALIDATE | MAP_LOCKED},
  };
  for (unsigned i = 0; i < sizeof each / sizeof *each; i++) {
    for (unsigned w = 0; w < sizeof ways / sizeof *ways; w++) {
      char *p = mmap(AT(0), PG, ways[w].prot, ways[w].flags | MAP_FIXED, each[i].fd, 0);
      printf("%s, %s: ", each[i].name, ways[w].name);
      if (p == MAP_FAILED) { puts(errno_name(errno)); continue; }
      char flags[160];
      strcpy(flags, smaps_flags((unsigned long)p));
      printf("%s: read %s, write %s", flags, touch(p, 0), touch(p, 1));
      static const int all[] = {PROT_READ, RW, PROT_READ | PROT_EXEC};
      for (int m = 0; m < 3; m++) printf(", %s", mprotect(p, PG, all[m]) ? errno_name(errno) : "ok");
      puts("");
      munmap(p, PG);
    }
  }
  at("beyond its end", mmap(AT(0), 4 * PG, RW, MAP_SHARED | MAP_FIXED, rdwr, 3 * PG));
  printf("last page %s, beyond %s\n", touch(AT(0), 1), touch(AT(1), 0));
  at("all beyond", mmap(AT(0), 4 * PG, RW, MAP_PRIVATE | MAP_FIXED, rdwr, 8 * PG));
  printf("read %s, write %s\n", touch(AT(0), 0), touch(AT(1), 1));
  clear(8);
  close(rdonly);
  at("of a closed number", mmap(AT(0), PG, PROT_READ, MAP_SHARED | MAP_FIXED, rdonly, 0));
  rdonly = open("/tmp/file", O_RDONLY);
  at("kept", mmap(AT(0), PG, PROT_READ, MAP_SHARED | MAP_FIXED, rdonly, 0));
  close(rdonly);
  printf("after close %s\n", touch(AT(0), 0));
  clear(1);
  rdonly = open("/tmp/file", O_RDONLY);
}

/* What is taken away, and what is left when it cannot be. */
static void fixed(void) {
  for (int i = 0; i < 5; i++) map(i * 4, 3, i & 1 ? PROT_READ : RW, i == 2 ? SHAR : PRIV);
  *AT(0) = 'a', *AT(18) = 'b';
  maps("five", 32);
  at("over all", mmap(AT(1), 17 * PG, PROT_NONE, PRIV | MAP_FIXED, -1, 0));
  maps("over all", 32);
  printf("%c %c\n", *AT(0), *AT(18));
  at("noreplace over it", mmap(AT(17), 8 * PG, RW, PRIV | MAP_FIXED_NOREPLACE, -1, 0));
  at("noreplace behind", mmap(AT(19), 8 * PG, RW, PRIV | MAP_FIXED_NOREPLACE, -1, 0));
  at("noreplace before the end", mmap(AT(26), 2 * PG, RW, PRIV | MAP_FIXED_NOREPLACE, -1, 0));
  at("a hint that is taken", mmap(AT(2), PG, RW, PRIV, -1, 0) == AT(2) ? AT(2) : NULL);
  at("a hint half free", mmap(AT(25), 4 * PG, RW, PRIV, -1, 0) == AT(25) ? AT(25) : NULL);
  at("a hint that is free", mmap(AT(28), 2 * PG, RW, PRIV, -1, 0));
  at("an unaligned hint", mmap(AT(31) + 5, PG, RW, PRIV, -1, 0));
  at("bad file over it", mmap(AT(1), 2 * PG, RW, MAP_SHARED | MAP_FIXED, 999, 0));
  at("read-only file over it", mmap(AT(1), 2 * PG, RW, MAP_SHARED | MAP_FIXED, rdonly, 0));
  at("directory over it", mmap(AT(3), PG, PROT_READ, MAP_PRIVATE | MAP_FIXED, open("/tmp", O_RDONLY), 0));
  at("nothing of a pipe over it", mmap(AT(5), PG, PROT_READ, MAP_PRIVATE | MAP_FIXED, ({ int p[2]; (void)!pipe(p); p[0]; }), 0));
  struct rlimit limit = {0, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_AS, &limit);
  at("no room over it", mmap(AT(7), PG, PROT_READ, PRIV | MAP_FIXED, -1, 0));
  at("no room beside", mmap(AT(40), PG, PROT_READ, PRIV | MAP_FIXED, -1, 0));
  setrlimit(RLIMIT_AS, &none);
  maps("left", 64);
  munmap(AT(0), 64 * PG);
}

static void merges(void) {
  map(0, 1, RW, PRIV), map(1, 1, RW, PRIV), map(2, 1, PROT_READ, PRIV), map(3, 1, RW, SHAR), map(4, 1, RW, SHAR);
  maps("anonymous", 16);
  map(1, 1, PROT_READ, PRIV);
  maps("changed", 16);
  clear(16);
  map(0, 1, RW, PRIV | MAP_NORESERVE), map(1, 1, RW, PRIV);
  map(3, 1, RW, PRIV | MAP_STACK), map(4, 1, RW, PRIV);
  map(6, 1, RW, PRIV | MAP_LOCKED), map(7, 1, RW, PRIV);
  map(9, 1, RW, PRIV | MAP_GROWSDOWN), map(10, 1, RW, PRIV);
  map(12, 1, RW, MAP_ANONYMOUS | DROPPABLE), map(13, 1, RW, PRIV);
  maps("with flags", 16);
  clear(16);
  for (int i = 0; i < 3; i++) mmap(AT(i), PG, PROT_READ, MAP_SHARED | MAP_FIXED, rdwr, i * PG);
  mmap(AT(3), PG, PROT_READ, MAP_SHARED | MAP_FIXED, rdwr, 2 * PG);
  mmap(AT(4), PG, PROT_READ, MAP_PRIVATE | MAP_FIXED, rdwr, 3 * PG);
  mmap(AT(6), PG, PROT_READ, MAP_SHARED | MAP_FIXED, rdwr, 0);
  mmap(AT(7), PG, PROT_READ, MAP_SHARED | MAP_FIXED, rdonly, PG);
  maps("files", 16);
  clear(16);
}

static void grows(void) {
  char *p = map(300, 1, RW, PRIV | MAP_GROWSDOWN);
  printf("one below %s", touch(AT(299), 1));
  printf(", ten below %s", touch(AT(289), 0));
  printf(", 200 below %s\n", touch(AT(100), 1));
  maps("grown", 512);
  at("a hint in its gap", mmap(AT(50), PG, RW, PRIV, -1, 0) == AT(50) ? AT(50) : NULL);
  at("fixed in its gap", mmap(AT(50), PG, RW, PRIV | MAP_FIXED, -1, 0));
  printf("towards it %s", touch(AT(99), 1));
  printf(", nearer %s\n", touch(AT(60), 1));
  at("a hint below the gap", mmap(AT(0), 2 * PG, RW, PRIV, -1, 0));
  maps("both", 512);
  munmap(AT(0), 512 * PG);
  p = map(300, 1, RW, SHAR | MAP_GROWSDOWN);
  at("shared", p);
  p = mmap(AT(300), PG, RW, MAP_PRIVATE | MAP_GROWSDOWN | MAP_FIXED, rdwr, PG);
  at("file", p);
  if (p != MAP_FAILED) printf("below %s\n", touch(AT(299), 0));
  munmap(AT(0), 512 * PG);
}

static void locks(void) {
  struct rlimit limit = {8 * PG, 8 * PG};
  setrlimit(RLIMIT_MEMLOCK, &limit);
  if (setgid(7) || setuid(7)) return;
  map(0, 4, RW, PRIV | MAP_LOCKED);
  at("nine", map(8, 5, RW, PRIV | MAP_LOCKED));
  at("eight", map(8, 4, RW, PRIV | MAP_LOCKED));
  at("over itself", map(8, 4, RW, PRIV | MAP_LOCKED));
  maps("left", 16);
  limit.rlim_cur = 0;
  setrlimit(RLIMIT_MEMLOCK, &limit);
  at("no limit left", map(16, 1, RW, PRIV | MAP_LOCKED));
  at("not locked", map(16, 1, RW, PRIV));
  at("low", mmap(NULL, PG, RW, PRIV | MAP_FIXED, -1, 0) == NULL ? NULL : MAP_FAILED);
  at("a low hint", (long)mmap((void *)1, PG, RW, PRIV, -1, 0) == 4096 ? NULL : BASE);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  rdwr = open("/tmp/file", O_RDWR | O_CREAT, 0644);
  rdonly = open("/tmp/file", O_RDONLY), wronly = open("/tmp/file", O_WRONLY);
  (void)!ftruncate(rdwr, 4 * PG);
  flags();
  vm_flags();
  edges();
  order();
  files();
  fixed();
  merges();
  grows();
  shown("write only", PROT_WRITE, PRIV, -1);
  shown("shared", RW, SHAR, -1);
  in_child(locks);
  return 0;
}
