/* shm_open and /dev/shm: what it is, sharing, what unlink leaves, and a tmpfs that is full: ENOSPC, SIGBUS of a store, statfs. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG 4096L
#define RW (PROT_READ | PROT_WRITE)
static sigjmp_buf back;

static void caught(int signal, siginfo_t *info, void *context) {
  printf("[%d code %d] ", signal, info->si_code);
  siglongjmp(back, 1);
}
static void is(const char *what, long r) { printf("%s: %ld %s\n", what, r, r == -1 ? errno_name(errno) : ""); }
static void did(const char *what, long r) { printf("%s: %s\n", what, r == -1 ? errno_name(errno) : "ok"); }
static long used(void) {
  struct statfs s;
  statfs("/dev/shm", &s);
  return s.f_blocks - s.f_bfree;
}
static void lines(void) {
  FILE *f = fopen("/proc/self/maps", "r");
  char line[600];
  while (fgets(line, sizeof line, f)) if (strstr(line, "/dev/shm")) printf("  %.4s %.8s %s", strchr(line, ' ') + 1, strchr(line, ' ') + 6, strstr(line, "/dev"));
  fclose(f);
}

static void full(void) {
  struct statfs s;
  statfs("/dev/shm", &s);
  /* All but 16 pages are set aside by one file; what is left is used up in all ways. */
  int hog = shm_open("/hog", O_RDWR | O_CREAT, 0600), fd = shm_open("/full", O_RDWR | O_CREAT, 0600);
  is("set aside", syscall(SYS_fallocate, hog, 0, 0, (s.f_bfree - 16) * PG));
  statfs("/dev/shm", &s);
  printf("free %ld\n", (long)s.f_bfree);
  is("ftruncate", ftruncate(fd, 64 * PG));
  char *p = mmap(NULL, 64 * PG, RW, MAP_SHARED, fd, 0);
  int n = 0;
  if (sigsetjmp(back, 1) == 0) for (; n < 64; n++) p[n * PG] = 1;
  printf("stored %d pages\n", n);
  statfs("/dev/shm", &s);
  printf("free %ld\n", (long)s.f_bfree);
  is("load of a hole", sigsetjmp(back, 1) == 0 ? ((volatile char *)p)[40 * PG] : -2);
  static char bytes[3 * PG];
  is("write over", pwrite(fd, bytes, PG, 0));
  is("write a hole", pwrite(fd, bytes, PG, 20 * PG));
  is("write across", pwrite(fd, bytes, 3 * PG, 14 * PG));
  is("read a hole", pread(fd, bytes, PG, 20 * PG));
  is("fallocate a hole", syscall(SYS_fallocate, fd, 0, 20 * PG, PG));
  is("fallocate what is there", syscall(SYS_fallocate, fd, 0, 0, 16 * PG));
  is("copy from user", read(open("/dev/zero", O_RDONLY), p + 30 * PG, 10));
  is("populate", madvise(p, 20 * PG, 23));
  is("a new file", shm_open("/more", O_RDWR | O_CREAT, 0600) >= 0);
  char *own = mmap(NULL, 64 * PG, RW, MAP_PRIVATE, fd, 0);
  n = -1;
  if (sigsetjmp(back, 1) == 0) own[0] = 7, n = own[0];
  printf("private copy of a page that is there: %d\n", n);
  n = -1;
  if (sigsetjmp(back, 1) == 0) own[33 * PG] = 7, n = own[33 * PG];
  printf("private copy of a hole: %d\n", n);
  is("punch", syscall(SYS_fallocate, fd, 3, 0, 2 * PG));
  n = -1;
  if (sigsetjmp(back, 1) == 0) p[40 * PG] = 1, n = p[40 * PG];
  printf("store after punching: %d\n", n);
  is("unlink", shm_unlink("/full"));
  close(fd);
  munmap(p, 64 * PG), munmap(own, 64 * PG);
  statfs("/dev/shm", &s);
  printf("free %ld\n", (long)s.f_bfree);
  close(hog);
  shm_unlink("/hog"), shm_unlink("/more");
}

int main(int argc, char **argv) {
  struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
  sigaction(SIGBUS, &action, NULL);
  struct statfs s;
  struct sysinfo machine;
  struct stat st;
  stat("/dev/shm", &st);
  sysinfo(&machine);
  is("statfs", statfs("/dev/shm", &s));
  printf("type %lx bsize %ld name %ld half of RAM %d free %d\n", (long)s.f_type, (long)s.f_bsize, (long)s.f_namelen,
         (long)(s.f_blocks * 2 * PG - machine.totalram * machine.mem_unit) / (2 * PG) == 0, s.f_bfree == s.f_blocks && s.f_bavail == s.f_bfree);
  printf("mode %o\n", st.st_mode);
  is("not there", shm_open("/none", O_RDWR, 0));
  int fd = shm_open("/pagoda", O_RDWR | O_CREAT | O_EXCL, 0640);
  did("create", fd);
  is("exclusive", shm_open("/pagoda", O_RDWR | O_CREAT | O_EXCL, 0640));
  is("name with a slash", shm_open("/a/b", O_RDWR | O_CREAT, 0600));
  printf("cloexec %d\n", fcntl(fd, F_GETFD));
  fstat(fd, &st);
  printf("mode %o size %ld\n", st.st_mode, (long)st.st_size);
  is("ftruncate", ftruncate(fd, 3 * PG));
  char *p = mmap(NULL, 3 * PG, RW, MAP_SHARED, fd, 0);
  lines();
  printf("used %ld\n", used());
  p[0] = 'p', p[PG] = 'q';
  printf("used %ld\n", used());
  fflush(stdout);
  if (fork() == 0) {
    int other = shm_open("/pagoda", O_RDWR, 0);
    char *q = mmap(NULL, PG, RW, MAP_SHARED, other, PG);
    printf("child: %c %c %d\n", p[0], q[0], q == p);
    q[0] = 'c';
    p[2 * PG] = 'C';
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  printf("parent: %c %c used %ld\n", p[PG], p[2 * PG], used());
  int ro = shm_open("/pagoda", O_RDONLY, 0);
  printf("read only: %s\n", mmap(NULL, PG, RW, MAP_SHARED, ro, 0) == MAP_FAILED ? errno_name(errno) : "mapped");
  char *r = mmap(NULL, PG, PROT_READ, MAP_SHARED, ro, 0);
  did("mprotect up", mprotect(r, PG, RW));
  printf("%c\n", r[0]);
  is("unlink", shm_unlink("/pagoda"));
  is("unlink again", shm_unlink("/pagoda"));
  lines();
  p[0] = 'u';
  printf("%c used %ld\n", r[0], used());
  munmap(p, 3 * PG), munmap(r, PG), close(fd);
  printf("used %ld\n", used());
  close(ro);
  printf("used %ld\n", used());
  if (argc > 1 && !strcmp(argv[1], "full")) full();
  return 0;
}
