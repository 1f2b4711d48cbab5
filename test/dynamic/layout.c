/* The address map of a dynamic program: what is where, in what order, with what access. Run without randomisation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static char big[100000];
int main(int argc, char **argv) {
  char line[512], previous[512] = "";
  void *p = malloc(100);
  unsigned long last = 0, vdso = getauxval(AT_SYSINFO_EHDR);
  FILE *f = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, f)) {
    unsigned long s, e, off, inode;
    char perm[5], name[300] = "";
    int n = 0;
    sscanf(line, "%lx-%lx %4s %lx %*x:%*x %lu %n", &s, &e, perm, &off, &inode, &n);
    sscanf(line + n, "%299s", name);
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    int library = !strncmp(base, "lib", 3) || !strncmp(base, "ld-", 3);
    printf("%s %s", perm, base);
    if (!library && *name) printf(" %lu pages at %lx offset %lx", (e - s) / 4096, *name == '[' && strcmp(name, "[stack]") ? 0 : s, off);
    if (last == s) printf(" adjacent");
    puts("");
    last = e;
    if (s == vdso) printf("  that is the vdso\n");
  }
  printf("heap at %lx, base %% page %lu, bss %d, brk %% page %lu\n", (unsigned long)p & ~0xfffUL, getauxval(AT_BASE) % 4096, big[99999], (unsigned long)sbrk(0) % 4096);
  return 0;
}
