/* waits waitv | fork | unmap | replace | remap | remove | store: makes a call that waits for others, again and again. An `a` is written before each
 * and what came of it after it: 0 or an errno, 99 when an effect is not as the result says. But for waitv, a thread reads of each change and page of
 * the memory from a userfaultfd. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PG 4096UL
#define AT(n) ((char *)0x20000000 + (n)*PG)
#define RW (PROT_READ | PROT_WRITE)
#define WORDS 40

static int uffd;
static volatile int changes, pages;
static char source[PG] __attribute__((aligned(4096)));

static void say(const char *what) { (void)!write(1, what, strlen(what)); }

static void bring(uint64_t address) {
  struct uffdio_copy copy;
  do {
    copy = (struct uffdio_copy){address & ~(PG - 1), (uintptr_t)source, PG, 0, 0};
  } while (ioctl(uffd, UFFDIO_COPY, &copy) != 0 && errno != EEXIST);
  pages++;
}

static void *reader(void *arg) {
  /* Shared, so that a message is not lost for want of a page that a fork has made read-only. */
  struct uffd_msg *m = mmap(NULL, PG, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  for (;;) {
    if (read(uffd, m, sizeof *m) != sizeof *m) continue;
    if (m->event == UFFD_EVENT_PAGEFAULT) bring(m->arg.pagefault.address);
    else {
      if (m->event == UFFD_EVENT_FORK) close(m->arg.fork.ufd);
      changes++;
    }
  }
  return arg;
}

static void listen_to_changes(void) {
  uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
  struct uffdio_api api = {UFFD_API, UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP};
  pthread_t thread;
  if (ioctl(uffd, UFFDIO_API, &api) != 0 || pthread_create(&thread, NULL, reader, NULL) != 0) _exit(97);
}

static void set_up(void) {
  changes = pages = 0;
  struct uffdio_register r = {{(uintptr_t)AT(0), 8 * PG}, UFFDIO_REGISTER_MODE_MISSING};
  if (mmap(AT(0), 8 * PG, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED || ioctl(uffd, UFFDIO_REGISTER, &r) != 0) _exit(96);
}

static void take_down(void) {
  struct uffdio_range all = {(uintptr_t)AT(0), 32 * PG};
  ioctl(uffd, UFFDIO_UNREGISTER, &all);
  munmap(AT(0), 32 * PG);
}

/* Who made the change goes on when it was read of: then it is counted soon. */
static int checked(int result, int wanted) {
  if (result != 0) return changes == 0 ? result : 99;
  while (changes < wanted) sched_yield();
  return changes == wanted ? 0 : 99;
}

static int errno_of(long result) { return result < 0 ? errno : 0; }

static int do_fork(void) {
  say("a");
  pid_t p = fork();
  if (p == 0) _exit(0);
  int result = errno_of(p);
  if (p > 0) waitpid(p, NULL, 0);
  return checked(result, 1);
}

static int do_unmap(void) {
  say("a");
  return checked(errno_of(munmap(AT(2), PG)), 1);
}

static int do_replace(void) {
  say("a");
  return checked(mmap(AT(2), PG, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? errno : 0, 1);
}

static int do_remap(void) {
  say("a");
  return checked(mremap(AT(2), 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(16)) == MAP_FAILED ? errno : 0, 2);
}

static int do_remove(void) {
  say("a");
  return checked(errno_of(madvise(AT(2), PG, MADV_DONTNEED)), 1);
}

/* What pipe2(2) has made it has for the program when the page has come. */
static int do_store(void) {
  int *ends = (int *)(AT(3) - 4);
  say("a");
  int result = errno_of(syscall(SYS_pipe2, ends, 0));
  if (result != 0) return result;
  if (pages != 2) return 99;
  char byte = 7;
  int is_pipe = write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1;
  is_pipe &= close(ends[0]) == 0 && close(ends[1]) == 0;
  return is_pipe ? 0 : 99;
}

static int do_waitv(void) {
  static uint32_t words[WORDS];
  struct { uint64_t value, address; uint32_t flags, reserved; } wait[WORDS];
  for (int i = 0; i < WORDS; i++) wait[i].value = 0, wait[i].address = (uintptr_t)&words[i], wait[i].flags = 2 | 128, wait[i].reserved = 0;
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec++;
  say("a");
  long r = syscall(449, wait, WORDS, 0, &until, CLOCK_MONOTONIC);
  return r < 0 && errno == ETIMEDOUT ? 0 : r < 0 ? errno : 99;
}

static const struct { const char *name; int (*call)(void); } calls[] = {
    {"fork", do_fork}, {"unmap", do_unmap}, {"replace", do_replace}, {"remap", do_remap}, {"remove", do_remove}, {"store", do_store}, {"waitv", do_waitv}};

int main(int argc, char **argv) {
  int (*call)(void) = NULL;
  for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
    if (argc > 1 && strcmp(argv[1], calls[i].name) == 0) call = calls[i].call;
  if (call == NULL) return 98;
  if (call != do_waitv) listen_to_changes();
  for (;;) {
    if (call != do_waitv) set_up();
    int result = call();
    if (call != do_waitv) take_down();
    char text[16];
    sprintf(text, "%d\n", result);
    say(text);
  }
}
