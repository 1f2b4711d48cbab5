/* What a test of the host's memory asks for: pages touched once and kept ("keep MIB"), or again and again ("again FAULTS"). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int keep(size_t bytes) {
  char *at = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return 1;
  memset(at, 1, bytes);
  return puts("kept") < 0;
}

static int again(uint64_t faults) {
  enum { PAGES = 1000 };
  volatile char *at = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED || madvise((void *)at, PAGES * 4096, MADV_NOHUGEPAGE)) return 1;
  for (uint64_t done = 0; done < faults; done += PAGES) {
    for (int i = 0; i < PAGES; i++) at[i * 4096] = 1;
    if (madvise((void *)at, PAGES * 4096, MADV_DONTNEED)) return 1;
  }
  return puts("again") < 0;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  uint64_t amount = strtoull(argv[2], NULL, 10);
  if (strcmp(argv[1], "keep") == 0) return keep(amount << 20);
  return strcmp(argv[1], "again") == 0 ? again(amount) : 2;
}
