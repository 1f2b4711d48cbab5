/*
 * A tour of a process's memory: what `npm start` runs. Every step asks Linux for memory in another way and says
 * what came of it; the report that Pagoda prints afterwards shows the same from below: mappings, faults, frames.
 *
 * Built static with musl for riscv64 (Debian's cross compiler):
 *   test/riscv64-linux/rv-musl-gcc -O2 -o examples/programs/tour.elf examples/programs/tour.c
 * The binary is an ordinary Linux program: it runs unchanged on a RISC-V board and under QEMU.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE 4096UL

static long faults(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

static long before;
static void step(const char *what) {
  printf("%-58s %5ld page faults\n", what, faults() - before);
  before = faults();
}

static void heap(void) {
  char *sieve = calloc(100001, 1);
  int primes = 0;
  for (int i = 2; i <= 100000; i++) {
    if (sieve[i]) continue;
    primes++;
    for (long k = (long)i * i; k <= 100000; k += i) sieve[k] = 1;
  }
  free(sieve);
  char line[80];
  snprintf(line, sizeof line, "heap: %d primes below 100,000 in a malloc'ed sieve", primes);
  step(line);
}

static void reservation(void) {
  char *space = mmap(NULL, 64UL << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  char *room = space + (40UL << 30);
  mprotect(room, 16 * PAGE, PROT_READ | PROT_WRITE);
  for (int i = 0; i < 16; i++) room[i * PAGE] = i;
  step("reserve 64 GiB, open 16 pages in the middle, write them");
}

static void zero_page(void) {
  volatile char *pages = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int sum = 0;
  for (int i = 0; i < 64; i++) sum += pages[i * PAGE];
  step("read 64 untouched pages: all of them one frame of zeroes");
  for (int i = 0; i < 8; i++) pages[i * PAGE] = 1;
  step("write 8 of them: each gets a frame of its own");
  (void)sum;
}

static void file_mapping(void) {
  int fd = open("/tmp/notes", O_RDWR | O_CREAT | O_TRUNC, 0600);
  for (int i = 0; i < 4 * (int)PAGE / 8; i++) dprintf(fd, "%07d\n", i);
  char *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  memcpy(shared + PAGE, "through the mapping", 19);
  memcpy(private, "mine", 4);
  char text[20] = {0};
  pread(fd, text, 19, PAGE);
  step("map a file twice, shared and private");
  printf("    the file says \"%s\", the private copy \"%.4s\", the file there still \"%.4s\"\n", text, private, shared);
}

static int __attribute__((noinline)) climb(int depth) {
  volatile char room[512];
  room[0] = depth;
  return depth == 0 ? 0 : climb(depth - 1) + room[0] - (char)depth + 1;
}

static sigjmp_buf safe;
static void *volatile wild;
static void caught(int signal, siginfo_t *info, void *context) {
  wild = info->si_addr;
  siglongjmp(safe, 1);
}

static void wild_pointer(void) {
  struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  if (!sigsetjmp(safe, 1)) *(volatile int *)0xdeadbeef0 = 1;
  printf("    SIGSEGV caught, si_addr %p\n", wild);
  step("write through a wild pointer and live");
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("Hello from riscv64 Linux, process %d. Every address below went through real page tables.\n\n", getpid());
  step("start: the program, its stack, the C library");
  heap();
  reservation();
  zero_page();
  file_mapping();
  climb(400);
  step("recurse 400 deep: the stack grows on the way");
  wild_pointer();
  puts("\nThat was the tour. The report on standard error shows what is left of it.");
  return 0;
}
