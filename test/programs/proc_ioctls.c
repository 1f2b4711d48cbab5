/* PROCMAP_QUERY on maps, PAGEMAP_SCAN and the entries of pagemap, clear_refs: every flag, every error, boundary sizes. */
// flags: -Wno-unused-result
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "errno_name.h"

#define K 4096UL

struct query {
  uint64_t size, flags, address, start, end, vma_flags, page_size, offset, inode;
  uint32_t major, minor, name_size, id_size;
  uint64_t name, id;
};
struct scan {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, anyof, returned;
};
struct region {
  uint64_t start, end, categories;
};
#define QUERY _IOWR('f', 17, struct query)
#define SCAN _IOWR('f', 16, struct scan)
enum { WRITTEN = 2, IS_FILE = 4, PRESENT = 8, SWAPPED = 16, ZERO = 32, HUGE = 64, DIRTY = 128, ALL = 255 };

static int maps, pagemap;
/* rw anonymous of 16 pages, none of 1, shared of 8, r-x of 2, a private file of 4; a hole of 4 between the last two. */
static char *base, *shared, *code, *file;

static void build(void) {
  base = mmap((void *)0x2000000000UL, 64 * K, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  munmap(base, 64 * K);
  mmap(base, 16 * K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  mmap(base + 16 * K, K, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  shared = mmap(base + 17 * K, 8 * K, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  code = mmap(base + 25 * K, 2 * K, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  int fd = open("/tmp/a file", O_CREAT | O_RDWR | O_TRUNC, 0600);
  for (int i = 0; i < 6; i++) pwrite(fd, "x", 1, i * K);
  file = mmap(base + 31 * K, 4 * K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 2 * K);
  close(fd);
  for (int i = 0; i < 5; i++) base[i * K] = 1;
  for (int i = 8; i < 11; i++) (void)*(volatile char *)(base + i * K);
  for (int i = 0; i < 8; i++) shared[i * K] = 1;
  for (int i = 0; i < 4; i++) (void)*(volatile char *)(file + i * K);
  file[K] = 1;
}

static long pages(uint64_t at) { return ((long)at - (long)base) / (long)K; }

static void query(const char *what, uint64_t flags, char *at, uint32_t name_size) {
  char name[4096] = "untouched";
  struct query q = {.size = sizeof q, .flags = flags, .address = (uint64_t)at, .name_size = name_size, .name = name_size ? (uint64_t)name : 0};
  int result = ioctl(maps, QUERY, &q);
  printf("%s: ", what);
  if (result < 0) {
    printf("%s\n", errno_name(errno));
    return;
  }
  printf("%d pages %ld to %ld flags %lx page %lu offset %lx inode %s name %u \"%s\"\n", result, pages(q.start), pages(q.end),
         q.vma_flags, q.page_size, q.offset, q.inode ? "yes" : "no", q.name_size, name_size ? name : "");
}

static void queries(void) {
  maps = open("/proc/self/maps", O_RDONLY);
  query("anonymous", 0, base + 5 * K + 7, 0);
  query("its first byte", 0, base, 64);
  query("its last byte", 0, base + 16 * K - 1, 64);
  query("none", 0, base + 16 * K, 64);
  query("shared", 0, shared, 100);
  query("code", 0, code, 100);
  query("hole", 0, base + 28 * K, 100);
  query("file", 0, file, 100);
  query("its name just fits", 0, file, 12);
  query("one byte too little", 0, file, 11);
  query("one byte", 0, file, 1);
  query("no name wanted", 0, file, 0);
  query("behind", 0, file + 4 * K, 0);
  query("zero", 0, NULL, 0);
  query("far", 0, (char *)-1, 0);
  query("next of hole", 16, base + 28 * K, 100);
  query("next of code", 16, code, 100);
  query("readable", 1, base, 100);
  query("readable, none there", 1, base + 16 * K, 100);
  query("next readable", 17, base + 16 * K, 100);
  query("writable", 2, base, 100);
  query("executable", 4, base, 100);
  query("next executable", 20, base, 100);
  query("shared", 8, base, 100);
  query("next shared", 24, base, 100);
  query("next shared executable", 28, base, 100);
  query("file-backed", 32, base, 100);
  query("next file-backed", 48, base, 100);
  query("next private file", 48, code, 100);
  query("next writable file-backed", 50, code, 100);
  query("unknown flag", 64, base, 0);
  query("far flag", 1UL << 40, base, 0);
  struct query q = {.size = sizeof q, .address = (uint64_t)base, .name_size = 5};
  printf("name without place: %s\n", ioctl(maps, QUERY, &q) < 0 ? errno_name(errno) : "ok");
  q = (struct query){.size = sizeof q, .address = (uint64_t)base, .name = (uint64_t)&q};
  printf("place without size: %s\n", ioctl(maps, QUERY, &q) < 0 ? errno_name(errno) : "ok");
  q = (struct query){.size = sizeof q, .address = (uint64_t)base, .id = (uint64_t)&q};
  printf("id without size: %s\n", ioctl(maps, QUERY, &q) < 0 ? errno_name(errno) : "ok");
  q = (struct query){.size = sizeof q, .address = (uint64_t)file, .name_size = 100, .name = 8};
  printf("bad place for the name: %s\n", ioctl(maps, QUERY, &q) < 0 ? errno_name(errno) : "ok");
  q = (struct query){.size = sizeof q, .address = (uint64_t)base, .name_size = 100, .name = 8};
  printf("bad place, no name: %s size %u\n", ioctl(maps, QUERY, &q) < 0 ? errno_name(errno) : "ok", q.name_size);
  static const uint64_t sizes[] = {0, 8, 23, 24, 25, 32, 40, 72, 103, 104, 105, 112, 4096, 4097, ~0UL};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    static char room[8192];
    memset(room, 0, sizeof room);
    struct query *at = (struct query *)room;
    at->size = sizes[i], at->address = (uint64_t)base;
    int result = ioctl(maps, QUERY, at);
    printf("size %lu: %s start %s end %s\n", sizes[i], result < 0 ? errno_name(errno) : "ok", at->start ? "yes" : "no", at->end ? "yes" : "no");
    if (sizes[i] > 104 && sizes[i] <= 4096) {
      room[sizes[i] - 1] = 1;
      printf("  not zero behind: %s\n", ioctl(maps, QUERY, at) < 0 ? errno_name(errno) : "ok");
    }
  }
  printf("no place at all: %s\n", ioctl(maps, QUERY, NULL) < 0 ? errno_name(errno) : "ok");
  printf("other command: %s\n", ioctl(maps, SCAN, &q) < 0 ? errno_name(errno) : "ok");
  int smaps = open("/proc/self/smaps", O_RDONLY);
  q = (struct query){.size = sizeof q, .address = (uint64_t)base};
  printf("smaps: %s\n", ioctl(smaps, QUERY, &q) < 0 ? errno_name(errno) : "ok");
  close(smaps);
  unsigned char id[32];
  memset(id, 0xee, sizeof id);
  q = (struct query){.size = sizeof q, .address = (uint64_t)file, .id_size = sizeof id, .id = (uint64_t)id};
  printf("id of a file that is no program: %d size %u %02x\n", ioctl(maps, QUERY, &q), q.id_size, id[0]);
  q = (struct query){.size = sizeof q, .address = (uint64_t)base, .id_size = sizeof id, .id = (uint64_t)id};
  printf("id of no file: %d size %u %02x\n", ioctl(maps, QUERY, &q), q.id_size, id[0]);
  q = (struct query){.size = sizeof q, .address = (uint64_t)queries, .id_size = sizeof id, .id = (uint64_t)id};
  printf("id of the program: %d size %s, %s\n", ioctl(maps, QUERY, &q), q.id_size == 20 || q.id_size == 0 ? "20 or none" : "odd",
         (id[0] == 0xee) == (q.id_size == 0) ? "as the size says" : "not so");
  if (q.id_size == 0) errno = ENAMETOOLONG, q.id_size = 20;
  else q.id_size = 19, ioctl(maps, QUERY, &q);
  printf("id that does not fit: %s\n", errno_name(errno));
  /* The memory of a process that is gone. */
  int to[2];
  pipe(to);
  int pid = fork();
  if (pid == 0) {
    char byte;
    close(to[1]), read(to[0], &byte, 1), _exit(0);
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/maps", pid);
  int other = open(path, O_RDONLY);
  q = (struct query){.size = sizeof q, .address = (uint64_t)base};
  printf("another process: %d start %ld\n", ioctl(other, QUERY, &q), pages(q.start));
  close(to[1]);
  wait(NULL);
  printf("and gone: %s\n", ioctl(other, QUERY, &q) < 0 ? errno_name(errno) : "ok");
  close(other), close(to[0]);
}

static void entries(void) {
  uint64_t entry[64], high;
  void *volatile place = (void *)8;
  ssize_t n = pread(pagemap, entry, sizeof entry, (uint64_t)base / K * 8);
  printf("pagemap %zd:", n);
  for (int i = 0; i < 40; i++) printf(" %lx%s", entry[i] >> 55, entry[i] & 0x7fffffffffffff ? "f" : "");
  printf("\nstep by step:");
  lseek(pagemap, (uint64_t)base / K * 8, SEEK_SET);
  for (int i = 0; i < 5; i++) n = read(pagemap, &high, 8), printf(" %zd %s", n, high == entry[i] ? "same" : "other");
  printf("\nat the end: %zd", pread(pagemap, entry, sizeof entry, 0x4000000000UL / K * 8 - 8));
  printf(" %zd %zd\n", pread(pagemap, entry, 8, 0x4000000000UL / K * 8), pread(pagemap, entry, 8, 1L << 61));
  printf("unaligned: %s", pread(pagemap, entry, 8, 4) < 0 ? errno_name(errno) : "ok");
  printf(" %s", pread(pagemap, entry, 12, 8) < 0 ? errno_name(errno) : "ok");
  printf(" %zd\n", pread(pagemap, entry, 0, 8));
  printf("bad place: %s\n", pread(pagemap, place, 8, (uint64_t)base / K * 8) < 0 ? errno_name(errno) : "ok");
  printf("write: %s\n", open("/proc/self/pagemap", O_WRONLY) < 0 ? errno_name(errno) : "opened");
  printf("ioctl: %s\n", ioctl(pagemap, QUERY, entry) < 0 ? errno_name(errno) : "ok");
}

static long from_base(uint64_t at) { return at >= (uint64_t)base ? pages(at) : -1; }

static void scan(const char *what, struct scan s, int room) {
  struct region regions[64];
  memset(regions, 0, sizeof regions);
  if (!s.size) s.size = sizeof s;
  if (!s.start) s.start = (uint64_t)base;
  if (!s.end) s.end = (uint64_t)base + 40 * K;
  if (room) s.vec = (uint64_t)regions, s.vec_len = room;
  int result = ioctl(pagemap, SCAN, &s);
  printf("%s: %s", what, result < 0 ? errno_name(errno) : "");
  if (result >= 0) printf("%d", result);
  printf(" end %ld", s.walk_end ? from_base(s.walk_end) : 0);
  for (int i = 0; i < result && i < 64; i++)
    printf(" [%ld,%ld) %lx", from_base(regions[i].start), from_base(regions[i].end), regions[i].categories);
  puts("");
}

static void scans(void) {
  scan("present", (struct scan){.mask = PRESENT, .returned = ALL}, 64);
  scan("present, nothing returned", (struct scan){.mask = PRESENT}, 64);
  scan("everything", (struct scan){.returned = ALL}, 64);
  scan("written", (struct scan){.mask = WRITTEN, .returned = WRITTEN}, 64);
  scan("written, all returned", (struct scan){.mask = WRITTEN, .returned = ALL}, 64);
  scan("file", (struct scan){.mask = IS_FILE, .returned = ALL}, 64);
  scan("file, not asked for", (struct scan){.mask = PRESENT, .returned = PRESENT}, 64);
  scan("zero", (struct scan){.mask = ZERO, .returned = ALL}, 64);
  scan("swapped", (struct scan){.mask = SWAPPED, .returned = ALL}, 64);
  scan("huge", (struct scan){.mask = HUGE, .returned = ALL}, 64);
  scan("soft-dirty", (struct scan){.mask = DIRTY, .returned = ALL}, 64);
  scan("not present", (struct scan){.inverted = PRESENT, .mask = PRESENT, .returned = ALL}, 64);
  scan("present, no zero", (struct scan){.inverted = ZERO, .mask = PRESENT | ZERO, .returned = ALL}, 64);
  scan("zero or file", (struct scan){.anyof = ZERO | IS_FILE, .returned = ALL}, 64);
  scan("neither zero nor present", (struct scan){.inverted = ZERO | PRESENT, .mask = ZERO | PRESENT, .returned = ALL}, 64);
  scan("wp allowed", (struct scan){.mask = 1, .returned = ALL}, 64);
  scan("wp not allowed", (struct scan){.inverted = 1, .mask = 1 | PRESENT, .returned = ALL}, 64);
  scan("at most 3 pages", (struct scan){.mask = PRESENT, .returned = ALL, .max_pages = 3}, 64);
  scan("at most 5 pages", (struct scan){.mask = PRESENT, .returned = ALL, .max_pages = 5}, 64);
  scan("at most 6 pages", (struct scan){.mask = PRESENT, .returned = ALL, .max_pages = 6}, 64);
  scan("at most 1000 pages", (struct scan){.mask = PRESENT, .returned = ALL, .max_pages = 1000}, 64);
  scan("one region", (struct scan){.mask = PRESENT, .returned = ALL}, 1);
  scan("two regions", (struct scan){.mask = PRESENT, .returned = ALL}, 2);
  scan("two regions, alike", (struct scan){.mask = PRESENT, .returned = PRESENT}, 2);
  scan("five regions", (struct scan){.mask = PRESENT, .returned = ALL}, 5);
  scan("no region", (struct scan){.mask = PRESENT, .returned = ALL}, 0);
  scan("a part", (struct scan){.start = (uint64_t)base + 3 * K, .end = (uint64_t)base + 9 * K, .mask = PRESENT, .returned = ALL}, 64);
  scan("the end is rounded", (struct scan){.start = (uint64_t)base + 3 * K, .end = (uint64_t)base + 3 * K + 1, .mask = PRESENT, .returned = ALL}, 64);
  scan("nothing", (struct scan){.start = (uint64_t)base + 3 * K, .end = (uint64_t)base + 3 * K, .mask = PRESENT, .returned = ALL}, 64);
  scan("backwards", (struct scan){.start = (uint64_t)base + 3 * K, .end = (uint64_t)base + 2 * K, .mask = PRESENT, .returned = ALL}, 64);
  scan("start not aligned", (struct scan){.start = (uint64_t)base + 1, .mask = PRESENT, .returned = ALL}, 64);
  scan("hole", (struct scan){.start = (uint64_t)base + 27 * K, .end = (uint64_t)base + 31 * K, .returned = ALL}, 64);
  scan("bad size", (struct scan){.size = 88, .mask = PRESENT, .returned = ALL}, 64);
  scan("larger size", (struct scan){.size = 104, .mask = PRESENT, .returned = ALL}, 64);
  scan("bad flag", (struct scan){.flags = 4, .mask = PRESENT, .returned = ALL}, 64);
  scan("bad category", (struct scan){.mask = 256, .returned = ALL}, 64);
  scan("bad inverted", (struct scan){.inverted = 256, .returned = ALL}, 64);
  scan("bad any", (struct scan){.anyof = 256, .returned = ALL}, 64);
  scan("bad return", (struct scan){.mask = PRESENT, .returned = 1UL << 40}, 64);
  scan("no vector", (struct scan){.mask = PRESENT, .returned = ALL, .vec_len = 4}, 0);
  scan("bad vector", (struct scan){.mask = PRESENT, .returned = ALL, .vec = 8, .vec_len = 4}, 0);
  scan("far vector", (struct scan){.mask = PRESENT, .returned = ALL, .vec = -8UL, .vec_len = 4}, 0);
  scan("endless vector", (struct scan){.mask = PRESENT, .returned = ALL, .vec = 4096, .vec_len = ~0UL}, 0);
  scan("write-protect", (struct scan){.flags = 1, .mask = PRESENT, .returned = ALL}, 64);
  scan("write-protect, none returned", (struct scan){.flags = 1, .mask = PRESENT}, 0);
  scan("check", (struct scan){.flags = 2, .mask = PRESENT, .returned = ALL}, 64);
  scan("check in a hole", (struct scan){.flags = 2, .start = (uint64_t)base + 27 * K, .end = (uint64_t)base + 31 * K, .returned = ALL}, 64);
  scan("both", (struct scan){.flags = 3, .mask = PRESENT, .returned = ALL}, 64);
  printf("no argument: %s\n", ioctl(pagemap, SCAN, NULL) < 0 ? errno_name(errno) : "ok");
}

/* Many regions: more than the kernel collects at once. */
static void many(void) {
  enum { N = 3000 };
  char *at = mmap(NULL, N * K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < N; i += 2) at[i * K] = 1;
  static struct region regions[N];
  for (int room = 511; room <= 1600; room += room < 513 ? 1 : 500) {
    struct scan s = {.size = sizeof s, .start = (uint64_t)at, .end = (uint64_t)at + N * K, .vec = (uint64_t)regions, .vec_len = room, .mask = PRESENT, .returned = PRESENT};
    int result = ioctl(pagemap, SCAN, &s);
    printf("room for %d: %d, end %ld, last [%ld,%ld)\n", room, result, (long)(s.walk_end - s.start) / (long)K,
           (long)(regions[result - 1].start - s.start) / (long)K, (long)(regions[result - 1].end - s.start) / (long)K);
  }
  munmap(at, N * K);
}

static void referenced(const char *what, char *at) {
  static char text[1 << 20];
  char start[32];
  snprintf(start, sizeof start, "%lx-", (unsigned long)at);
  int fd = open("/proc/self/smaps", O_RDONLY);
  ssize_t all = 0, n;
  while ((n = read(fd, text + all, sizeof text - 1 - all)) > 0) all += n;
  text[all] = 0, close(fd);
  char *from = strstr(text, start);
  from = from ? strstr(from, "Referenced:") : NULL;
  printf("%s %.*s\n", what, from ? (int)(strchr(from, '\n') - from) : 4, from ? from : "none");
}

static void refresh(void) { /* Makes the hart forget its translations. */
  void *at = mmap(NULL, K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *(char *)at = 1;
  munmap(at, K);
}

static void clear(const char *text) {
  int fd = open("/proc/self/clear_refs", O_WRONLY);
  ssize_t n = write(fd, text, strlen(text));
  printf("clear \"%s\": %zd %s\n", text, n, n < 0 ? errno_name(errno) : "");
  close(fd);
  refresh();
}

static void all_referenced(const char *what) {
  referenced(what, base), referenced("  shared", shared), referenced("  file", file);
}

static void references(void) {
  all_referenced("before");
  clear("2");
  all_referenced("anonymous cleared");
  (void)*(volatile char *)base, base[K] = 2;
  all_referenced("two touched");
  clear("3\n");
  all_referenced("files cleared");
  shared[0] = 1, (void)*(volatile char *)file;
  clear(" 4 ");
  all_referenced("soft-dirty cleared");
  clear("1");
  all_referenced("all cleared");
  pread(pagemap, base + 3 * K, 8, 0);
  all_referenced("written by the kernel");
  static const char *const bad[] = {"0", "6", "-1", "", "x", "1x", "1 1", "00000000005", "000000000005", "0000000000050", "99999999999", "0x1", "+1", "5"};
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) clear(bad[i]);
  printf("read: %s\n", open("/proc/self/clear_refs", O_RDONLY) < 0 ? errno_name(errno) : "opened");
}

static long status(const char *name) {
  static char text[8192];
  int fd = open("/proc/self/status", O_RDONLY);
  ssize_t n = read(fd, text, sizeof text - 1);
  text[n > 0 ? n : 0] = 0, close(fd);
  char *from = strstr(text, name);
  return from ? atol(from + strlen(name)) : -1;
}

static void peak(void) {
  long before = status("VmRSS:"), high = status("VmHWM:");
  printf("peak at least resident: %d\n", high >= before);
  char *at = mmap(NULL, 1000 * K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 1000; i++) at[i * K] = 1;
  munmap(at, 1000 * K);
  printf("risen by 4000 kB: %d, resident as before: %d\n", status("VmHWM:") - before >= 3500 && status("VmHWM:") - before < 4500, status("VmRSS:") - before < 500);
  clear("5");
  printf("reset: %d\n", status("VmHWM:") - status("VmRSS:") < 500);
  at = mmap(NULL, 500 * K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 500; i++) at[i * K] = 1;
  madvise(at, 500 * K, MADV_DONTNEED);
  printf("risen by 2000 kB: %d\n", status("VmHWM:") - before >= 1500 && status("VmHWM:") - before < 2500);
}

int main(void) {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  build();
  pagemap = open("/proc/self/pagemap", O_RDONLY);
  queries();
  entries();
  scans();
  many();
  references();
  peak();
  unlink("/tmp/a file");
  return 0;
}
