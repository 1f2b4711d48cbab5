/* PR_SET_MEMORY_MERGE: which mappings are marked as mergeable (VmFlags mg), when it is set and when they are made, and which still join. */
#include "call.h"
#include <sys/prctl.h>

#define SET 67
#define GET 68

/* Mappings in order, with a star if they are marked: those of the window by page and length. */
static void marks(const char *what) {
  char line[400], name[64] = "";
  FILE *f = fopen("/proc/self/smaps", "r");
  printf("  %s:", what);
  while (fgets(line, sizeof line, f)) {
    unsigned long start, end;
    int text = 0;
    char rights[8];
    if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %n", &start, &end, rights, &text) >= 3 && text > 0) {
      long page = ((long)start - (long)BASE) / (long)PG;
      line[strcspn(line, "\n")] = 0;
      if (page >= 0 && page < 1 << 20) snprintf(name, sizeof name, "%ld+%ld/%s", page, (end - start) / PG, rights);
      else snprintf(name, sizeof name, "%s/%s", line[text] == '[' ? line + text : line[text] ? "program" : "bss", rights);
    } else if (!strncmp(line, "VmFlags:", 8)) printf(" %s%s", name, strstr(line, " mg") ? "*" : "");
  }
  puts("");
  fclose(f);
}

static void place(long page, long pages, int prot, int flags, int fd, long offset) {
  if (mmap(AT(page), pages * PG, prot, flags | MAP_FIXED, fd, offset * PG) != AT(page)) perror("mmap");
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "exec")) {
    is("after exec", prctl(GET, 0, 0, 0, 0));
    marks("exec");
    return 0;
  }
  setvbuf(stdout, malloc(1 << 16), _IOFBF, 1 << 16);
  place(0, 1, RW, PRIV, -1, 0);
  place(2, 1, RW, SHAR, -1, 0);
  place(4, 1, PROT_NONE, PRIV, -1, 0);
  AT(0)[0] = 1;
  is("at the start", prctl(GET, 0, 0, 0, 0));
  marks("at the start");
  is("set, more arguments", prctl(SET, 1, 1, 0, 0));
  is("get, more arguments", prctl(GET, 1, 0, 0, 0));
  is("set", prctl(SET, 1, 0, 0, 0));
  is("get", prctl(GET, 0, 0, 0, 0));
  marks("set");
  place(1, 1, RW, PRIV, -1, 0);
  place(7, 1, RW, PRIV, -1, 0);
  place(8, 1, RW, PRIV, -1, 0);
  int fd = memfd_create("file", 0);
  ftruncate(fd, 2 * PG);
  place(10, 1, RW, MAP_PRIVATE, fd, 0);
  place(11, 1, RW, MAP_PRIVATE, fd, 1);
  place(12, 1, RW, MAP_SHARED, fd, 0);
  marks("new ones");
  is("mprotect", mprotect(BASE, 2 * PG, PROT_READ));
  is("mprotect", mprotect(BASE, 2 * PG, RW));
  marks("joined by mprotect");
  is("unmergeable", madvise(BASE, PG, MADV_UNMERGEABLE));
  marks("one is not");
  is("mremap", mremap(AT(7), 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(20)) == AT(20));
  place(7, 2, RW, PRIV, -1, 0);
  is("mremap", mremap(AT(7), 2 * PG, 4 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(30)) == AT(30));
  sbrk(40 * PG);
  sbrk(PG);
  marks("moved, grown");
  fflush(stdout);
  if (fork() == 0) {
    is("child", prctl(GET, 0, 0, 0, 0));
    marks("child");
    fflush(stdout);
    execl("/proc/self/exe", argv[0], "exec", NULL);
    _exit(1);
  }
  wait(NULL);
  is("unset", prctl(SET, 0, 0, 0, 0));
  is("get", prctl(GET, 0, 0, 0, 0));
  place(40, 1, RW, PRIV, -1, 0);
  marks("unset");
  printf("%s", text_of("/proc/self/ksm_merging_pages"));
  printf("%s", text_of("/proc/self/ksm_stat"));
  return 0;
}
