/* The vdso: its symbols as ld.so finds them, and that it tells the same time as the system calls. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long ns(struct timespec t) { return t.tv_sec * 1000000000L + t.tv_nsec; }
typedef int (*gettime_t)(clockid_t, struct timespec *);

int main(void) {
  void *vdso = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
  static const char *const names[] = {"rt_sigreturn", "clock_gettime", "gettimeofday", "clock_getres", "getcpu", "flush_icache", "riscv_hwprobe"};
  char name[64];
  for (int i = 0; i < 7; i++) {
    snprintf(name, sizeof name, "__vdso_%s", names[i]);
    printf("%s %d %d\n", name, vdso && dlvsym(vdso, name, "LINUX_4.15") != 0, vdso && dlsym(vdso, "__vdso_time") != 0);
  }
  gettime_t gettime = (gettime_t)dlvsym(vdso, "__vdso_clock_gettime", "LINUX_4.15");
  gettime_t getres = (gettime_t)dlvsym(vdso, "__vdso_clock_getres", "LINUX_4.15");
  struct timespec a, b;
  for (int clock = -1; clock < 13; clock++) {
    int backwards = 0, r = 0, s = 0;
    for (int i = 0; i < 200; i++) {
      s = syscall(SYS_clock_gettime, clock, &a), r = gettime(clock, &b);
      if (s == 0 && ns(a) > ns(b)) backwards++;
      if (clock != 2 && clock != 3 && s == 0 && (syscall(SYS_clock_gettime, clock, &a), ns(b) > ns(a))) backwards++;
    }
    printf("clock %d: %d %s, backwards %d", clock, r, s ? strerror(errno) : "", backwards);
    b = (struct timespec){7, 7};
    r = getres(clock, &b), s = syscall(SYS_clock_getres, clock, &a);
    printf(", resolution %d %d same %d\n", r, s ? errno : 0, s || ns(a) == ns(b));
  }
  struct timeval v, w;
  struct timezone z = {5, 5};
  gettimeofday(&v, 0), clock_gettime(CLOCK_REALTIME, &a), gettimeofday(&w, 0);
  printf("of day %d", v.tv_sec * 1000000L + v.tv_usec <= ns(a) / 1000 && ns(a) / 1000 <= w.tv_sec * 1000000L + w.tv_usec);
  int (*today)(struct timeval *, struct timezone *) = dlvsym(vdso, "__vdso_gettimeofday", "LINUX_4.15");
  printf(" %d", today(0, &z));
  printf(" zone %d %d, nothing %d\n", z.tz_minuteswest, z.tz_dsttime, today(0, 0));
  printf("getres without room %d\n", getres(CLOCK_MONOTONIC, 0));
  unsigned cpu = 99, node = 99;
  int (*getcpu_)(unsigned *, unsigned *, void *) = dlvsym(vdso, "__vdso_getcpu", "LINUX_4.15");
  printf("getcpu %d %d\n", getcpu_(&cpu, &node, 0), node);
  clock_gettime(CLOCK_MONOTONIC, &a);
  usleep(20000);
  gettime(CLOCK_MONOTONIC, &b);
  printf("slept %d\n", ns(b) - ns(a) >= 20000000);
  int (*flush)(long, long, long) = dlvsym(vdso, "__vdso_flush_icache", "LINUX_4.15");
  printf("flush %d %d\n", flush(0, -1L, 0), flush(0, -1L, 2));
  struct { long key; unsigned long value; } pair[3] = {{3, 9}, {77, 9}, {4, 0}};
  int (*probe)(void *, size_t, size_t, void *, unsigned) = dlvsym(vdso, "__vdso_riscv_hwprobe", "LINUX_4.15");
  printf("probe %d: %ld %lu, %ld %lu, %ld %lu", probe(pair, 3, 0, 0, 0), pair[0].key, pair[0].value, pair[1].key, pair[1].value, pair[2].key, pair[2].value & 3);
  printf(", flags %d\n", probe(pair, 1, 0, 0, 2));
  return 0;
}
