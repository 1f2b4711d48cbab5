/*
 * One memory operation, COUNT times a round: mm_bench OPERATION COUNT [ROUNDS]. After each round, prints CPU nanoseconds
 * per operation as the process itself sees them. Built for the host and for riscv64, so that native Linux, qemu-riscv64
 * and Pagoda run the same source.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define FLAGS (MAP_PRIVATE | MAP_ANONYMOUS)

/* CPU nanoseconds of what an operation times itself, because the rest is not it. */
static double inside;
static double own_cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static char *map(size_t pages) { return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, FLAGS, -1, 0); }

/* First touch of pages that the process never had. */
static void fault_fresh(long count) {
  char *p = map(count);
  for (long i = 0; i < count; i++) p[i * PAGE] = 1;
}

/* Touch, give back, touch again: the same 256 frames go round. */
static void fault_recycled(long count) {
  char *p = map(256);
  for (long done = 0; done < count; done += 256) {
    for (int i = 0; i < 256; i++) p[i * PAGE] = 1;
    madvise(p, 256 * PAGE, MADV_DONTNEED);
  }
}

static void map_unmap(long count) {
  for (long i = 0; i < count; i++) munmap(map(16), 16 * PAGE);
}

/* 1,000 mappings that do not merge: every other page of a region may be written. */
static void make_mappings(void) {
  char *p = mmap(NULL, 1000 * PAGE, PROT_NONE, FLAGS, -1, 0);
  for (long i = 1; i < 1000; i += 2) mprotect(p + i * PAGE, PAGE, PROT_READ | PROT_WRITE);
}

static void map_touch_unmap(long count) {
  for (long i = 0; i < count; i++) {
    char *p = map(1);
    *p = 1;
    munmap(p, PAGE);
  }
}

/* 4,096 touched pages at once; only munmap counts. */
static void unmap_touched(long count) {
  for (long done = 0; done < count; done += 4096) {
    char *p = map(4096);
    for (long i = 0; i < 4096; i++) p[i * PAGE] = 1;
    double start = own_cpu();
    munmap(p, 4096 * PAGE);
    inside += own_cpu() - start;
  }
}

/* One page in the midst of touched ones loses the right to be written, and gets it back. */
static void protect_page(long count) {
  static char *p;
  if (p == NULL) {
    p = map(64);
    for (int i = 0; i < 64; i++) p[i * PAGE] = 1;
  }
  for (long i = 0; i < count; i++) mprotect(p + 32 * PAGE, PAGE, i & 1 ? PROT_READ | PROT_WRITE : PROT_READ);
}

static char *copied;
static void touch_copied(void) {
  for (long i = 0; i < 4096; i++) copied[i * PAGE] = 1;
}
static void prepare_copied(void) {
  copied = map(4096);
  touch_copied();
}

/* A child stores to all 16 MiB of its parent's and ends. */
static void copy_on_write(long count) {
  for (long done = 0; done < count; done += 4096) {
    pid_t child = fork();
    if (child == 0) {
      touch_copied();
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
}

/* 2 MiB by one fault, and given back. */
static void allow_huge(void) { prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0); }
static void huge_fault(long count) {
  static char *p;
  if (p == NULL) p = (char *)(((uintptr_t)map(1024) + 511 * PAGE) & ~(512 * PAGE - 1));
  madvise(p, 512 * PAGE, MADV_HUGEPAGE);
  for (long i = 0; i < count; i++) {
    *p = 1;
    madvise(p, 512 * PAGE, MADV_DONTNEED);
  }
}

/* Integer work that no compiler folds: 5 to 7 instructions a turn. */
static void loop(long count) {
  uint64_t x = 88172645463325252ULL;
  for (long i = 0; i < count; i++) x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  if (x == 0) puts("never");
}

/* Loads and stores over 64 KiB. */
static void memory(long count) {
  static volatile uint32_t table[16384];
  uint32_t x = 1;
  for (long i = 0; i < count; i++) table[x & 16383] += x, x = x * 1664525 + 1013904223;
}

static void malloc_free(long count) {
  static void *slot[64];
  for (long i = 0; i < count; i++) free(slot[i & 63]), slot[i & 63] = malloc(64);
}

/* A child that ends at once. */
static void fork_wait(long count) {
  for (long i = 0; i < count; i++) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    waitpid(child, NULL, 0);
  }
}

/* The same; only the call of fork counts. */
static void fork_call(long count) {
  for (long i = 0; i < count; i++) {
    double start = own_cpu();
    pid_t child = fork();
    if (child == 0) _exit(0);
    inside += own_cpu() - start;
    waitpid(child, NULL, 0);
  }
}

static void touch_64_mib(void) {
  char *p = map(16384);
  for (long i = 0; i < 16384; i++) p[i * PAGE] = 1;
}

/* A child that becomes this program again, which then ends at once (see main). */
static void exec_wait(long count) {
  for (long i = 0; i < count; i++) {
    pid_t child = fork();
    if (child == 0) {
      execl("/proc/self/exe", "mm_bench", "--end", (char *)NULL);
      _exit(1);
    }
    waitpid(child, NULL, 0);
  }
}

/* A byte there and back between two processes: two switches a turn. */
static void pipe_ping_pong(long count) {
  int there[2], back[2];
  char byte = 0;
  if (pipe(there) || pipe(back)) exit(1);
  pid_t child = fork();
  for (long i = 0; i < count; i++)
    if (child == 0) {
      if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1) _exit(1);
    } else if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) exit(1);
  if (child == 0) _exit(0);
  waitpid(child, NULL, 0);
  for (int i = 0; i < 2; i++) close(there[i]), close(back[i]);
}

static long futex(int *word, int operation, int value) { return syscall(SYS_futex, word, operation, value, NULL, NULL, 0); }

/* A turn is handed to another process and back by a futex in shared memory. */
static void futex_ping_pong(long count) {
  int *turn = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t child = fork();
  int mine = child == 0;
  for (long i = 0; i < count; i++) {
    while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != mine) futex(turn, FUTEX_WAIT, !mine);
    __atomic_store_n(turn, !mine, __ATOMIC_RELEASE);
    futex(turn, FUTEX_WAKE, 1);
  }
  if (child == 0) _exit(0);
  waitpid(child, NULL, 0);
  munmap(turn, PAGE);
}

static void nothing(void) {}

static const struct { const char *name; void (*prepare)(void); void (*run)(long); } operations[] = {
  {"fault_fresh", nothing, fault_fresh},
  {"fault_recycled", nothing, fault_recycled},
  {"map_unmap", nothing, map_unmap},
  {"map_unmap_1000", make_mappings, map_unmap},
  {"map_touch_unmap", nothing, map_touch_unmap},
  {"unmap_touched", nothing, unmap_touched},
  {"protect_page", nothing, protect_page},
  {"copy_on_write", prepare_copied, copy_on_write},
  {"huge_fault", allow_huge, huge_fault},
  {"loop", nothing, loop},
  {"memory", nothing, memory},
  {"malloc_free", nothing, malloc_free},
  {"fork_wait", nothing, fork_wait},
  {"fork_wait_64", touch_64_mib, fork_wait},
  {"fork_call", nothing, fork_call},
  {"fork_call_64", touch_64_mib, fork_call},
  {"exec_wait", nothing, exec_wait},
  {"pipe_ping_pong", nothing, pipe_ping_pong},
  {"futex_ping_pong", nothing, futex_ping_pong},
};

/* Of this process and of its children that have ended. */
static double cpu(void) {
  struct timespec t;
  struct rusage children;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  getrusage(RUSAGE_CHILDREN, &children);
  double microseconds = (children.ru_utime.tv_sec + children.ru_stime.tv_sec) * 1e6 + children.ru_utime.tv_usec + children.ru_stime.tv_usec;
  return t.tv_sec * 1e9 + t.tv_nsec + microseconds * 1e3;
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "--end")) return 0;
  long count = argc > 2 ? atol(argv[2]) : 0;
  int rounds = argc > 3 ? atoi(argv[3]) : 1;
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  for (unsigned i = 0; count > 0 && i < sizeof operations / sizeof *operations; i++) {
    if (strcmp(argv[1], operations[i].name)) continue;
    operations[i].prepare();
    while (rounds-- > 0) {
      double start = cpu();
      inside = 0;
      operations[i].run(count);
      printf("%.2f\n", (inside > 0 ? inside : cpu() - start) / count);
      fflush(stdout);
    }
    return 0;
  }
  fprintf(stderr, "usage: mm_bench OPERATION COUNT [ROUNDS]\n");
  return 2;
}
