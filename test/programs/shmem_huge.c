/* shmem_enabled: which shared memory becomes huge when it is touched, written or reserved for the first time, and what is told of it. */
#include "collapse.h"
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SYS "/sys/kernel/mm/transparent_hugepage/"

static void show(const char *name) {
  char path[128], text[256];
  snprintf(path, sizeof path, SYS "%s", name);
  int fd = open(path, O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[n < 0 ? 0 : n] = 0;
  printf("  %s: %s", name, n < 0 ? "?\n" : text);
}

static void set(const char *name, const char *value) {
  char path[128];
  snprintf(path, sizeof path, SYS "%s", name);
  int fd = open(path, O_WRONLY);
  ssize_t n = write(fd, value, strlen(value));
  printf("%s = %s: %s\n", name, value, n < 0 ? strerror(errno) : "ok");
  close(fd);
}

static long alloc, fallback, mapped;

static void begin(void) {
  alloc = counter("thp_file_alloc");
  fallback = counter("thp_file_fallback");
  mapped = counter("thp_file_mapped");
}

static void machine(void) {
  long now[] = {counter("thp_file_alloc"), counter("thp_file_fallback"), counter("thp_file_mapped")};
  printf("  made %ld, not made %ld, mapped %ld; ShmemHugePages %ld ShmemPmdMapped %ld\n", now[0] - alloc, now[1] - fallback, now[2] - mapped,
    field("/proc/meminfo", "ShmemHugePages", NULL), field("/proc/meminfo", "ShmemPmdMapped", NULL));
  alloc = now[0], fallback = now[1], mapped = now[2];
}

static void eligible(char *start) { printf("  THPeligible %ld\n", field("/proc/self/smaps", "THPeligible", start)); }

static char *placed(int fd, long pages, long offset, int flags) {
  char *p = mmap(BASE, pages * PG, RW, flags | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, offset * PG);
  if (p != BASE) perror("mmap");
  return p;
}

static void done(int fd) {
  clear(8 * HUGE_PAGES);
  if (fd >= 0) close(fd);
}

static void settings(void) {
  static const char *const modes[] = {"always", "within_size", "advise", "deny", "force", "never", "madvise", "inherit", ""};
  for (int i = 0; i < 9; i++) set("shmem_enabled", modes[i]), show("shmem_enabled");
  static const char *const sizes[] = {"always", "within_size", "advise", "never", "deny", "madvise", "inherit"};
  for (int i = 0; i < 7; i++) set("hugepages-2048kB/shmem_enabled", sizes[i]), show("hugepages-2048kB/shmem_enabled");
}

/* Of a file of two and a half huge pages. */
static void touches(const char *what, int fd, int advised) {
  printf("%s%s\n", what, advised ? ", advised" : "");
  char *p = placed(fd, 3 * HUGE_PAGES, 0, MAP_SHARED);
  if (advised) is("advice", madvise(p, 3 * HUGE, MADV_HUGEPAGE));
  eligible(p);
  p[5 * PG] = 1;
  smaps("first", p);
  p[HUGE + 7] = 1;
  p[2 * HUGE + 9] = 1;
  smaps("all", p);
  printf("  in core %ld\n", in_core(p, 3 * HUGE_PAGES));
  machine();
  done(fd);
}

static void all_kinds(int advised) {
  touches("memory file", memory_file(2 * HUGE_PAGES + HUGE_PAGES / 2 + 1), advised);
  touches("anonymous", -1, advised);
  int fd = open("/tmp/shmem_huge", O_RDWR | O_CREAT, 0600);
  if (ftruncate(fd, 3 * HUGE)) perror("ftruncate");
  touches("file", fd, advised);
  fd = open("/tmp/shmem_huge", O_RDWR);
  unlink("/tmp/shmem_huge");
  if (ftruncate(fd, 0) || ftruncate(fd, 3 * HUGE)) perror("ftruncate");
  touches("file without a name", fd, advised);
}

static void segment(void) {
  printf("segment\n");
  int id = shmget(IPC_PRIVATE, 2 * HUGE, IPC_CREAT | 0600);
  char *p = shmat(id, NULL, 0);
  printf("  lies on a multiple: %d\n", (unsigned long)p % HUGE == 0);
  p[0] = 1;
  smaps("touched", p);
  machine();
  shmdt(p);
  shmctl(id, IPC_RMID, NULL);
  machine();
}

static void places(void) {
  printf("places\n");
  char *p = mmap(NULL, 3 * HUGE + 5 * PG, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  printf("  anonymous: %ld\n", (long)((unsigned long)p % HUGE / PG));
  munmap(p, 3 * HUGE + 5 * PG);
  int fd = memory_file(4 * HUGE_PAGES);
  char *q = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, 3 * PG);
  printf("  file from its page 3 on: %ld\n", (long)((unsigned long)q % HUGE / PG));
  q[0] = 1;
  q[HUGE] = 1;
  printf("  in core %ld\n", in_core(q, 2 * HUGE_PAGES));
  machine();
  munmap(q, 2 * HUGE);
  q = mmap(NULL, HUGE - PG, RW, MAP_SHARED, fd, 0);
  q[0] = 1;
  printf("  less than one: in core %ld\n", in_core(q, HUGE_PAGES - 1));
  machine();
  munmap(q, HUGE - PG);
  close(fd);
}

static void writes(void) {
  printf("written\n");
  static char bytes[1 << 16];
  memset(bytes, 3, sizeof bytes);
  int fd = memory_file(0);
  for (long at = 0; at < HUGE + HUGE / 2; at += sizeof bytes) if (pwrite(fd, bytes, sizeof bytes, at) < 0) perror("pwrite");
  char *p = placed(fd, 2 * HUGE_PAGES, 0, MAP_SHARED);
  long sum = 0;
  for (long i = 0; i < HUGE_PAGES; i++) sum += p[i * PG];
  printf("  sum %ld\n", sum);
  smaps("read", p);
  struct stat info;
  fstat(fd, &info);
  printf("  size %ld, blocks %ld\n", (long)info.st_size, (long)info.st_blocks);
  machine();
  done(fd);
  printf("reserved\n");
  fd = memory_file(0);
  is("fallocate", fallocate(fd, 0, 5 * PG, HUGE));
  fstat(fd, &info);
  printf("  size %ld, blocks %ld, data at %ld\n", (long)info.st_size, (long)info.st_blocks, (long)lseek(fd, 0, SEEK_DATA));
  if (pwrite(fd, "x", 1, 9 * PG) != 1) perror("pwrite");
  printf("  data at %ld, hole at %ld\n", (long)lseek(fd, 0, SEEK_DATA), (long)lseek(fd, 0, SEEK_HOLE));
  machine();
  is("ftruncate", ftruncate(fd, 100 * PG));
  fstat(fd, &info);
  printf("  blocks %ld\n", (long)info.st_blocks);
  machine();
  done(fd);
}

static void private_ones(void) {
  printf("private\n");
  int fd = memory_file(2 * HUGE_PAGES);
  char *p = placed(fd, 2 * HUGE_PAGES, 0, MAP_PRIVATE);
  p[3] = 1;
  smaps("written", p);
  printf("  in core %ld\n", in_core(p, 2 * HUGE_PAGES));
  machine();
  volatile char c = p[HUGE];
  (void)c;
  printf("  pmd %ld\n", field("/proc/self/smaps", "ShmemPmdMapped", p));
  p[HUGE] = 1;
  printf("  pmd %ld, anon %ld\n", field("/proc/self/smaps", "ShmemPmdMapped", p), field("/proc/self/smaps", "Anonymous", p));
  machine();
  done(fd);
}

static void small_first(void) {
  printf("a small page is there\n");
  int fd = memory_file(2 * HUGE_PAGES);
  char *p = placed(fd, 2 * HUGE_PAGES, 0, MAP_SHARED);
  madvise(p, 2 * HUGE, MADV_NOHUGEPAGE);
  eligible(p);
  p[17 * PG] = 1;
  madvise(p, 2 * HUGE, MADV_HUGEPAGE);
  p[0] = p[HUGE] = 1;
  smaps("touched", p);
  printf("  in core %ld\n", in_core(p, 2 * HUGE_PAGES));
  machine();
  is("removed", madvise(p + 17 * PG, PG, MADV_REMOVE) | madvise(p, PG, MADV_REMOVE));
  p[33 * PG] = 1;
  smaps("touched", p);
  machine();
  done(fd);
}

static void forked(void) {
  printf("forked\n");
  char *p = placed(-1, HUGE_PAGES, 0, MAP_SHARED);
  p[0] = 1;
  fflush(stdout);
  if (fork() == 0) {
    p[PG] = 2;
    smaps("child", p);
    machine();
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  printf("  %d %d\n", p[0], p[PG]);
  smaps("parent", p);
  done(-1);
}

/* MADV_COLLAPSE, and the size of a block that stat(2) tells, under all settings. */
static void advice_by_settings(void) {
  static const char *const modes[] = {"never", "advise", "within_size", "always", "deny", "force"};
  static const char *const sizes[] = {"always", "within_size", "advise", "never", "inherit"};
  for (int i = 0; i < 30; i++) {
    set("shmem_enabled", "never");
    set("hugepages-2048kB/shmem_enabled", "inherit");
    int fd = memory_file(HUGE_PAGES);
    char *p = placed(fd, HUGE_PAGES, 0, MAP_SHARED);
    p[0] = 1;
    set("shmem_enabled", modes[i / 5]);
    set("hugepages-2048kB/shmem_enabled", sizes[i % 5]);
    eligible(p);
    collapse("collapse", p, HUGE);
    smaps("after", p);
    struct stat info;
    fstat(fd, &info);
    printf("  block %ld\n", (long)info.st_blksize);
    done(fd);
  }
  set("shmem_enabled", "never");
}

int main(void) {
  // khugepaged must not come between.
  set("khugepaged/scan_sleep_millisecs", "3600000");
  set("khugepaged/pages_to_scan", "1");
  settings();
  begin();
  static const char *const modes[] = {"never", "advise", "within_size", "always", "deny", "force"};
  for (int i = 0; i < 6; i++) {
    set("shmem_enabled", modes[i]);
    all_kinds(0);
    all_kinds(1);
  }
  set("shmem_enabled", "never");
  static const char *const sizes[] = {"always", "within_size", "advise", "never"};
  for (int i = 0; i < 4; i++) {
    set("hugepages-2048kB/shmem_enabled", sizes[i]);
    all_kinds(0);
    if (i == 3) set("shmem_enabled", "always"), all_kinds(0), writes();
  }
  advice_by_settings();
  set("shmem_enabled", "always");
  segment();
  places();
  writes();
  private_ones();
  small_first();
  forked();
  set("shmem_enabled", "never");
  set("khugepaged/pages_to_scan", "4096");
  set("khugepaged/scan_sleep_millisecs", "10000");
  return 0;
}
