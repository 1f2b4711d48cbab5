/* personality(2): what is remembered, what exec keeps and clears, and what each flag does. Where ADDR_NO_RANDOMIZE and
 * ADDR_COMPAT_LAYOUT put things is random_layout.c's. */
#include "call.h"
#include <grp.h>
#include <poll.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/shm.h>
#include <sys/utsname.h>
#include <time.h>

static long call(unsigned long value) { return syscall(SYS_personality, value); }

static void remembered(void) {
  static const unsigned long values[] = {0, 1, 8, 0xff, 0x20000, 0x7fffffff, 0x80000000, 0xfffffffe, -1, -2, 1UL << 32, 0x1ffffffffUL,
    TOP, TOP | 8, 0x0fff0000, 0x04000000, 0};
  for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
    long before = call(values[i]);
    printf("%lx: before %lx, now %lx, %s", values[i], before, call(0xffffffff), text_of("/proc/self/personality"));
  }
}

static const char *self;

/* Executes this program again to do one thing. */
static void again(unsigned long with, const char *what) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    printf("%lx %s: ", with, what);
    fflush(stdout);
    call(with);
    execl(self, self, what, NULL);
    _exit(127);
  }
  int how;
  waitpid(child, &how, 0);
  if (how) printf("ended with %x\n", how);
}

/* The access of this program's own mappings, one letter a page that differs from the one before; and of what is special. */
static void access_of_all(void) {
  for (char *line = strtok(text_of("/proc/self/maps"), "\n"); line; line = strtok(NULL, "\n")) {
    char rights[8], name[256] = "";
    unsigned long start, end;
    sscanf(line, "%lx-%lx %7s %*s %*s %*s %255[^\n]", &start, &end, rights, name);
    const char *shown = *name == '/' ? "program" : *name ? name : "anonymous";
    if (start < 0x1000000000UL || *name == '[') printf("%s %s, ", rights, shown);
  }
  puts("");
}

/* The compiler does not know that there may be something. */
static char *volatile nowhere;

/* What happens with the lowest page. */
static void page_zero(void) {
  unsigned long start = 1, end = 0; char rights[8] = "";
  sscanf(text_of("/proc/self/maps"), "%lx-%lx %7s", &start, &end, rights);
  if (start != 0) { puts("not there"); return; }
  printf("%lx-%lx %s, ", start, end, rights);
  char *smaps = strstr(text_of("/proc/self/smaps"), "VmFlags:");
  printf("%.*s, holds %d\n", (int)strcspn(smaps, "\n"), smaps, *(volatile char *)nowhere);
  is("munmap", munmap(nowhere, PG));
  is("mprotect", mprotect(nowhere, PG, RW));
  at("over it", mmap(nowhere, PG, RW, PRIV | MAP_FIXED, -1, 0));
  is("madvise", madvise(nowhere, PG, MADV_DONTNEED));
  at("mremap", mremap(nowhere, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(0)));
  printf("write: %s\n", touch(nowhere, 1));
}

static void implies(void) {
  int fd = open("/tmp/file", O_RDWR | O_CREAT, 0600);
  (void)!ftruncate(fd, 4 * PG);
  map(0, 1, PROT_READ, PRIV);
  map(1, 1, PROT_WRITE, PRIV);
  map(2, 1, RW, PRIV);
  map(3, 1, PROT_NONE, PRIV);
  map(4, 1, PROT_READ, SHAR);
  map(5, 1, PROT_READ | PROT_EXEC, PRIV);
  mmap(AT(6), PG, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  mmap(AT(7), PG, RW, MAP_SHARED | MAP_FIXED, fd, PG);
  maps("mmap", 8);
  mprotect(AT(0), PG, PROT_NONE);
  mprotect(AT(1), PG, RW);
  mprotect(AT(2), PG, PROT_WRITE);
  mprotect(AT(3), PG, PROT_READ);
  mprotect(AT(6), PG, RW);
  maps("mprotect", 8);
  mremap(AT(7), PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(9));
  maps("mremap", 10);
  int id = shmget(IPC_PRIVATE, PG, 0600);
  at("shmat", shmat(id, AT(10), 0));
  at("shmat, read-only", shmat(id, AT(11), SHM_RDONLY));
  maps("shared", 12);
  shmctl(id, IPC_RMID, NULL);
  char *old = sbrk(0);
  brk(old + 40 * PG);
  unsigned long start, end; char rights[8] = "?";
  for (char *line = strtok(text_of("/proc/self/maps"), "\n"); line; line = strtok(NULL, "\n")) {
    char now[8];
    sscanf(line, "%lx-%lx %7s", &start, &end, now);
    if (start <= (unsigned long)old + 30 * PG && end > (unsigned long)old + 30 * PG) strcpy(rights, now);
  }
  printf("heap: %s\n", rights);
  clear(12);
  call(0);
  mmap(AT(0), PG, PROT_READ, PRIV | MAP_FIXED, -1, 0);
  maps("no more", 12);
  mprotect(AT(0), PG, RW);
  maps("nor by mprotect", 12);
  clear(12);
}

static void refuses_gain(void) {
  is("mdwe", prctl(65, 1, 0, 0, 0));
  at("read only", mmap(AT(0), PG, PROT_READ, PRIV | MAP_FIXED, -1, 0));
  at("read and write", mmap(AT(1), PG, RW, PRIV | MAP_FIXED, -1, 0));
  at("write only", mmap(AT(2), PG, PROT_WRITE, PRIV | MAP_FIXED, -1, 0));
  is("then read", mprotect(AT(2), PG, PROT_READ));
  maps("left", 4);
}

static void names(void) {
  struct utsname name;
  uname(&name);
  printf("%.*s %s\n", *name.release == '2' ? 6 : 4, name.release, name.machine);
}

/* Whether a call that waits writes back how much time is left. */
static void timeouts(void) {
  struct timespec t = {0, 3000000}, zero = {0, 0};
  long r = syscall(SYS_ppoll, NULL, 0, &t, NULL, 0);
  printf("ppoll %ld: %ld.%09ld, ", r, t.tv_sec, t.tv_nsec);
  t = (struct timespec){0, 2000000};
  r = syscall(SYS_pselect6, 0, NULL, NULL, NULL, &t, NULL);
  printf("pselect %ld: %ld.%09ld, ", r, t.tv_sec, t.tv_nsec);
  int pipes[2];
  (void)!pipe(pipes), (void)!write(pipes[1], "x", 1);
  struct pollfd ready = {pipes[0], POLLIN};
  t = (struct timespec){1000, 0};
  r = syscall(SYS_ppoll, &ready, 1, &t, NULL, 0);
  printf("ready %ld: %s, ", r, t.tv_sec == 1000 || t.tv_sec == 999 ? "about as it was" : "other");
  r = syscall(SYS_ppoll, &ready, 1, &zero, NULL, 0);
  printf("zero %ld: %ld.%ld, ", r, zero.tv_sec, zero.tv_nsec);
  struct timespec *constant = map(0, 1, RW, PRIV);
  constant->tv_nsec = 1000000;
  mprotect(constant, PG, PROT_READ);
  r = syscall(SYS_ppoll, NULL, 0, constant, NULL, 0);
  printf("read-only %ld\n", r);
  clear(1);
  close(pipes[0]), close(pipes[1]);
}

static void on_alarm(int sig) { (void)sig; }

/* A signal that has no handler: the call goes on, unless it cannot say how much time is left. */
static void interrupted(void) {
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    struct timespec wait = {0, 30000000};
    for (int i = 0; i < 2; i++) {
      nanosleep(&wait, NULL);
      kill(parent, i ? SIGALRM : SIGCONT);
    }
    _exit(0);
  }
  signal(SIGALRM, on_alarm);
  struct timespec t = {50, 0};
  long r = syscall(SYS_ppoll, NULL, 0, &t, NULL, 0);
  printf("%s, %s\n", r == -1 ? errno_name(errno) : "over", t.tv_sec == 50 ? "as it was" : "less");
  waitpid(child, NULL, 0);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc == 2) {
    if (!strcmp(argv[1], "show")) fputs(text_of("/proc/self/personality"), stdout);
    if (!strcmp(argv[1], "access")) access_of_all();
    if (!strcmp(argv[1], "zero")) page_zero();
    if (!strcmp(argv[1], "implies")) puts(""), implies();
    if (!strcmp(argv[1], "names")) names();
    if (!strcmp(argv[1], "timeouts")) timeouts();
    return 0;
  }
  self = argv[0];
  remembered();
  static const unsigned long flags[] = {0, 1, 7, 8, 9, 0x10, 0xff, 0x108, 0x100, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000,
    0x800000, 0x1000000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x80000000, 0xfffffff8, 0xfffffffe};
  for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++) again(flags[i], "show");
  again(0, "access");
  again(0x400000, "access");
  again(0x500000, "access");
  again(0, "zero");
  again(0x100000, "zero");
  again(0x500000, "zero");
  again(0x400000, "implies");
  call(0x400000);
  implies();
  call(0x400000);
  in_child(refuses_gain);
  call(0);
  again(0x20000, "names");
  again(8, "names");
  again(0x20008, "names");
  call(0x20000), names(), call(8), names(), call(0), names();
  again(0, "timeouts");
  again(0x4000000, "timeouts");
  call(0), interrupted();
  call(0x4000000), interrupted();
  call(0);
  if (setgroups(0, NULL) || setgid(7) || setuid(7)) return 1;
  again(0x100000, "zero");
  again(0x540000, "access");
  return 0;
}
