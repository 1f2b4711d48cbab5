/* The machine's memory in /proc: names and their order, and how the numbers follow what a program does. */
// flags: -Wno-unused-result
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include "errno_name.h"

#define MIB (1L << 20)
static char text[1 << 18];

static const char *load(const char *path) {
  int fd = open(path, O_RDONLY);
  ssize_t all = 0, n;
  while (fd >= 0 && (n = read(fd, text + all, sizeof text - 1 - all)) > 0) all += n;
  if (fd < 0) return errno_name(errno);
  close(fd), text[all] = 0;
  return text;
}

/* The text with each number as one N, blanks before it counted as far as the last digit stands. */
static void shape(const char *path) {
  struct stat at;
  stat(path, &at);
  printf("%s %o\n", path, at.st_mode);
  for (const char *from = load(path); *from;) {
    if (isdigit(*from) && !isalpha(from[-(from > text)]) && from[-(from > text)] != '_') {
      putchar('N');
      while (isdigit(*from)) from++;
    } else if (*from == ' ') {
      putchar(' ');
      while (*from == ' ') from++;
    } else putchar(*from++);
  }
}

/* Width of each line up to its end, so that columns are compared. */
static void widths(const char *path, int lines) {
  char *from = strdup(load(path));
  for (char *line = strtok(from, "\n"); line && lines--; line = strtok(NULL, "\n")) printf(" %zu", strlen(line));
  puts("");
  free(from);
}

static long value(const char *path, const char *name) {
  char key[64];
  snprintf(key, sizeof key, "\n%s", name);
  *text = '\n';
  int fd = open(path, O_RDONLY);
  ssize_t all = 1, n;
  while ((n = read(fd, text + all, sizeof text - 1 - all)) > 0) all += n;
  close(fd), text[all] = 0;
  char *at = strstr(text, key);
  return at ? atol(at + strlen(key)) : -1;
}

static const char *names[] = {"Cached:", "AnonPages:", "Mapped:", "Shmem:", "PageTables:", "Mlocked:", "Committed_AS:", "Active(anon):", NULL};
static long before[16];

static void remember(void) {
  for (int i = 0; names[i]; i++) before[i] = value("/proc/meminfo", names[i]);
}

/* Changes in MiB, to the nearest: the kernel counts in batches, and others run. */
static void changes(const char *what) {
  printf("%s:", what);
  for (int i = 0; names[i]; i++) {
    long change = value("/proc/meminfo", names[i]) - before[i];
    long mib = (labs(change) + 512) / 1024 * (change < 0 ? -1 : 1);
    if (mib) printf(" %s %+ld", names[i], mib);
  }
  puts("");
}

static char *map(long bytes, int flags) { return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0); }

static void touch(char *at, long bytes, long step) {
  for (long i = 0; i < bytes; i += step) at[i] = 1;
}

static void follow(void) {
  remember();
  char *at = map(32 * MIB, MAP_PRIVATE);
  changes("32 MiB mapped");
  touch(at, 16 * MIB, 4096);
  changes("16 of them written");
  mlock(at, 8 * MIB);
  changes("8 of them locked");
  munlock(at, 8 * MIB);
  madvise(at, 16 * MIB, MADV_DONTNEED);
  changes("thrown away");
  munmap(at, 32 * MIB);
  changes("unmapped");
  at = map(32 * MIB, MAP_PRIVATE | MAP_NORESERVE);
  changes("without reserve");
  for (long i = 0; i < 32 * MIB; i += 4096) (void)*(volatile char *)(at + i);
  changes("read: the zero page");
  munmap(at, 32 * MIB);
  at = map(16 * MIB, MAP_SHARED);
  touch(at, 8 * MIB, 4096);
  changes("16 MiB shared, 8 written");
  munmap(at, 16 * MIB);
  changes("unmapped");
  int fd = open("/tmp/memory", O_CREAT | O_RDWR | O_TRUNC, 0600);
  static char bytes[1 << 16];
  for (int i = 0; i < 128; i++) write(fd, bytes, sizeof bytes);
  changes("8 MiB written to tmpfs");
  at = mmap(NULL, 8 * MIB, PROT_READ, MAP_SHARED, fd, 0);
  for (long i = 0; i < 8 * MIB; i += 4096) (void)*(volatile char *)(at + i);
  changes("and mapped");
  ftruncate(fd, 0), close(fd), unlink("/tmp/memory"), munmap(at, 8 * MIB);
  changes("removed");
  at = map(4096 * MIB, MAP_PRIVATE | MAP_NORESERVE);
  touch(at, 4096 * MIB, 2 * MIB);
  changes("a page in each 2 MiB of 4 GiB");
  munmap(at, 4096 * MIB);
  changes("unmapped");
}

static void events(void) {
  static const char *of[] = {"pgfault ", "pgalloc_dma32 ", "pgfree ", "numa_hit ", "pgreuse "};
  long first[5];
  for (int i = 0; i < 5; i++) first[i] = value("/proc/vmstat", of[i]);
  char *at = map(16 * MIB, MAP_PRIVATE);
  touch(at, 16 * MIB, 4096);
  munmap(at, 16 * MIB);
  for (int i = 0; i < 5; i++) {
    if (i == 2 || i == 4) continue;
    long more = value("/proc/vmstat", of[i]) - first[i];
    printf("%s%s\n", of[i], more >= 3900 && more < 6000 ? "about 4096 more" : "not so");
  }
  printf("major faults %s\n", value("/proc/vmstat", "pgmajfault ") >= 0 ? "counted" : "not there");
}

/* Two ways to the same number. */
static void agree(void) {
  long free_pages = value("/proc/vmstat", "nr_free_pages ") * 4, free_kib = value("/proc/meminfo", "MemFree:");
  printf("free in vmstat and meminfo: %s\n", labs(free_pages - free_kib) < 2048 ? "the same" : "different");
  struct sysinfo info;
  sysinfo(&info);
  printf("sysinfo: %s %s %s unit %u swap %lu\n", (long)info.totalram / 1024 == value("/proc/meminfo", "MemTotal:") ? "total" : "?",
         labs((long)info.freeram / 1024 - free_kib) < 2048 ? "free" : "?", labs((long)info.sharedram / 1024 - value("/proc/meminfo", "Shmem:")) < 512 ? "shared" : "?",
         info.mem_unit, info.totalswap);
  long sum = 0;
  for (char *at = (char *)load("/proc/buddyinfo"); (at = strstr(at, "zone"));) {
    int used = 0;
    sscanf(at, "zone %*s%n", &used);
    at += used;
    for (int order = 0; order < 11; order++) sum += strtol(at, &at, 10) << order;
  }
  printf("free in buddyinfo: %s\n", sum * 4 <= free_kib + 1024 && sum * 4 > free_kib - 32768 ? "as much" : "not so");
  long total = value("/proc/meminfo", "MemTotal:"), slab = value("/proc/meminfo", "Slab:");
  printf("slab is its parts: %d\n", labs(slab - value("/proc/meminfo", "SReclaimable:") - value("/proc/meminfo", "SUnreclaim:")) <= 8);
  printf("limit is half: %d\n", labs(value("/proc/meminfo", "CommitLimit:") - total / 2) <= 4);
  long min = value("/proc/sys/vm/min_free_kbytes", "");
  printf("watermarks: %d\n", min > 0);
  char *zone = (char *)load("/proc/zoneinfo"), *managed;
  long marks[4] = {0};
  if ((zone = strstr(zone, "min  ")) && sscanf(zone, "min %ld low %ld high %ld promo %ld", marks, marks + 1, marks + 2, marks + 3) == 4 && (managed = strstr(zone, "managed")))
    printf("zone: min is min_free_kbytes %d, equal steps %d, managed is the total %d\n", marks[0] * 4 == min, marks[1] - marks[0] == marks[2] - marks[1] && marks[2] - marks[1] == marks[3] - marks[2], labs(atol(managed + 8) * 4 - total) < 4096);
  else puts("zone: no watermarks");
}

/* Whole lines in each read, the same text however it is read. */
static void pieces(const char *path) {
  static char whole[1 << 18], part[1 << 18];
  int fd = open(path, O_RDONLY);
  long all = 0, n, sizes = 0, got = 0;
  while ((n = read(fd, whole + all, sizeof whole - all)) > 0) sizes += n > 4096 || whole[all + n - 1] != '\n', all += n;
  printf("%s: %s", path, sizes ? "a read ended within a line" : "whole lines");
  lseek(fd, 0, SEEK_SET);
  while ((n = read(fd, part + got, 1 + got % 97)) > 0) got += n;
  int same = 0, lines = 0;
  for (long i = 0; i < got; i++) lines += part[i] == '\n';
  for (long i = 0; i < all; i++) same += whole[i] == '\n';
  printf(", in pieces %s lines", lines == same ? "as many" : "more or fewer");
  n = pread(fd, part, 10, 5);
  printf(", at 5: %s\n", n == 10 && !memcmp(part, whole + 5, 10) ? "the same" : "other");
  close(fd);
}

int main(void) {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  shape("/proc/meminfo");
  widths("/proc/meminfo", 60);
  shape("/proc/vmstat");
  shape("/proc/buddyinfo");
  widths("/proc/buddyinfo", 1);
  shape("/proc/pagetypeinfo");
  widths("/proc/pagetypeinfo", 20);
  load("/proc/slabinfo");
  char *third = strchr(strchr(text, '\n') + 1, '\n');
  *third = 0, printf("%s\n", text);
  int numbers = 0;
  char name[64], *line = third + 1;
  printf("a cache: %d fields\n", sscanf(line, "%63s %*u %*u %*u %*u %*u : tunables %*u %*u %*u : slabdata %*u %*u %d", name, &numbers));
  agree();
  follow();
  events();
  pieces("/proc/vmstat");
  pieces("/proc/self/maps");
  pieces("/proc/slabinfo");
  static const char *const settings[] = {"dirty_bytes", "dirty_expire_centisecs", "dirty_writeback_centisecs", "extfrag_threshold", "laptop_mode", "lowmem_reserve_ratio", "nr_hugepages", "numa_stat", "page-cluster", "stat_interval", "watermark_scale_factor", "zone_reclaim_mode", "swappiness", "oom_dump_tasks"};
  for (unsigned i = 0; i < sizeof settings / sizeof *settings; i++) {
    char path[100];
    snprintf(path, sizeof path, "/proc/sys/vm/%s", settings[i]);
    printf("%s %s", settings[i], load(path));
  }
  int fd = open("/proc/sys/vm/watermark_boost_factor", O_RDONLY);
  char byte[3] = "";
  printf("a number in pieces: %zd", read(fd, byte, 1));
  printf(" \"%s\" %zd\n", byte, read(fd, byte, 1));
  close(fd);
  static const char *const folder[] = {"hugepages/hugepages-2048kB/nr_hugepages", "ksm/run", "ksm/pages_shared", "swap/vma_ra_enabled", "numa/demotion_enabled"};
  for (unsigned i = 0; i < sizeof folder / sizeof *folder; i++) {
    char path[100];
    snprintf(path, sizeof path, "/sys/kernel/mm/%s", folder[i]);
    printf("%s %s", folder[i], load(path));
  }
  return 0;
}
