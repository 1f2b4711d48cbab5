/* What lies at the edges of several calls: stacks that grow for who looks from outside, strings that need more stack than there may be, mlock, futexes and
 * other calls on memfd_secret(2), remap_file_pages(2) of a sealed file, SHM_LOCK of several segments, SHM_NORESERVE under strict overcommit. */
#include "call.h"
#include <linux/futex.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/uio.h>

#define memfd_secret() ((int)syscall(447, 0))
static void part(const char *what, void (*act)(void)) {
  printf("%s\n", what);
  fflush(stdout);
  int child = fork(), status;
  if (child == 0) {
    act();
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, &status, 0);
  if (status) printf("ended with %x\n", status);
}

static void growing(long page) {
  mmap(AT(page), PG, RW, PRIV | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
  *AT(page) = 's';
}

static void through_mem(void) {
  static char bytes[4 * PG];
  int fd = open("/proc/self/mem", O_RDWR);
  growing(100);
  printf("write %ld\n", (long)pwrite(fd, "below", 5, (long)AT(95) + 8));
  maps("grown", 1000);
  printf("read %ld\n", (long)pread(fd, bytes, 8, (long)AT(90) + 8));
  maps("grown again", 1000);
  mmap(AT(10), PG, RW, PRIV | MAP_FIXED, -1, 0);
  printf("beyond the limit %ld %s\n", (long)pread(fd, bytes, 8, (long)AT(12)), errno_name(errno));
  struct rlimit limit = {20 * PG, RLIM_INFINITY};
  setrlimit(RLIMIT_STACK, &limit);
  printf("beyond another limit %ld %s\n", (long)pread(fd, bytes, 8, (long)AT(60)), errno_name(errno));
  mmap(AT(83), PG, 0, PRIV | MAP_FIXED, -1, 0);
  mprotect(AT(83), PG, PROT_READ);
  printf("too near %ld\n", (long)pwrite(fd, "x", 1, (long)AT(84)));
  mprotect(AT(83), PG, 0);
  printf("nearer to what cannot be used %ld\n", (long)pwrite(fd, "x", 1, (long)AT(84)));
  printf("across a gap %ld\n", (long)pread(fd, bytes, 4 * PG, (long)AT(83)));
  maps("now", 1000);
  munmap(AT(0), 200 * PG);
  growing(100);
  mmap(AT(97), PG, PROT_NONE, PRIV | MAP_FIXED, -1, 0);
  printf("from below the gap to above %ld\n", (long)pread(fd, bytes, 4 * PG, (long)AT(97)));
  maps("now", 1000);
  munmap(AT(100), PG);
  mmap(AT(100), PG, RW, PRIV | MAP_FIXED, -1, 0);
  printf("no stack %ld\n", (long)pwrite(fd, "x", 1, (long)AT(99)));
}

static void through_others(void) {
  struct iovec own = {AT(300), 8}, other = {AT(98), 8};
  growing(100);
  mmap(AT(300), PG, RW, PRIV | MAP_FIXED, -1, 0);
  printf("process_vm_readv %ld\n", (long)process_vm_readv(getpid(), &own, 1, &other, 1, 0));
  fflush(stdout);
  int child = fork(), status;
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    maps("of the tracee", 200);
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, &status, 0);
  errno = 0;
  printf("peek %ld", ptrace(PTRACE_PEEKDATA, child, AT(98) + 8, 0));
  printf(" %s\n", errno_name(errno));
  is("poke", ptrace(PTRACE_POKEDATA, child, AT(95) + 8, 1));
  is("poke across", ptrace(PTRACE_POKEDATA, child, AT(95) - 4, 1));
  is("poke far away", ptrace(PTRACE_POKEDATA, child, AT(95) - (16L << 20), 1));
  ptrace(PTRACE_CONT, child, 0, 0);
  waitpid(child, &status, 0);
  maps("own", 200);
}

static void try_exec(const char *what, char *argument) {
  int status;
  printf("%s: ", what);
  fflush(stdout);
  int child = fork();
  if (child == 0) {
    execl("/proc/self/exe", "memory_edges", "nothing", argument, NULL);
    printf("%s ", errno_name(errno));
    fflush(stdout);
    _exit(1);
  }
  waitpid(child, &status, 0);
  printf("%x\n", status);
}

static void strings(void) {
  static char text[70001];
  struct rlimit limit = {64 * 1024, RLIM_INFINITY};
  personality(ADDR_NO_RANDOMIZE);
  memset(text, 'a', sizeof text - 1);
  try_exec("no limit", text);
  setrlimit(RLIMIT_STACK, &limit);
  try_exec("70000 bytes on 64 KiB", text);
  text[40000] = 0;
  try_exec("40000 bytes on 64 KiB", text);
  limit.rlim_cur = 8192;
  setrlimit(RLIMIT_STACK, &limit);
  try_exec("40000 bytes on 8 KiB", text);
  text[8000] = 0;
  try_exec("8000 bytes on 8 KiB", text);
  text[5000] = 0;
  try_exec("5000 bytes on 8 KiB", text);
  limit.rlim_cur = 0;
  setrlimit(RLIMIT_STACK, &limit);
  try_exec("5000 bytes on none", text);
  try_exec("few bytes on none", "few");
}

static void show_secret(const char *what) {
  char line[512];
  FILE *f = fopen("/proc/self/smaps", "r");
  printf("  %s:", what);
  for (int is_one = 0; fgets(line, sizeof line, f);) {
    unsigned long start;
    if (sscanf(line, "%lx-", &start) == 1 && strchr(line, '-') && strchr(line, '-') < line + 12)
      is_one = strstr(line, "secretmem") != NULL ? printf(" [page %ld", (long)((start - (unsigned long)BASE) / PG)) : 0;
    if (!is_one) continue;
    if (!strncmp(line, "Rss:", 4) || !strncmp(line, "Locked:", 7)) printf(" %ld", atol(strchr(line, ':') + 1));
    if (!strncmp(line, "VmFlags:", 8)) printf(" %.*s]", (int)strlen(line) - 10, line + 9);
  }
  fclose(f);
  char *locked = strstr(text_of("/proc/self/status"), "VmLck:");
  printf(" VmLck %ld\n", atol(locked + 6));
}

static void secrets(void) {
  int fd = memfd_secret();
  ftruncate(fd, 8 * PG);
  mmap(AT(0), 8 * PG, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  for (int i = 0; i < 4; i++) *(int *)AT(i) = i + 1;
  show_secret("written");
  is("mlock", mlock(AT(0), 4 * PG));
  is("mlock of what is not there", mlock(AT(4), PG));
  is("mlock2", syscall(SYS_mlock2, AT(0), 4 * PG, 1));
  show_secret("not locked");
  is("munlock", munlock(AT(0), 8 * PG));
  is("pageout", madvise(AT(0), 8 * PG, MADV_PAGEOUT));
  is("cold", madvise(AT(0), 8 * PG, MADV_COLD));
  show_secret("all there");
  is("mlockall", mlockall(MCL_CURRENT));
  show_secret("all locked");
  munlockall();
  show_secret("unlocked");
  is("futex wake", syscall(SYS_futex, AT(0), FUTEX_WAKE, 1, 0, 0, 0));
  is("futex wait", syscall(SYS_futex, AT(0), FUTEX_WAIT, 99, 0, 0, 0));
  is("private futex wake", syscall(SYS_futex, AT(0), FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  is("private futex wait", syscall(SYS_futex, AT(0), FUTEX_WAIT_PRIVATE, 99, 0, 0, 0));
  is("remap_file_pages", remap_file_pages(AT(1), 2 * PG, 0, 4, 0));
  show_secret("remapped");
  printf("there: %d %d %d\n", *(int *)AT(0), *(int *)AT(1), *(int *)AT(3));
}

static void sealed(void) {
  int fd = memfd_create("m", MFD_ALLOW_SEALING);
  ftruncate(fd, 8 * PG);
  mmap(AT(0), 4 * PG, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  is("seal", fcntl(fd, F_ADD_SEALS, 0x10 /* F_SEAL_FUTURE_WRITE */));
  is("remap_file_pages", remap_file_pages(AT(1), PG, 0, 5, 0));
  maps("as before", 10);
  mprotect(AT(2), PG, PROT_READ);
  is("of what is not written", remap_file_pages(AT(2), PG, 0, 6, 0));
  is("mprotect", mprotect(AT(2), PG, RW));
  maps("then", 10);
}

static void locked_segments(void) {
  int id[3];
  struct rlimit limit = {16 * PG, RLIM_INFINITY};
  setrlimit(RLIMIT_MEMLOCK, &limit);
  for (int i = 0; i < 3; i++) id[i] = shmget(IPC_PRIVATE, (i == 0 ? 4 : i == 1 ? 13 : 12) * PG, IPC_CREAT | 0600);
  is("by root", shmctl(id[1], SHM_LOCK, 0));
  is("unlocked by root", shmctl(id[1], SHM_UNLOCK, 0));
  for (int i = 0; i < 3; i++) {
    struct shmid_ds d;
    shmctl(id[i], IPC_STAT, &d);
    d.shm_perm.uid = 1000;
    shmctl(id[i], IPC_SET, &d);
  }
  if (setuid(1000)) perror("setuid");
  is("4 pages", shmctl(id[0], SHM_LOCK, 0));
  is("again", shmctl(id[0], SHM_LOCK, 0));
  is("13 more", shmctl(id[1], SHM_LOCK, 0));
  is("12 more", shmctl(id[2], SHM_LOCK, 0));
  is("16 of mlock", ({ mmap(AT(0), 17 * PG, RW, PRIV | MAP_FIXED, -1, 0); mlock(AT(0), 16 * PG); }));
  is("4 less", shmctl(id[0], SHM_UNLOCK, 0));
  is("4 less again", shmctl(id[0], SHM_UNLOCK, 0));
  is("13 more", shmctl(id[1], SHM_LOCK, 0));
  is("4 again", shmctl(id[0], SHM_LOCK, 0));
  is("12 gone", shmctl(id[2], IPC_RMID, 0));
  is("13 more with 4", shmctl(id[1], SHM_LOCK, 0));
  shmctl(id[0], SHM_UNLOCK, 0);
  is("13 alone", shmctl(id[1], SHM_LOCK, 0));
  limit.rlim_cur = 0;
  setrlimit(RLIMIT_MEMLOCK, &limit);
  is("no limit left, locked", shmctl(id[1], SHM_LOCK, 0));
  is("unlocked", shmctl(id[1], SHM_UNLOCK, 0));
  shmctl(id[0], IPC_RMID, 0);
  shmctl(id[1], IPC_RMID, 0);
}

static int segment(long bytes, int flags) {
  int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600 | flags);
  if (id >= 0) shmctl(id, IPC_RMID, 0);
  return id < 0 ? -1 : 0;
}

static void strict(void) {
  long all = 16L << 30;
  is("reserved, guess", segment(all, 0));
  is("not reserved, guess", segment(all, SHM_NORESERVE));
  if (put("/proc/sys/vm/overcommit_memory", "2") < 0) perror("overcommit_memory");
  is("not reserved, strict", segment(all, SHM_NORESERVE));
  is("small", segment(PG, SHM_NORESERVE));
  put("/proc/sys/vm/overcommit_memory", "0");
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "nothing")) return 0;
  setvbuf(stdout, malloc(1 << 16), _IOFBF, 1 << 16);
  part("/proc/self/mem", through_mem);
  part("others", through_others);
  part("strings", strings);
  part("secrets", secrets);
  part("a sealed file", sealed);
  part("locked segments", locked_segments);
  part("strict overcommit", strict);
  return 0;
}
