/* Anonymous memory of several pages at once: /sys/kernel/mm/transparent_hugepage/hugepages-16kB to -1024kB (mTHP). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE 4096L
#define KIB 1024L
#define BASE ((char *)0x1000000000)
#define SPAN (4096 * KIB)
#define THP "/sys/kernel/mm/transparent_hugepage/"

static const int sizes[] = {16, 32, 64, 128, 256, 512, 1024};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void put(const char *path, const char *value) {
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, value, strlen(value)) != (ssize_t)strlen(value)) printf("cannot write %s to %s\n", value, path);
  close(fd);
}

static void set(int size, const char *value) {
  char path[128];
  snprintf(path, sizeof path, THP "hugepages-%dkB/enabled", size);
  put(path, value);
}

static void set_all(const char *value) {
  for (int i = 0; i < SIZES; i++) set(sizes[i], value);
}

static void show(int size) {
  char path[128], text[64] = "";
  snprintf(path, sizeof path, THP "hugepages-%dkB/enabled", size);
  int fd = open(path, O_RDONLY);
  if (fd < 0 || read(fd, text, sizeof text - 1) < 0) strcpy(text, "?\n");
  close(fd);
  printf("%d: %s", size, text);
}

static long made(int size) {
  char path[128], text[32] = "";
  snprintf(path, sizeof path, THP "hugepages-%dkB/stats/anon_fault_alloc", size);
  int fd = open(path, O_RDONLY);
  if (fd < 0 || read(fd, text, sizeof text - 1) < 0) return -1;
  close(fd);
  return atol(text);
}

static void map(long bytes) {
  munmap(BASE, SPAN);
  if (mmap(BASE, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != BASE) perror("mmap");
}

/* Pages that are there, as runs. */
static void residency(const char *what) {
  static unsigned char vector[SPAN / PAGE];
  printf("%s:", what);
  for (long page = 0; page < SPAN / PAGE; page++)
    if (mincore(BASE + page * PAGE, PAGE, vector + page)) vector[page] = 0;
  for (long page = 0; page < SPAN / PAGE;) {
    long end = page;
    while (end < SPAN / PAGE && vector[end] == vector[page]) end++;
    if (vector[page]) printf(" %ld-%ld", page, end - 1);
    page = end;
  }
  printf("\n");
}

static long faults(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

static int eligible(void) {
  char line[256];
  int found = 0, value = -1;
  FILE *f = fopen("/proc/self/smaps", "r");
  while (fgets(line, sizeof line, f)) {
    if (strchr(line, '-') && !strchr(line, ':')) found = 0;
    if (!strncmp(line, "1000000000-", 11)) found = 1;
    if (found && sscanf(line, "THPeligible: %d", &value) == 1) break;
  }
  fclose(f);
  return value;
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  set(2048, "never");
  for (int i = 0; i < SIZES; i++) show(sizes[i]);
  map(SPAN);
  residency("nothing");
  BASE[5 * PAGE] = 1;
  residency("all off");
  for (int i = 0; i < SIZES; i++) {
    set(sizes[i], "always");
    show(sizes[i]);
    map(SPAN);
    long before = made(sizes[i]), count = faults();
    BASE[5 * PAGE + 8] = 1;
    count = faults() - count;
    residency("one size");
    printf("made %ld, faults %ld, eligible %d\n", made(sizes[i]) - before, count, eligible());
    BASE[1000 * PAGE] = 1;
    BASE[1023 * PAGE] = 1;
    residency("three stores");
    set(sizes[i], "never");
  }
  set_all("always");
  map(SPAN);
  BASE[300 * PAGE] = 1;
  residency("all sizes");
  BASE[0] = 1;
  BASE[600 * PAGE] = 1;
  residency("three of them");
  map(5 * PAGE);
  BASE[4 * PAGE] = 1;
  residency("five pages, the last");
  BASE[2 * PAGE] = 1;
  residency("five pages, another");
  map(100 * PAGE);
  BASE[70 * PAGE] = 1;
  residency("a hundred pages");
  BASE[99 * PAGE] = 1;
  BASE[10 * PAGE] = 1;
  residency("its ends");
  map(SPAN);
  volatile char sink = BASE[20 * PAGE];
  residency("a load");
  BASE[20 * PAGE] = sink + 1;
  residency("a store to the page of zeroes");
  BASE[21 * PAGE] = 1;
  residency("beside it");
  BASE[40 * PAGE] = 1;
  residency("further on");
  madvise(BASE + 2 * PAGE, 4 * PAGE, MADV_DONTNEED);
  madvise(BASE + 34 * PAGE, PAGE, MADV_DONTNEED);
  residency("holes");
  BASE[3 * PAGE] = 1;
  BASE[34 * PAGE] = 1;
  residency("holes again");
  map(SPAN);
  mprotect(BASE + 8 * PAGE, 8 * PAGE, PROT_READ);
  BASE[3 * PAGE] = 1;
  BASE[20 * PAGE] = 1;
  residency("between protections");
  map(SPAN);
  BASE[16 * PAGE] = 7;
  for (long page = 0; page < 64; page++)
    for (long at = 0; at < PAGE; at += 512)
      if (BASE[page * PAGE + at] != (page == 16 && at == 0 ? 7 : 0)) printf("page %ld is not zero\n", page);
  pid_t child = fork();
  if (child == 0) {
    BASE[17 * PAGE] = 8;
    for (long page = 0; page < 64; page++) BASE[page * PAGE] = 9;
    residency("child");
    _exit(BASE[16 * PAGE] == 9 ? 0 : 1);
  }
  int status;
  waitpid(child, &status, 0);
  printf("child ended with %d; here %d and %d\n", status, BASE[16 * PAGE], BASE[17 * PAGE]);
  map(SPAN);
  madvise(BASE, SPAN, MADV_NOHUGEPAGE);
  BASE[5 * PAGE] = 1;
  residency("no huge pages, please");
  printf("eligible %d\n", eligible());
  set_all("madvise");
  map(SPAN);
  BASE[5 * PAGE] = 1;
  madvise(BASE + SPAN / 2, SPAN / 2, MADV_HUGEPAGE);
  BASE[SPAN / 2 + 5 * PAGE] = 1;
  residency("madvise");
  set_all("inherit");
  put(THP "enabled", "never");
  map(SPAN);
  BASE[5 * PAGE] = 1;
  put(THP "enabled", "madvise");
  BASE[100 * PAGE] = 1;
  put(THP "enabled", "always");
  BASE[600 * PAGE] = 1;
  residency("inherit");
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  map(SPAN);
  BASE[5 * PAGE] = 1;
  residency("disabled");
  prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
  map(SPAN);
  mlock(BASE, 40 * PAGE);
  residency("locked");
  munlock(BASE, 40 * PAGE);
  madvise(BASE, SPAN, MADV_DONTNEED);
  madvise(BASE + 64 * PAGE, 20 * PAGE, MADV_POPULATE_WRITE);
  residency("populated");
  int fd = open(THP "hugepages-16kB/enabled", O_WRONLY);
  printf("nonsense: %zd\n", write(fd, "sometimes", 9));
  close(fd);
  set_all("never");
  return 0;
}
