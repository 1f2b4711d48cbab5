/* [vdso] and [vvar] under mprotect, madvise, mlock, mremap and munmap. */
#include "call.h"

static unsigned long vdso, vvar;

static void find(void) {
  FILE *f = fopen("/proc/self/maps", "r");
  char line[300];
  while (fgets(line, sizeof line, f)) {
    if (strstr(line, "[vdso]")) vdso = strtoul(line, NULL, 16);
    if (strstr(line, "[vvar]")) vvar = strtoul(line, NULL, 16);
  }
  fclose(f);
}

static void show(const char *what) {
  FILE *f = fopen("/proc/self/maps", "r");
  char line[300];
  printf("  %s:", what);
  while (fgets(line, sizeof line, f)) {
    char *rest, *name = strstr(line, "[v");
    unsigned long start = strtoul(line, &rest, 16), end = strtoul(rest + 1, &rest, 16);
    if (name) printf(" %.6s %ld %.4s", name, (end - start) / PG, rest + 1);
  }
  puts("");
  fclose(f);
}

static void move(const char *what, unsigned long from, unsigned long bytes, unsigned long to_bytes, int flags, char *to) {
  at(what, mremap((void *)from, bytes, to_bytes, flags, to));
  show("then");
}

int main(void) {
  find();
  unsigned long length = vdso - vvar;
  show("at the start");
  is("vdso writable", mprotect((void *)vdso, PG, RW));
  *(volatile char *)vdso = *(volatile char *)vdso;
  show("written");
  is("vdso as it was", mprotect((void *)vdso, PG, PROT_READ | PROT_EXEC));
  is("vvar writable", mprotect((void *)vvar, PG, RW));
  is("vvar readable", mprotect((void *)vvar, length, PROT_READ));
  is("vvar in part", mprotect((void *)vvar, PG, PROT_NONE));
  is("mlock vdso", mlock((void *)vdso, PG));
  is("mlock vvar", mlock((void *)vvar, PG));
  for (int advice = 0; advice <= 25; advice++) {
    if (advice > 4 && advice < 8) continue;
    printf("advice %d:", advice);
    printf(" vdso %s", madvise((void *)vdso, PG, advice) ? errno_name(errno) : "ok");
    printf(", vvar %s", madvise((void *)vvar, length, advice) ? errno_name(errno) : "ok");
    printf(", a part %s\n", madvise((void *)vvar, PG, advice) ? errno_name(errno) : "ok");
  }
  unsigned char there[4] = {0};
  is("mincore vdso", mincore((void *)vdso, PG, there));
  is("mincore vvar", mincore((void *)vvar, length, there));
  is("msync vdso", msync((void *)vdso, PG, MS_SYNC));
  is("msync vvar", msync((void *)vvar, length, MS_SYNC));
  move("vvar larger", vvar, length, 2 * length, MREMAP_MAYMOVE, NULL);
  move("vdso, and it stays", vdso, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, AT(32));
  move("vvar, and it stays", vvar, length, length, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, AT(32));
  move("vvar a second time", vvar, 0, length, MREMAP_MAYMOVE | MREMAP_FIXED, AT(64));
  move("vdso", vdso, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(96));
  move("vdso back", (unsigned long)AT(96), PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)vdso);
  move("vvar", vvar, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, AT(128));
  move("vvar shorter", (unsigned long)AT(128), length, PG, 0, NULL);
  is("munmap of a part", munmap(AT(128), PG));
  is("munmap", munmap(AT(128), length));
  show("gone");
  return 0;
}
