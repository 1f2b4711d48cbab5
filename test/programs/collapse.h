/* What the programs share that make huge pages of shared memory: MADV_COLLAPSE, and what the kernel says is huge. */
#ifndef COLLAPSE_H
#define COLLAPSE_H
#include "call.h"

#define HUGE_PAGES 512L
#define HUGE (HUGE_PAGES * (long)PG)
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* A field of a /proc file in kB; of the mapping that begins at `start` if that is not NULL. */
static long field(const char *path, const char *name, char *start) {
  char key[32], begin[32];
  snprintf(key, sizeof key, "%s:", name);
  snprintf(begin, sizeof begin, "%lx-", (unsigned long)start);
  FILE *f = fopen(path, "r");
  char line[512];
  int found = start == NULL;
  long value = -1;
  while (f && fgets(line, sizeof line, f)) {
    if (start && !strncmp(line, begin, strlen(begin))) found = 1;
    if (found && !strncmp(line, key, strlen(key))) { value = atol(line + strlen(key)); break; }
  }
  if (f) fclose(f);
  return value;
}

/* One of /proc/vmstat. */
static long counter(const char *name) {
  char line[128];
  size_t length = strlen(name);
  long value = -1;
  FILE *f = fopen("/proc/vmstat", "r");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, name, length) && line[length] == ' ') value = atol(line + length);
  if (f) fclose(f);
  return value;
}

static void smaps(const char *what, char *start) {
  printf("  %s: rss %ld pmd %ld file %ld anon %ld pss %ld clean %ld+%ld dirty %ld+%ld\n", what, field("/proc/self/smaps", "Rss", start),
    field("/proc/self/smaps", "ShmemPmdMapped", start), field("/proc/self/smaps", "FilePmdMapped", start),
    field("/proc/self/smaps", "AnonHugePages", start), field("/proc/self/smaps", "Pss", start),
    field("/proc/self/smaps", "Shared_Clean", start), field("/proc/self/smaps", "Private_Clean", start),
    field("/proc/self/smaps", "Shared_Dirty", start), field("/proc/self/smaps", "Private_Dirty", start));
}

static long in_core(char *start, long pages) {
  static unsigned char vector[4096];
  long count = 0;
  if (mincore(start, pages * PG, vector)) return -1;
  for (long i = 0; i < pages; i++) count += vector[i] & 1;
  return count;
}

static void fill(char *start, long from, long to) {
  for (long i = from; i < to; i++) *(long *)(start + i * PG) = i + 1;
}

static void collapse(const char *what, char *start, long bytes) {
  errno = 0;
  is(what, madvise(start, bytes, MADV_COLLAPSE));
}

static int memory_file(long pages) {
  int fd = memfd_create("m", MFD_ALLOW_SEALING);
  if (ftruncate(fd, pages * PG)) perror("ftruncate");
  return fd;
}

static void set_huge_pages(const char *mode) {
  if (put("/sys/kernel/mm/transparent_hugepage/enabled", mode) < 0) perror("enabled");
}
#endif
