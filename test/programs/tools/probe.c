/* What the tests of the command ask a guest to do: `probe WHAT [ARGUMENT]`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static int write_all(int fd, const char *from, long left) {
  while (left > 0) {
    long n = write(fd, from, left);
    if (n < 0) return -1;
    from += n, left -= n;
  }
  return 0;
}

static int copy(int from, int to) {
  static char room[65536];
  long n;
  while ((n = read(from, room, sizeof room)) > 0)
    if (write_all(to, room, n) < 0) return 1;
  return n < 0;
}

/* Prints lines until nobody reads them; with `ignore` it asks to hear that as EPIPE. */
static int yes(int is_ignoring) {
  if (is_ignoring) signal(SIGPIPE, SIG_IGN);
  for (long i = 0;; i++) {
    char line[32];
    int length = sprintf(line, "line %ld\n", i);
    if (write_all(1, line, length) == 0) continue;
    fprintf(stderr, "write: %s\n", strerror(errno));
    return 3;
  }
}

/* Takes memory, `touch`ing every page or only asking for it, until there is none. */
static int hog(int is_touching) {
  size_t step = is_touching ? 1 << 20 : 64UL << 30;
  for (long i = 0;; i++) {
    char *room = mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) {
      printf("mmap: %s after %ld\n", strerror(errno), i);
      return 4;
    }
    for (size_t at = 0; is_touching && at < step; at += PAGE) room[at] = 1;
  }
}

static void *grow(void) {
  for (;;)
    if (malloc(100000) == NULL) return NULL;
}

static void nothing(int signal) {}

static void said(int signal) {
  write_all(1, "caught\n", 7);
  _exit(7);
}

/* A handler that mends nothing: the same store faults for ever. */
static int faults(void) {
  signal(SIGSEGV, nothing);
  write_all(1, "ready\n", 6);
  *(volatile int *)0xdead000 = 1;
  return 0;
}

static int spin(const char *how) {
  if (strcmp(how, "catch") == 0) signal(SIGINT, said), signal(SIGTERM, said);
  write_all(1, "ready\n", 6);
  for (volatile long i = 0;; i++) {}
}

static int recurse(int depth) {
  volatile char room[1024];
  room[0] = depth;
  return recurse(depth + 1) + room[0];
}

static int print_random(void) {
  unsigned long value;
  struct timespec now;
  getrandom(&value, sizeof value, 0);
  clock_gettime(CLOCK_MONOTONIC, &now);
  printf("%lx %lld.%09ld\n", value, (long long)now.tv_sec, now.tv_nsec);
  return 0;
}

static int write_file(const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd >= 0 && copy(0, fd) == 0 && close(fd) == 0) return 0;
  fprintf(stderr, "%s: %s\n", path, strerror(errno));
  return 1;
}

static int read_file(const char *path) {
  int fd = open(path, O_RDONLY);
  if (fd >= 0 && copy(fd, 1) == 0) return 0;
  fprintf(stderr, "%s: %s\n", path, strerror(errno));
  return 1;
}

int main(int argc, char **argv, char **envp) {
  const char *what = argc > 1 ? argv[1] : "", *argument = argc > 2 ? argv[2] : "";
  char room[256];
#define IS(name) (strcmp(what, name) == 0)
  if (IS("exit")) return atoi(argument);
  if (IS("raise")) return raise(atoi(argument));
  if (IS("arguments")) for (int i = 0; i < argc; i++) puts(argv[i]);
  if (IS("environment")) for (; *envp; envp++) puts(*envp);
  if (IS("cwd")) puts(getcwd(room, sizeof room));
  if (IS("cat")) return copy(0, 1);
  if (IS("both")) return write_all(1, "to output\n", 10) | write_all(2, "to error\n", 9);
  if (IS("many")) for (int i = 0; i < atoi(argument); i++) printf("line %d\n", i);
  if (IS("yes")) return yes(strcmp(argument, "ignore") == 0);
  if (IS("hog")) return hog(strcmp(argument, "touch") == 0);
  if (IS("malloc")) return grow() == NULL ? puts("malloc failed"), 5 : 0;
  if (IS("faults")) return faults();
  if (IS("spin")) return spin(argument);
  if (IS("recurse")) return recurse(0);
  if (IS("random")) return print_random();
  if (IS("write")) return write_file(argument);
  if (IS("read")) return read_file(argument);
  if (IS("sleep")) return write_all(1, "ready\n", 6), sleep(atoi(argument));
  if (IS("wait")) return write_all(1, "ready\n", 6), copy(0, 1);
  return 0;
}
