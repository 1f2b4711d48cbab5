/*
 * What a program that is linked with shared libraries asks of Linux: what the GNU C library's loader asks until the program begins, and then what many programs
 * do, one way each: files, memory, signals, a thread, a child. The build runs it to see which of the command's code many programs need
 * (scripts/late-code.mjs). linked.elf is a program that names this as its loader, and never comes to run itself.
 *
 *   cc="riscv64-linux-gnu-gcc -O2 -nostdlib -fno-stack-protector -Wl,-z,max-page-size=4096,-z,noseparate-code,--build-id=none -s"
 *   $cc -fPIC -shared -Wl,-Bsymbolic,-e,_start -o scripts/start-program/loader.elf scripts/start-program/loader.c
 *   $cc -fPIE -pie -Wl,--dynamic-linker=/loader.elf -DLINKED -o scripts/start-program/linked.elf scripts/start-program/loader.c
 */
#ifdef LINKED
void _start(void) { __builtin_trap(); }
#else
#define PAGE 4096
#define AT_FDCWD -100
#define AT_EMPTY_PATH 0x1000
#define AT_SYSINFO_EHDR 33
#define O_RDONLY 0
#define O_CLOEXEC 02000000
#define O_DIRECTORY 0200000
#define O_CREAT 0100
#define O_RDWR 2
#define O_TRUNC 01000
#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define MAP_NORESERVE 0x4000
#define MAP_DENYWRITE 0x800
#define MAP_STACK 0x20000
#define MREMAP_MAYMOVE 1
#define MADV_DONTNEED 4
#define MADV_FREE 8
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129
#define FUTEX_WAIT_BITSET_PRIVATE 137
#define FUTEX_WAIT 0
#define THREAD_FLAGS 0x3d0f00 /* CLONE_VM FS FILES SIGHAND THREAD SYSVSEM SETTLS PARENT_SETTID CHILD_CLEARTID */
#define CHILD_FLAGS 0x1200011 /* CLONE_CHILD_CLEARTID CHILD_SETTID SIGCHLD */
#define VFORK_FLAGS 0x4111 /* CLONE_VFORK CLONE_VM SIGCHLD */
#define SIGUSR1 10
#define SIGCHLD 17
#define TCGETS 0x5401

enum {
  getcwd = 17, dup = 23, dup3 = 24, fcntl = 25, ioctl = 29, mkdirat = 34, unlinkat = 35, ftruncate = 46, faccessat = 48, openat = 56, close = 57, pipe2 = 59,
  getdents64 = 61, lseek = 62, read = 63, write = 64, readv = 65, writev = 66, pread64 = 67, pwrite64 = 68, ppoll = 73, readlinkat = 78, newfstatat = 79, fstat = 80,
  exit = 93, exit_group = 94, set_tid_address = 96, futex = 98, set_robust_list = 99, nanosleep = 101, clock_gettime = 113,
  sched_getaffinity = 123, sched_yield = 124, kill = 129, tgkill = 131, sigaltstack = 132, rt_sigaction = 134, rt_sigprocmask = 135, rt_sigreturn = 139,
  uname = 160, getrusage = 165, umask = 166, prctl = 167, gettimeofday = 169, getpid = 172, getppid = 173, getuid = 174, geteuid = 175, getgid = 176, getegid = 177, gettid = 178, sysinfo = 179,
  socket = 198, connect = 203, brk = 214, munmap = 215, mremap = 216, clone = 220, execve = 221, mmap = 222, mprotect = 226, madvise = 233,
  riscv_hwprobe = 258, wait4 = 260, prlimit64 = 261, renameat2 = 276, getrandom = 278, statx = 291, rseq = 293, clone3 = 435,
};

static long call(long number, long a, long b, long c, long d, long e, long f) {
  register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a3 __asm__("a3") = d, a4 __asm__("a4") = e, a5 __asm__("a5") = f;
  register long a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
  return a0;
}
#define CALL0(n) call(n, 0, 0, 0, 0, 0, 0)
#define CALL1(n, a) call(n, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(n, a, b) call(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(n, a, b, c) call(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(n, a, b, c, d) call(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL6(n, a, b, c, d, e, f) call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static char *map(void *at, long length, int protection, int flags, int fd, long offset) {
  return (char *)CALL6(mmap, at, length, protection, flags, fd, offset);
}

static char *fresh(long length) { return map(0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

static int own(void) { return CALL4(openat, AT_FDCWD, "/loader.elf", O_RDONLY | O_CLOEXEC, 0); }

/* A library: its parts one after another, what is written private, what is empty behind them. */
static void library(void) {
  char head[832], status[128];
  int fd = own();
  CALL3(read, fd, head, sizeof head);
  CALL4(newfstatat, fd, "", status, AT_EMPTY_PATH);
  CALL4(pread64, fd, head, 64, 64);
  char *at = map(0, 16 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_DENYWRITE, fd, 0);
  CALL3(mprotect, at + 2 * PAGE, 14 * PAGE, PROT_NONE);
  char *data = map(at + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE, fd, PAGE);
  char *empty = map(at + 8 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
  char *large = map(0, 1024 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  CALL2(munmap, large, 1024 * PAGE);
  CALL1(close, fd);
  data[0] = data[1] + at[0];
  empty[0] = 1;
  CALL3(mprotect, data, PAGE, PROT_READ);
  char *code = map(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  code[0] = at[100];
  CALL3(mprotect, code, PAGE, PROT_READ | PROT_EXEC);
  CALL2(munmap, code, PAGE);
}

static void loads(void) {
  char status[128];
  CALL1(brk, 0);
  CALL3(faccessat, AT_FDCWD, "/etc/ld.so.preload", 4);
  CALL4(openat, AT_FDCWD, "/etc/ld.so.cache", O_RDONLY | O_CLOEXEC, 0);
  int cache = own();
  CALL4(newfstatat, cache, "", status, AT_EMPTY_PATH);
  char *cached = map(0, PAGE, PROT_READ, MAP_PRIVATE, cache, 0);
  CALL1(close, cache);
  CALL4(openat, AT_FDCWD, "/lib/riscv64-linux-gnu/libc.so.6", O_RDONLY | O_CLOEXEC, 0);
  library();
  library();
  fresh(2 * PAGE)[0] = cached[0];
  static int id;
  CALL1(set_tid_address, &id);
  CALL2(set_robust_list, 0, 24);
  CALL4(rseq, 0, 32, 0, 0x53053);
  long limit[2];
  CALL4(prlimit64, 0, 3, 0, limit);
  CALL2(munmap, cached, PAGE);
}

/* What the kernel maps into each program: its time, and the code that reads it. */
static void kernelPages(long *stack) {
  long *auxiliary = stack + stack[0] + 2;
  while (*auxiliary++ != 0) {}
  while (auxiliary[0] != 0 && auxiliary[0] != AT_SYSINFO_EHDR) auxiliary += 2;
  volatile char *code = (char *)auxiliary[1];
  code[0] == code[-2 * PAGE];
}

static void memory(void) {
  long end = CALL1(brk, 0), random;
  CALL3(getrandom, &random, 8, 1);
  CALL1(brk, end + 33 * PAGE);
  *(volatile long *)(end + 8) = 1;
  CALL1(brk, end + 2 * PAGE);
  char *large = fresh(64 * PAGE);
  for (int i = 0; i < 64 * PAGE; i += PAGE) large[i] = 1;
  large = (char *)CALL6(mremap, large, 64 * PAGE, 128 * PAGE, MREMAP_MAYMOVE, 0, 0);
  large = (char *)CALL6(mremap, large, 128 * PAGE, 32 * PAGE, MREMAP_MAYMOVE, 0, 0);
  large = (char *)CALL6(mremap, large, 32 * PAGE, 48 * PAGE, MREMAP_MAYMOVE, 0, 0);
  CALL3(madvise, large, 4 * PAGE, MADV_DONTNEED);
  CALL3(madvise, large + 4 * PAGE, 4 * PAGE, MADV_FREE);
  CALL3(mprotect, large + 8 * PAGE, PAGE, PROT_READ);
  CALL2(munmap, large + 4 * PAGE, 2 * PAGE);
  CALL2(munmap, large, 48 * PAGE);
  /* An arena of malloc: reserved, aligned, and opened bit by bit. */
  char *arena = map(0, 32768 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CALL2(munmap, arena, 16384 * PAGE);
  arena += 16384 * PAGE;
  CALL3(mprotect, arena, 33 * PAGE, PROT_READ | PROT_WRITE);
  arena[0] = arena[PAGE] = 1;
  CALL3(mprotect, arena + 33 * PAGE, 33 * PAGE, PROT_READ | PROT_WRITE);
  for (int i = 0; i < 32 * PAGE; i += PAGE) arena[i] = 1;
  CALL3(mprotect, arena + 4 * PAGE, 8 * PAGE, PROT_READ);
  CALL3(mprotect, arena + 4 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE);
  for (int i = 0; i < 32 * PAGE; i += PAGE) arena[i] = 2;
  /* What has grown until huge pages would do becomes some in a while. */
  CALL3(mprotect, arena, 2048 * PAGE, PROT_READ | PROT_WRITE);
  /* Mappings side by side become one, whichever of them is the last. */
  char *row = map(0, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 16; i += 2) CALL3(mprotect, row + i * PAGE, PAGE, PROT_READ | PROT_WRITE);
  for (int i = 1; i < 16; i += 2) CALL3(mprotect, row + i * PAGE, PAGE, PROT_READ | PROT_WRITE);
  CALL2(munmap, row + 2 * PAGE, PAGE);
  CALL2(munmap, row + 4 * PAGE, PAGE);
  map(row + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  map(row + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  map(row + 6 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CALL3(mprotect, row + 8 * PAGE, 4 * PAGE, PROT_READ);
  CALL3(mprotect, row + 10 * PAGE, PAGE, PROT_READ | PROT_WRITE);
  CALL3(mprotect, row + 8 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE);
  CALL2(munmap, row, 16 * PAGE);
  /* More pages than are kept at hand, one after the other. */
  char *many[2];
  for (int k = 0; k < 2; k++) {
    many[k] = map((char *)0x10000000 + k * 0x1000000, 400 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 400 * PAGE; i += PAGE) many[k][i] = 1;
  }
  for (int k = 0; k < 2; k++) {
    for (int i = 0; i < 400 * PAGE; i += PAGE) CALL2(munmap, many[k] + i, PAGE);
  }
  /* Large enough for huge pages. */
  char *huge = fresh(2048 * PAGE);
  for (int i = 0; i < 2048 * PAGE; i += 64 * PAGE) huge[i] = 1;
  char *read = fresh(2048 * PAGE);
  ((volatile char *)read)[1024 * PAGE] == 0;
  read[1024 * PAGE] = 1;
  CALL2(munmap, read, 2048 * PAGE);
  CALL3(madvise, huge, 1024 * PAGE, MADV_DONTNEED);
  CALL2(munmap, huge, 2048 * PAGE);
  CALL3(mprotect, arena - 16384 * PAGE, PAGE, PROT_READ); /* is not there any more: ENOMEM */
  char *shared = map(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  shared[0] = 1;
}

static void readAll(const char *path, char *part, long length) {
  int fd = CALL4(openat, AT_FDCWD, path, O_RDONLY, 0);
  while (CALL3(read, fd, part, length) > 0) {}
  CALL1(close, fd);
}

static void files(void) {
  char names[1024], status[256];
  struct { void *base; long length; } parts[2] = {{names, 10}, {status, 10}};
  CALL2(getcwd, names, sizeof names);
  int folder = CALL4(openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  while (CALL3(getdents64, folder, names, sizeof names) > 0) {}
  CALL1(close, folder);
  CALL4(newfstatat, AT_FDCWD, "/linked.elf", status, 0);
  CALL4(newfstatat, AT_FDCWD, "/nothing", status, 0x100);
  CALL6(statx, AT_FDCWD, "/loader.elf", 0, 0x7ff, status, 0);
  CALL4(readlinkat, AT_FDCWD, "/proc/self/exe", names, sizeof names);
  CALL4(readlinkat, AT_FDCWD, "/loader.elf", names, sizeof names);
  readAll("/proc/self/maps", names, sizeof names);
  readAll("/proc/self/status", names, sizeof names);
  readAll("/proc/meminfo", names, sizeof names);
  readAll("/proc/cpuinfo", names, sizeof names);
  readAll("/proc/sys/vm/overcommit_memory", names, sizeof names);
  readAll("/sys/devices/system/cpu/online", names, sizeof names);
  readAll("/sys/kernel/mm/transparent_hugepage/enabled", names, sizeof names);
  int device = CALL4(openat, AT_FDCWD, "/dev/urandom", O_RDONLY | O_CLOEXEC, 0);
  CALL3(read, device, names, 16);
  CALL1(close, device);
  device = CALL4(openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
  CALL3(write, device, names, 16);
  CALL1(close, device);
  int fd = CALL4(openat, AT_FDCWD, "/tmp/written", O_RDWR | O_CREAT | O_TRUNC, 0600);
  CALL3(write, fd, names, 100);
  CALL3(writev, fd, parts, 2);
  CALL3(lseek, fd, 0, 0);
  CALL3(readv, fd, parts, 2);
  CALL2(ftruncate, fd, PAGE);
  char *mapped = map(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  mapped[0] = 1;
  CALL3(fcntl, fd, 3, 0);
  CALL3(fcntl, fd, 1030, 0);
  CALL4(pwrite64, fd, names, 10, 5000);
  int other = CALL1(dup, fd);
  CALL3(dup3, other, 50, 0);
  CALL1(close, 50);
  CALL1(close, other);
  CALL1(close, fd);
  CALL6(renameat2, AT_FDCWD, "/tmp/written", AT_FDCWD, "/tmp/renamed", 0, 0);
  CALL3(unlinkat, AT_FDCWD, "/tmp/renamed", 0);
  CALL3(ioctl, 1, TCGETS, status);
  CALL2(fstat, 1, status);
  CALL3(mkdirat, AT_FDCWD, "/tmp/folder", 0700);
  CALL3(unlinkat, AT_FDCWD, "/tmp/folder", 0x200);
  int ends[2];
  CALL2(pipe2, ends, O_CLOEXEC);
  CALL3(write, ends[1], names, 10);
  struct { int fd; short events, got; } poll = {ends[0], 1, 0};
  CALL4(ppoll, &poll, 1, 0, 0);
  CALL3(read, ends[0], names, 10);
  CALL1(close, ends[0]);
  CALL1(close, ends[1]);
}

/* A folder of the host: a file is read in order, and another one mapped and looked at here and there. */
static void mounted(void) {
  char part[4 * PAGE], status[128];
  int folder = CALL4(openat, AT_FDCWD, "/mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  while (CALL3(getdents64, folder, part, sizeof part) > 0) {}
  CALL4(newfstatat, folder, "tour.c", status, 0);
  int fd = CALL4(openat, folder, "tour.elf", O_RDONLY, 0);
  volatile char *mapped = map(0, 13 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
  mapped[7 * PAGE] == mapped[PAGE];
  while (CALL3(read, fd, part, sizeof part) > 0) {}
  CALL1(close, fd);
  fd = CALL4(openat, folder, "tour.c", O_RDONLY, 0);
  while (CALL3(read, fd, part, 1000) > 0) {}
  CALL1(close, fd);
  CALL1(close, folder);
}

static volatile int handled;
static void handler(int signal) { handled = signal; }

static void signals(void) {
  struct { void *handler; long flags, mask; } action = {handler, 0, 0}, old;
  long mask = 1 << (SIGUSR1 - 1);
  CALL4(rt_sigaction, SIGUSR1, &action, 0, 8);
  CALL4(rt_sigaction, SIGUSR1, 0, &old, 8);
  CALL4(rt_sigprocmask, 0, &mask, 0, 8);
  CALL3(tgkill, CALL0(getpid), CALL0(gettid), SIGUSR1);
  CALL4(rt_sigprocmask, 1, &mask, 0, 8);
  CALL2(sigaltstack, 0, &old);
}

/* The number of a thread is wiped out when it ends, and who waits for that is woken. */
static volatile int thread_id, lock;

static void thread(void) {
  fresh(PAGE)[0] = 1;
  lock = 1;
  CALL3(futex, &lock, FUTEX_WAKE_PRIVATE, 1);
  CALL1(exit, 0);
}

static void threads(void) {
  char *stack = map(0, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  CALL3(mprotect, stack + PAGE, 63 * PAGE, PROT_READ | PROT_WRITE);
  if (CALL6(clone, THREAD_FLAGS, stack + 60 * PAGE, &thread_id, stack + 62 * PAGE, &thread_id, 0) == 0) thread();
  while (lock == 0) CALL4(futex, &lock, FUTEX_WAIT_PRIVATE, 0, 0);
  for (int id; (id = thread_id) != 0;) CALL4(futex, &thread_id, FUTEX_WAIT, id, 0);
  long moment[2] = {0, 1000};
  CALL6(futex, &lock, FUTEX_WAIT_BITSET_PRIVATE, 1, moment, 0, -1);
  CALL4(futex, &lock, FUTEX_WAIT_PRIVATE, 1, moment);
  CALL3(madvise, stack, 32 * PAGE, MADV_DONTNEED);
  CALL2(munmap, stack, 64 * PAGE);
}

static void children(void) {
  int status, id;
  char usage[144];
  const char *again[] = {"/linked.elf", "again", 0}, *none[] = {0};
  long child = CALL6(clone, CHILD_FLAGS, 0, 0, 0, &id, 0);
  if (child == 0) {
    volatile char *copied = (char *)&status;
    copied[0] = 1;
    CALL1(exit_group, 0);
  }
  CALL4(wait4, child, &status, 0, usage);
  /* The stack is the parent's, who waits. */
  child = CALL6(clone, VFORK_FLAGS, 0, 0, 0, 0, 0);
  if (child == 0) {
    CALL3(execve, "/nothing", again, none);
    CALL3(execve, "/linked.elf", again, none);
    CALL1(exit_group, 127);
  }
  CALL4(wait4, -1, &status, 0, 0);
}

static void thread3(void) {
  char *stack = fresh(16 * PAGE);
  long how[] = {THREAD_FLAGS, 0, (long)&thread_id, (long)&thread_id, 0, (long)stack, 15 * PAGE, (long)stack + 15 * PAGE};
  if (CALL2(clone3, how, sizeof how) == 0) thread();
  for (int id; (id = thread_id) != 0;) CALL4(futex, &thread_id, FUTEX_WAIT, id, 0);
}

/* What is calculated exactly, what is rounded, and what cannot be told. */
static volatile double one = 1, three = 3, none = 0, numbers[16];
static volatile float single = 1.5f;
static volatile long whole = -7;

/* What is flagged already takes less. */
#define UNFLAGGED __asm__ volatile("csrw fflags, zero");

static void floats(void) {
  double a = one, b = three, d;
  float f = single, g;
  numbers[0] = a + b;
  numbers[1] = a / b;
  numbers[2] = a / none;
  numbers[3] = none / none;
  numbers[4] = a - b * a;
  numbers[5] = (double)whole;
  whole = (long)(b / 2);
  whole = (unsigned)(b * 1.1);
  __asm__ volatile("fmadd.d %0, %1, %2, %1" : "=f"(d) : "f"(a), "f"(b));
  __asm__ volatile("fsqrt.d %0, %1" : "=f"(numbers[6]) : "f"(b));
  __asm__ volatile("fmin.d %0, %1, %2" : "=f"(d) : "f"(a), "f"(b));
  __asm__ volatile("fmadd.s %0, %1, %2, %1" : "=f"(g) : "f"(f), "f"(f));
  __asm__ volatile("fsqrt.s %0, %1" : "=f"(g) : "f"(f));
  numbers[7] = f / 3;
  single = (float)b;
  static volatile double values[] = {1, -3, 0.1, 1e300, 1e-300, 4e-320, 0, 1e16, -1e16, 2.5};
  static volatile float singles[] = {1, -3, 0.1f, 1e38f, 1e-38f, 1e-44f, 0, 16777216, 2.5f};
  for (int i = 0; i < 10; i++) {
    for (int j = 0; j < 9; j++) {
      double x = values[i], y = values[j], z = -(x * y), result;
      float p = singles[i % 9], q = singles[j], r = -(p * q), small;
      UNFLAGGED numbers[9] = x * y;
      UNFLAGGED numbers[9] = x / y;
      UNFLAGGED numbers[9] = x + y;
      UNFLAGGED __asm__ volatile("fmadd.d %0, %1, %2, %3" : "=f"(result) : "f"(x), "f"(y), "f"(z));
      UNFLAGGED __asm__ volatile("fmsub.d %0, %1, %2, %3" : "=f"(result) : "f"(x), "f"(y), "f"(a));
      UNFLAGGED __asm__ volatile("fnmsub.d %0, %1, %2, %3" : "=f"(result) : "f"(x), "f"(y), "f"(z));
      UNFLAGGED __asm__ volatile("fsqrt.d %0, %1" : "=f"(result) : "f"(x));
      UNFLAGGED __asm__ volatile("fmadd.s %0, %1, %2, %3" : "=f"(small) : "f"(p), "f"(q), "f"(r));
      UNFLAGGED __asm__ volatile("fsqrt.s %0, %1" : "=f"(small) : "f"(p));
      UNFLAGGED __asm__ volatile("fmax.d %0, %1, %2" : "=f"(result) : "f"(x), "f"(y));
      UNFLAGGED single = p / q;
      UNFLAGGED single = p * q;
      UNFLAGGED single = p + q;
      UNFLAGGED single = (float)x;
      UNFLAGGED whole = (long)(x / 1e10);
      numbers[10] = p;
      numbers[11] = x < y || x == z;
    }
  }
  numbers[8] = a < b && f >= g && a != d;
}

/* Code that the program has written itself. */
static void written(void) {
  short *code = (short *)map(0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int k = 0; k < 2; k++) {
    code[0] = 0x0505 + 4 * k; /* addi a0, a0, 1 or 2 */
    code[1] = (short)0x8082;  /* ret */
    __asm__ volatile("fence.i" ::: "memory");
    for (long i = 0; i < 20; i = ((long (*)(long))code)(i)) {}
  }
  CALL2(munmap, code, PAGE);
}

/* Products, quotients and turned words, as hashes have them. */
static volatile unsigned long turned = 0x123456789abcdef;

static void integers(void) {
  for (int i = 0; i < 100; i++) {
    unsigned long x = turned;
    unsigned word = (unsigned)x;
    word = (word << 7 | word >> 25) + (word << 20 | word >> 12);
    x = (x << 13 | x >> 51) ^ (x * 0x9e3779b97f4a7c15) ^ (x % 1000003) ^ (unsigned long)((long)x / 7);
    x += (unsigned long)((unsigned __int128)x * x >> 64) + word % 1000 + (unsigned)((int)word / 10);
    turned = x + (x > word) + ((long)x < (long)word);
  }
}

static void asks(void) {
  static const short numbers[] = {getpid, getppid, getuid, geteuid, getgid, getegid, gettid, sched_yield};
  char text[512];
  long time[2] = {0, 1000}, long_time[2] = {30, 0}, probe[2] = {3, 0};
  static const char name[] = "\1\0/run/nothing";
  for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) CALL0(numbers[i]);
  CALL1(uname, text);
  CALL1(sysinfo, text);
  CALL2(getrusage, 0, text);
  CALL3(sched_getaffinity, 0, 128, text);
  CALL6(riscv_hwprobe, probe, 1, 0, 0, 0, 0);
  CALL2(prctl, 15, "renamed");
  CALL2(prctl, 16, text);
  call(prctl, 41, 0, 0, 0, 0, 0);
  CALL1(umask, 022);
  int unixSocket = CALL3(socket, 1, 1 | O_CLOEXEC, 0);
  CALL3(connect, unixSocket, name, sizeof name);
  CALL1(close, unixSocket);
  CALL2(nanosleep, time, 0);
  CALL2(nanosleep, long_time, 0);
  CALL2(clock_gettime, 1, time);
  CALL2(clock_gettime, 0, time);
  CALL2(clock_gettime, 2, time);
  CALL2(clock_gettime, 3, time);
  CALL2(gettimeofday, time, 0);
}

void begin(long *stack) {
  loads();
  if (stack[0] > 1) CALL1(exit_group, 0);
  kernelPages(stack);
  memory();
  files();
  mounted();
  signals();
  threads();
  thread3();
  written();
  integers();
  floats();
  asks();
  children();
  CALL3(write, 1, "ended\n", 6);
  CALL1(exit_group, 0);
}

__asm__(".globl _start\n_start:\n  mv a0, sp\n  andi sp, sp, -16\n  tail begin\n");
#endif
