// Calls about the process and the machine in their corners: limits, names, clocks, processors, random numbers.
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "errno_name.h"

static void show(const char *what, long r) {
  if (r == -1) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, r);
}
#define CALL(name, ...) show(#name "(" #__VA_ARGS__ ")", syscall(SYS_##name, ##__VA_ARGS__))

static long bad[4] = {-1, -1, -1, -1};
static char buffer[4096];

static void limits(void) {
  struct rlimit l;
  for (int r = 0; r < 18; r++) {
    if (r == RLIMIT_NPROC || r == RLIMIT_SIGPENDING || r == RLIMIT_MEMLOCK) continue;
    if (syscall(SYS_getrlimit, r, &l) == 0) printf("limit %d: %ld %ld\n", r, (long)l.rlim_cur, (long)l.rlim_max);
    else printf("limit %d: %s\n", r, errno_name(errno));
  }
  l.rlim_cur = 10, l.rlim_max = 5;
  CALL(setrlimit, RLIMIT_CORE, &l);
  l.rlim_cur = 5, l.rlim_max = 10;
  CALL(prlimit64, 0, RLIMIT_CORE, &l, &l);
  printf("old %ld %ld\n", (long)l.rlim_cur, (long)l.rlim_max);
  CALL(getrlimit, RLIMIT_CORE, &l);
  printf("now %ld %ld\n", (long)l.rlim_cur, (long)l.rlim_max);
  l.rlim_cur = 1 << 21, l.rlim_max = 1 << 21;
  CALL(setrlimit, RLIMIT_NOFILE, &l);
  CALL(prlimit64, 0, 16, NULL, &l);
  CALL(prlimit64, 0, 16, 8, &l);
  CALL(prlimit64, 99999, RLIMIT_CORE, NULL, &l);
  CALL(prlimit64, 0, RLIMIT_CORE, NULL, 8);
  CALL(setrlimit, 99, 8);
  l.rlim_cur = 1 << 20, l.rlim_max = -1;
  CALL(setrlimit, RLIMIT_DATA, &l);
  printf("malloc beyond RLIMIT_DATA: %d\n", malloc(8 << 20) == NULL);
  l.rlim_cur = -1;
  CALL(setrlimit, RLIMIT_DATA, &l);
}

static void names(void) {
  char name[20] = "unchanged";
  CALL(prctl, PR_SET_NAME, "a name that is too long", 0, 0, 0);
  CALL(prctl, PR_GET_NAME, name, 0, 0, 0);
  printf("%s\n", name);
  CALL(prctl, PR_SET_NAME, 8, 0, 0, 0);
  CALL(prctl, PR_GET_NAME, 8, 0, 0, 0);
  CALL(prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
  CALL(prctl, PR_SET_DUMPABLE, 2, 0, 0, 0);
  CALL(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  CALL(prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
  CALL(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  CALL(prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
  CALL(prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  CALL(prctl, PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0);
  CALL(prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
  CALL(prctl, PR_SET_THP_DISABLE, 1, 1, 0, 0);
  CALL(prctl, PR_GET_THP_DISABLE, 0, 0, 0, 0);
  CALL(prctl, PR_GET_TIMERSLACK, 0, 0, 0, 0);
  CALL(prctl, PR_SET_PDEATHSIG, 65, 0, 0, 0);
  CALL(prctl, PR_SET_PDEATHSIG, 9, 0, 0, 0);
  int sig = 0;
  CALL(prctl, PR_GET_PDEATHSIG, &sig, 0, 0, 0);
  printf("%d\n", sig);
  CALL(prctl, PR_CAPBSET_READ, 3, 0, 0, 0);
  CALL(prctl, PR_CAPBSET_READ, 99, 0, 0, 0);
  CALL(prctl, PR_GET_SECUREBITS, 0, 0, 0, 0);
  CALL(prctl, 9999, 0, 0, 0, 0);
  struct utsname u;
  CALL(uname, &u);
  printf("%s %s %.4s\n", u.sysname, u.machine, u.release);
  CALL(uname, 8);
  CALL(personality, 0xffffffff);
  CALL(personality, 0x0040000);
  CALL(personality, 0xffffffff);
  CALL(personality, 0);
}

static void clocks(void) {
  struct timespec t, u;
  struct timeval v;
  for (int c = 0; c < 13; c++) {
    int r = syscall(SYS_clock_getres, c, &t);
    printf("clock %d: res %s", c, r ? errno_name(errno) : t.tv_sec == 0 ? "0" : "?");
    if (!r) printf(" %ld", t.tv_nsec);
    printf(" get %d\n", (int)syscall(SYS_clock_gettime, c, &u) ? errno : 0);
  }
  CALL(clock_gettime, CLOCK_MONOTONIC, 8);
  CALL(clock_gettime, 99, 8);
  CALL(clock_getres, CLOCK_MONOTONIC, NULL);
  CALL(gettimeofday, &v, NULL);
  CALL(gettimeofday, 8, NULL);
  CALL(gettimeofday, NULL, NULL);
  clock_gettime(CLOCK_MONOTONIC, &t);
  usleep(2000);
  clock_gettime(CLOCK_MONOTONIC, &u);
  long passed = (u.tv_sec - t.tv_sec) * 1000000000 + u.tv_nsec - t.tv_nsec;
  printf("slept: %d\n", passed >= 2000000 && passed < 500000000);
  t = u;
  t.tv_nsec += 3000000;
  if (t.tv_nsec >= 1000000000) t.tv_nsec -= 1000000000, t.tv_sec++;
  CALL(clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
  clock_gettime(CLOCK_MONOTONIC, &u);
  printf("reached: %d\n", u.tv_sec > t.tv_sec || u.tv_nsec >= t.tv_nsec);
  CALL(clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
  CALL(clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL);
  CALL(clock_nanosleep, 99, 0, &t, NULL);
  CALL(clock_nanosleep, CLOCK_MONOTONIC, 0, 8, NULL);
  t.tv_sec = -1;
  CALL(nanosleep, &t, NULL);
  t.tv_sec = 0, t.tv_nsec = 0;
  CALL(nanosleep, &t, 8);
  CALL(getitimer, 5, &v);
  CALL(getitimer, 0, 8);
  struct itimerval it = {{0, 1000000}, {0, 0}};
  CALL(setitimer, 0, &it, NULL);
  CALL(setitimer, 0, NULL, NULL);
}

static void resources(void) {
  struct rusage r;
  struct tms tm;
  struct sysinfo s;
  unsigned long set[2] = {0, 0};
  CALL(getrusage, 0, &r);
  printf("%d %d %d\n", r.ru_minflt > 0, r.ru_maxrss > 0, r.ru_nsignals == 0);
  CALL(getrusage, -1, &r);
  printf("%ld\n", r.ru_minflt);
  CALL(getrusage, 1, &r);
  CALL(getrusage, 2, &r);
  CALL(getrusage, 0, 8);
  printf("times: %d\n", syscall(SYS_times, &tm) >= 0);
  CALL(times, 8);
  CALL(sysinfo, &s);
  printf("%d %d\n", s.mem_unit, s.totalram > s.freeram);
  CALL(sysinfo, 8);
  CALL(sched_getaffinity, 0, 8, set);
  CALL(sched_getaffinity, 0, 4, set);
  CALL(sched_getaffinity, 0, 12, set);
  CALL(sched_getaffinity, 0, 16, set);
  CALL(sched_getaffinity, 0, 128, set);
  CALL(sched_getaffinity, 99999, 8, set);
  CALL(sched_getaffinity, 0, 8, 8);
  CALL(sched_setaffinity, 0, 8, set);
  set[0] = 0;
  CALL(sched_setaffinity, 0, 8, set);
  CALL(sched_setaffinity, 0, 8, 8);
  CALL(sched_yield);
  CALL(sched_getscheduler, 0);
  CALL(sched_getscheduler, -1);
  CALL(sched_get_priority_max, 0);
  CALL(sched_get_priority_max, 1);
  CALL(sched_get_priority_min, 2);
  CALL(sched_get_priority_min, 77);
  CALL(sched_get_priority_max, 4);
  CALL(sched_get_priority_max, 7);
  CALL(sched_getparam, 0, set);
  CALL(sched_getparam, -1, set);
  CALL(sched_getparam, 0, NULL);
  CALL(getpriority, 0, 0);
  CALL(getpriority, 7, 0);
  unsigned cpu = 9, node = 9;
  CALL(getcpu, &cpu, &node, NULL);
  printf("%u\n", node);
  CALL(getcpu, 8, NULL, NULL);
}

static void others(void) {
  uint32_t three[3];
  CALL(getuid); CALL(geteuid); CALL(getgid); CALL(getegid);
  CALL(getresuid, &three[0], &three[1], &three[2]);
  CALL(getresuid, &three[0], 8, &three[2]);
  CALL(getgroups, 0, NULL);
  CALL(setuid, 0);
  CALL(setgid, 0);
  CALL(setresuid, -1, -1, -1);
  CALL(setresgid, 0, 0, 0);
  printf("%d\n", getpid() == syscall(SYS_gettid));
  printf("%d\n", syscall(SYS_set_tid_address, &three) == getpid());
  CALL(set_robust_list, buffer, 24);
  CALL(set_robust_list, buffer, 23);
  CALL(wait4, -1, NULL, 0, NULL);
  CALL(wait4, -1, NULL, 0x70, NULL);
  CALL(getrandom, buffer, 16, 0);
  CALL(getrandom, buffer, 16, 8);
  CALL(getrandom, buffer, 16, 6);
  CALL(getrandom, buffer, 0, 0);
  CALL(getrandom, 8, 16, 0);
  CALL(getrandom, buffer, 4096, 2);
  CALL(membarrier, 0, 0, 0);
  CALL(membarrier, 1, 0, 0);
  CALL(membarrier, 0, 1, 0);
  CALL(membarrier, 8, 0, 0);
  CALL(membarrier, 16, 0, 0);
  CALL(membarrier, 8, 0, 0);
  CALL(membarrier, 128, 1, 0);
  CALL(membarrier, 512, 0, 0);
  CALL(membarrier, 2, 0, 0);
  CALL(membarrier, 3, 0, 0);
  CALL(membarrier, 1 << 20, 0, 0);
  CALL(execve, "/nowhere", NULL, NULL);
  CALL(execve, "/proc", NULL, NULL);
  CALL(execve, 8, NULL, NULL);
  CALL(execve, "/proc/self/maps", NULL, NULL);
  CALL(execve, "/proc/self/exe", 8, NULL);
  long pointers[2] = {8, 0};
  CALL(execve, "/proc/self/exe", pointers, NULL);
  CALL(exit_group, 300);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  limits();
  names();
  clocks();
  resources();
  others();
  return 0;
}
