/* khugepaged, woken every few milliseconds: what it makes huge, what it leaves as it is, and what is told of it. */
#include "collapse.h"
#include <sys/prctl.h>
#include <sys/wait.h>

#define SYS "/sys/kernel/mm/transparent_hugepage/"

static void set(const char *name, const char *value) {
  char path[128];
  snprintf(path, sizeof path, SYS "%s", name);
  int fd = open(path, O_WRONLY);
  if (write(fd, value, strlen(value)) < 0) printf("%s = %s: %s\n", name, value, strerror(errno));
  close(fd);
}

static long number(const char *name) {
  char path[128], text[32];
  snprintf(path, sizeof path, SYS "khugepaged/%s", name);
  int fd = open(path, O_RDONLY);
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  text[n < 0 ? 0 : n] = 0;
  return atol(text);
}

/* Two rounds that begin after now. */
static void rounds(void) {
  long wanted = number("full_scans") + 3;
  for (int i = 0; i < 2000 && number("full_scans") < wanted; i++) usleep(5000);
  if (number("full_scans") < wanted) printf("  no rounds\n");
}

static long allocated, collapsed, none, shared;

static void begin(const char *what) {
  printf("%s\n", what);
  allocated = counter("thp_collapse_alloc");
  collapsed = number("pages_collapsed");
  none = counter("thp_scan_exceed_none_pte");
  shared = counter("thp_scan_exceed_share_pte");
}

static void told(void) {
  printf("  taken %ld, made %ld, too many missing %d, too many shared %d\n", counter("thp_collapse_alloc") - allocated,
    number("pages_collapsed") - collapsed, counter("thp_scan_exceed_none_pte") > none, counter("thp_scan_exceed_share_pte") > shared);
}

static void contents(char *start, long pages) {
  long same = 0, zero = 0;
  for (long i = 0; i < pages; i++) {
    long value = *(volatile long *)(start + i * PG);
    same += value == i + 1;
    zero += value == 0;
  }
  printf("  %ld as written, %ld zero\n", same, zero);
}

/* Small pages, and nothing is known of them yet. */
static char *small(long pages, long from, long to) {
  char *p = mmap(BASE, pages * PG, RW, PRIV | MAP_FIXED, -1, 0);
  if (p != BASE) perror("mmap");
  madvise(p, pages * PG, MADV_NOHUGEPAGE);
  fill(p, from, to);
  return p;
}

static void wait_and_see(char *p, long pages) {
  rounds();
  smaps("after", p);
  told();
  printf("  in core %ld\n", in_core(p, pages));
}

static void done(void) { clear(8 * HUGE_PAGES); }

static void anonymous(void) {
  begin("advised");
  char *p = small(2 * HUGE_PAGES, 0, 2 * HUGE_PAGES);
  madvise(p, HUGE, MADV_HUGEPAGE);
  wait_and_see(p, HUGE_PAGES);
  contents(p, 2 * HUGE_PAGES);
  done();
  begin("not advised");
  p = mmap(BASE, HUGE, RW, PRIV | MAP_FIXED, -1, 0);
  fill(p, 0, HUGE_PAGES);
  wait_and_see(p, HUGE_PAGES);
  set("enabled", "always");
  wait_and_see(p, HUGE_PAGES);
  contents(p, HUGE_PAGES);
  set("enabled", "madvise");
  done();
  begin("advised against");
  p = small(HUGE_PAGES, 0, HUGE_PAGES);
  wait_and_see(p, HUGE_PAGES);
  done();
  begin("switched off for the process");
  p = small(HUGE_PAGES, 0, HUGE_PAGES);
  madvise(p, HUGE, MADV_HUGEPAGE);
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  wait_and_see(p, HUGE_PAGES);
  prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
  wait_and_see(p, HUGE_PAGES);
  done();
  begin("not in the size");
  set("hugepages-2048kB/enabled", "never");
  p = small(HUGE_PAGES, 0, HUGE_PAGES);
  madvise(p, HUGE, MADV_HUGEPAGE);
  usleep(100000);
  smaps("after", p);
  set("hugepages-2048kB/enabled", "inherit");
  madvise(p, HUGE, MADV_HUGEPAGE);
  wait_and_see(p, HUGE_PAGES);
  done();
  begin("off the multiples");
  p = small(3 * HUGE_PAGES, 7, 3 * HUGE_PAGES - 7);
  madvise(p + 7 * PG, 3 * HUGE - 14 * PG, MADV_HUGEPAGE);
  wait_and_see(p + 7 * PG, 2 * HUGE_PAGES);
  done();
}

static void missing(void) {
  begin("one page is missing, none may be");
  set("khugepaged/max_ptes_none", "0");
  char *p = small(HUGE_PAGES, 1, HUGE_PAGES);
  madvise(p, HUGE, MADV_HUGEPAGE);
  wait_and_see(p, HUGE_PAGES);
  fill(p, 0, 1);
  wait_and_see(p, HUGE_PAGES);
  contents(p, HUGE_PAGES);
  done();
  begin("all but one are missing");
  set("khugepaged/max_ptes_none", "511");
  p = small(HUGE_PAGES, 17, 18);
  madvise(p, HUGE, MADV_HUGEPAGE);
  wait_and_see(p, HUGE_PAGES);
  contents(p, HUGE_PAGES);
  done();
  begin("zeroes only");
  p = small(HUGE_PAGES, 0, 0);
  contents(p, HUGE_PAGES);
  madvise(p, HUGE, MADV_HUGEPAGE);
  wait_and_see(p, HUGE_PAGES);
  done();
  begin("nothing may be written");
  p = small(HUGE_PAGES, 0, HUGE_PAGES);
  mprotect(p, HUGE, PROT_READ);
  madvise(p, HUGE, MADV_HUGEPAGE);
  wait_and_see(p, HUGE_PAGES);
  mprotect(p, HUGE, RW);
  fill(p, 0, 1);
  wait_and_see(p, HUGE_PAGES);
  done();
}

static void forked(const char *what, const char *limit, long written) {
  begin(what);
  set("khugepaged/max_ptes_shared", limit);
  char *p = small(HUGE_PAGES, 0, HUGE_PAGES);
  fflush(stdout);
  if (fork() == 0) {
    fill(p, 0, written);
    madvise(p, HUGE, MADV_HUGEPAGE);
    wait_and_see(p, HUGE_PAGES);
    contents(p, HUGE_PAGES);
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  smaps("parent", p);
  madvise(p, HUGE, MADV_HUGEPAGE);
  fill(p, 0, 1);
  rounds();
  smaps("alone", p);
  contents(p, HUGE_PAGES);
  done();
}

static void machine(void) {
  printf("  ShmemHugePages %ld ShmemPmdMapped %ld AnonHugePages %ld\n", field("/proc/meminfo", "ShmemHugePages", NULL),
    field("/proc/meminfo", "ShmemPmdMapped", NULL), field("/proc/meminfo", "AnonHugePages", NULL));
}

static char *file_of(int fd, long pages, int flags) {
  char *p = mmap(BASE, pages * PG, RW, flags | MAP_FIXED, fd, 0);
  if (p != BASE) perror("mmap");
  return p;
}

static void of_files(const char *what, int flags) {
  begin(what);
  int fd = memory_file(2 * HUGE_PAGES);
  char *p = file_of(fd, 2 * HUGE_PAGES, MAP_SHARED);
  fill(p, 0, 2 * HUGE_PAGES);
  if (flags == MAP_PRIVATE) p = file_of(fd, 2 * HUGE_PAGES, MAP_PRIVATE), contents(p, 2 * HUGE_PAGES);
  set("shmem_enabled", "advise");
  madvise(p, HUGE, MADV_HUGEPAGE);
  rounds();
  machine();
  smaps("after", p);
  printf("  taken %ld\n", counter("thp_collapse_alloc") - allocated);
  contents(p, 2 * HUGE_PAGES);
  smaps("used", p);
  machine();
  p[5 * PG] = 1;
  smaps("written", p);
  rounds();
  smaps("later", p);
  machine();
  set("shmem_enabled", "never");
  done();
  close(fd);
}

static void shared_memory(void) {
  of_files("shared file", MAP_SHARED);
  of_files("private file", MAP_PRIVATE);
  begin("shared by a fork");
  set("shmem_enabled", "advise");
  char *p = mmap(BASE, HUGE, RW, SHAR | MAP_FIXED, -1, 0);
  fill(p, 0, 9);
  fflush(stdout);
  if (fork() == 0) {
    madvise(p, HUGE, MADV_HUGEPAGE);
    rounds();
    smaps("child", p);
    contents(p, HUGE_PAGES);
    smaps("child, used", p);
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  contents(p, HUGE_PAGES);
  smaps("parent", p);
  machine();
  done();
  begin("holes, none may be");
  set("khugepaged/max_ptes_none", "0");
  int fd = memory_file(HUGE_PAGES);
  p = file_of(fd, HUGE_PAGES, MAP_SHARED);
  fill(p, 0, HUGE_PAGES - 1);
  madvise(p, HUGE, MADV_HUGEPAGE);
  rounds();
  machine();
  told();
  fill(p, HUGE_PAGES - 1, HUGE_PAGES);
  rounds();
  machine();
  set("khugepaged/max_ptes_none", "511");
  set("shmem_enabled", "never");
  done();
  close(fd);
}

static void switches(void) {
  begin("off");
  set("enabled", "never");
  char *p = small(HUGE_PAGES, 0, HUGE_PAGES);
  madvise(p, HUGE, MADV_HUGEPAGE);
  long before = number("full_scans");
  usleep(100000);
  printf("  rounds %ld\n", number("full_scans") - before);
  smaps("after", p);
  set("shmem_enabled", "advise");
  usleep(100000);
  printf("  rounds of shared memory %d\n", number("full_scans") > before);
  smaps("after", p);
  set("shmem_enabled", "never");
  set("enabled", "madvise");
  wait_and_see(p, HUGE_PAGES);
  done();
  begin("asleep");
  set("khugepaged/scan_sleep_millisecs", "3600000");
  usleep(50000);
  before = number("full_scans");
  p = small(HUGE_PAGES, 0, HUGE_PAGES);
  madvise(p, HUGE, MADV_HUGEPAGE);
  usleep(100000);
  printf("  rounds %ld\n", number("full_scans") - before);
  smaps("after", p);
  set("khugepaged/scan_sleep_millisecs", "5");
  wait_and_see(p, HUGE_PAGES);
  done();
}

int main(void) {
  set("enabled", "madvise");
  set("khugepaged/scan_sleep_millisecs", "5");
  set("khugepaged/alloc_sleep_millisecs", "5");
  anonymous();
  missing();
  forked("half of the pages are shared, one too many", "255", HUGE_PAGES / 2);
  forked("half of the pages are shared, as many as may be", "256", HUGE_PAGES / 2);
  shared_memory();
  switches();
  set("khugepaged/scan_sleep_millisecs", "10000");
  set("khugepaged/alloc_sleep_millisecs", "60000");
  set("enabled", "always");
  return 0;
}
