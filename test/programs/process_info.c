/* What a program learns of its machine and of itself: auxiliary vector, uname, limits, clocks, environment. */
#define _GNU_SOURCE
#include <elf.h>
#include "errno_name.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
  printf("argc %d", argc);
  for (int i = 0; i < argc; i++) printf(" [%s]", argv[i]);
  puts("");
  for (char **e = environ; *e; e++) printf("env %s\n", *e);
  printf("hwcap %lx pagesize %lu clktck %lu secure %lu flags %lu phent %lu uid %lu base %lu\n", getauxval(AT_HWCAP), getauxval(AT_PAGESZ), getauxval(AT_CLKTCK),
         getauxval(AT_SECURE), getauxval(AT_FLAGS), getauxval(AT_PHENT), getauxval(AT_UID), getauxval(AT_BASE));
  printf("execfn %s random %d phdr %d entry %d hwcap2 %lu\n", (char *)getauxval(AT_EXECFN), getauxval(AT_RANDOM) != 0, getauxval(AT_PHDR) != 0, getauxval(AT_ENTRY) != 0,
         getauxval(AT_HWCAP2));
  struct utsname u;
  uname(&u);
  printf("%s %.4s %s\n", u.sysname, u.release, u.machine);
  struct rlimit r;
  for (int i = 0; i < 16; i++) {
    if (i == RLIMIT_NPROC || i == RLIMIT_SIGPENDING || i == RLIMIT_MEMLOCK) continue; /* depend on the size of RAM */
    getrlimit(i, &r), printf("limit %d %lx %lx\n", i, (unsigned long)r.rlim_cur, (unsigned long)r.rlim_max);
  }
  struct timespec a, b, tick;
  clock_getres(CLOCK_MONOTONIC, &tick);
  clock_gettime(CLOCK_MONOTONIC, &a);
  nanosleep(&(struct timespec){0, 20000000}, NULL);
  clock_gettime(CLOCK_MONOTONIC, &b);
  long slept = (b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec;
  printf("resolution %ld slept enough %d\n", tick.tv_nsec, slept >= 20000000);
  printf("bad clock %d %s\n", clock_gettime(99, &a), errno_name(errno));
  printf("ids %d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
  printf("page %ld files %ld\n", sysconf(_SC_PAGESIZE), sysconf(_SC_OPEN_MAX));
  char *name = "pagoda-test";
  (void)name;
  printf("cwd %s\n", getcwd((char[64]){0}, 64));
  return 0;
}
