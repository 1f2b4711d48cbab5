/* Committed_AS to the page, for every kind of mapping in each mode of vm.overcommit_memory; and what is refused pages in mode 2: those of files in memory
 * count as they come (mm/shmem.c), so a store gets SIGBUS, a call ENOSPC. Linux counts by processor: where a limit lies shows only roughly. */
#include "call.h"
#include <grp.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>

#define VM "/proc/sys/vm/"
#define COUNT(what, ...) \
  do { \
    long before = meminfo("Committed_AS:"); \
    __VA_ARGS__; \
    printf("  %s: %+ld\n", what, (meminfo("Committed_AS:") - before) / 4); \
  } while (0)
#define SIZE (100 * PG)
#define NO_RESERVE 010000

static char *p, *q;
static int fd, id;
static char bytes[10 * PG];

/* Pages that can be stored to before one that cannot. */
static long fill(char *at, long pages) {
  for (long i = 0; i < pages; i++)
    if (strcmp(touch(at + i * PG, 1), "ok") != 0) return printf("BUS after "), i;
  return pages;
}
static void grow_stack(void) {
  volatile char *deep = __builtin_alloca(150 * PG);
  for (int i = 149; i >= 0; i--) deep[i * PG] = 1;
}

static void private(void) {
  COUNT("writable", p = mmap(NULL, SIZE, RW, PRIV, -1, 0));
  COUNT("half read-only", mprotect(p, SIZE / 2, PROT_READ));
  COUNT("writable again", mprotect(p, SIZE / 2, RW));
  COUNT("gone", munmap(p, SIZE));
  COUNT("read-only", p = mmap(NULL, SIZE, PROT_READ, PRIV, -1, 0));
  COUNT("ten writable", mprotect(p, 10 * PG, RW); *p = 1);
  COUNT("read-only again", mprotect(p, 10 * PG, PROT_READ));
  COUNT("gone", munmap(p, SIZE));
  COUNT("without reserve", p = mmap(NULL, SIZE, RW, PRIV | MAP_NORESERVE, -1, 0));
  COUNT("read-only", mprotect(p, SIZE, PROT_READ));
  COUNT("writable", mprotect(p, SIZE, RW));
  COUNT("touched", fill(p, 100));
  COUNT("gone", munmap(p, SIZE));
  COUNT("grown", p = mmap(NULL, SIZE, RW, PRIV, -1, 0); p = mremap(p, SIZE, 2 * SIZE, MREMAP_MAYMOVE));
  COUNT("moved and kept", q = mremap(p, 2 * SIZE, 2 * SIZE, MREMAP_MAYMOVE | 4, NULL));
  COUNT("gone", munmap(p, 2 * SIZE); munmap(q, 2 * SIZE));
  COUNT("MAP_GROWSDOWN", p = mmap(NULL, SIZE, RW, PRIV | MAP_GROWSDOWN, -1, 0));
  COUNT("gone", munmap(p, SIZE));
  COUNT("heap", sbrk(SIZE));
  COUNT("gone", sbrk(-(long)SIZE));
  COUNT("/dev/zero", fd = open("/dev/zero", O_RDWR); p = mmap(NULL, SIZE, RW, MAP_PRIVATE, fd, 0));
  COUNT("gone", munmap(p, SIZE); close(fd));
  COUNT("a file", fd = open("/proc/self/exe", O_RDONLY); p = mmap(NULL, 4 * PG, RW, MAP_PRIVATE, fd, 0));
  COUNT("gone", munmap(p, 4 * PG); close(fd));
}

static void shared(void) {
  COUNT("shared", p = mmap(NULL, SIZE, RW, SHAR, -1, 0));
  COUNT("touched", fill(p, 50));
  COUNT("half gone", munmap(p, SIZE / 2));
  COUNT("MADV_REMOVE", madvise(p + SIZE / 2, 10 * PG, MADV_REMOVE));
  COUNT("gone", munmap(p + SIZE / 2, SIZE / 2));
  COUNT("read-only", p = mmap(NULL, SIZE, PROT_READ, SHAR, -1, 0));
  COUNT("gone", munmap(p, SIZE));
  COUNT("grown", p = mmap(NULL, SIZE, RW, SHAR, -1, 0); p = mremap(p, SIZE, 2 * SIZE, MREMAP_MAYMOVE));
  COUNT("gone", munmap(p, 2 * SIZE));
  COUNT("/dev/zero", fd = open("/dev/zero", O_RDWR); p = mmap(NULL, SIZE, RW, MAP_SHARED, fd, 0));
  COUNT("gone", munmap(p, SIZE); close(fd));
  COUNT("without reserve", p = mmap(NULL, SIZE, RW, SHAR | MAP_NORESERVE, -1, 0));
  COUNT("written", fill(p, 50));
  COUNT("read", for (int i = 60; i < 80; i++) touch(p + i * PG, 0));
  COUNT("MADV_REMOVE", madvise(p, 10 * PG, MADV_REMOVE));
  COUNT("gone", munmap(p, SIZE));
}

static void files(void) {
  COUNT("memfd", fd = memfd_create("m", 0); ftruncate(fd, SIZE));
  COUNT("written by a call", pwrite(fd, bytes, sizeof bytes, 0));
  COUNT("mapped", p = mmap(NULL, SIZE, RW, MAP_SHARED, fd, 0));
  COUNT("touched", fill(p, 30));
  COUNT("mapped privately", q = mmap(NULL, SIZE, RW, MAP_PRIVATE, fd, 0));
  COUNT("touched", fill(q, 20));
  COUNT("gone", munmap(p, SIZE); munmap(q, SIZE));
  COUNT("fallocate", fallocate(fd, 0, 0, SIZE));
  COUNT("a hole", fallocate(fd, 3, 0, 40 * PG));
  COUNT("shorter", ftruncate(fd, 50 * PG));
  COUNT("closed", close(fd));
  COUNT("tmpfs", fd = open("/committed/f", O_RDWR | O_CREAT | O_TRUNC, 0600); write(fd, bytes, sizeof bytes));
  COUNT("gone", close(fd); unlink("/committed/f"));
  COUNT("segment", id = shmget(IPC_PRIVATE, SIZE, 0600));
  COUNT("attached and touched", p = shmat(id, NULL, 0); fill(p, 50));
  COUNT("gone", shmdt(p); shmctl(id, IPC_RMID, NULL));
  COUNT("segment without reserve", id = shmget(IPC_PRIVATE, SIZE, 0600 | NO_RESERVE));
  COUNT("attached and touched", p = shmat(id, NULL, 0); fill(p, 50));
  COUNT("gone", shmdt(p); shmctl(id, IPC_RMID, NULL));
}

static void counts(const char *mode) {
  printf("mode %s\n", mode);
  put(VM "overcommit_memory", mode);
  private();
  shared();
  files();
}

/* All bytes that a file takes, in pages. */
static long append(int file) {
  long all = 0, r;
  while ((r = write(file, bytes, sizeof bytes)) > 0) all += r;
  is("the write after", r);
  return all / (long)PG;
}
static void about(const char *what, long pages, long mib) {
  long found = pages / 256;
  if (found > mib * 2 / 3 && found < mib * 4 / 3) printf("%s: about %ld MiB\n", what, mib);
  else printf("%s: %ld MiB\n", what, found);
}

static void user_fills(void) {
  setgroups(0, NULL), setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
  long pages = fill(p, 1 << 18);
  madvise(p, 1 << 30, MADV_REMOVE);
  about("a user's memfd", pages, 48);
}

/* 96 MiB more than there are, and nothing kept back. */
static void limits(void) {
  char text[32];
  sprintf(text, "%ld", meminfo("Committed_AS:") + (96 << 10));
  put(VM "overcommit_kbytes", text);
  fd = memfd_create("m", 0);
  ftruncate(fd, 1 << 30);
  p = mmap(NULL, 1 << 30, RW, MAP_SHARED, fd, 0);
  long pages = fill(p, 1 << 18);
  madvise(p, 1 << 30, MADV_REMOVE);
  about("a memfd that is mapped", pages, 96);
  pages = append(fd);
  ftruncate(fd, 1 << 30);
  is("fallocate", fallocate(fd, 0, 0, 256 << 20));
  madvise(p, 1 << 30, MADV_REMOVE);
  is("a smaller fallocate", fallocate(fd, 0, 0, 16 << 20));
  madvise(p, 1 << 30, MADV_REMOVE);
  about("written", pages, 96);
  int file = open("/committed/g", O_RDWR | O_CREAT, 0600);
  pages = append(file);
  ftruncate(file, 0);
  about("a file of a tmpfs", pages, 96);
  put(VM "admin_reserve_kbytes", "49152");
  in_child(user_fills);
  put(VM "admin_reserve_kbytes", "0");
  put(VM "user_reserve_kbytes", "1048576");
  pages = fill(p, 1 << 18);
  madvise(p, 1 << 30, MADV_REMOVE);
  about("less a part of the process's own size", pages, 64);
  put(VM "user_reserve_kbytes", "0");
  munmap(p, 1 << 30);
  at("shared", mmap(NULL, 256 << 20, RW, SHAR, -1, 0));
  at("shared without reserve", mmap(NULL, 256 << 20, RW, SHAR | MAP_NORESERVE, -1, 0));
  is("segment", shmget(IPC_PRIVATE, 256 << 20, 0600));
  is("segment without reserve", shmget(IPC_PRIVATE, 256 << 20, 0600 | NO_RESERVE));
  put(VM "overcommit_memory", "0");
  p = mmap(NULL, 256 << 20, RW, SHAR | MAP_NORESERVE, -1, 0);
  put(VM "overcommit_memory", "2");
  pages = fill(p, 1 << 16);
  munmap(p, 256 << 20);
  about("shared without reserve, made before", pages, 96);
}

int main(void) {
  mkdir("/committed", 0755);
  mount("none", "/committed", "tmpfs", 0, NULL);
  grow_stack();
  put(VM "admin_reserve_kbytes", "0");
  put(VM "user_reserve_kbytes", "0");
  put(VM "overcommit_ratio", "100");
  meminfo("Committed_AS:");
  counts("0");
  counts("1");
  counts("2");
  limits();
  put(VM "overcommit_memory", "0");
  umount("/committed");
}
