/* Deep recursion: the stack grows, overflows on its limit, and the handler runs on the alternate stack. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

static sigjmp_buf back;
static volatile int depth_reached;
static char *volatile top;
static char alternate[65536];
static int on_alternate, near_stack;

static void overflow(int sig, siginfo_t *info, void *context) {
  char here;
  on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
  near_stack = top - (char *)info->si_addr > 7 << 20 && top - (char *)info->si_addr < 9 << 20;
  printf("signal %d code %d\n", sig, info->si_code);
  siglongjmp(back, 1);
}

__attribute__((noinline)) static int dive(int n) {
  volatile char room[1000];
  room[0] = n, room[999] = n;
  depth_reached = n;
  return n == 0 ? 0 : dive(n - 1) + room[0] - room[999] + 1;
}

__attribute__((noinline)) static int for_ever(int n) {
  volatile char room[4000];
  room[0] = n;
  depth_reached = n;
  return for_ever(n + 1) + room[0];
}

int main(void) {
  char here;
  top = &here;
  printf("recursion %d\n", dive(5000));
  struct rlimit limit;
  getrlimit(RLIMIT_STACK, &limit);
  printf("limit %lu\n", (unsigned long)limit.rlim_cur);
  stack_t ss = {.ss_sp = alternate, .ss_size = sizeof alternate}, old;
  sigaltstack(&ss, &old);
  printf("before: flags %d size %zu\n", old.ss_flags, old.ss_size);
  struct sigaction sa = {.sa_sigaction = overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGSEGV, &sa, NULL);
  for (int i = 0; i < 2; i++) {
    if (!sigsetjmp(back, 1)) for_ever(0);
    else printf("overflow: deep %d on the alternate stack %d near the limit %d\n", depth_reached > 1900 && depth_reached < 2100, on_alternate, near_stack);
  }
  printf("still fine: %d\n", dive(3000));
  char *grows = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(grows, 15 * 4096);
  char *page = mmap(grows + 15 * 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
  if (!sigsetjmp(back, 1)) {
    page[-4096 * 3] = 'g';
    printf("grew down: %c\n", page[-4096 * 3]);
  } else printf("did not grow down\n");
  return 0;
}
