/* SIGSEGV and SIGBUS: who gets which si_code and si_addr, and that the program can go on. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define PG 4096UL
static sigjmp_buf back;
static volatile char *base;
static int volatile number, code;
static uintptr_t volatile address;

static void caught(int sig, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  number = sig, code = info->si_code, address = (uintptr_t)info->si_addr;
  siglongjmp(back, 1);
}

static void report(const char *what) {
  if (address - (uintptr_t)base < 1 << 20) printf("%s: signal %d code %d at base+%lx\n", what, number, code, address - (uintptr_t)base);
  else printf("%s: signal %d code %d at %lx\n", what, number, code, address);
}
#define TRY(what, access) do { number = 0; if (!sigsetjmp(back, 1)) { access; printf("%s: went well\n", what); } else report(what); } while (0)

static void skip(int sig, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  printf("handler: %d %d\n", sig, info->si_code);
  mprotect((void *)base, PG, PROT_READ | PROT_WRITE);
  (void)u;
}

int main(void) {
  struct sigaction sa = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &sa, NULL), sigaction(SIGBUS, &sa, NULL), sigaction(SIGILL, &sa, NULL), sigaction(SIGTRAP, &sa, NULL);
  base = mmap(NULL, 16 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap((char *)base + 8 * PG, PG);
  mprotect((char *)base + 2 * PG, PG, PROT_READ);
  mprotect((char *)base + 3 * PG, PG, PROT_NONE);
  mprotect((char *)base + 4 * PG, PG, PROT_WRITE);
  TRY("read", (void)base[0]);
  TRY("write read-only", base[2 * PG + 5] = 1);
  TRY("read none", (void)base[3 * PG + 6]);
  TRY("write none", base[3 * PG + 7] = 1);
  TRY("read write-only", (void)base[4 * PG]);
  TRY("write write-only", base[4 * PG + 1] = 2);
  TRY("read hole", (void)base[8 * PG + 9]);
  TRY("write hole", base[8 * PG + 10] = 1);
  TRY("across into the hole", *(volatile uint64_t *)(base + 8 * PG - 3) = 1);
  TRY("across into read-only", *(volatile uint64_t *)(base + 2 * PG - 5) = 1);
  TRY("across, both there", *(volatile uint64_t *)(base + PG - 5) = 0x1122334455667788);
  printf("%lx %x\n", *(volatile uint64_t *)(base + PG - 5), base[PG]);
  TRY("null", *(volatile int *)0 = 1);
  TRY("null plus", (void)*(volatile int *)0x18);
  TRY("kernel half", (void)*(volatile int *)0xffffffc000000000);
  TRY("not canonical", (void)*(volatile int *)0x1234567890123456);
  TRY("just past the user half", (void)*(volatile int *)0x4000000000);
  TRY("execute data", ((void (*)(void))(base + PG))());
  TRY("execute null", ((void (*)(void))0)());
  TRY("illegal instruction", __asm__ volatile(".word 0"));
  TRY("ebreak", __asm__ volatile(".option push\n.option norvc\nebreak\n.option pop"));
  int fd = memfd_create("file", 0);
  (void)!ftruncate(fd, PG + 100);
  volatile char *file = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  base = file;
  TRY("file first page", file[10] = 1);
  TRY("file partial page", file[PG + 3000] = 1);
  TRY("file past the end", file[2 * PG + 1] = 1);
  TRY("file read past the end", (void)file[3 * PG + 2]);
  (void)!ftruncate(fd, 0);
  TRY("file truncated", (void)file[10]);
  base = mmap(NULL, PG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  sa.sa_sigaction = skip, sigaction(SIGSEGV, &sa, NULL);
  base[7] = 'k';
  printf("repaired and retried: %c\n", base[7]);
  return 0;
}
