/* madvise(2): every advice with every kind of mapping, sizes and addresses at the edges, holes, which error comes first, and what
 * each advice does. */
#include "call.h"
#include <sys/resource.h>

#define PAGES 4

static int file;

/* The flags of a mapping that advice changes. */
static const char *marks(char *at) {
  static char found[64];
  static const char *const each[] = {"rr", "sr", "dc", "dd", "wf", "hg", "nh", "mg", "lo", "sf", "ac"};
  unsigned long address = (unsigned long)at;
  int here = 0;
  *found = 0;
  for (char *line = strtok(text_of("/proc/self/smaps"), "\n"); line; line = strtok(NULL, "\n")) {
    unsigned long s, e;
    if (sscanf(line, "%lx-%lx ", &s, &e) == 2 && strchr(line, '-') < strchr(line, ' ')) here = s <= address && address < e;
    if (!here || strncmp(line, "VmFlags:", 8)) continue;
    for (unsigned i = 0; i < sizeof each / sizeof *each; i++) {
      char text[8];
      sprintf(text, " %s", each[i]);
      if (strstr(line, text)) strcat(found, text);
    }
  }
  return found;
}

static void residency(void) {
  unsigned char vec[1];
  for (int i = 0; i < PAGES; i++) putchar(mincore(AT(i), PG, vec) ? ' ' : '0' + (vec[0] & 1));
}

struct kind { const char *name; int prot, flags, has_file, locked; };
static const struct kind kinds[] = {
  {"anonymous", RW, PRIV}, {"read-only", PROT_READ, PRIV}, {"none", PROT_NONE, PRIV}, {"shared", RW, SHAR}, {"file", RW, MAP_PRIVATE, 1},
  {"shared file", RW, MAP_SHARED, 1}, {"read-only file", PROT_READ, MAP_SHARED, 2}, {"locked", RW, PRIV, 0, 1}, {"droppable", RW, MAP_ANONYMOUS | 8},
  {"growsdown", RW, PRIV | MAP_GROWSDOWN}, {"stack", RW, PRIV | MAP_STACK}, {"noreserve", RW, PRIV | MAP_NORESERVE},
};

static void make(const struct kind *kind) {
  static int rdonly;
  if (!rdonly) rdonly = open("/tmp/file", O_RDONLY);
  clear(PAGES);
  char *p = mmap(BASE, PAGES * PG, kind->prot, kind->flags | MAP_FIXED, kind->has_file == 1 ? file : kind->has_file == 2 ? rdonly : -1, 0);
  if (p == MAP_FAILED) { printf("%s: %s\n", kind->name, errno_name(errno)); return; }
  if (kind->prot & PROT_WRITE) p[0] = 'a', p[PG] = 'b';
  else if (kind->prot & PROT_READ) touch(p, 0);
  if (kind->locked) mlock(p, PAGES * PG);
}

/* The file's own bytes, which MADV_REMOVE takes away. */
static void refill(void) {
  for (int i = 0; i < PAGES; i++) (void)!pwrite(file, "f", 1, i * PG);
}

static void each_advice(void) {
  static const int advices[] = {0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25};
  for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    refill();
    for (unsigned i = 0; i < sizeof advices / sizeof *advices; i++) {
      make(&kinds[k]);
      long r = madvise(BASE, 2 * PG, advices[i]);
      printf("%s %d: %s,%s", kinds[k].name, advices[i], r ? errno_name(errno) : "0", marks(BASE));
      int fills = advices[i] == 22 || advices[i] == 23 || advices[i] == 25, is_lazy = advices[i] == 8 || advices[i] == 21 || advices[i] == 20 || advices[i] == 3;
      if (!is_lazy && !kinds[k].has_file || fills) printf(", "), residency();
      if (kinds[k].prot & PROT_READ && !is_lazy) printf(", holds %d %d", BASE[0], BASE[PG]);
      puts("");
      clear(PAGES);
    }
  }
}

static void numbers(void) {
  map(0, PAGES, RW, PRIV);
  for (long advice = -3; advice < 130; advice++) {
    long r = madvise(BASE, PG, advice), e = errno;
    long nothing = madvise(BASE, 0, advice);
    printf("%ld: %s, %s\n", advice, r ? errno_name(e) : "0", nothing ? errno_name(errno) : "0");
  }
  static const long wide[] = {1L << 31, 1L << 32, (1L << 32) | 4, (1UL << 63) | 4, 0x7fffffff, 0x7fffffffffffffff};
  for (unsigned i = 0; i < sizeof wide / sizeof *wide; i++) printf("%lx: %s\n", wide[i], syscall(SYS_madvise, BASE, PG, wide[i]) ? errno_name(errno) : "0");
  clear(PAGES);
}

static void edges(void) {
  static const unsigned long at[] = {0, 1, PG, PG + 1, END - PG, END, 1UL << 47, TOP - PG, TOP, -PG, -1};
  static const unsigned long lengths[] = {0, 1, PG, END, TOP, -PG, -PG + 1, -1};
  static const int advices[] = {MADV_NORMAL, 20, MADV_WILLNEED, 22, 999};
  for (unsigned i = 0; i < sizeof at / sizeof *at; i++) {
    for (unsigned l = 0; l < sizeof lengths / sizeof *lengths; l++) {
      if (at[i] == END - PG) continue;
      printf("%lx + %lx:", at[i], lengths[l]);
      for (int a = 0; a < 5; a++) printf(" %s", syscall(SYS_madvise, at[i], lengths[l], advices[a]) ? errno_name(errno) : "0");
      puts("");
    }
  }
  map(0, PAGES, RW, PRIV);
  is("unaligned length", madvise(BASE, PG + 1, MADV_DONTFORK));
  maps("two pages", PAGES);
  is("back", madvise(BASE, PAGES * PG, MADV_DOFORK));
  maps("one", PAGES);
  clear(PAGES);
}

/* A hole in the range: what is done, and what is answered. */
static void holes(void) {
  static const int advices[] = {0, 1, 3, 4, 8, 9, 10, 14, 16, 18, 20, 21, 22, 23, 24};
  for (unsigned i = 0; i < sizeof advices / sizeof *advices; i++) {
    map(0, 6, RW, PRIV);
    memset(AT(0), 'x', 6 * PG);
    munmap(AT(2), PG);
    printf("%d over a hole: %s;%s;", advices[i], madvise(AT(1), 4 * PG, advices[i]) ? errno_name(errno) : "0", marks(AT(1)));
    printf("%s", marks(AT(3)));
    printf("; from it: %s", madvise(AT(2), 2 * PG, advices[i]) ? errno_name(errno) : "0");
    printf("; in it: %s", madvise(AT(2), PG, advices[i]) ? errno_name(errno) : "0");
    printf("; up to it: %s", madvise(AT(1), 2 * PG, advices[i]) ? errno_name(errno) : "0");
    printf("; %d %d %d\n", AT(1)[0], AT(3)[0], AT(5)[0]);
    clear(6);
  }
}

/* The first mapping that refuses ends it. */
static void mixed(void) {
  static const int advices[] = {4, 8, 9, 14, 18, 21, 24, 22, 23};
  for (unsigned i = 0; i < sizeof advices / sizeof *advices; i++) {
    refill();
    map(0, 1, RW, PRIV), map(1, 1, RW, SHAR), mmap(AT(2), PG, RW, MAP_SHARED | MAP_FIXED, file, 0), map(3, 1, RW, PRIV), map(4, 1, PROT_NONE, PRIV), map(5, 1, RW, PRIV);
    mlock(AT(3), PG);
    AT(0)[0] = AT(1)[0] = AT(3)[0] = AT(5)[0] = 'x';
    printf("%d: %s;", advices[i], madvise(AT(0), 6 * PG, advices[i]) ? errno_name(errno) : "0");
    for (int p = 0; p < 6; p++) printf("%s,", marks(AT(p)));
    if (advices[i] != 8 && advices[i] != 21) printf(" %d %d %d %d %d", AT(0)[0], AT(1)[0], AT(2)[0], AT(3)[0], AT(5)[0]);
    puts("");
    clear(6);
  }
}

static void child_sees(void) {
  maps("child", 12);
  for (int i = 0; i < 12; i += 2) printf("%s ", touch(AT(i), 0));
  if (!strcmp(touch(AT(4), 0), "ok")) printf("%d", AT(4)[0]);
  puts("");
}

static void forks(void) {
  for (int i = 0; i < 12; i += 2) { map(i, 1, RW, i == 8 ? SHAR : PRIV); AT(i)[0] = 'p'; }
  is("dontfork", madvise(AT(2), PG, MADV_DONTFORK));
  is("wipeonfork", madvise(AT(4), PG, MADV_WIPEONFORK));
  is("both", madvise(AT(6), PG, MADV_DONTFORK) | madvise(AT(6), PG, MADV_WIPEONFORK));
  is("wipe shared", madvise(AT(8), PG, MADV_WIPEONFORK));
  is("wiped and kept", madvise(AT(10), PG, MADV_WIPEONFORK) | madvise(AT(10), PG, MADV_KEEPONFORK));
  in_child(child_sees);
  printf("%d %d %d\n", AT(2)[0], AT(4)[0], AT(6)[0]);
  clear(12);
}

static void removed(void) {
  refill();
  char *p = mmap(BASE, PAGES * PG, RW, MAP_SHARED | MAP_FIXED, file, 0);
  is("remove", madvise(p, 2 * PG, MADV_REMOVE));
  printf("%d %d %d\n", p[0], p[PG], p[2 * PG]);
  char byte = 9;
  (void)!pread(file, &byte, 1, PG);
  printf("read %d\n", byte);
  p = mmap(AT(8), PG, RW, MAP_PRIVATE | MAP_FIXED, file, 2 * PG);
  p[0] = 'c';
  is("dontneed of a private copy", madvise(p, PG, MADV_DONTNEED));
  printf("%c\n", p[0]);
  clear(16);
  is("populate beyond the end", (mmap(AT(0), 8 * PG, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0), madvise(AT(0), 8 * PG, 22)));
  clear(8);
  is("populate write-only", (map(0, 1, PROT_WRITE, PRIV), madvise(AT(0), PG, 22)));
  is("and to write", madvise(AT(0), PG, 23));
  is("populate exec only", (map(0, 1, PROT_EXEC, PRIV), madvise(AT(0), PG, 22)));
  clear(1);
}

static void unprivileged(void) {
  map(0, 1, RW, PRIV);
  if (setgid(7) || setuid(7)) return;
  is("hwpoison", madvise(AT(0), PG, 100));
  is("soft offline", madvise(AT(0), PG, 101));
  is("hwpoison, unaligned", madvise(AT(0) + 1, PG, 100));
  is("hwpoison of nothing", madvise(AT(0), 0, 100));
  is("hwpoison, unmapped", madvise(AT(9), PG, 100));
  struct rlimit limit = {PG, PG};
  setrlimit(RLIMIT_MEMLOCK, &limit);
  is("dontneed", madvise(AT(0), PG, MADV_DONTNEED));
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  file = open("/tmp/file", O_RDWR | O_CREAT, 0600);
  (void)!ftruncate(file, PAGES * PG);
  text_of("/proc/self/smaps");
  each_advice();
  numbers();
  edges();
  holes();
  mixed();
  forks();
  removed();
  in_child(unprivileged);
  return 0;
}
