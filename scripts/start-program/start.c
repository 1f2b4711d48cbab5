/*
 * What a program of the GNU C library asks of Linux from its start to its end, in 2 KiB: the build runs it to see which of the
 * command's code each program needs (scripts/late-code.mjs).
 *
 *   riscv64-linux-gnu-gcc -O2 -static -nostdlib -Wl,-z,max-page-size=4096,-z,noseparate-code,--build-id=none -s \
 *     -o scripts/start-program/start.elf scripts/start-program/start.c
 */
#define AT_FDCWD -100
#define AT_EMPTY_PATH 0x1000
#define GRND_NONBLOCK 1
#define PROT_READ 1
#define RLIMIT_STACK 3
#define PAGE 4096

enum {
  readlinkat = 78,
  newfstatat = 79,
  set_tid_address = 96,
  set_robust_list = 99,
  brk = 214,
  mprotect = 226,
  prlimit64 = 261,
  getrandom = 278,
  write = 64,
  exit_group = 94,
};

static long call(long number, long a, long b, long c, long d) {
  register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a3 __asm__("a3") = d;
  register long a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a7) : "memory");
  return a0;
}

static struct robust_list {
  struct robust_list *next;
  long offset;
  void *pending;
} robust = {&robust, 0, 0};

/* What is relocated, the first of the data, is made read-only then. */
static char readOnlyLater[2 * PAGE] __attribute__((aligned(PAGE), section(".data.rel.ro"))) = "data of the file";
static char written[PAGE] __attribute__((aligned(PAGE))) = "more of it";
static volatile char empty[16 * PAGE];
static const char text[] = "started\n";

static void heap(void) {
  long end = call(brk, 0, 0, 0, 0);
  call(brk, end + 0xb00, 0, 0, 0);
  *(volatile long *)end = 1;
  call(brk, 0, 0, 0, 0);
  call(brk, end + 0x21b00, 0, 0, 0);
  *(volatile long *)(end + 2 * PAGE) = 1;
  call(brk, ((end + 0x21b00) | (PAGE - 1)) + 1, 0, 0, 0);
}

static void stack(void) {
  volatile char far[20 * PAGE];
  far[0] = 1;
}

void _start(void) {
  char path[PAGE];
  long limit[2], random, status[16];
  volatile char *constants = readOnlyLater, *variables = written;
  for (int i = 0; i < (int)sizeof empty; i += PAGE) empty[i] = empty[i + 1] + 1;
  heap();
  stack();
  call(set_tid_address, (long)&random, 0, 0, 0);
  call(set_robust_list, (long)&robust, sizeof robust, 0, 0);
  call(prlimit64, 0, RLIMIT_STACK, 0, (long)limit);
  call(readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)path, sizeof path);
  call(getrandom, (long)&random, sizeof random, GRND_NONBLOCK, 0);
  *constants = 'D';
  if (*variables == 'm') *variables = 'M';
  call(mprotect, (long)readOnlyLater, sizeof readOnlyLater, PROT_READ, 0);
  call(newfstatat, 1, (long)"", (long)status, AT_EMPTY_PATH);
  call(write, 1, (long)text, sizeof text - 1, 0);
  call(exit_group, 0, 0, 0, 0);
}
