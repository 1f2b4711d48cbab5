/* /proc/self/maps: the shape of the address map (permissions, sizes in pages, names), and its agreement with mmap. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PG 4096UL
static void show(const char *what, char *from, char *to) {
  FILE *f = fopen("/proc/self/maps", "r");
  char line[512];
  printf("%s:", what);
  while (fgets(line, sizeof line, f)) {
    unsigned long s, e, off;
    char perm[5];
    int n = 0;
    sscanf(line, "%lx-%lx %4s %lx %*x:%*x %*u %n", &s, &e, perm, &off, &n);
    if (s < (unsigned long)from || e > (unsigned long)to) continue;
    printf(" %ld-%ld:%s", (s - (unsigned long)from) / PG, (e - (unsigned long)from) / PG, perm);
  }
  puts("");
  fclose(f);
}

int main(void) {
  FILE *f = fopen("/proc/self/maps", "r");
  char line[512];
  while (fgets(line, sizeof line, f)) {
    char *name = strchr(line, '[');
    unsigned long s, e;
    char perm[5];
    sscanf(line, "%lx-%lx %4s", &s, &e, perm);
    if (name && (!strncmp(name, "[stack]", 7) || !strncmp(name, "[heap]", 6))) printf("%s %s", perm, name);
    if (strstr(line, ".elf") || strstr(line, "/t/")) printf("%s %lu pages, at %lx\n", perm, (e - s) / PG, s);
  }
  fclose(f);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  char *w = mmap(NULL, 256 * PG, PROT_NONE, flags, -1, 0), *end = w + 256 * PG;
  show("reserved", w, end);
  mprotect(w + 10 * PG, 10 * PG, PROT_READ | PROT_WRITE);
  show("opened", w, end);
  mprotect(w + 20 * PG, 10 * PG, PROT_READ | PROT_WRITE);
  show("merged", w, end);
  w[15 * PG] = 1;
  mprotect(w + 30 * PG, 5 * PG, PROT_READ | PROT_WRITE);
  show("merged again", w, end);
  mprotect(w + 12 * PG, 3 * PG, PROT_READ);
  mprotect(w + 14 * PG, 10 * PG, PROT_READ | PROT_EXEC);
  show("split", w, end);
  mprotect(w + 10 * PG, 25 * PG, PROT_READ);
  show("made equal", w, end);
  munmap(w + 17 * PG, 2 * PG);
  show("hole", w, end);
  mmap(w + 17 * PG, 2 * PG, PROT_READ, flags | MAP_FIXED, -1, 0);
  show("filled", w, end);
  mmap(w + 100 * PG, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  show("shared", w, end);
  mremap(w + 100 * PG, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, w + 200 * PG);
  show("moved", w, end);
  mprotect(w + 200 * PG, PG, PROT_WRITE);
  show("write only", w, end);
  return 0;
}
