/* memfd_secret(2): flags, what the file refuses, memory that only the program itself reaches, and the limit of it. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG 4096UL
static void show(const char *what, long r) {
  if (r == -1) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, r);
}
static void mapped(const char *what, void *p) { printf("%s: %s\n", what, p == MAP_FAILED ? errno_name(errno) : "mapped"); }
static void line_of(const char *file, char *p, const char *const *keys) {
  FILE *f = fopen(file, "r");
  char line[512];
  int found = 0;
  while (fgets(line, 512, f)) {
    unsigned long a, b;
    if (sscanf(line, "%lx-%lx", &a, &b) == 2) {
      found = (unsigned long)p >= a && (unsigned long)p < b;
      if (found) {
        char *name = strchr(line, '/');
        printf("%.4s %s", strchr(line, ' ') + 1, name ? name : "-\n");
      }
    } else if (found)
      for (int i = 0; keys && keys[i]; i++)
        if (!strncmp(line, keys[i], strlen(keys[i]))) fputs(line, stdout);
  }
  fclose(f);
}
static sigjmp_buf out;
static void caught(int sig, siginfo_t *info, void *context) { siglongjmp(out, sig << 8 | info->si_code); }
static void touch(const char *what, volatile char *p) {
  int r = sigsetjmp(out, 1);
  if (r == 0) *p = 1, printf("%s: ok\n", what);
  else printf("%s: signal %d code %d\n", what, r >> 8, r & 255);
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 65536);
  struct sigaction a = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
  sigaction(SIGBUS, &a, NULL), sigaction(SIGSEGV, &a, NULL);
  for (int bit = 0; bit < 32; bit++) {
    long r = syscall(447, 1u << bit);
    if (r >= 0) printf("flag %d accepted, close-on-exec %d\n", bit, fcntl(r, F_GETFD)), close(r);
    else if (errno != EINVAL) printf("flag %d: %s\n", bit, errno_name(errno));
  }
  int fd = syscall(447, 0), other = syscall(447, 0);
  printf("made %d, flags %x %x\n", fd >= 0, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
  struct stat st;
  fstat(fd, &st);
  printf("mode %o size %ld links %ld blksize %ld\n", st.st_mode, (long)st.st_size, (long)st.st_nlink, (long)st.st_blksize);
  char text[256], path[64];
  snprintf(path, 64, "/proc/self/fd/%d", fd);
  int n = readlink(path, text, 255);
  printf("link %.*s\n", n, text);
  mapped("before it has a size", mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  show("read", read(fd, text, 8)), show("write", write(fd, text, 8)), show("pread", pread(fd, text, 8, 0)), show("lseek", lseek(fd, 0, SEEK_END));
  show("fallocate", fallocate(fd, 0, 0, PG));
  show("seals", fcntl(fd, F_GET_SEALS));
  show("punch", fallocate(fd, 3, 0, PG)), show("fsync", fsync(fd)), show("bad mode", fallocate(fd, 0x1000, 0, PG)), show("fchmod", fchmod(fd, 0644));
  struct statfs fs;
  fstatfs(fd, &fs);
  printf("magic %lx\n", (long)fs.f_type);
  show("ftruncate", ftruncate(fd, 4 * PG + 5));
  show("the same size again", ftruncate(fd, 4 * PG + 5));
  show("larger", ftruncate(fd, 8 * PG));
  show("smaller", ftruncate(fd, PG));
  fstat(fd, &st);
  printf("size %ld blocks %ld\n", (long)st.st_size, (long)st.st_blocks);
  mapped("private", mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  mapped("executable", mmap(NULL, PG, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0));
  mapped("validated", mmap(NULL, PG, PROT_READ, MAP_SHARED_VALIDATE, fd, 0));
  mapped("beyond its end", mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, 100 * PG));
  char *p = mmap(NULL, 6 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  mapped("shared", p);
  strcpy(p, "a secret");
  static const char *const keys[] = {"Rss", "VmFlags", "Locked", NULL};
  line_of("/proc/self/smaps", p, keys);
  show("written by the program", write(memfd_create("m", 0), p, 8));
  struct iovec l = {text, 8}, r = {p, 8};
  show("process_vm_readv", syscall(270, getpid(), &l, 1, &r, 1, 0));
  show("process_vm_writev", syscall(271, getpid(), &l, 1, &r, 1, 0));
  int mem = open("/proc/self/mem", O_RDWR);
  show("/proc/self/mem", pread(mem, text, 8, (off_t)p));
  show("to /proc/self/mem", pwrite(mem, "x", 1, (off_t)p));
  int pipes[2];
  (void)!pipe(pipes);
  struct iovec two[2] = {{text, 8}, {p, 8}};
  show("vmsplice", vmsplice(pipes[1], two + 1, 1, 0)), show("vmsplice of both", vmsplice(pipes[1], two, 2, 0));
  show("into a pipe", write(pipes[1], p, 8)), show("out of it", read(pipes[0], p, 16));
  touch("second page", p + PG), touch("last page", p + 4 * PG), touch("past the end", p + 5 * PG);
  show("mlock", mlock(p, PG)), show("munlock", munlock(p, PG));
  show("mprotect to execute", mprotect(p, PG, PROT_READ | PROT_EXEC));
  show("madvise DONTNEED", madvise(p + 2 * PG, PG, MADV_DONTNEED));
  show("madvise DODUMP", madvise(p, PG, MADV_DODUMP));
  show("madvise POPULATE_READ", madvise(p, 2 * PG, 22));
  show("madvise REMOVE", madvise(p, PG, MADV_REMOVE));
  show("msync", msync(p, PG, MS_SYNC));
  unsigned char vec[6] = {0};
  show("mincore", mincore(p, 6 * PG, vec));
  printf("%d%d%d%d%d%d\n", vec[0], vec[1], vec[2], vec[3], vec[4], vec[5]);
  mapped("mremap", mremap(p, 6 * PG, 8 * PG, MREMAP_MAYMOVE));
  fflush(stdout);
  if (fork() == 0) {
    printf("in a child: %s\n", p);
    strcpy(p, "changed");
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  printf("and here: %s\n", p);
  fflush(stdout);
  if (fork() == 0) {
    struct rlimit limit = {8 * PG, 8 * PG};
    setrlimit(RLIMIT_MEMLOCK, &limit);
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    ftruncate(other, 64 * PG);
    mapped("64 pages over the limit", mmap(NULL, 64 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0));
    mapped("8 pages within the limit", mmap(NULL, 8 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0));
    mapped("one more", mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0));
    char *q = mmap(NULL, 64 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
    int all = 0;
    for (int i = 0; i < 64 && !sigsetjmp(out, 1); i++) q[i * PG] = 1, all = i + 1;
    printf("root's pages count against the limit: %d of them\n", all);
    int mine = syscall(447, 0);
    ftruncate(mine, 64 * PG);
    q = mmap(NULL, 64 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, mine, 0);
    for (int i = 0; i < 8; i++) q[i * PG] = 1;
    touch("the ninth", q + 8 * PG), touch("the first again", q);
    int more = syscall(447, 0);
    ftruncate(more, PG);
    char *r = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, more, 0);
    touch("another file", r);
    munmap(q, 64 * PG), close(mine);
    touch("when the first is gone", r);
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  return 0;
}
